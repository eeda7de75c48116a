"""Programs that differ between parties in what they compute on, and what a program can see of a pending secret."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mpc import LocalCluster, MemoryCluster, Party
from mpc.errors import NotTransferable, OutOfRange, ProgramDiverged, UsageError, WrongType
from mpc.outcomes import RunTimedOut
from tests.mpc import programs


async def swapped(party: Party) -> Any:
    a, b = party.input([5, 6], owner=0), party.input([2, 3], owner=1)
    return await party.reveal(b - a if party.index == 1 else a - b)


async def extra(party: Party) -> Any:
    x = await party.input([1, 2], owner=0)
    if party.index != 2:
        x = x + 1
    return await party.reveal(x)


async def slices(party: Party) -> Any:
    x = await party.input([1, 2, 3], owner=0)
    return await party.reveal(x[1:] if party.index == 1 else x[:2])


@pytest.fixture(scope="module")
def local() -> Iterator[LocalCluster]:
    with LocalCluster() as cluster:
        yield cluster


@pytest.mark.parametrize("program", [swapped, extra, slices])
def test_other_operands_are_found_out(local: LocalCluster, program: Callable[..., Any]) -> None:
    with pytest.raises(ProgramDiverged):
        MemoryCluster().run(program, timeout=20)
    with pytest.raises(ProgramDiverged):
        local.run(program, timeout=20)


def test_other_public_values_are_found_out_in_memory() -> None:
    async def program(party: Party) -> Any:
        return await party.reveal(await party.input([3], owner=0) * (party.index + 1))

    with pytest.raises(ProgramDiverged, match=r"party 0 and party 1 and party 2"):
        MemoryCluster().run(program)


def test_a_stall_behind_a_deep_chain_is_found(capfd: pytest.CaptureFixture[str]) -> None:
    async def program(party: Party) -> Any:
        x = y = party.input([1], owner=0, shape=(1,))
        for _ in range(3000):
            x = x * y - x
        if party.index != 1:
            x = x * y
        return await party.reveal(x)

    with pytest.raises(ProgramDiverged):
        MemoryCluster().run(program, timeout=50)
    assert "Traceback" not in capfd.readouterr().err


def test_a_note_says_which_parties(local: LocalCluster) -> None:
    async def program(party: Party) -> Any:
        if party.index != 1:
            raise OutOfRange("here")
        await asyncio.sleep(0)

    async def everywhere(party: Party) -> Any:
        raise OutOfRange("here")

    for cluster in (MemoryCluster(), local):
        with pytest.raises(OutOfRange) as caught:
            cluster.run(everywhere)
        assert caught.value.__notes__[0] == "at every party"
    with pytest.raises(OutOfRange) as caught:
        MemoryCluster().run(program)
    assert caught.value.__notes__ == ["at parties 0, 2"]


def test_a_timeout_says_who_waits(local: LocalCluster) -> None:
    for cluster in (MemoryCluster(), local):
        with pytest.raises(RunTimedOut, match=r"party 0 waits for party 1; .*still compute"):
            cluster.run(programs.waits_for_party_1, timeout=0.5)


def test_what_was_not_awaited_or_revealed_is_no_answer(local: LocalCluster) -> None:
    async def operation(party: Party) -> Any:
        return [party.reveal(party.random_bits((2,)))]

    for cluster in (MemoryCluster(), local):
        with pytest.raises(NotTransferable, match="reveal it first"):
            cluster.run(programs.answers_a_secret)
        with pytest.raises(NotTransferable, match="await it"):
            cluster.run(operation)


def test_asyncio_takes_secrets_and_operations() -> None:
    async def program(party: Party) -> Any:
        x, y = party.input([1], owner=0), party.input([2], owner=1)
        await asyncio.gather(x, y)
        task = asyncio.ensure_future(party.reveal(x + y))
        assert copy.copy(x) is x and copy.deepcopy([x])[0] is x
        with pytest.raises(NotTransferable, match="reveal it first"):
            pickle.dumps(x)
        return (await task).tolist()

    assert MemoryCluster().run(program) == [[3]] * 3


def test_a_cancelled_wait_leaves_the_operation() -> None:
    async def program(party: Party) -> Any:
        x = party.input([4], owner=0)
        y = x * x
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(y, 0.01)
        return (await party.reveal(y)).tolist()

    assert MemoryCluster(delay=0.05).run(program) == [[16]] * 3


def test_coroutines_in_the_order_of_a_set_are_refused() -> None:
    async def program(party: Party) -> Any:
        async def one() -> None:
            pass

        coro = one()
        with pytest.raises(UsageError, match="tasks first"):
            for f in asyncio.as_completed([coro]):
                await f
        return [await f for f in asyncio.as_completed([asyncio.create_task(one())])]

    assert MemoryCluster().run(program) == [[None]] * 3


@pytest.mark.parametrize("parties", ["3", 3.0, True])
def test_a_number_of_parties_that_is_none(parties: Any) -> None:
    for kind in (LocalCluster, MemoryCluster):
        with pytest.raises(WrongType, match="whole number"):
            kind(parties)
