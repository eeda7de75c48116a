"""Functions that split into products of what different parties know: series, powers of two, look-ups.

m = 3. In x = u + v one party d knows u and the two others, its followers, both know v. If f(u + v) is a short sum of
products D_j(u) W_j(v), party d deals the D_j as masked words, the followers multiply by the W_j they know and add up
on their own, and exchange one word each: two rounds, however intricate f is (roles.py).

    sine series      cos k(u+v) and sin k(u+v) by the addition theorems: any smooth function of a bounded number
    power of two     2^(u+v) = 2^u 2^v, with the upper bits of the exponent as a look-up
    look-up          T[p ^ q]: D_j = T[p ^ j], W_j = [j = q]

Sources: Boura et al. (FC 2018) and Zheng et al. (ACSAC 2023) for Fourier series, Kelkar et al. (USENIX Security 2022)
for powers, Ishai et al. (TCC 2013) for tables. They have two parties and a trusted dealer, or masked arguments opened;
here the third party of an honest majority deals, knowing u but not v, and nothing is opened: what the followers get is
masked by streams that they do not both know.

m > 3: t + 1 parties know one summand each (summands.py). Series: their waves are multiplied as complex numbers.
Look-ups: the bits of the index become numbers, and products of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc import bits, ring, tables, waves
from mpc.arithmetic import mul
from mpc.convert import bits_to_words
from mpc.exchange import public_share, reshare
from mpc.party import Party
from mpc.roles import deal_and_follow, known
from mpc.summands import known_sum
from mpc.truncate import round_off, truncate
from mpc.turns import in_turns

__all__ = ["Series", "exp2", "look_up", "series", "weigh"]

Words = npt.NDArray[np.uint64]
Reals = npt.NDArray[np.float64]

_DEALT_BYTES = 1 << 20  # of one chunk's dealt words: they stay in the cache
_DEALT_BITS = 30  # of a dealt sine or cosine
_ROUGH = 20


@dataclass(frozen=True)
class Series:
    """f(x) = constant + sum_j cos[j] cos(k_j x) + sin[j] sin(k_j x) for x in turns of the full circle.

    Attributes:
        constant: the constant.
        cos: coefficients of the cosines.
        sin: coefficients of the sines.
        odd: the frequencies k_j are 1, 3, 5, ... instead of 1, 2, 3, ...
        weight_bits: fractional bits the coefficients get; the sum has 30 more and must stay below 2^62.
    """

    constant: float
    cos: tuple[float, ...]
    sin: tuple[float, ...]
    odd: bool = False
    weight_bits: int = 28

    @property
    def bits(self) -> int:
        """Fractional bits of the sum before it is truncated."""
        return _DEALT_BITS + self.weight_bits

    def __call__(self, turns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The value in plain."""
        k = np.arange(1, 2 * len(self.cos), 2) if self.odd else np.arange(1, len(self.cos) + 1)
        angle = np.multiply.outer(turns, 2 * np.pi * k)
        value = self.constant + np.cos(angle) @ np.array(self.cos) + np.sin(angle) @ np.array(self.sin)
        return np.asarray(value, np.float64)


async def series(party: Party, phase: Words, s: Series, frac: int, *, plus: Words | None = None) -> Words:
    """[f(x)] with ``frac`` fractional bits from [x 2^64] (k, n), x in turns.

    ``plus``, with s.bits bits, is added before truncation. The sum is below 2^(62 - s.bits). Error, beside that of the
    coefficients: (t + 1) / 2 in the last place, and 2^-25 (for t = 2 and at most 20 bits without ``plus``, where three
    factors of 19 bits spare a truncation, 2^-17). m = 3, K frequencies: Rounds: 4. Sends: (16 K + 16) / 3 bytes an
    element and party, and a truncation. m > 3: Rounds: about 8 t. Leaks nothing.
    """
    if party.t == 2 and frac <= _ROUGH and plus is None:
        dealt_bits = weight_bits = s.bits // 3
        cut = 3 * dealt_bits
    else:
        dealt_bits, weight_bits, cut = _DEALT_BITS, s.weight_bits, s.bits
    scale = float(1 << weight_bits)
    of_cos, of_sin = np.array(s.cos) * scale, np.array(s.sin) * scale

    def deal(u: Words, table: Words) -> None:
        waves.waves_deal(u, s.odd, float(1 << dealt_bits), table)

    def follow(v: Words, table: Words, out: Words) -> None:
        waves.waves_follow(v, s.odd, of_cos, of_sin, table, out)

    if party.three:
        total = await _split(party, phase, (2 * len(s.cos),), True, deal, follow)
    else:
        total = await _series_k(party, phase, s.odd, of_cos, of_sin, dealt_bits)
    total += public_share(party, np.full(1, round(s.constant * (1 << cut)) % (1 << 64), np.uint64))
    if plus is not None:
        total += plus
    return await round_off(party, total, cut - frac)


async def exp2(party: Party, phase: Words) -> Words:
    """[2^(y - 2)] from [y 2^58] (k, n) for 8 <= y < 64; m = 3 only.

    Error: relative 2^-17, and absolute 2^23. Rounds: 2. Sends: (64 + 16) / 3 bytes an element and party. Leaks nothing.
    """
    return await _split(party, phase, (8,), False, waves.exp2_deal, waves.exp2_follow)


