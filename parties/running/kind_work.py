"""What a node does in a job: consents by its published tables, reads its rows, deals them or runs the kind's program.

See job_work.Work. Nothing here decides when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import trio

from mpc.transport import Traffic
from parties.consent.rules import Rules, check_published
from parties.data.published import PublishedTable
from parties.data.tables import Reading
from parties.errors import JobRefused, LaneInvalid
from parties.jobs.job import Job
from parties.keys.store_key import store_key
from parties.kinds.checkpoints import Checkpoint, Checkpointing
from parties.kinds.kind import Kind, ModelAsk, Plan, Rows, TableInput, Work
from parties.mesh.lanes import Lanes
from parties.models.model_assets import ModelAssets
from parties.models.model_entry import Model
from parties.planning.job_plans import Plans, pack_shares
from parties.planning.job_work import PUBLISHED, Consent, Outcome
from parties.planning.kinds import deal_rows, table_context
from parties.running.board import Board
from parties.running.checkpoint_files import CheckpointFiles
from parties.running.own_rows_kept import OwnRows, reading_of
from parties.running.part_files import PartFiles
from parties.wire.messages import Run

__all__ = ["INPUT", "KindWork", "Progress", "part_name"]

INPUT = "input"
"""Purpose of dealt shares."""

_PIECE = 4 << 20  # bytes of a dealt part sent at once

Progress = Callable[[str, str, Traffic], None]
"""Called as progress(job id, operation, traffic so far)."""


class KindWork:
    """job_work.Work, by the kinds.

    Args:
        board: the node's jobs.
        plans: theirs.
        rules: this node's.
        tables: gives this member's published tables; blocks.
        parts: what was dealt to this node.
        kept: checkpoints of its long jobs.
        models: this member's.
        lanes: this node's; None where it does not compute.
        progress: see Progress.
    """

    def __init__(
        self,
        board: Board,
        plans: Plans,
        rules: Rules,
        tables: Callable[[], Mapping[str, PublishedTable]],
        parts: PartFiles,
        kept: CheckpointFiles,
        models: ModelAssets,
        lanes: Lanes | None,
        progress: Progress,
    ) -> None:
        self._board = board
        self._plans = plans
        self._rules = rules
        self._tables = tables
        self._parts = parts
        self._kept = kept
        self._models = models
        self._own = OwnRows()
        self._lanes = lanes
        self._progress = progress

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        """What this node's rules say (consent/rules.py)."""
        return await self._board.aside(self._rules.consent, job, tables)

    # -- a member that does not compute ------------------------------------------------------------

    async def deal(self, job: Job) -> None:
        """Its rows, in components, to the compute members. Nothing at one that computes."""
        board = self._board
        if board.index is not None:
            return
        _, plan = await self._planned(job)
        for place, (member, _) in enumerate(job.tables):
            if member == board.me.name and not plan.asks[place].beside:
                await self._deal(job, plan, place)

    async def _deal(self, job: Job, plan: Plan, place: int) -> None:
        charter = self._board.charter
        m, context = len(charter.compute), table_context(job.digest, place)
        dealt = deal_rows(
            plan, place, self._own.batches(*self._reading(job, plan, place)), m, charter.threshold, context
        )
        waiting: list[list[bytes]] = [[] for _ in range(m)]
        sent = [0] * m

        async def send(i: int) -> None:
            content, waiting[i], part, sent[i] = b"".join(waiting[i]), [], sent[i], sent[i] + 1
            await self._board.network.send_part(charter.compute[i], job.id, INPUT, part_name(place), part, content)

        while (step := await trio.to_thread.run_sync(next, dealt, None)) is not None:
            i, content = step
            waiting[i].append(content)
            if sum(map(len, waiting[i])) >= _PIECE:
                await send(i)
        for i in range(m):
            await send(i)

    # -- a member that computes --------------------------------------------------------------------

    async def compute(self, job: Job, order: Run) -> Outcome:
        """Run the kind's program in the lane named, after the run before it."""
        if self._lanes is None:
            raise JobRefused(f"job {job.id}: {self._board.me.name} does not compute")
        lane = self._lanes.lane(order.lane, order.epoch)
        lane.take(order.number)
        async with lane.turn:
            if lane.worker.lost is not None:
                raise LaneInvalid(f"lane {order.lane} broke before the job ran in it: {lane.worker.lost}")
            kind, plan = await self._planned(job)
            inputs = tuple([await self._input(job, plan, place) for place in range(len(job.tables))])

            def reported(text: str, traffic: Traffic) -> None:
                self._progress(job.id, text, traffic)

            def heard(value: Any) -> None:
                if isinstance(value, Checkpoint):
                    self._kept.put(job.id, value.run, value.step, value.data)

            extra: Any = None
            if kind.keeps and job.on_loss == "wait":
                extra = await self._board.aside(self._checkpointing, job, order, lane.session)
            elif plan.model is not None and plan.model.owner == self._board.me.name:
                extra = await self._board.aside(self._model, job, plan, plan.model)
            work = Work(plan, inputs, extra)
            found, traffic, seconds = await lane.worker.run(order.number, kind.program, work, heard, reported)
        facts = {"rounds": traffic.rounds, "bytes": traffic.bytes_sent, "seconds": seconds, **found.facts}
        return Outcome(pack_shares(found.shares), facts)

    async def held(self, job: Job) -> list[tuple[str, int]]:
        """(run, step) of the checkpoints kept here, the newest last."""
        return await self._board.aside(self._kept.held, job.id)

    async def may_begin_anew(self, job: Job) -> bool:
        """See kind.Plan.anew."""
        _, plan = await self._planned(job)
        return plan.anew

    def _model(self, job: Job, plan: Plan, ask: ModelAsk) -> Model:
        """This member's, if its rules still allow what was consented to, and its content is the one of its id."""
        opinion = self._rules.model_opinion(job, plan)
        if opinion is not None:
            opinion.check()
        return self._models.load(self._models.find(ask.name, ask.version))

    def _checkpointing(self, job: Job, order: Run, session: str) -> Checkpointing:
        """A run's name follows from the lane's session, so it is the same at all members, and nobody has it twice."""
        resume = None
        if order.checkpoint is not None:
            resume = self._kept.read(job.id, order.checkpoint.run, order.checkpoint.step)
        key = store_key(self._board.identity, "checkpoints")
        return Checkpointing(key, job.digest, f"{session[:32]}x{order.number}", resume=resume)

    async def _input(self, job: Job, plan: Plan, place: int) -> TableInput:
        member = job.tables[place][0]
        names = [m.name for m in self._board.charter.compute]
        if plan.asks[place].beside:
            return TableInput(None)
        if member not in names:
            pieces = await trio.to_thread.run_sync(self._parts.read, job.id, part_name(place))
            return TableInput(None, dealt=pieces, context=table_context(job.digest, place))
        rows = None
        if member == self._board.me.name:
            rows = await trio.to_thread.run_sync(self._rows, job, plan, place)
        return TableInput(names.index(member), rows)

    def _rows(self, job: Job, plan: Plan, place: int) -> Rows:
        return self._own.all(*self._reading(job, plan, place))

    def _reading(self, job: Job, plan: Plan, place: int) -> tuple[PublishedTable, Reading, tuple[PublishedTable, ...]]:
        """What is read of this member's own table: as it is published now, which has to be as it was consented to."""
        ask, tables = plan.asks[place], self._tables()
        beside = () if ask.query is None else ask.query.others
        for other, (member, name) in enumerate(job.tables):
            if other == place or (member == ask.member and name in beside):
                check_published(job, other, tables)
        return tables[ask.table], reading_of(ask), tuple(tables[name] for name in beside)

    async def _planned(self, job: Job) -> tuple[Kind, Plan]:
        def planned() -> tuple[Kind, Plan]:
            return self._plans.plan(job, self._board.store.facts(job.id)[PUBLISHED])

        return await self._board.aside(planned)


def part_name(place: int) -> str:
    """The name under which a job's table is dealt."""
    return f"table-{place}"
