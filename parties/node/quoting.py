"""Quotes: what a job would cost and what every owner would say to it, without asking for it.

A node makes the job and its plan, asks the rules of its own tables, and the other owners' nodes for what theirs say. Of
an owner it learns what a proposal's refusal tells: verdicts, clause by clause, and how much of its limits is left.
Nothing is kept or charged, at nobody's. Rounds: one call to each owner, at once. Blocks a thread at each, one quote of
a member's at a time, for as long as a limit's sum of losses takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Literal

import trio

from mpc.errors import AccordError
from parties.consent.rules import Opinion, Rules
from parties.errors import JobRefused
from parties.jobs.job import Job, check_id, check_job, read_job
from parties.kinds.kind import Plan
from parties.membership.charter import Member
from parties.node.asked_job import answered_before, asked_job
from parties.node.catalogue import Catalogue
from parties.planning.job_plans import Plans
from parties.planning.job_work import PUBLISHED, check_described
from parties.policies.policy_terms import Finding, Limits, Spent
from parties.running.board import Board
from parties.wire.people_messages import Submit
from parties.wire.quote_messages import (
    Clause,
    Cost,
    Figure,
    Left,
    ModelView,
    OwnerView,
    PlanCard,
    Quote,
    Quoted,
    TableView,
)

__all__ = ["Quoting"]

_WITHIN = 20.0  # seconds; summing up losses near a limit takes some
_MOST_TEXT = 2000

_LEAST_LEFT = -1e12


class Quoting:
    """One node's.

    Args:
        board, catalogue, plans: of the node.
        rules: its own.
        cost: foretells what a plan takes between so many compute members.
    """

    def __init__(
        self, board: Board, catalogue: Catalogue, plans: Plans, rules: Rules, cost: Callable[[Plan, int], Cost]
    ) -> None:
        self._board = board
        self._catalogue = catalogue
        self._plans = plans
        self._rules = rules
        self._cost = cost
        self._turns: dict[str, trio.Semaphore] = {}  # by who asks

    async def quote(self, person: str, asked: Submit) -> PlanCard:
        """The card of what one of this node's people would ask. Raises what submitting it does, but for verdicts."""
        board = self._board
        job, texts = await asked_job(board, self._catalogue, person, asked)
        if not texts and job.tables:
            texts = (await board.disk(board.store.facts, job.id)).get(PUBLISHED, [])
        check_job(job, board.charter, board.clock())
        kind, plan = await board.aside(self._plans.plan, job, texts)
        owners: dict[str, OwnerView] = {}

        async def ask(member: Member) -> None:
            try:
                said = await self._asked(member, job, texts)
                owners[member.name] = OwnerView(member=member.name, tables=said.tables, models=said.models)
            except AccordError as error:
                owners[member.name] = OwnerView(
                    member=member.name, tables=[], error=f"{type(error).__name__}: {error}"[:_MOST_TEXT]
                )

        names = {name for name, _ in job.tables} | ({plan.model.owner} if plan.model is not None else set())
        async with trio.open_nursery() as nursery:
            for member in board.charter.members:
                if member.name in names:
                    nursery.start_soon(ask, member)
        same = await answered_before(board, job)
        found = [owners[name] for name in sorted(owners)]
        return PlanCard(
            verdict=_verdict(found),
            kind=job.kind,
            parameters=dict(job.parameters),
            purpose=job.purpose,
            by=person,
            results=list(job.results),
            tables=[f"{member}.{table}" for member, table in job.tables],
            plan=plan.digest,
            epsilon=plan.epsilon,
            delta=plan.delta,
            groups=max((slot.shape[0] for one in plan.answers for slot in one.slots if slot.shape), default=1),
            minimum=plan.minimum,
            figures=[
                Figure(name=one.name[:_MOST_TEXT], error=one.error, by_rows=one.by_rows) for one in kind.expects(plan)
            ],
            leaks=list(plan.leaks),
            explained="" if kind.explain is None else kind.explain(plan),
            owners=found,
            replays=same or "",
            cost=self._cost(plan, len(board.charter.compute)),
        )

    async def answer(self, peer: Member, job_id: str, body: Quote) -> Quoted:
        """What this node's rules say to a member's job. JobRefused, JobInvalid, and what Rules.opinions raises."""
        board = self._board
        job = read_job(body.job.encode("ascii"))
        check_id(job, job_id)
        check_job(job, board.charter, board.clock())
        if job.proposer != peer.fingerprint:
            raise JobRefused(f"job {job.id}: a quote is for who would propose it, and {peer.name} would not")
        check_described(job, body.tables)
        return await self._views(peer, job, body.tables)

    async def _asked(self, member: Member, job: Job, texts: Sequence[str]) -> Quoted:
        board = self._board
        if member == board.me:
            return await self._views(member, job, texts)
        message = Quote(job=job.canonical.decode("ascii"), tables=list(texts))
        return await board.network.call(member, message, job.id, within=_WITHIN)

    async def _views(self, asking: Member, job: Job, texts: Sequence[str]) -> Quoted:
        def said() -> Quoted:
            plan, _, opinions = self._rules.opinions(job, texts)
            model = self._rules.model_opinion(job, plan)
            models = [] if model is None else [ModelView(
                model=model.model, verdict=model.verdict.value, clauses=_clauses(model.findings)
            )]  # fmt: skip
            return Quoted(tables=[_view(opinion) for opinion in opinions], models=models)

        async with self._turns.setdefault(asking.fingerprint, trio.Semaphore(1)):
            return await self._board.aside(said)


def _verdict(owners: Sequence[OwnerView]) -> Literal["allowed", "ask", "denied"]:
    """Of all; who could not say, denies."""
    said = [table.verdict for one in owners for table in one.tables]
    said += [model.verdict for one in owners for model in one.models]
    if any(one.error for one in owners) or "denied" in said:
        return "denied"
    return "ask" if "ask" in said else "allowed"


def _clauses(findings: Sequence[Finding]) -> list[Clause]:
    return [
        Clause(
            clause=one.clause,
            column=one.column,
            verdict=one.verdict.value,
            text=one.text[:_MOST_TEXT],
            remedy=one.remedy[:_MOST_TEXT],
        )
        for one in findings
    ]


def _view(opinion: Opinion) -> TableView:
    clauses = _clauses(opinion.findings)
    if not opinion.digest:
        remedy = "its owner signs one: `accord policy`"
        clauses = [Clause(clause="policy", column="", verdict="denied", text="the table has no policy", remedy=remedy)]
    limits = opinion.limits if opinion.asked.epsilon > 0 else None
    return TableView(
        table=opinion.table,
        policy=opinion.digest,
        verdict=opinion.verdict.value,
        columns={name: sorted(uses) for name, uses in sorted(opinion.asked.uses.items())},
        counts=opinion.asked.counts,
        clauses=clauses,
        left=None if limits is None else _left(limits, opinion.asked.spent),
    )


def _left(limits: Limits, spent: Spent) -> Left:
    rests = {
        name: None if rest is None else max(rest, _LEAST_LEFT) for name, rest in asdict(limits.left(spent)).items()
    }
    return Left(delta=limits.delta, days=limits.days, **rests)