async def look_up(party: Party, index: Words, columns: Words, n: int) -> Words:
    """[columns[c, i]] (k, c, n) at the XOR-shared index i in planes (k, b, W), columns public (c, 2^b).

    m = 3: Rounds: 2. Sends: c (8 2^b + 16) / 3 bytes an element and party. m > 3: Rounds: 1 + t + b. Leaks nothing.
    """
    if party.three:
        return await _look_up3(party, index, columns, n)
    k, b, width = index.shape
    flags = (await bits_to_words(party, index.reshape(k, -1), b * width * 64)).reshape(k, b, -1)[:, :, :n]
    monomials = public_share(party, np.ones((1, n), np.uint64))
    for j in range(b):
        flag = np.repeat(flags[:, j : j + 1], 1 << j, axis=1)
        more = flag if j == 0 else await mul(party, monomials, flag)
        monomials = np.concatenate([monomials, more], axis=1)
    coefficients = columns.copy()
    for j in range(b):  # T[i] = sum over subsets of i
        view = coefficients.reshape(len(columns), -1, 2, 1 << j)
        view[:, :, 1] -= view[:, :, 0]
    out = np.zeros((k, len(columns), n), np.uint64)
    for c in range(len(columns)):
        for i in range(1 << b):
            out[:, c] += coefficients[c, i] * monomials[:, i]
    return out


async def weigh(party: Party, x: Words, y: Words) -> Words:
    """[sum_i x_i y_i] (k, n) of x, y (k, count, n). Rounds: 1. Sends: as one multiplication. Leaks nothing."""
    layout = party.layout
    k, count, n = x.shape
    part = None
    if party.index in layout.multipliers:
        each = np.empty(count * n, np.uint64)
        table = layout.product_table[party.index]
        ring.product(x.reshape(k, -1), np.ascontiguousarray(y).reshape(k, -1), table, each)
        part = each.reshape(count, n).sum(axis=0, dtype=np.uint64)
    return await reshare(party, part, layout.multipliers, (n,))


# -- m = 3 -----------------------------------------------------------------------------------


async def _split(
    party: Party,
    phase: Words,
    words: tuple[int, ...],
    rows_last: bool,
    deal: Callable[[Words, Words], None],
    follow: Callable[[Words, Words, Words], None],
) -> Words:
    """A function of the sum x of [x] (2, n): ``deal(u, table)`` and ``follow(v, table, out)``."""
    n = phase.shape[1]
    out = np.empty((2, n), np.uint64)

    async def work(lo: int, hi: int, d: int) -> None:
        mine = known(party, d, phase[:, lo:hi])
        table = np.empty((*words, hi - lo) if rows_last else (hi - lo, *words), np.uint64)
        share = np.empty((2, hi - lo), np.uint64)
        await deal_and_follow(party, d, table, share, lambda t: deal(mine, t), lambda t, o, _: follow(mine, t, o))
        out[:, lo:hi] = share

    await in_turns(party, "split", n, work, most=_DEALT_BYTES // (8 * int(np.prod(words))))
    return out


async def _look_up3(party: Party, index: Words, columns: Words, n: int) -> Words:
    out = np.empty((2, len(columns), n), np.uint64)

    async def work(lo: int, hi: int, d: int) -> None:
        mine = known(party, d, index[:, :, lo // 64 : bits.plane_words(hi)], boolean=True)
        table = np.empty((hi - lo, *columns.shape), np.uint64)
        share = np.empty((2, len(columns), hi - lo), np.uint64)
        await deal_and_follow(
            party, d, table, share,
            lambda t: tables.table_deal(mine, columns, t),
            lambda t, o, _: tables.table_follow(mine, t, o),
        )  # fmt: skip
        out[:, :, lo:hi] = share

    await in_turns(party, "split", n, work, most=_DEALT_BYTES // (8 * columns.size))
    return out


# -- m > 3 -----------------------------------------------------------------------------------


async def _series_k(party: Party, phase: Words, odd: bool, of_cos: Reals, of_sin: Reals, dealt_bits: int) -> Words:
    """The waves of t summands as shared complex numbers, multiplied; then weighted by what the last one's holders know.

    Truncations keep the product at ``dealt_bits``, except where t = 2 factors of at most 20 bits, and the weights, fit.
    """
    layout, n, count = party.layout, phase.shape[1], len(of_cos)
    total: Words | None = None
    for which in range(party.t):
        summand = known_sum(party, phase, which)
        part = None if summand is None else waves.fixed_waves(summand, odd, count, dealt_bits)
        dealt = await reshare(party, part, (which,), (2 * count, n))
        total = dealt if total is None else await _turn(party, total, dealt)
        if which > 0 and dealt_bits > _ROUGH:
            total = await truncate(party, total, dealt_bits)
    assert total is not None
    last = known_sum(party, phase, party.t)
    by = np.zeros((layout.k, 2 * count, n), np.uint64)
    if last is not None:
        slot = layout.slot[party.index][layout.summands[party.t][1][0]]
        waves.weights(np.ascontiguousarray(last), odd, of_cos, of_sin, by[slot])
    return await weigh(party, total, by)


async def _turn(party: Party, x: Words, y: Words) -> Words:
    """Products of complex numbers, cosines in the even rows and sines in the odd."""
    k, rows, n = x.shape
    left = np.concatenate([x, x], axis=1)
    right = np.concatenate([y, np.stack([y[:, 1::2], y[:, 0::2]], axis=2).reshape(k, rows, n)], axis=1)
    products = await mul(party, left, right)
    out = np.empty_like(x)
    out[:, 0::2] = products[:, 0:rows:2] - products[:, 1:rows:2]
    out[:, 1::2] = products[:, rows::2] + products[:, rows + 1 :: 2]
    return out
