"""A member that proposes, and coordinates, and tells each of the others something else: nobody lets anything out.

alfa's node is the hostile one. All others are honest, with real stores, signatures, ledgers and logs; what they are
asked comes from alfa's own coordinator, told to lie, or from the test, message by message.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from mpc.errors import AccordError
from parties.disk.chain import Head, audit_log
from parties.errors import IllegalStep, JobConflict, JobInvalid, JobRefused, NotReleased, SignatureInvalid
from parties.jobs.decision import FAST
from parties.jobs.job import Job
from parties.jobs.job_signatures import sign_acceptance, sign_proposal, sign_vote
from parties.jobs.session import State
from parties.jobs.statement import Statement, read_statement
from parties.planning.job_work import Consent
from parties.policies.budget import Charge
from parties.running import coordinator
from parties.running.settling import ballot_message
from parties.wire.message_form import signatures_of
from parties.wire.messages import Accept, Decided, Propose, Reserve, Run
from protocols.accounting import Event as Release
from protocols.mechanisms import DiscreteLaplace
from protocols.sensitivity import Change
from tests.parties.world import TABLES, FakeWork, MemoryNetwork, Node, World, now

HOSTILE, HONEST = "alfa", ("bravo", "charlie", "delta")
ONE = Change((1,), False)


class ChargingWork(FakeWork):
    """Makes a plan of what the job says, and charges what it costs, as a node's own rules do."""

    async def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        plan = hashlib.sha256(json.dumps([job.kind, job.parameters], sort_keys=True).encode()).hexdigest()
        figure = Release(DiscreteLaplace(float(job.parameters["epsilon"])), ONE)
        charge = Charge(job.id, now(), ("text",), job.proposer, job.analyst, (figure,))
        return Consent(plan, charge=charge, book=self.node.store.ledger.chain.head, told={"proposer": job.proposer})


class LyingNetwork(MemoryNetwork):
    """Brings each member the job that it is to see."""

    world: LyingWorld

    async def call(self, member: Any, message: Any, job: str = "", *, within: float | None = None) -> Any:
        other = self.world.versions.get(member.name)
        if self.node.name == HOSTILE and isinstance(message, Propose) and other is not None:
            message = proposal(self.world, other)
        return await super().call(member, message, job, within=within)


class LyingWorld(World):
    """``versions``: which job a member is told of under the id of the one that is proposed."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.versions: dict[str, Job] = {}

    def work_of(self, node: Node) -> FakeWork:
        return ChargingWork(self, node)

    def network_of(self, node: Node) -> MemoryNetwork:
        return LyingNetwork(self, node)

    def asked(self, key: str = "one", **changes: Any) -> Job:
        return self.job(HOSTILE, key, **{"parameters": {"epsilon": 1.0}, "deadline": 60, **changes})


def proposal(world: World, job: Job) -> Propose:
    signature = sign_proposal(job, world.nodes[HOSTILE].identity).hex()
    return Propose(job=job.canonical.decode(), signature=signature, tables=TABLES)


def play(tmp_path: Path, scenario: Callable[[LyingWorld], Awaitable[Any]]) -> None:
    async def main() -> None:
        with trio.fail_after(10_000):
            async with LyingWorld(tmp_path).running() as world:
                await scenario(world)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def gets_nothing(world: LyingWorld, told: Mapping[str, Sequence[Job]]) -> None:
    """When all is over: nothing ran, no row and no share left, nothing is charged, and the logs name who asked.

    ``told``: of which jobs each honest member was told.
    """
    await trio.sleep(100)
    assert world.orders == [] and world.dealt <= {HOSTILE}
    assert not [entry for entry in world.log if entry[2] == "tuple" and entry[0] in HONEST], "a share"
    for name, jobs in told.items():
        store = world.nodes[name].store
        for job in jobs:
            assert store.get(job.id).state is State.ABORTED, (name, store.get(job.id))
            assert store.votes(job.id) == {}
            with pytest.raises(NotReleased):
                store.answers.answer(job.id)
        book = store.ledger.book()
        assert book.costs(["text"]) == [] and book.open_jobs == (), name
        store.audit.chain.check()
        entries = [entry for _, entry in store.audit.entries()]
        proposed = {entry["digest"]: entry["proposer"] for entry in entries if entry["what"] in ("proposed", "refused")}
        assert proposed == {job.digest: world.nodes[HOSTILE].identity.fingerprint for job in jobs}, name
        assert {entry["job"] for entry in entries if entry["what"] == "aborted"} == {job.id for job in jobs}
        accepted = [entry for entry in entries if entry["what"] == "accepted"]
        assert all(entry["proposer"] == world.nodes[HOSTILE].identity.fingerprint for entry in accepted)


DIFFERENT: dict[str, dict[str, Any]] = {
    "epsilon": {"parameters": {"epsilon": 0.125}},
    "kind": {"kind": "sum"},
    "recipients": {"results": ("delta",)},
    "tables": {"tables": (("delta", "patients"), ("bravo", "patients"))},
    "purpose": {"purpose": "research"},
    "analyst": {"analyst": "somebody else"},
    "deadline": {"deadline": 50},
}


@pytest.mark.parametrize("victim", [*HONEST, "all, each another"])
@pytest.mark.parametrize("what", DIFFERENT)
def test_different_jobs_under_one_id_give_their_proposer_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, victim: str
) -> None:
    """alfa's coordinator tells somebody another job than the others, and minds no acceptance itself."""
    monkeypatch.setattr(coordinator, "check_acceptance", lambda *_: None)

    async def scenario(world: LyingWorld) -> None:
        job = world.asked()
        victims = HONEST if victim not in HONEST else (victim,)
        for i, name in enumerate(victims):
            more = {"parameters": {"epsilon": 2.0 + i}} if i else {}
            world.versions[name] = replace(job, **{**DIFFERENT[what], **more})
        world.nodes[HOSTILE].nursery.start_soon(world.nodes[HOSTILE].jobs.submit, job, TABLES)
        await trio.sleep(1)
        told = {name: [world.versions.get(name, job)] for name in HONEST}
        for name, (version,) in told.items():
            assert world.nodes[name].store.get(job.id).job == version
        await gets_nothing(world, told)

    play(tmp_path, scenario)


