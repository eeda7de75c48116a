"""Logs of other members: one that is changed, cut off, begun anew or shown to one peer only is found; never an honest
one, whoever is down and in whatever order jobs end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parties.disk.chain import Head, audit_log, content_digest, first_head, led_on, next_entry
from parties.errors import EntriesUnknown, MessageInvalid
from parties.jobs.job_signatures import sign_acceptance, stated_in
from parties.proof.acceptance_watch import AcceptanceWatch, kept_acceptance, kept_acceptances
from parties.proof.head_watch import MOST_BETWEEN, HeadWatch, entries_of
from parties.wire.log_messages import MOST_DIGESTS, AcceptanceQuery, AcceptancesQuery, Entries, EntriesQuery
from parties.wire.messages import Reserve, Run
from tests.parties.consortium import member
from tests.parties.running.test_job_node import MEMBERS, play
from tests.parties.world import TABLES, MemoryNetwork, Node, World


async def ran(world: World, key: str, proposer: str = "delta") -> str:
    """A job, to its end everywhere."""
    job = world.job(proposer, key)
    await world.nodes[proposer].jobs.submit(job, TABLES)
    await world.at_their_end(job.id, 5.0)
    return job.id


async def looked(world: World, *names: str) -> None:
    """As after a job."""
    for name in names or MEMBERS:
        await HeadWatch(world.nodes[name].board).look()


def found(world: World) -> dict[str, list[str]]:
    """Whose logs were found not to go on, by who found it: in the log as in the status."""
    at: dict[str, list[str]] = {}
    for name, node in world.nodes.items():
        if node.alive:
            at[name] = [fork.member for fork in node.store.heads.forks()]
            noted = [entry["member"] for _, entry in node.store.audit.entries() if entry["what"] == "forked"]
            assert sorted(noted) == sorted(at[name])
    return {name: members for name, members in at.items() if members}


def unchecked(world: World, name: str) -> int:
    return sum(not one.checked for heads in world.nodes[name].store.heads.unchecked() for one in heads)


def queries(world: World) -> int:
    return sum(kind == "EntriesQuery" for _, _, kind in world.log)


async def rolled_back(world: World, name: str, copy: Path) -> None:
    """Its store is as it was once."""
    await world.kill(name)
    await world.nodes[name].over.wait()
    path = world.nodes[name].path
    put_back(path, copy)
    await world.start(name)


def put_back(path: Path, copy: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        os.remove(file)
    for file in copy.iterdir():
        shutil.copy(file, path.parent)


def copied(world: World, name: str, copy: Path) -> None:
    copy.mkdir()
    path = world.nodes[name].path
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, copy)


def test_honest_logs_go_on_and_each_head_is_checked_once(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        for i in range(6):
            await ran(world, f"{i}", MEMBERS[i % 4])
            await looked(world)
            assert [unchecked(world, name) for name in MEMBERS] == [0] * 4
        assert queries(world) == 5 * 4 * 3, "with the first head there is nothing to compare yet"
        await looked(world)
        assert queries(world) == 5 * 4 * 3
        assert found(world) == {}
        rows = world.nodes["alfa"].store._file.read("SELECT count(*) FROM head")
        assert rows == [(3,)], "one of each other member"

    play(tmp_path, scenario)


def test_many_jobs_at_once_in_any_order_are_honest(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        jobs = [world.job(MEMBERS[i % 4], f"{i}") for i in range(12)]
        async with trio.open_nursery() as nursery:
            for i, job in enumerate(jobs):
                nursery.start_soon(world.nodes[MEMBERS[i % 4]].jobs.submit, job, TABLES)
            await trio.sleep(0.02)
            await looked(world)
        for job in jobs:
            await world.at_their_end(job.id, 20.0)
            await looked(world, "alfa", "delta")
        await looked(world)
        assert found(world) == {} and unchecked(world, "bravo") == 0

    play(tmp_path, scenario)


def test_a_log_that_was_rolled_back_is_found_by_all(tmp_path: Path) -> None:
    """Cut off, and gone on with otherwise: with fewer entries than it had shown, and with more."""

    async def scenario(world: World) -> None:
        await ran(world, "one")
        copied(world, "charlie", tmp_path / "copy")
        await ran(world, "two")
        await looked(world)
        assert found(world) == {}
        await rolled_back(world, "charlie", tmp_path / "copy")
        await ran(world, "three")
        await looked(world)
        others = ("alfa", "bravo", "delta")
        assert found(world) == {name: ["charlie"] for name in others}
        for i in range(4):
            await ran(world, f"more {i}")
            await looked(world)
        assert found(world) == {name: ["charlie"] for name in others}, "once, and then it goes on from there"

    play(tmp_path, scenario)


def test_a_log_that_was_rolled_back_and_is_longer_by_now_is_found(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await ran(world, "one")
        copied(world, "charlie", tmp_path / "copy")
        await ran(world, "two")
        await looked(world)
        await rolled_back(world, "charlie", tmp_path / "copy")
        with world.nodes["charlie"].store._file.transaction():
            for _ in range(3 * MOST_DIGESTS):
                world.nodes["charlie"].store.audit.note("proposed", 1.0)
        await ran(world, "three")
        await looked(world)
        assert found(world) == {name: ["charlie"] for name in ("alfa", "bravo", "delta")}

    play(tmp_path, scenario)


def fork_for(world: World, deceived: str, forked: Head) -> Callable[..., Awaitable[Any]]:
    """Alfa, who coordinates, shows this member another head of its own log than all others."""
    bring = world.bring

    async def brought(sender: Node, member: Any, message: Any, job: str, within: float | None) -> Any:
        if sender.name == "alfa" and member.name == deceived and isinstance(message, Reserve | Run):
            said = dict(message.acceptances)
            if said:
                one = stated_in(bytes.fromhex(said["alfa"]))
                other = type(one)(one.job, one.plan, forked, one.software, one.policies)
                said["alfa"] = sign_acceptance(other, sender.identity).hex()
                message = message.model_copy(update={"acceptances": said})
        return await bring(sender, member, message, job, within)

    return brought


def test_a_fork_that_is_shown_to_one_peer_only_is_found_by_all(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await ran(world, "one")
        await looked(world)
        alfa = world.nodes["alfa"].store.audit
        fork = next_entry(alfa.head, {"what": "accepted", "at": 1.0, "nonce": "another past"})
        honest = world.bring
        world.bring = fork_for(world, "bravo", Head(alfa.head.log, fork.number, fork.digest))  # type: ignore[method-assign]
        await ran(world, "two")
        world.bring = honest  # type: ignore[method-assign]
        await ran(world, "three")
        await looked(world)
        assert set(found(world)) == set(MEMBERS), "its own node too: somebody has its key"
        assert {member for members in found(world).values() for member in members} == {"alfa"}

    play(tmp_path, scenario)


def test_two_logs_each_shown_to_the_same_peer_for_ever_are_found_by_who_compares(tmp_path: Path) -> None:
    """Alfa keeps a second log for bravo alone, which goes on, and shows it that one's digests."""

    async def scenario(world: World) -> None:
        await ran(world, "one")
        await looked(world)
        fork = world.nodes["alfa"].store.audit.head
        world.bring = fork_for(world, "bravo", Head(fork.log, fork.number + 4, "0" * 64))  # type: ignore[method-assign]
        await ran(world, "two")
        for name in ("delta", "bravo"):
            await AcceptanceWatch(world.nodes[name].board).look()
        assert found(world) == {"delta": ["alfa"], "bravo": ["alfa"]}
        await AcceptanceWatch(world.nodes["bravo"].board).look()
        assert world.nodes["bravo"].store.heads.to_compare() == {}, "once for each job and member"

    play(tmp_path, scenario)


