"""Exact division of integers, x // y. Errors, rounds and bytes are stated as in functions.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding, publics
from mpc.arithmetic import mul
from mpc.arrays import SecretArray
from mpc.coefficients import RECIPROCAL
from mpc.compare import sign_bit
from mpc.convert import bits_to_words
from mpc.division import per_high, table
from mpc.errors import WrongType
from mpc.exchange import public_share
from mpc.normalise import in_pieces, normalise
from mpc.operands import as_numbers, broadcast, expand, numbers, one_secret
from mpc.party import Party
from mpc.quotients import floor_shift
from mpc.secret import Secret, operation
from mpc.separable import series, weigh
from mpc.truncate import truncate

__all__ = ["floor_divide", "whole_operands"]

Words = npt.NDArray[np.uint64]

FOR_INTEGERS = "it is for integers; use / on fixed-point numbers, or astype(int) first"


def floor_divide(x: Any, y: Any) -> SecretArray:
    """x // y of integers, exact, rounding down as numpy does; one of them may be public; broadcasts.

    Range: |x|, |y| < 2^36 by secrets and public arrays; |x| < 2^46, |y| < 2^29 by one public number; all x by a public
    power of two. By a secret 0: a number from -1 to t. Raises OutOfRange for a public operand that is out of range, or
    a divisor 0, WrongType for fixed-point operands.
    By secrets: Rounds: at most 52. Sends: 555 bytes. By a public number: Rounds: at most 14. Sends: 64 to 80 bytes. By
    a power of two: a truncation and t comparisons.
    """
    one_secret("floor_divide", x, y)
    x, y = whole_operands(x, y)
    if not isinstance(y, Secret) and not y.ndim:
        by = int(y)
        return _shift_down(numbers(x), by.bit_length() - 1) if _is_power(by) else _floor_by_public(numbers(x), by)
    return _floor_divide(*as_numbers(broadcast, x, y))


def whole_operands(x: Any, y: Any) -> tuple[Any, Any]:
    """The operands of x // y, public ones as arrays; OutOfRange and WrongType for public ones it does not take."""
    if not isinstance(x, Secret):
        _whole(x)
        x = publics.within(x, 36, "public dividend", "divide an upper and a lower part")
    if not isinstance(y, Secret):
        by = _whole(y)
        publics.refuse(y, by, by == 0, "public divisor", "integer division by zero")
        if by.ndim or not _is_power(int(by)):
            publics.within(y, 36 if by.ndim else 29, "public divisor", "divide twice, by factors of it")
        y = by
    return x, y


def _whole(values: Any) -> npt.NDArray[Any]:
    array = publics.public_array(values)
    if array.dtype.kind not in "iub":
        raise WrongType(f"// with {array.dtype}: {FOR_INTEGERS}")
    return array


def _is_power(by: int) -> bool:
    return by > 0 and by & (by - 1) == 0


def _integers(party: Party, x: Any) -> Words:
    if isinstance(x, SecretArray):
        if x.frac:
            raise WrongType(f"// of fixed-point numbers: {FOR_INTEGERS}")
        return x.share
    return public_share(party, encoding.encode(x, 0, what="public operand")[0])


@operation(SecretArray, broadcast)
async def _floor_divide(x: Any, y: Any) -> SecretArray:
    party = x.party if isinstance(x, Secret) else y.party
    shape = broadcast(x, y)
    a, b = [expand(_integers(party, o), shape).reshape(party.layout.k, -1) for o in (x, y)]
    out = await in_pieces(party, "floor divide", lambda a, b: _floor_words(party, a, b), a, b)
    return SecretArray(party, out.reshape(party.layout.k, *shape))


async def _floor_words(party: Party, a: Words, b: Words) -> Words:
    """1. Give both the sign that makes b positive.
    2. Guess a quotient from r = 1/n with 22 bits: |error| < 2^-21 |a / b| + t + 2.
    3. Guess that of the remainder, a little low: then the error is below t + 2, and never upwards.
    4. Count how often b goes into what remains.
    """
    found = await normalise(
        party, b, signed=True, low=[table(*range(7, -1, -1)), table(*[0] * 8)],
        high=[per_high(h0=8, h1=0), per_high(h2=8, h3=0), per_high(h4=8)],
    )  # fmt: skip
    sign = np.ascontiguousarray(found.low[:, 1])
    signed = party.launch(
        "sign", lambda: mul(party, np.stack([a, b, found.low[:, 0]], axis=1), np.stack([sign, sign, sign], axis=1))
    )
    r = await series(party, found.n << np.uint64(1), RECIPROCAL, 22)
    flipped = await signed.result()
    a, b, scale = (np.ascontiguousarray(flipped[:, i]) for i in range(3))
    first = await _guess(party, a, r, found.high, scale, 0.0)
    rest = a - await mul(party, first, b)
    second = await _guess(party, rest, r, found.high, scale, 1 / 16)
    rest -= await mul(party, second, b)
    return first + second + await _count_multiples(party, rest, b)