async def silenced(world: LyingWorld) -> Any:
    """From now on the test says what alfa says."""
    node = world.nodes[HOSTILE]
    node.scope.cancel()
    node.alive = False
    await trio.sleep(0.1)
    return world._member(node)


async def accepted(world: LyingWorld, alfa: Any, job: Job, *names: str) -> dict[str, bytes]:
    """Their acceptances of a job, and alfa's own, as good as it can sign one."""
    found = {}
    for name in names or HONEST:
        answer = await world.nodes[name].jobs.propose(alfa, job.id, proposal(world, job))
        found[name] = bytes.fromhex(answer.acceptance)
    statement = own_statement(world, job, next(iter(found.values())))
    return {**found, HOSTILE: statement}


def own_statement(world: LyingWorld, job: Job, like: bytes) -> bytes:
    mine = world.nodes[HOSTILE].identity
    head = Head(audit_log(mine.fingerprint), 1, "e" * 64)
    return sign_acceptance(Statement(job.digest, read_statement(like[64:]).plan, head, "0" * 64), mine)


async def refused(world: LyingWorld, alfa: Any, job: Job, acceptances: Mapping[str, bytes]) -> None:
    """Neither the order to reserve nor the one to run is taken by anybody, with these acceptances."""
    shown = signatures_of(acceptances)
    for name in HONEST:
        part = world.nodes[name].jobs.participant
        with pytest.raises((SignatureInvalid, JobInvalid, JobRefused)):
            await part.reserve(alfa, job.id, Reserve(acceptances=shown))
        if name != "delta":
            with pytest.raises((SignatureInvalid, JobInvalid, JobRefused, IllegalStep)):
                await part.run(alfa, job.id, Run(lane=0, epoch=9, number=1, acceptances=shown))
        assert world.nodes[name].store.get(job.id).state is State.ACCEPTED


def test_an_acceptance_is_of_one_job_one_member_and_one_plan(tmp_path: Path) -> None:
    async def scenario(world: LyingWorld) -> None:
        alfa = await silenced(world)
        one, two = world.asked("one"), world.asked("two", parameters={"epsilon": 4.0})
        first, second = await accepted(world, alfa, one), await accepted(world, alfa, two)
        for name in HONEST:  # of another job
            await refused(world, alfa, two, {**second, name: first[name]})
        await refused(world, alfa, two, first)
        for name in HONEST:  # skipped, or somebody else's
            await refused(world, alfa, two, {n: a for n, a in second.items() if n != name})
            await refused(world, alfa, two, {**second, name: second[HOSTILE]})
            await refused(world, alfa, two, {**second, name: second[name][:-1] + b"!"})
        await refused(world, alfa, two, {**second, HOSTILE: own_statement(world, two, first[HOSTILE])})
        await refused(world, alfa, two, {})
        await gets_nothing(world, {name: [one, two] for name in HONEST})

    play(tmp_path, scenario)


