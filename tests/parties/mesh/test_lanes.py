"""Lanes of three members, with real workers: how they are made, what of it is checked, what becomes of a crash."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing

from mpc.errors import AccordError, OutOfRange, PartyFailed
from mpc.line import Line
from mpc.party import Party
from parties.errors import CertificateInvalid, LaneInvalid, WorkerLost, WrongMember
from parties.keys.leaf import issue, utc_now
from parties.mesh.lanes import Lane, Lanes, Offer, free_listener
from parties.mesh.worker_process import WorkerProcess
from tests.parties.consortium import charter, identity, member
from tests.slack import SLACK

CHARTER = charter(*(member(i, address=f"127.0.0.1:{7600 + i}") for i in range(3)))
EPOCH = 77


def lanes_of(i: int) -> Lanes:
    return Lanes(
        identity(i).fingerprint,
        lambda: CHARTER,
        lambda: issue(identity(i)),
        lambda: free_listener("127.0.0.1", [0]),
        2,
        {"start_deadline": 20.0, "farewell_deadline": 1.0},
        utc_now,
    )


@contextlib.asynccontextmanager
async def three() -> AsyncIterator[list[Lanes]]:
    nodes = [lanes_of(i) for i in range(3)]
    async with trio.open_nursery() as nursery:
        for node in nodes:
            await nursery.start(node.attend)
        yield nodes
        nursery.cancel_scope.cancel()


async def together(steps: list[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """The results of all, or the error of each that failed."""
    results: list[Any] = [None] * len(steps)

    async def one(i: int, step: Callable[[], Awaitable[Any]]) -> None:
        try:
            results[i] = await step()
        except AccordError as error:
            results[i] = error

    async with trio.open_nursery() as nursery:
        for i, step in enumerate(steps):
            nursery.start_soon(one, i, step)
    return results


async def made(nodes: list[Lanes], number: int = 0) -> list[Lane]:
    offers = [await node.prepare(number, EPOCH) for node in nodes]
    sessions = await together([lambda node=node: node.connect(number, EPOCH, offers) for node in nodes])
    assert len(set(sessions)) == 1 and isinstance(sessions[0], str) and len(sessions[0]) == 64
    return [node.lane(number, EPOCH) for node in nodes]


async def product(party: Party, line: Line, mine: int) -> int:
    line.send(("seen", party.index))
    party.report("multiplying")
    x, y, z = (party.input(mine, owner=i) for i in range(3))
    return int(await party.reveal(x * y * z))


async def hears(party: Party, line: Line, mine: int) -> list[int]:
    return [value async for value in line]


async def out_of_range(party: Party, line: Line, mine: int) -> None:
    if party.index == 1:
        raise OutOfRange("of party 1")
    await party.reveal(party.input(1, owner=1))


async def fails(party: Party, line: Line, mine: int) -> None:
    raise KeyError("a value that stays here")


async def waits(party: Party, line: Line, mine: int) -> None:
    line.send("waiting")
    if party.index == mine:
        async for _ in line:
            pass
    await party.reveal(party.input(1, owner=mine))


async def run(lanes: list[Lane], number: int, program: Any, mine: list[Any], heard: Any = lambda value: None) -> Any:
    return await together(
        [lambda w=lane.worker, x=x: w.run(number, program, x, heard) for lane, x in zip(lanes, mine, strict=True)]
    )


def test_a_lane_runs_one_program_after_another_and_says_how_it_went() -> None:
    async def main() -> None:
        async with three() as nodes:
            lanes = await made(nodes)
            said: list[Any] = []
            answers = await run(lanes, 1, product, [6, 7, 11], said.append)
            assert [answer for answer, _, _ in answers] == [462] * 3
            assert all(traffic.rounds > 0 and seconds > 0 for _, traffic, seconds in answers)
            assert sorted(said) == [("seen", 0), ("seen", 1), ("seen", 2)]
            errors = await run(lanes, 2, fails, [0, 0, 0])
            assert all(isinstance(error, PartyFailed) and error.kind == "KeyError" for error in errors)
            errors = await run(lanes, 3, out_of_range, [0, 0, 0])
            assert isinstance(errors[1], OutOfRange) and {type(errors[i]) for i in (0, 2)} == {PartyFailed}
            assert [answer for answer, _, _ in await run(lanes, 4, product, [1, 2, 3])] == [6] * 3

    trio.run(main)


def test_two_lanes_run_at_the_same_time_and_one_survives_the_other() -> None:
    async def main() -> None:
        async with three() as nodes:
            first, second = await made(nodes, 0), await made(nodes, 1)
            waiting = trio.Event()
            results: dict[str, Any] = {}

            async def in_first() -> None:
                results["first"] = await run(first, 1, waits, [0, 0, 0], lambda value: waiting.set())

            async with trio.open_nursery() as nursery:
                nursery.start_soon(in_first)
                await waiting.wait()
                assert [answer for answer, _, _ in await run(second, 1, product, [2, 3, 5])] == [30] * 3
                os.kill(first[1].worker.pid, signal.SIGKILL)
            assert isinstance(results["first"][1], WorkerLost) and "SIGKILL" in str(results["first"][1])
            assert all(isinstance(results["first"][i], AccordError) for i in (0, 2))
            assert [answer for answer, _, _ in await run(second, 2, product, [1, 1, 4])] == [4] * 3
            with pytest.raises(WorkerLost):  # what became of it
                nodes[1].lane(0, EPOCH)
            again = await made(nodes, 0)
            assert [answer for answer, _, _ in await run(again, 1, product, [1, 1, 9])] == [9] * 3

    trio.run(main)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_lost_while_nothing_runs_is_noticed_at_every_member(number: signal.Signals) -> None:
    async def main() -> None:
        async with three() as nodes:
            lanes = await made(nodes)
            os.kill(lanes[2].worker.pid, number)
            for lane in lanes:
                with trio.fail_after(5 * SLACK):
                    await lane.worker.gone.wait()
            assert ("SIGKILL" if number == signal.SIGKILL else "stopped") in str(lanes[2].worker.lost)
            assert "party 2" in str(lanes[0].worker.lost)

    trio.run(main)


def test_what_is_cancelled_here_fails_there_and_the_lane_goes_on() -> None:
    async def main() -> None:
        async with three() as nodes:
            lanes = await made(nodes)
            waiting = [trio.Event() for _ in lanes]
            outcomes: dict[int, Any] = {}

            async def one(i: int, scope: trio.CancelScope) -> None:
                with scope:
                    try:
                        outcomes[i] = await lanes[i].worker.run(1, waits, 0, lambda value: waiting[i].set())
                    except AccordError as error:
                        outcomes[i] = error

            scopes = [trio.CancelScope() for _ in lanes]
            async with trio.open_nursery() as nursery:
                for i in range(3):
                    nursery.start_soon(one, i, scopes[i])
                for event in waiting:
                    await event.wait()
                scopes[0].cancel()
            assert 0 not in outcomes and all(isinstance(outcomes[i], PartyFailed) for i in (1, 2))
            assert [answer for answer, _, _ in await run(lanes, 2, product, [3, 3, 1])] == [9] * 3

    trio.run(main)


def test_what_is_said_to_a_program_reaches_it() -> None:
    async def main() -> None:
        async with three() as nodes:
            lanes = await made(nodes)

            def tell() -> None:
                for lane in lanes:
                    lane.worker.say(7)
                    lane.worker.say(8)
                    lane.worker.hush()

            async with trio.open_nursery() as nursery:
                answers: list[Any] = []

                async def listen() -> None:
                    answers.extend(await run(lanes, 1, hears, [0, 0, 0]))

                nursery.start_soon(listen)
                await trio.testing.wait_all_tasks_blocked()
                tell()
            assert [answer for answer, _, _ in answers] == [[7, 8]] * 3

    trio.run(main)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("another member's certificate", WrongMember),
        ("a stranger's certificate", AccordError),
        ("rubbish", CertificateInvalid),
        ("my own offer changed", LaneInvalid),
        ("one offer too few", LaneInvalid),
        ("another epoch", LaneInvalid),
    ],
)
def test_the_coordinator_can_put_nobody_in_anybodys_place(what: str, error: type[Exception]) -> None:
    async def main() -> None:
        async with three() as nodes:
            offers = [await node.prepare(0, EPOCH) for node in nodes]
            epoch = EPOCH
            if what == "another member's certificate":
                offers[2] = dataclasses.replace(offers[2], certificate=offers[0].certificate)
            elif what == "a stranger's certificate":
                offers[2] = dataclasses.replace(offers[2], certificate=issue(identity(5)).certificate.decode())
            elif what == "rubbish":
                offers[2] = dataclasses.replace(offers[2], certificate="rubbish")
            elif what == "my own offer changed":
                offers[1] = Offer(offers[1].port, offers[1].certificate, bytes(32))
            elif what == "one offer too few":
                offers = offers[:2]
            else:
                epoch = 78
            with pytest.raises(error):
                await nodes[1].connect(0, epoch, offers)

    trio.run(main)


def test_offers_of_different_sessions_do_not_connect() -> None:
    async def main() -> None:
        nodes = [lanes_of(i) for i in range(3)]
        for node in nodes:
            node._settings = {"start_deadline": 1.5, "farewell_deadline": 0.5}
        async with trio.open_nursery() as nursery:
            for node in nodes:
                await nursery.start(node.attend)
            offers = [await node.prepare(0, EPOCH) for node in nodes]
            lied = [*offers[:2], dataclasses.replace(offers[2], contribution=bytes(32))]
            told = [lied, offers, offers]
            results = await together(
                [
                    lambda node=node, told=told: node.connect(0, EPOCH, told)
                    for node, told in zip(nodes, told, strict=True)
                ]
            )
            assert all(isinstance(result, AccordError) for result in results), results
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_no_more_lanes_are_made_than_this_node_makes_and_no_more_workers_than_they_take() -> None:
    async def main() -> None:
        node = lanes_of(0)
        async with trio.open_nursery() as nursery:
            await nursery.start(node.attend)
            with pytest.raises(LaneInvalid, match="this node makes 2"):
                await node.prepare(2, EPOCH)
            refused = 0
            for i in range(12):
                try:
                    await node.prepare(0, EPOCH + i)
                except LaneInvalid as error:
                    refused += "still ending" in str(error)
                await trio.lowlevel.checkpoint()
            assert refused > 0 and node._workers <= 6
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_lane_runs_nothing_before_it_is_connected_is_connected_once_and_no_run_has_the_number_of_another() -> None:
    async def main() -> None:
        async with three() as nodes:
            offers = [await node.prepare(0, EPOCH) for node in nodes]
            lane = nodes[0].lane(0, EPOCH)
            with pytest.raises(LaneInvalid, match="not connected"):
                lane.take(1)
            await together([lambda node=node: node.connect(0, EPOCH, offers) for node in nodes])
            with pytest.raises(LaneInvalid, match="was connected before"):
                await nodes[0].connect(0, EPOCH, offers)
            lane.take(1)
            lane.take(3)
            for number in (1, 2, 3):
                with pytest.raises(LaneInvalid, match="numbers grow"):
                    lane.take(number)

    trio.run(main)


def test_a_worker_that_cannot_be_started_is_a_named_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(listener: Any) -> Any:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("parties.mesh.worker_process.start_worker", none)
    with pytest.raises(WorkerLost, match="can be started"):
        WorkerProcess(free_listener("127.0.0.1", [0]))