def test_a_member_cannot_be_blamed_by_another(tmp_path: Path) -> None:
    """Delta shows an acceptance that bravo never signed, and one of another job; who has no part is shown nothing."""

    async def scenario(world: World) -> None:
        other = await ran(world, "one")
        job = await ran(world, "two")
        await looked(world, "bravo", "charlie")
        delta = world.nodes["delta"].store
        forged = bytes(64) + delta.acceptances(job)["bravo"][64:]
        for shown in (forged, delta.acceptances(other)["bravo"]):
            with delta._file.transaction():
                delta._file.change("UPDATE signature SET signature = ? WHERE id = ? AND member = 'bravo'", shown, job)
            shower = world.charter.by_fingerprint[world.nodes["delta"].identity.fingerprint]
            await AcceptanceWatch(world.nodes["alfa"].board)._compare(shower, [other, job])
            assert world.log[-1] == ("alfa", "delta", "AcceptanceQuery"), "it was shown"
        assert found(world) == {}
        board, stranger = world.nodes["alfa"].board, member(4)
        assert (await kept_acceptances(board, stranger, AcceptancesQuery(jobs=[job]))).digests == {}
        assert (await kept_acceptance(board, stranger, job, AcceptanceQuery(member="bravo"))).acceptance is None

    play(tmp_path, scenario)


