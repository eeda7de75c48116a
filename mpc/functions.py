"""Square root, exponential, logarithm, sigmoid, tanh, softplus; division comes from division.py.

All take fixed point or integers and give fixed point with 16 fractional bits, whatever the operand had. Errors are
stated in ulp, 2^-16 = 1.53e-5, for t = 1 (m = 3, 4); each further t adds half an ulp. Rounds and bytes (an element and
party) are for m = 3; where an operand with fewer fractional bits (an integer) is normalised, they are 2 rounds and 3
bytes more. Sources: separable.py. Nothing is leaked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, encoding
from mpc.arithmetic import mul, part_of
from mpc.arrays import SecretArray
from mpc.coefficients import (
    INVERSE_ROOT,
    LOG,
    POWER,
    ROOT,
    SIGMOID,
    SIGMOID_LIMIT,
    SIGMOID_PERIOD,
    SOFTPLUS,
    SOFTPLUS_LIMIT,
    SOFTPLUS_PERIOD,
)  # fmt: skip
from mpc.compare import sign_bit
from mpc.convert import gate
from mpc.decompose import to_bits
from mpc.division import divide, fixed_words, only_secret, reciprocal
from mpc.exchange import public_share
from mpc.floor import floor_divide
from mpc.normalise import in_pieces, normalise, powers
from mpc.operands import shape_of
from mpc.party import Party
from mpc.secret import operation
from mpc.separable import Series, exp2, look_up, series
from mpc.truncate import round_off, sum_and_round, truncate

__all__ = [
    "EXP_LIMIT", "divide", "exp", "floor_divide", "inverse_sqrt", "log", "precise_inverse_sqrt", "reciprocal",
    "sigmoid", "softplus", "sqrt", "tanh",
]  # fmt: skip

Words = npt.NDArray[np.uint64]

FRAC = encoding.FRAC
EXP_LIMIT = 15.0
"""exp of more gives exp of this, 3.27e6."""
_EXP_MOST = 3269017.3724721107  # e^15
_EXP_LEAST = -12.0
_LOG2_E = 1.4426950408889634
_LN_2 = 0.6931471805599453
_LONGEST = 40  # fractional bits; a phase of a wave then has 18 left for its period


Inside = Callable[[Party, Words], Coroutine[Any, Any, Words]]
Work = Callable[[Party, Words, int], Coroutine[Any, Any, Words]]
"""From words with 16 - shift fractional bits and the shift to words with 16."""


@operation(SecretArray, lambda x, work: shape_of(x))
async def _apply(x: SecretArray, work: Work) -> SecretArray:
    words, shift = await fixed_words(x)
    out = await in_pieces(x.party, work.__name__, lambda w: work(x.party, w, shift), words)
    return SecretArray(x.party, out.reshape(x.share.shape), FRAC)


def _column(values: list[float], bits: int) -> Words:
    """A table of reals with so many fractional bits. They must be the same everywhere to the last bit: from the four
    operations and square roots of literals only."""
    return np.array([round(v * (1 << bits)) % (1 << 64) for v in values], np.uint64)


@operation(SecretArray, lambda x, work: shape_of(x))
async def _apply_longer(x: SecretArray, work: Work) -> SecretArray:
    """As _apply, for work that takes words of up to 40 fractional bits as they are: the shift is then below 0."""
    if x.frac <= FRAC:
        return await _apply(x, work)
    words, frac = np.ascontiguousarray(x.share).reshape(x.party.layout.k, -1), x.frac
    if frac > _LONGEST:
        words, frac = await truncate(x.party, words, frac - _LONGEST), _LONGEST
    out = await in_pieces(x.party, work.__name__, lambda w: work(x.party, w, FRAC - frac), words)
    return SecretArray(x.party, out.reshape(x.share.shape), FRAC)


# -- roots -----------------------------------------------------------------------------------


def sqrt(x: Any) -> SecretArray:
    """Square root.

    Range: 0 <= x < 2^40. Error: at most 1.1 ulp + 2^-21 of the result. Negative x, and x >= 2^40, give 0.
    Rounds: at most 28. Sends: 232 bytes.
    """
    return _apply(only_secret(x, "sqrt"), _sqrt)


async def _sqrt(party: Party, x: Words, shift: int) -> Words:
    """X = n 2^(p+1), p = 8h + l: sqrt(X 2^-16) 2^16 = sqrt(n) 2^((l+1)/2) 2^(4h+8).

    sqrt(n) with 28 bits times 2^((l+1)/2) <= 2^4 with 28 stays below 2^60 (1 + 2^-20); cut to 25 bits, it is below
    2^29 (1 + 2^-20), and times 2^(4h+8) <= 2^32 below 2^62.
    """
    found = await normalise(
        party, x, shift=shift,
        low=[_column([math.sqrt(2.0 ** (l + 1)) for l in range(8)], 28)],
        high=[powers([4 * h + 8 if h < 7 else None for h in range(8)])],
    )  # fmt: skip
    root = await series(party, found.n << np.uint64(1), ROOT, 28)
    lower = await sum_and_round(party, part_of(party, root, found.low[:, 0], x.shape[1:]), x.shape[1:], 31)
    return await sum_and_round(party, part_of(party, lower, found.high[:, 0], x.shape[1:]), x.shape[1:], 25)


def inverse_sqrt(x: Any) -> SecretArray:
    """1 / sqrt(x).

    Range: 2^-16 <= x < 2^40. Error: at most 1.1 ulp + 2^-21 of the result. Other x give 0.
    Rounds: at most 28. Sends: 242 bytes.
    """
    return _apply(only_secret(x, "inverse_sqrt"), _inverse_sqrt)


async def _inverse_sqrt(party: Party, x: Words, shift: int) -> Words:
    return await _inverse_root(party, x, shift, 24, 0)


async def _inverse_root(party: Party, x: Words, shift: int, scale: int, least: int) -> Words:
    """2^scale / sqrt(X) = n^(-1/2) 2^(-(l+1)/2) 2^(scale-4h); 0 for h < least.

    n^(-1/2) <= 2^(1/2) with 30 bits times 2^(-(l+1)/2) with 30 is at most 2^60; cut to 60 - most bits, where 2^most is
    the largest of the last factors, times that, too.
    """
    most = scale - 4 * least
    found = await normalise(
        party, x, shift=shift,
        low=[_column([math.sqrt(2.0 ** -(l + 1)) for l in range(8)], 30)],
        high=[powers([scale - 4 * h if least <= h < 7 else None for h in range(8)])],
    )  # fmt: skip
    root = await series(party, found.n << np.uint64(1), INVERSE_ROOT, 30)
    lower = await sum_and_round(party, part_of(party, root, found.low[:, 0], x.shape[1:]), x.shape[1:], most)
    return await sum_and_round(party, part_of(party, lower, found.high[:, 0], x.shape[1:]), x.shape[1:], 60 - most)


@operation(SecretArray, lambda x, frac, least: shape_of(x))
async def precise_inverse_sqrt(x: SecretArray, frac: int, least: int) -> SecretArray:
    """1 / sqrt(x) with ``frac`` fractional bits, for fixed point x with an even number f of them; none are cut first.

    Range: 2^least <= x < 2^(56 - f), where f + least is a multiple of 8; 0 or one ulp for other x. With
    e = frac + f / 2, from 24 on, e - (f + least) / 2 below 40. Error: 1.1 ulp + 2^-21 of the result, or
    2^(e - (f + least) / 2 - 56) of it if that is more. Rounds: at most 26. Leaks nothing.
    """
    words = np.ascontiguousarray(x.share).reshape(x.party.layout.k, -1)
    scale, lowest = frac + x.frac // 2, (x.frac + least) // 8
    out = await in_pieces(x.party, "root", lambda w: _inverse_root(x.party, w, 0, scale, lowest), words)
    return SecretArray(x.party, out.reshape(x.share.shape), frac)


# -- logarithm and exponential ---------------------------------------------------------------


def log(x: Any) -> SecretArray:
    """Natural logarithm.

    Range: 2^-16 <= x < 2^40. Error: at most 1.1 ulp. 0 and negative x give log 2^-16 = -11.09; x >= 2^40 gives some
    number from -16 to -11. Rounds: at most 24. Sends: 220 bytes.
    """
    return _apply(only_secret(x, "log"), _log)


async def _log(party: Party, x: Words, shift: int) -> Words:
    """log(X 2^-16) = log n + l log 2 + (8h - 15) log 2, all with 56 bits, below 28 2^56 < 2^61.

    0 and negative x have n = 0 and p = 63: there the table makes up for what the series gives at n = 0.
    """
    at_zero = math.fsum([LOG.constant, *LOG.cos])
    found = await normalise(
        party, x, shift=shift,
        low=[_column([l * _LN_2 for l in range(8)], LOG.bits)],
        high=[_column([*((8 * h - 15) * _LN_2 for h in range(7)), -23 * _LN_2 - at_zero], LOG.bits)],
    )  # fmt: skip
    return await series(party, found.n << np.uint64(1), LOG, FRAC, plus=found.low[:, 0] + found.high[:, 0])


def exp(x: Any) -> SecretArray:
    """e^x.

    Range: all x. Error for x <= 15: at most 1.6 ulp + 2^-17 of the result. Above 15 it gives e^15 = 3.27e6; below -12
    it gives 0. Rounds: at most 8. Sends: 81 bytes.
    """
    return _apply(only_secret(x, "exp"), _exp)


async def _exp(party: Party, x: Words, shift: int) -> Words:
    return await _saturate(party, x, shift, _exp_inside, (_EXP_LEAST, EXP_LIMIT), (0, round(_EXP_MOST * (1 << FRAC))))


async def _exp_inside(party: Party, x: Words) -> Words:
    """e^x 2^16 = 2^(y - 26) for y = x log2(e) + 42, which for -23 < x <= 15 lies in [8, 63.7]."""
    if party.three:
        phase = x * np.uint64(round(_LOG2_E * (1 << 42)))  # y with 58 fractional bits
        phase += public_share(party, np.full(1, 42 << 58, np.uint64))
        return await round_off(party, await exp2(party, phase), 24)
    return await _exp_digits(party, x * np.uint64(round(_LOG2_E * (1 << 26))))


async def _exp_digits(party: Party, x: Words) -> Words:
    """From x log2(e) with 42 bits: y = 8h + l + z, and 2^(y-26) = 2^z 2^l 2^(8h-22) 2^-4, with 20 bits for 2^z.

    2^(20+z) 2^l 2^(8h-22) = 2^(y-2) < 2^62; for h < 3 it is below 2^22, which counts as 0.
    """
    n = x.shape[1]
    y = x + public_share(party, np.full(1, 42 << 42, np.uint64))
    place = (await to_bits(party, y, 48))[:, 42:]
    ones = np.arange(8, dtype=np.uint64)
    upper_columns = np.stack([ones << np.uint64(45), powers([None, None, None, 2, 10, 18, 26, 34])])
    upper = party.launch("high", lambda: look_up(party, place[:, 3:], upper_columns, n))
    low = await look_up(party, place[:, :3], np.stack([ones << np.uint64(42), powers(list(range(8)))]), n)
    high = await upper.result()
    scale = party.launch("scale", lambda: mul(party, low[:, 1], high[:, 1]))
    z = y - low[:, 0] - high[:, 0]
    turns = (z + public_share(party, np.full(1, 1 << 42, np.uint64))) << np.uint64(20)  # n/2 for n = (1 + z) / 2
    fraction = await series(party, turns, POWER, 20)
    return await round_off(party, await mul(party, fraction, await scale.result()), 24)


# -- sigmoid, tanh and softplus --------------------------------------------------------------


def sigmoid(x: Any) -> SecretArray:
    """1 / (1 + e^-x).

    Range: all x. Error: at most 2.2 ulp, 3.4e-5. Beyond 11 it is exactly 1, below -11 exactly 0.
    Rounds: 8, whatever fractional bits x has up to 40. Sends: 123 bytes.
    """
    return _apply_longer(only_secret(x, "sigmoid"), _sigmoid)


def tanh(x: Any) -> SecretArray:
    """Hyperbolic tangent, 2 sigmoid(2x) - 1.

    Range: all x. Error: at most 3.3 ulp, 5e-5. Beyond 5.5 it is exactly 1, below -5.5 exactly -1.
    Rounds: 8, whatever fractional bits x has up to 40. Sends: 123 bytes.
    """
    return _apply_longer(only_secret(x, "tanh"), _tanh)


def softplus(x: Any) -> SecretArray:
    """log(1 + e^x): what a row of log odds -x loses that is of the class, so log losses need no logarithm.

    Range: |x| < 2^45. Error: at most 1.5 ulp. Beyond 11 it is exactly x, below -11 exactly 0; between, where it is
    below its error, it may be negative. Rounds: 8. Sends: 139 bytes.
    """
    return _apply(only_secret(x, "softplus"), _softplus)


_TANH = replace(SIGMOID, constant=0.0, sin=tuple(2 * b for b in SIGMOID.sin))


async def _sigmoid(party: Party, x: Words, shift: int) -> Words:
    one, limit = 1 << FRAC, SIGMOID_LIMIT
    return await _saturate(party, x, shift, _wave(SIGMOID, SIGMOID_PERIOD, shift), (-limit, limit), (0, one))


async def _tanh(party: Party, x: Words, shift: int) -> Words:
    one, limit = 1 << FRAC, SIGMOID_LIMIT / 2
    return await _saturate(party, x, shift, _wave(_TANH, SIGMOID_PERIOD / 2, shift), (-limit, limit), (-one, one))


async def _softplus(party: Party, x: Words, shift: int) -> Words:
    """x / 2 + log(2 cosh(x / 2)), of which the latter is even: cosines. The sum is below 12 2^58 < 2^62."""
    half, limit = 1 << (SOFTPLUS.bits - FRAC - 1), SOFTPLUS_LIMIT
    return await _saturate(party, x, shift, _wave(SOFTPLUS, SOFTPLUS_PERIOD, shift, half), (-limit, limit), (0, None))


def _wave(s: Series, period: float, shift: int, plus: int = 0) -> Inside:
    """A periodic function of x with 16 bits or, for a shift below 0, as many more. The factor to turns has 43 bits less
    these, at least 19: x is off by 2^-20 of it at most, where the function is not flat by 2^-18 of a turn.

    ``plus``: what x is multiplied by and added, at the bits of the series.
    """
    longer = max(0, -shift)
    factor = np.uint64(round(2.0 ** (64 - FRAC - longer) / period))
    return lambda party, x: series(party, x * factor, s, FRAC, plus=x * np.uint64(plus) if plus else None)


async def _saturate(
    party: Party, x: Words, shift: int, inside: Inside, limits: tuple[float, float], values: tuple[int, int | None]
) -> Words:
    """``inside`` between the limits, beyond them the values, None: x. Comparisons run beside it. Rounds: 8 (m = 3).

    x is compared before it is shifted, with the least and the greatest word between the limits: so every x will do.
    """
    n, unit = x.shape[1], 1 << (FRAC - shift)
    words = math.ceil(limits[0] * unit), math.floor(limits[1] * unit)
    least, most = (public_share(party, np.full(1, w % (1 << 64), np.uint64)) for w in words)
    fine = x << np.uint64(shift) if shift > 0 else x
    function = party.launch("inside", lambda: inside(party, fine))
    width = bits.plane_words(n)
    rest = np.zeros((x.shape[0], 2, 64 * width), np.uint64)
    rest[:, 0, :n], rest[:, 1, :n] = most - x, x - least
    outside = await sign_bit(party, rest.reshape(x.shape[0], -1))
    above, below = outside[:, :width], outside[:, width:]
    ones = public_share(party, np.full(width, ~np.uint64(0)))
    low, high = values
    lowest = public_share(party, np.full(1, np.uint64(low % (1 << 64))))
    itself = party.launch("itself", lambda: gate(party, above, fine - lowest, above, 0)) if high is None else None
    inner = await function.result() - lowest
    part = await gate(party, below ^ above ^ ones, inner, above, 0 if high is None else high - low) + lowest
    return part if itself is None else part + await itself.result()
