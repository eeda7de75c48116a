"""No coalition of t parties learns anything from what it sees; and these tests do find a leak.

How a coalition's view is tested: see views.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, bits, concatenate, exchange, where
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import LabelReused
from mpc.party import Scope, current_scope
from mpc.prss import Prss, Stream
from mpc.sharing import default_threshold
from mpc.truncate import truncate
from tests.mpc.helpers import EDGES, LARGEST, each_m
from tests.mpc.views import CoalitionCluster, bit_columns, coalitions, homogeneity, relations, uniformity

N = 4096
ALL = [(m, c) for m in (3, 4, 5) for c in coalitions(m, default_threshold(m))]
ALL_7 = [(7, c) for c in coalitions(7, 3)]
each_coalition = pytest.mark.parametrize(("m", "coalition"), ALL, ids=str)
Body = Callable[[Party, SecretArray, SecretArray], Any]


async def _deal_bits(party: Party, x: SecretArray, values: Any, owner: int) -> SecretBits:
    words = bits.pack(values > 0) if party.index == owner else None
    share = await exchange.deal(party, words, owner, (bits.plane_words(values.size),), boolean=True)
    return SecretBits(party, share, x.shape)


async def _input(party: Party, x: SecretArray, y: SecretArray) -> None:
    """Nothing after the input."""


async def _mul(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x * y)


async def _square(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x * x)


async def _matmul(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x.reshape(-1, 2) @ y.reshape(-1, 2)[:2])


async def _less(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x < y)


async def _equal(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x == y)


async def _truncate(party: Party, x: SecretArray, y: SecretArray) -> None:
    await truncate(party, x.share, 16)
    await truncate(party, x.share, 20)


async def _reveal_to_others(party: Party, x: SecretArray, y: SecretArray) -> None:
    product = await (x * y)
    honest = max(i for i in range(party.m) if i not in _coalition_of(party))
    await party.reveal(product, to=honest)
    await party.reveal(x, to=honest)


async def _random_bits(party: Party, x: SecretArray, y: SecretArray) -> None:
    party.random_bits((N,))
    await party.random_integers((N // 64,), 7)


def _coalition_of(party: Party) -> tuple[int, ...]:
    """Known to the test world only: it is the same at all parties."""
    return party.test_coalition  # type: ignore[attr-defined,no-any-return]


CASES: dict[str, Body] = {
    "input": _input, "mul": _mul, "square": _square, "matmul": _matmul, "less": _less, "equal": _equal,
    "truncate": _truncate, "reveal to others": _reveal_to_others, "random bits": _random_bits,
}  # fmt: skip


def run_case(cluster: CoalitionCluster, body: Body, secret: Any, known: Any, *, inject: bool = False) -> list[Any]:
    """The coalition's view of ``body``: x is the secret of an honest party, y the coalition's own."""
    honest = next(i for i in range(cluster.m) if i not in cluster.coalition)

    async def program(party: Party) -> None:
        party.test_coalition = cluster.coalition  # type: ignore[attr-defined]
        x = await party.input(secret, owner=honest)
        y = await party.input(known, owner=cluster.coalition[0])
        if inject:
            await (await _deal_bits(party, x, secret, honest)).to_array()
        else:
            await body(party, x, y)

    cluster.run(program)
    return cluster.view()


def rows(value: int) -> Any:
    return np.full(N, value, np.int64)


def leaks(p_values: list[float]) -> bool:
    """Bonferroni: an honest protocol fails one in 10^6 times; the seeds are fixed, so it does so always or never."""
    return bool(p_values) and min(p_values) < 1e-6 / len(p_values)


def check_view(m: int, coalition: tuple[int, ...], name: str, expose: Any = None) -> list[str]:
    """What is wrong with the coalition's view, if anything."""
    inject = name == "inject"
    body = CASES.get(name, _input)
    wrong = []
    views = []
    for seed, value in enumerate((0, -LARGEST, 5)):
        cluster = CoalitionCluster(m, coalition, seed=seed)
        if expose is not None:
            cluster.expose = expose
        views.append(run_case(cluster, body, rows(value), rows(5), inject=inject))
    for view in views:
        if leaks(list(uniformity(view))):
            wrong.append("not uniform")
    for other in views[1:]:
        if leaks(list(homogeneity(views[0], other))):
            wrong.append("depends on the input")
    rng = np.random.default_rng(1)
    secret = rng.integers(-LARGEST, LARGEST, N)
    cluster = CoalitionCluster(m, coalition, seed=9)
    if expose is not None:
        cluster.expose = expose
    view = run_case(cluster, body, secret, rows(5), inject=inject)
    columns = bit_columns([f for f in view if len(f.payload) % (N // 8) == 0], N)
    given = bit_columns_of(secret)
    if relations(columns + given, N):
        wrong.append("linear relation")
    return wrong


def bit_columns_of(secret: Any) -> list[int]:
    flags = np.unpackbits(secret.view(np.uint8).reshape(N, 8), axis=1, bitorder="little")
    distinct = [flags[:, j] for j in range(62)]  # the upper two bits of a number in range are its sign
    return [int.from_bytes(np.packbits(c, bitorder="little").tobytes(), "little") for c in [*distinct, flags[:, 63]]]


@each_coalition
@pytest.mark.parametrize("name", [*CASES, "inject"])
def test_a_coalition_sees_only_uniform_frames(m: int, coalition: tuple[int, ...], name: str) -> None:
    assert check_view(m, coalition, name) == []