def test_who_does_not_answer_is_asked_again_after_the_next_job(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        watch = HeadWatch(world.nodes["alfa"].board)
        await ran(world, "one")
        await watch.look()
        await ran(world, "two")
        world.sever("delta")
        await watch.look()
        assert unchecked(world, "alfa") == 1
        world.join("delta")
        answered: list[int] = []
        call = MemoryNetwork.call

        async def silent(self: MemoryNetwork, member: Any, message: Any, job: str = "", **options: Any) -> Any:
            if isinstance(message, EntriesQuery):
                answered.append(message.up_to)
                await trio.sleep(options["within"])
            return await call(self, member, message, job, within=0.0)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(MemoryNetwork, "call", silent)
            await watch.look()
            await watch.look()
        assert len(answered) == 1 and unchecked(world, "alfa") == 1, "not again before the next job"
        await ran(world, "three")
        await watch.look()
        assert unchecked(world, "alfa") == 0 and found(world) == {}

    play(tmp_path, scenario)


def test_the_pair_that_is_named_is_one_that_does_not_go_on(tmp_path: Path) -> None:
    """Heads 1 and 3 of a log with 4 entries, and 9 of the one that it was: 3 and 9 are not of one log."""

    async def scenario(world: World) -> None:
        alfa, bravo = world.nodes["alfa"].store, world.nodes["bravo"].store
        with bravo._file.transaction():
            for _ in range(4):
                bravo.audit.note("proposed", 1.0)
        log = bravo.audit.chain
        digests = {1: str(log.digest_at(1)), 3: str(log.digest_at(3)), 9: "0" * 64}
        with alfa._file.transaction():
            for number, digest in digests.items():
                alfa.heads.keep(f"{number:032x}", {"bravo": Head(log.log, number, digest)})
        await looked(world, "alfa")
        (fork,) = alfa.heads.forks()
        assert (fork.member, fork.one.number, fork.other.number) == ("bravo", 3, 9)

    play(tmp_path, scenario)


@pytest.mark.parametrize(
    "answer",
    [
        lambda good: Entries(digests=good.digests[:-1]),
        lambda good: Entries(digests=[*good.digests[1:], good.digests[0]]),
        lambda good: Entries(digests=["0" * 64, *good.digests[1:]]),
    ],
)
def test_digests_that_do_not_lead_there(tmp_path: Path, answer: Callable[[Entries], Entries]) -> None:
    async def scenario(world: World) -> None:
        await ran(world, "one")
        await looked(world)
        await ran(world, "two")
        call = MemoryNetwork.call

        async def lying(self: MemoryNetwork, member: Any, message: Any, job: str = "", **options: Any) -> Any:
            said = await call(self, member, message, job, **options)
            return answer(said) if isinstance(message, EntriesQuery) and member.name == "bravo" else said

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(MemoryNetwork, "call", lying)
            await looked(world, "alfa")
        assert found(world) == {"alfa": ["bravo"]}

    play(tmp_path, scenario)


def test_a_head_that_is_beyond_all_measure_is_not_followed(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        store, log = world.nodes["alfa"].store, audit_log(world.nodes["bravo"].identity.fingerprint)
        with store._file.transaction():
            store.heads.keep("0" * 32, {"bravo": Head(log, 1, "0" * 64)})
            store.heads.keep("1" * 32, {"bravo": Head(log, MOST_BETWEEN + 2, "0" * 64)})
        await looked(world, "alfa")
        assert found(world) == {"alfa": ["bravo"]} and queries(world) == 0

    play(tmp_path, scenario)


def test_what_a_node_is_asked_for_and_has_not(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        await ran(world, "one")
        board = world.nodes["bravo"].board
        chain = board.store.audit.chain
        end = chain.head.number
        good = await entries_of(board, EntriesQuery(log=chain.log, after=0, up_to=end))
        assert led_on(first_head(chain.log), good.digests) == chain.head
        assert good.digests == [content_digest(entry.content) for entry in chain.entries()]
        alfa = world.nodes["alfa"].store
        for log in (alfa.audit.chain.log, board.store.ledger.chain.log, alfa.ledger.chain.log):
            with pytest.raises(EntriesUnknown, match="is not the log of bravo"):
                await entries_of(board, EntriesQuery(log=log, after=0, up_to=1))
        with pytest.raises(EntriesUnknown, match=f"ends with entry {end}"):
            await entries_of(board, EntriesQuery(log=chain.log, after=0, up_to=end + 1))
        for after, up_to in ((0, 0), (2, 1), (0, MOST_DIGESTS + 1)):
            with pytest.raises(MessageInvalid):
                await entries_of(board, EntriesQuery(log=chain.log, after=after, up_to=up_to))

    play(tmp_path, scenario)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_heads_of_a_long_log_in_any_order(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Of one log in pages: never found. One of them of another: found, and then it goes on from there."""
    numbers = data.draw(st.lists(st.integers(1, 3 * MOST_DIGESTS), min_size=2, max_size=6, unique=True))
    wrong = data.draw(st.none() | st.integers(0, len(numbers) - 1))

    async def scenario(world: World) -> None:
        bravo, alfa = world.nodes["bravo"].store, world.nodes["alfa"].store
        with bravo._file.transaction():
            for _ in range(3 * MOST_DIGESTS):
                bravo.audit.note("proposed", 1.0)
        for i, number in enumerate(numbers):
            digest = str(bravo.audit.chain.digest_at(number)) if i != wrong else "0" * 64
            with alfa._file.transaction():
                alfa.heads.keep(f"{i:032x}", {"bravo": Head(bravo.audit.chain.log, number, digest)})
            if data.draw(st.booleans()):
                await looked(world, "alfa")
        await looked(world, "alfa")
        assert (found(world) == {}) == (wrong is None)

    play(tmp_path_factory.mktemp("world"), scenario)
