"""Places, labels and rounds; pending results and where their errors surface."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, where
from mpc.errors import (
    NotTransferable,
    OutOfRange,
    PartyFailed,
    ProgramDiverged,
    ShapeMismatch,
    ShapePending,
    UnknownParty,
    UsageError,
)
from mpc.party import Scope, current_scope, task_factory
from tests.mpc.helpers import each_m

# -- labels --------------------------------------------------------------------------------


def test_labels_are_named_by_the_place_in_the_program() -> None:
    def tree(depth: int, scope: Scope) -> list[bytes]:
        if depth == 0:
            return [scope.next() for _ in range(3)]
        return [label for _ in range(3) for label in tree(depth - 1, scope.fork("child"))]

    first, second = tree(4, Scope(b"root")), tree(4, Scope(b"root"))
    assert first == second
    assert len(set(first)) == len(first)
    assert not set(first) & set(tree(4, Scope(b"other root")))
    assert all(len(label) == 12 for label in first)


def test_a_forked_scope_starts_as_deep_as_its_parent() -> None:
    scope = Scope(b"root", depth=4)
    child = scope.fork("mul")
    child.depth = 6
    assert (scope.depth, scope.count) == (4, 1)
    assert child.stamp == Scope(b"elsewhere").fork("mul").stamp != scope.fork("matmul").stamp


async def busy(party: Party) -> list[Any]:
    """A program with tasks of its own, whose parties go on at different times."""
    x = party.input(np.arange(6) - 3, owner=0)
    y = party.input([1, -2, 3, -4, 5, -6], owner=1)

    async def branch(scale: int) -> Any:
        for _ in range((party.index * scale) % 5):
            await asyncio.sleep(0)
        z = x * y + scale
        return await party.reveal(where(z < 0, z, x))

    answers = await asyncio.gather(*(branch(s) for s in range(4)))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(branch(s)) for s in range(4, 6)]
    return [a.tolist() for a in (*answers, *(t.result() for t in tasks))]


@each_m
def test_tasks_of_a_program_agree_on_labels_whatever_their_pace(m: int) -> None:
    answers = MemoryCluster(m).run(busy)
    x, y = np.arange(6) - 3, np.array([1, -2, 3, -4, 5, -6])
    assert answers == [[np.where(x * y + s < 0, x * y + s, x).tolist() for s in range(6)]] * m


def test_frames_and_labels_do_not_depend_on_the_order_of_arrival() -> None:
    def content(cluster: MemoryCluster) -> list[Any]:
        return sorted((f.sender, f.receiver, f.label, f.stamp, f.depth, f.payload) for f in cluster.log)

    count = 0

    async def later(frame: Any, turns: int) -> list[Any]:
        for _ in range(turns):
            await asyncio.sleep(0)
        return [frame]

    def shuffled(frame: Any) -> Any:
        nonlocal count
        count += 1
        return later(frame, (count * 7919) % 13)

    straight = MemoryCluster(3, keep=True)
    mixed = MemoryCluster(3, keep=True, tap=shuffled)
    assert straight.run(busy) == mixed.run(busy)
    assert content(straight) == content(mixed)


def test_a_cluster_is_deterministic_by_seed_and_every_run_is_fresh() -> None:
    async def program(party: Party) -> list[int]:
        return (await party.reveal(party.random_integers((4,), 62))).tolist()  # type: ignore[no-any-return]

    one, two, other = MemoryCluster(3, seed=1), MemoryCluster(3, seed=1), MemoryCluster(3, seed=2)
    first = one.run(program)
    assert first == two.run(program) and first[0] == first[1] == first[2]
    assert first != one.run(program) != other.run(program) != first


def test_a_task_outside_a_run_gets_no_scope() -> None:
    async def outside() -> bool:
        asyncio.get_running_loop().set_task_factory(task_factory)
        with pytest.raises(LookupError):
            current_scope()
        return await asyncio.create_task(asyncio.sleep(0, True))

    assert contextvars.copy_context().run(asyncio.run, outside())


# -- rounds --------------------------------------------------------------------------------

ROUNDS: list[tuple[str, int, Any]] = [
    ("add", 0, lambda x, y: x + y),
    ("times public", 0, lambda x, y: x * 5),
    ("sum", 0, lambda x, y: x.sum()),
    ("mul", 1, lambda x, y: x * y),
    ("matmul", 1, lambda x, y: x @ y),
    ("two independent products", 1, lambda x, y: x * y + y * y),
    ("two dependent products", 2, lambda x, y: x * y * y),
    ("less", 6, lambda x, y: x < y),
    ("equal", 6, lambda x, y: x == y),
    ("less and equal side by side", 7, lambda x, y: (x < y) & (x == y)),
    ("bit injection", 8, lambda x, y: (x < y).to_array()),
    ("where", 9, lambda x, y: where(x < y, x, y)),
    ("fixed-point product", 2, lambda x, y: y * 0.5),
    ("fixed-point product of secrets", 3, lambda x, y: y * y),
]


@pytest.mark.parametrize(("name", "rounds", "f"), ROUNDS, ids=[name for name, _, _ in ROUNDS])
def test_rounds_of_operations(name: str, rounds: int, f: Any) -> None:
    """The longest chain of messages, for three parties, is what the docstrings say."""

    async def program(party: Party) -> int:
        x = await party.input([1, 2], owner=0)
        y = await party.input([3, -1], owner=1, frac=16 if "fixed" in name else None)
        deepest = 0
        for _ in range(20):  # who deals follows from the labels, and the chain is longest for some dealers only
            current_scope().depth = 10  # from here on all parties are equally deep
            await party.reveal(f(x, y))
            deepest = max(deepest, current_scope().depth)
        return deepest - 11

    assert max(MemoryCluster(3).run(program)) == rounds


# -- pending results -----------------------------------------------------------------------


@each_m
def test_results_are_pending_and_usable_before_they_are_there(m: int) -> None:
    async def program(party: Party) -> tuple[bool, list[int]]:
        x = party.input([3, -4], owner=0, shape=(2,))
        y = x * x
        pending = not y.ready
        z = (y + x)[::-1] * 2
        assert z.shape == (2,)
        assert "int64" not in repr(y) or y.ready
        answer = await party.reveal(z)
        assert not z.ready and (await z).ready
        return pending, answer.tolist()

    answers = MemoryCluster(m).run(program)
    assert any(pending for pending, _ in answers)
    assert [values for _, values in answers] == [[24, 24]] * m


def test_a_public_operand_counts_as_it_was_at_the_call() -> None:
    """Parties reach the operand at different times; a caller who changes it meanwhile must not matter."""

    async def program(party: Party) -> list[Any]:
        x = party.input([1, 2, 3], owner=0)
        public, flags, listed = np.array([10, 20, 30]), np.array([True, False, True]), [1, 2, 3]
        results = [
            x + public, x * public, x - public, x @ public, x < public, where(x < 2, x, public),
            x.clip(public - 9, public), (x < 3) & flags, (x < 3) ^ flags, x[flags], x + listed, x / public,
        ]  # fmt: skip
        public[:], flags[:], listed[:] = 0, False, [0, 0, 0]
        return [(await party.reveal(r)).tolist() for r in results]

    x, p, f = np.array([1, 2, 3]), np.array([10, 20, 30]), np.array([True, False, True])
    expected = [
        x + p, x * p, x - p, x @ p, x < p, np.where(x < 2, x, p), x.clip(p - 9, p), (x < 3) & f, (x < 3) ^ f, x[f],
        x + x,
    ]  # fmt: skip
    for answers in MemoryCluster(3).run(program):
        assert answers[:-1] == [np.asarray(e).tolist() for e in expected]
        assert answers[-1] == pytest.approx([0.1, 0.1, 0.1], abs=1e-4)


def test_the_shape_of_an_unannounced_input_is_pending() -> None:
    async def program(party: Party) -> None:
        x = party.input([[1, 2]], owner=2)
        for look in (lambda: x.shape, lambda: len(x), lambda: x.dtype, lambda: (x + 1).size, lambda: iter(x)):
            with pytest.raises(ShapePending, match="await"):
                look()
        assert "?" in repr(x)
        await party.reveal(x)  # the values are here now, but the program did not await the array
        with pytest.raises(ShapePending, match="await"):
            len(x)
        await x
        assert (x.shape, x.ndim, x.size, len(x), x.dtype) == ((1, 2), 2, 2, 1, np.int64)

    MemoryCluster(3).run(program)


def test_an_error_surfaces_where_the_result_is_awaited() -> None:
    async def program(party: Party) -> list[int]:
        x = party.input([1, 2, 3], owner=2)
        y = party.input([1, 2], owner=2)
        wrong = x + y
        dependent = wrong * 2
        for _ in range(2):
            with pytest.raises(ShapeMismatch, match="broadcast"):
                await wrong
        with pytest.raises(ShapeMismatch, match="broadcast"):
            await dependent
        return (await party.reveal(x)).tolist()  # type: ignore[no-any-return]

    assert MemoryCluster(3).run(program) == [[1, 2, 3]] * 3


def test_an_error_nobody_awaits_fails_the_run() -> None:
    async def program(party: Party) -> int:
        x = party.input([1, 2, 3], owner=2)
        y = party.input([1, 2], owner=2)
        lost = x @ y
        del lost
        return 1

    with pytest.raises(ShapeMismatch, match="matrix product"):
        MemoryCluster(3).run(program)


def test_an_error_of_one_party_ends_all_and_the_cluster_goes_on() -> None:
    cluster = MemoryCluster(3)
    seen: list[Any] = []

    async def failing(party: Party) -> None:
        x = party.input([1], owner=0)
        if party.index == 1:
            raise KeyError("column")
        try:
            await party.reveal(x * x)
        except PartyFailed as error:
            seen.append((error.index, error.kind))
            raise

    with pytest.raises(KeyError, match="column"):
        cluster.run(failing)
    assert seen == [(1, "KeyError")] * 2
    assert cluster.run(busy) == MemoryCluster(3, seed=5).run(busy)


@pytest.mark.parametrize("odd", [0, 1, 2])
def test_a_program_that_differs_is_found_out(odd: int) -> None:
    async def another_operation(party: Party) -> Any:
        x = await party.input([1], owner=0)
        return await party.reveal(x < 3 if party.index == odd else x * x)

    async def one_more(party: Party) -> Any:
        x = await party.input([1], owner=0)
        if party.index == odd:
            x = x * x
        return await party.reveal(x)

    async def another_shape(party: Party) -> Any:
        x = await party.input([1, 2], owner=0)
        return await party.reveal((x[:1] if party.index == odd else x) * 1)

    for program in (another_operation, one_more, another_shape):
        with pytest.raises((ProgramDiverged, PartyFailed)):
            MemoryCluster(3).run(program)


def test_secrets_of_another_run_or_party_are_refused() -> None:
    kept: dict[int, Any] = {}

    async def first(party: Party) -> None:
        kept[party.index] = await party.input([1], owner=0)

    async def second(party: Party) -> None:
        x = await party.input([1], owner=0)
        with pytest.raises(UsageError, match="a run that is over"):
            kept[party.index] * kept[party.index]
        with pytest.raises(UsageError, match="a run that is over"):
            x + kept[party.index]

    cluster = MemoryCluster(3)
    cluster.run(first)
    cluster.run(second)


# -- parties -------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [-1, 3, 1.0, "1", None, True, np.True_])
def test_parties_that_do_not_exist(index: Any) -> None:
    async def program(party: Party) -> None:
        with pytest.raises(UnknownParty, match="parties are 0 to 2"):
            party.check_index(index, "owner")

    MemoryCluster(3).run(program)


def test_numpy_integers_are_indexes_too() -> None:
    async def program(party: Party) -> Any:
        x = party.input([7], owner=np.int64(1))  # type: ignore[arg-type]
        return await party.reveal(x, to=np.argmax([0, 0, 5]))

    assert MemoryCluster(3).run(program)[2].tolist() == [7]


def test_in_chunks_covers_everything_once_and_fails_as_a_whole() -> None:
    async def program(party: Party) -> None:
        done: list[tuple[int, int]] = []

        async def work(lo: int, hi: int) -> None:
            await asyncio.sleep(0)
            done.append((lo, hi))

        await party.in_chunks("work", 10, 3, work)
        assert sorted(done) == [(0, 3), (3, 6), (6, 9), (9, 10)]

        async def broken(lo: int, hi: int) -> None:
            if lo == 3:
                raise OutOfRange("chunk 3")

        with pytest.raises(OutOfRange, match="chunk 3"):
            await party.in_chunks("work", 10, 3, broken)

    MemoryCluster(3).run(program)


@pytest.mark.parametrize(
    ("to", "receivers"),
    [(np.array(1), {1}), (np.int8(1), {1}), (np.array([1]), {1}), ((2, 0, 2), {0, 2}), ({1}, {1}), (range(2), {0, 1})],
)
def test_receivers_in_every_form(to: Any, receivers: set[int]) -> None:
    async def program(party: Any) -> Any:
        return await party.reveal(party.random_integers((), 8) * 0 + 5, to=to)

    assert MemoryCluster().run(program) == [5 if i in receivers else None for i in range(3)]


@pytest.mark.parametrize("to", [np.array(1.0), 1.0, "1", True, np.array(3), -1, [0, None], object()])
def test_receivers_that_are_none(to: Any) -> None:
    async def program(party: Any) -> Any:
        return await party.reveal(party.random_integers((), 8), to=to)

    with pytest.raises(UnknownParty, match="receiver"):
        MemoryCluster().run(program)


@pytest.mark.parametrize("made", [lambda x: {x}, lambda x: frozenset([x]), lambda x: {"a": [(x,)]}])
def test_a_secret_is_no_answer_whatever_holds_it(made: Any) -> None:
    async def program(party: Any) -> Any:
        return made(party.random_integers((), 8))

    with pytest.raises(NotTransferable, match="the program returned a secret"):
        MemoryCluster().run(program)
