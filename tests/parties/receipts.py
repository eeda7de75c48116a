"""Real receipts, made by nodes in memory: their rules, policies, plans, shares and answers are real ones.

Only the run is not theirs: what each compute member would get in its worker was computed before, by the same program.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import trio
from trio.testing import MockClock

from mpc import MemoryCluster
from parties.consent.rules import Rules
from parties.data.description import describe, digest_of
from parties.data.published import PublishedTable
from parties.jobs.job import Job, job_id
from parties.jobs.session import State
from parties.membership.charter_bundle import SignedCharter
from parties.planning.job_plans import Plans, pack_shares
from parties.planning.job_work import Consent, Outcome
from parties.planning.kinds import kind_of
from parties.policies.policy_store import SignedPolicy, sign_policy
from parties.policies.policy_terms import Limits
from parties.proof.receipts import Receipts
from parties.publishing.publish_policy import policy_of
from parties.running.answer_store import ANSWER_DIGEST
from parties.running.own_rows_kept import OwnRows, reading_of
from parties.wire.messages import Run
from tests.parties.consortium import identity, signed
from tests.parties.job_tables import WARDS, NoLine, inputs, stay_rows, stays
from tests.parties.world import CHARTER, START, FakeWork, Node, World, now

SOFTWARE = "5" * 64
"""What nodes of these worlds say that they run."""

SIGNED = SignedCharter(CHARTER, signed(CHARTER, 0, 1, 2, 3))
MEMBERS = {"alfa": 0, "bravo": 1, "charlie": 2, "delta": 3}
STAYS = stays()

SQL = "SELECT ward, COUNT(*) AS n, AVG(age) AS mean FROM stays WHERE age >= 18 GROUP BY ward ORDER BY ward"
ASKED: Mapping[str, dict[str, Any]] = {
    "aggregate": {
        "kind": "aggregate",
        "parameters": {
            "figures": ["count", {"sum": "age"}], "by": "ward", "epsilon": 4.0,
            "where": {"column": "died", "is": "==", "value": False},
        },
        "owners": ("bravo", "delta"),
    },
    "query": {"kind": "query", "parameters": {"sql": SQL, "epsilon": 8.0, "minimum": 2}, "owners": ("alfa", "bravo")},
}  # fmt: skip
"""Of each job its kind, its parameters, and whose tables it is about."""


@dataclasses.dataclass(frozen=True)
class Made:
    """What came of a job: the receipts at both result members, and the answer."""

    job: Job
    alfa: bytes
    delta: bytes
    without: bytes
    answer: bytes
    purged: bytes
    too_large: bytes


class ReceiptWorld(World):
    """Nodes that decide by real rules, about a table of each, and whose workers gave these shares."""

    def __init__(self, directory: Path, shares: Sequence[bytes]) -> None:
        super().__init__(directory)
        self.shares = shares
        self.plans = Plans(lambda: (CHARTER,))

    def work_of(self, node: Node) -> FakeWork:
        return _RealRules(self, node)

    def rebuilt(self, job: Job, parts: Mapping[str, bytes]) -> bytes | None:
        return self.plans.answer(job, descriptions(job), parts)


class _RealRules(FakeWork):
    world: ReceiptWorld

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        board = self.node.board
        board.software = SOFTWARE
        rules = Rules(lambda: board.me, self.world.plans, _tables, self._policies, self.node.store.ledger, now)
        return rules.consent(job, tables)

    def _policies(self, names: Iterable[str]) -> dict[str, SignedPolicy]:
        return {name: policy(self.node.name) for name in names}

    async def compute(self, job: Job, order: Run) -> Outcome:
        await super().compute(job, order)
        return Outcome(self.world.shares[MEMBERS[self.node.name]], {})


def policy(member: str) -> SignedPolicy:
    """By which this member decides."""
    return sign_policy(policy_of(STAYS, Limits(query=64.0, delta=0.01)), identity(MEMBERS[member]))


def _tables() -> dict[str, PublishedTable]:
    return {STAYS.name: STAYS}


def descriptions(job: Job) -> list[str]:
    return [describe(STAYS).decode()] * len(job.tables)


def job_of(name: str) -> Job:
    """Asked for by Ann of delta, for alfa and delta."""
    asked, proposer = ASKED[name], identity(3).fingerprint
    tables = tuple((owner, STAYS.name) for owner in asked["owners"])
    return Job(
        charter=CHARTER.digest, id=job_id(proposer, name), kind=asked["kind"], parameters=asked["parameters"],
        tables=tables, published=(digest_of(STAYS),) * len(tables), results=("alfa", "delta"), proposer=proposer,
        proposed=int(START), deadline=600, analyst="ann", purpose="research",
    )  # fmt: skip


def _shares_of(job: Job, directory: Path) -> list[bytes]:
    """What the workers of the compute members would give; tables are read from files here."""
    kind, plan = Plans(lambda: (CHARTER,)).plan(job, descriptions(job))
    given: list[tuple[int | None, Any]] = []
    for place, (owner, _) in enumerate(job.tables):
        index, ask, file = MEMBERS[owner], plan.asks[place], directory / f"{owner}.csv"
        frame = pd.DataFrame(stay_rows(30, place))
        frame.assign(ward=[WARDS[i] for i in frame["ward"]]).to_csv(file, index=False)
        rows = OwnRows().all(dataclasses.replace(STAYS, source=str(file)), reading_of(ask))
        given.append((index if index < 3 else None, rows))

    async def program(party: Any, work: Any) -> Any:
        return await kind_of(job.kind).program(party, NoLine(), work)

    outcomes = MemoryCluster(3, 1, seed=5).run(program, inputs(kind, plan, given, 3, 1))
    return [pack_shares(outcome.shares) for outcome in outcomes]


@functools.cache
def made(name: str = "aggregate") -> Made:
    """A job from its proposal to its receipts."""
    job = job_of(name)
    with tempfile.TemporaryDirectory() as directory:
        shares = _shares_of(job, Path(directory))

        async def main() -> Made:
            async with ReceiptWorld(Path(directory), shares).running() as world:
                await world.nodes["delta"].jobs.submit(job, descriptions(job))
                await trio.sleep(5)
                assert set(world.states(job.id).values()) == {State.RELEASED}, world.causes(job.id)
                return await _receipts(world, job)

        return trio.run(main, clock=MockClock(autojump_threshold=0))


def receipts_of(world: World, name: str) -> Receipts:
    """Of one node of a world."""
    return Receipts(world.nodes[name].board, lambda: (SIGNED,))


async def _receipts(world: World, job: Job) -> Made:
    alfa, delta = receipts_of(world, "alfa"), receipts_of(world, "delta")
    whole, its = await alfa.receipt(job.id, False), await delta.receipt(job.id, False)
    without = await alfa.receipt(job.id, True)
    store = world.nodes["alfa"].store
    answer = store.answers.answer(job.id)
    with store._file.transaction():
        store._file.change("DELETE FROM sealed WHERE id = ? AND what = 'proof'", job.id)
    too_large = await alfa.receipt(job.id, False)
    assert store.answers.purge(now() + 100, now()) == 1
    assert ANSWER_DIGEST in store.facts(job.id)
    return Made(job, whole, its, without, answer, await alfa.receipt(job.id, False), too_large)


def rewritten(document: Any) -> bytes:
    """JSON in the form in which receipts are written."""
    return json.dumps(document, sort_keys=True, indent=1).encode() + b"\n"
