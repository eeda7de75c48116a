"""Each primitive over real processes and TLS: seconds, bytes, rounds, beside stock MPyC in the same run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.baseline import stock_ns_per_element
from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party

__all__ = ["OPERATIONS", "Figure", "measure"]

Work = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Figure:
    """One line of the table. ``size`` is elements (multiply-adds for products of matrices, rounds for ``round``)."""

    op: str
    parties: int
    size: int
    seconds: float
    ns_per_element: float
    bytes_per_party: float
    rounds: int
    peak_mib_per_party: float
    baseline_ns_per_element: float | None
    speedup: float | None


# -- what is timed, in the terms a program uses ----------------------------------------------------


def _integers(party: Party, n: int, seed: int, limit: int = 1 << 61) -> Any:
    mine = np.random.default_rng(seed).integers(-limit, limit, n) if party.index == 0 else None
    return party.input(mine, owner=0)


def _reals(party: Party, shape: Any, seed: int, low: float = -8.0, high: float = 8.0) -> Any:
    mine = np.random.default_rng(seed).uniform(low, high, shape) if party.index == 0 else None
    return party.input(mine, owner=0)


async def _input(party: Party, n: int) -> tuple[Work, int]:
    mine = np.random.default_rng(1).integers(-(1 << 61), 1 << 61, n)
    return (lambda: party.input(mine if party.index == 0 else None, owner=0)), n


async def _reveal(party: Party, n: int) -> tuple[Work, int]:
    x = await _integers(party, n, 1)
    return (lambda: party.reveal(x)), n


async def _mul(party: Party, n: int) -> tuple[Work, int]:
    x, y = await _integers(party, n, 1, 1 << 30), await _integers(party, n, 2, 1 << 30)
    return (lambda: x * y), n


async def _matmul(party: Party, n: int) -> tuple[Work, int]:
    side = max(10, round((10 * n) ** (1 / 3)))
    rows, inner, columns = (1000, 1000, 100) if n == 1 << 20 else (side, side, max(1, side // 10))
    x, y = await _reals(party, (rows, inner), 1), await _reals(party, (inner, columns), 2)
    return (lambda: x @ y), rows * inner * columns


async def _matvec(party: Party, n: int) -> tuple[Work, int]:
    rows = 100_000 if n == 1 << 20 else max(1, n // 10)
    x, y = await _reals(party, (rows, 100), 1), await _reals(party, 100, 2)
    return (lambda: x @ y), rows * 100


async def _truncation(party: Party, n: int) -> tuple[Work, int]:
    from mpc.quotients import rescale

    mine = np.random.default_rng(1).uniform(-8, 8, n) if party.index == 0 else None
    x = await party.input(mine, owner=0, frac=32)
    return (lambda: rescale(x, 16)), n


async def _less(party: Party, n: int) -> tuple[Work, int]:
    x, y = await _integers(party, n, 1), await _integers(party, n, 2)
    return (lambda: x < y), n


async def _equal(party: Party, n: int) -> tuple[Work, int]:
    x, y = await _integers(party, n, 1), await _integers(party, n, 2)
    return (lambda: x == y), n


async def _inject(party: Party, n: int) -> tuple[Work, int]:
    bits = await party.random_bits((n,))
    return bits.to_array, n


async def _shuffle(party: Party, n: int) -> tuple[Work, int]:
    from mpc.shuffle import shuffle

    x = await _integers(party, n, 1)
    return (lambda: shuffle(x)[0]), n


async def _sort(party: Party, n: int) -> tuple[Work, int]:
    x = await _integers(party, n, 1)
    return x.sort, n


async def _sigmoid(party: Party, n: int) -> tuple[Work, int]:
    from mpc.functions import sigmoid

    x = await _reals(party, n, 1, -20, 20)
    return (lambda: sigmoid(x)), n


async def _division(party: Party, n: int) -> tuple[Work, int]:
    x, y = await _reals(party, n, 1), await _reals(party, n, 2, 0.5, 100.0)
    return (lambda: x / y), n


async def _round(party: Party, n: int) -> tuple[Work, int]:
    x = await _integers(party, 1, 1, 3)
    rounds = 500

    async def chain() -> None:
        y = x
        for _ in range(rounds):
            y = await (y * x)

    return chain, rounds


OPERATIONS: dict[str, Callable[[Party, int], Coroutine[Any, Any, tuple[Work, int]]]] = {
    "input": _input,
    "reveal": _reveal,
    "mul": _mul,
    "matmul": _matmul,
    "matvec": _matvec,
    "truncation": _truncation,
    "less-than": _less,
    "equality": _equal,
    "bit injection": _inject,
    "shuffle": _shuffle,
    "sort": _sort,
    "sigmoid": _sigmoid,
    "division": _division,
    "round": _round,
}


# -- timing ----------------------------------------------------------------------------------------


async def _timed(party: Party, job: tuple[str, int, int]) -> tuple[Timing, int]:
    op, n, repeats = job
    work, elements = await OPERATIONS[op](party, n)
    return (await timed(party, repeats + 1, lambda _: work()))[0], elements


def measure(
    ops: list[str], parties: int, size: int, *, repeats: int = 3, rtt: float = 0.0, baseline: bool = True
) -> list[dict[str, Any]]:
    """Figures for these operations, as dictionaries.

    A repetition takes as long as its slowest party; the median over repetitions is reported.
    """
    figures = []
    for op in ops:
        with LocalCluster(parties=parties, rtt=rtt) as cluster:
            answers = cluster.run(_timed, [(op, size, repeats)] * parties)
        elements, taken = answers[0][1], cost([timing for timing, _ in answers])
        ns = taken.seconds / elements * 1e9
        stock = stock_ns_per_element(op, parties) if baseline else None
        figures.append(
            Figure(
                op=op,
                parties=parties,
                size=elements,
                seconds=taken.seconds,
                ns_per_element=ns,
                bytes_per_party=taken.bytes_per_party,
                rounds=taken.rounds,
                peak_mib_per_party=taken.peak_mib_per_party,
                baseline_ns_per_element=stock,
                speedup=None if stock is None else stock / ns,
            )
        )
    return [asdict(f) for f in figures]