@pytest.mark.parametrize("changes", [{"results": ("delta", "bravo")}, {"parameters": {"epsilon": 9.0}}])
def test_what_was_accepted_is_not_changed_afterwards(tmp_path: Path, changes: dict[str, Any]) -> None:
    async def scenario(world: LyingWorld) -> None:
        alfa = await silenced(world)
        job = world.asked()
        changed = replace(job, **changes)
        found = await accepted(world, alfa, job)
        for name in HONEST:
            with pytest.raises(JobConflict):
                await world.nodes[name].jobs.propose(alfa, job.id, proposal(world, changed))
            with pytest.raises(AccordError):
                await world.nodes[name].jobs.propose(alfa, changed.id[::-1], proposal(world, changed))
            assert world.nodes[name].store.get(job.id).job == job
        await refused(world, alfa, job, {**found, HOSTILE: own_statement(world, changed, found[HOSTILE])})
        await gets_nothing(world, {name: [job] for name in HONEST})

    play(tmp_path, scenario)


def test_nobody_runs_without_everybodys_acceptance(tmp_path: Path) -> None:
    async def scenario(world: LyingWorld) -> None:
        alfa = await silenced(world)
        job = world.asked()
        found = await accepted(world, alfa, job, "bravo", "charlie")  # delta is never asked
        for name in ("bravo", "charlie"):
            part = world.nodes[name].jobs.participant
            for acceptances in ({}, found):
                with pytest.raises((IllegalStep, JobRefused, SignatureInvalid)):
                    order = Run(lane=0, epoch=9, number=1, acceptances=signatures_of(acceptances))
                    await part.run(alfa, job.id, order)
        await gets_nothing(world, {"bravo": [job], "charlie": [job]})
        assert world.nodes["delta"].store.find(job.id) is None or world.states(job.id)["delta"] is State.ABORTED

    play(tmp_path, scenario)


def test_a_vote_that_is_forged_releases_nothing_and_the_run_alone_may_stay_charged(tmp_path: Path) -> None:
    """All goes well until the run; then alfa says that all voted."""

    async def scenario(world: LyingWorld) -> None:
        world.long = 1000.0
        job = world.asked()
        world.nodes[HOSTILE].nursery.start_soon(world.nodes[HOSTILE].jobs.submit, job, TABLES)
        await trio.sleep(1)
        assert world.states(job.id)["bravo"] is State.RUNNING and world.states(job.id)["delta"] is State.RESERVED
        mine, other = world.nodes[HOSTILE].identity, world.asked("another")
        alfa = world._member(world.nodes[HOSTILE])
        good = {name: sign_vote(job, world.nodes[name].identity, b"x") for name in ("alfa", "charlie")}
        for forged in (
            {**good, "bravo": sign_vote(job, mine, b"x")},
            {**good, "bravo": sign_vote(other, world.nodes["bravo"].identity, b"x")},
            {**good, "bravo": good["charlie"]},
            good,
        ):
            votes = signatures_of(forged)
            for name in HONEST:
                part = world.nodes[name].jobs.participant
                with pytest.raises(SignatureInvalid):
                    await part.decided(alfa, job.id, Decided(value="release", votes=votes))
                if name != "delta":
                    with pytest.raises(SignatureInvalid):
                        body = Accept(ballot=ballot_message(FAST), value="release", votes=votes)
                        await part.accept_ballot(alfa, job.id, body)
        await trio.sleep(100)
        for name in HONEST:
            store = world.nodes[name].store
            assert store.get(job.id).state is State.ABORTED
            assert store.ledger.book().costs(["text"]) == [], "the figures were told to nobody"
            (entry,) = [entry for _, entry in store.audit.entries() if entry["what"] == "proposed"]
            assert entry["proposer"] == mine.fingerprint
        assert not [entry for entry in world.log if entry[2] == "tuple"]

    play(tmp_path, scenario)