async def _guess(party: Party, a: Words, r: Words, high: Words, scale: Words, below: float) -> Words:
    """About a / b - below, at most t + 1 less: a r 2^(-1-p), for |a| < (t + 3) 2^36.

    fine = a r 2^5 < 2^44 and the same shifted down by 16 and 32, for p < 16, 32, 48.
    q 2^21 = fine 2^(15-p) = middle 2^(31-p) = coarse 2^(47-p), with an error below 2^21 2^-5 (t + 1).
    a r with 22 bits is below 2^62, and q 2^21 too: |q| < 2^38.
    """
    fine = await truncate(party, await mul(party, a, r), 17)
    later = party.launch("coarse", lambda: truncate(party, fine, 32))
    middle = await truncate(party, fine, 16)
    chosen = await weigh(party, np.stack([fine, middle, await later.result()], axis=1), high)
    shift = np.full(1, int(-below * (1 << 21)) % (1 << 64), np.uint64)
    return await truncate(party, await mul(party, chosen, scale) + public_share(party, shift), 21)


async def _count_multiples(party: Party, rest: Words, b: Words) -> Words:
    """How many of b, 2b, ..., (t+1) b are at most ``rest``, all compared at once."""
    k, n = rest.shape
    tries = party.t + 1
    less = np.stack([rest - b * np.uint64(j + 1) for j in range(tries)], axis=1).reshape(k, -1)
    below = await bits_to_words(party, await sign_bit(party, less), tries * n)
    total: Words = below.reshape(k, tries, n).sum(axis=1, dtype=np.uint64)
    return public_share(party, np.full(n, tries, np.uint64)) - total


@operation(SecretArray, lambda x, bits_: x.shape)
async def _shift_down(x: SecretArray, bits_: int) -> SecretArray:
    if x.frac:
        raise WrongType(FOR_INTEGERS)
    bits_ = min(bits_, 62)
    while x.party.t << bits_ >= encoding.LIMIT:  # in steps, so that floor_shift's remainders stay in range
        x, bits_ = await (await floor_shift(x, 31)), bits_ - 31
    return await floor_shift(x, bits_) if bits_ else x


@operation(SecretArray, lambda x, by: x.shape)
async def _floor_by_public(x: SecretArray, by: int) -> SecretArray:
    party = x.party
    flat = np.ascontiguousarray(_integers(party, x)).reshape(party.layout.k, -1)
    if by < 0:
        flat, by = np.uint64(0) - flat, -by
    out = flat
    if by > 1:
        out = await in_pieces(party, "floor divide", lambda a: _floor_public_words(party, a, by), flat)
    return SecretArray(party, out.reshape(x.share.shape))


async def _floor_public_words(party: Party, a: Words, by: int) -> Words:
    """|a| < 2^46, 2 <= by < 2^29, R = 2^(30+e) / by in (2^29, 2^30] for by in [2^e, 2^(e+1)).

    1. upper = a / 2^16, below 2^30: upper R < 2^60 gives the quotient to 2^17 / by + 2^-30 |a| / by + t + 1 < 2^18.
    2. What remains is below 2^19 + (t + 2) by < 2^32: times R, below 2^62, it gives the quotient to t + 1 + 2^-8.
    3. Count how often ``by`` goes into the rest.
    """
    e = by.bit_length() - 1
    inverse = np.uint64(((1 << (30 + e)) + by // 2) // by)
    upper = await truncate(party, a, 16)
    first = await truncate(party, upper * inverse, 14 + e)
    rest = a - first * np.uint64(by)
    low = np.full(1, -(1 << (22 + e)) % (1 << 64), np.uint64)
    second = await truncate(party, rest * inverse + public_share(party, low), 30 + e)
    rest = rest - second * np.uint64(by)
    return first + second + await _count_multiples(party, rest, public_share(party, np.full(a.shape[1], by, np.uint64)))
