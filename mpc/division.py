"""Reciprocal, division, exact integer division. Errors, rounds and bytes are stated as in functions.py.

x / y = x (1/n) 2^-(p+1) where y = n 2^(p+1), n in [1/2, 1] (normalise.py), and 1/n is a sine series (separable.py).
As a word cannot be shifted by a secret distance at full precision, products are kept at several scales, of which the
upper digit of p picks one: the other tables have a 0 there.

Goldschmidt's and Newton's iterations (Catrina and Saxena, FC 2010) do the same from a coarse start in twice the rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding
from mpc.arithmetic import mul
from mpc.arrays import SecretArray
from mpc.coefficients import RECIPROCAL
from mpc.compare import sign_bit
from mpc.convert import bits_to_words
from mpc.errors import OutOfRange, WrongType
from mpc.exchange import public_share
from mpc.normalise import in_pieces, normalise, powers
from mpc.operands import as_numbers, broadcast, expand, numbers, one_secret, shape_of
from mpc.party import Party
from mpc.secret import Secret, operation
from mpc.separable import round_off, series, weigh
from mpc.truncate import truncate

__all__ = ["divide", "fixed_words", "floor_divide", "only_secret", "reciprocal"]

Words = npt.NDArray[np.uint64]

FRAC = encoding.FRAC


# -- operands ------------------------------------------------------------------------------


async def fixed_words(x: SecretArray) -> tuple[Words, int]:
    """[x] with 16 - shift fractional bits, flat (k, n), and the shift, 0 to 16.

    It is left to the caller to shift, who knows what to do with words that have no room for it.
    """
    flat = np.ascontiguousarray(x.share).reshape(x.party.layout.k, -1)
    if x.frac > FRAC:
        return await truncate(x.party, flat, x.frac - FRAC), 0
    return flat, FRAC - x.frac


def only_secret(x: Any, name: str) -> Any:
    """x with secret bits as integers; WrongType if it is not secret."""
    one_secret(name, x)
    return numbers(x)


def _table(*exponents: int | None) -> Words:
    return powers(list(exponents))


def _per_high(**of: int) -> Words:
    """A column with entries for some values h of the upper digit: h2=8 means 2^8 at h = 2."""
    return powers([of.get(f"h{h}") for h in range(8)])


# -- reciprocal ----------------------------------------------------------------------------


@operation(SecretArray, shape_of)
async def _reciprocal(x: SecretArray) -> SecretArray:
    words, shift = await fixed_words(x)
    out = await in_pieces(x.party, "reciprocal", lambda w: _reciprocal_words(x.party, w, shift), words)
    return SecretArray(x.party, out.reshape(x.share.shape), FRAC)


def reciprocal(x: Any) -> SecretArray:
    """1 / x.

    Range: 2^-16 <= |x| < 2^40. Error: at most 1.5 ulp + 2^-24 of the result. 1/0 is 0; |x| >= 2^40 gives 0.
    Rounds: at most 27. Sends: 285 bytes.
    """
    return _reciprocal(only_secret(x, "reciprocal"))


async def _reciprocal_words(party: Party, x: Words, shift: int) -> Words:
    """X 2^-16 = x has 1/x 2^16 = 2^32 / X = (1/n) 2^(31-p), 2^(31-p) = 2^(7-l) 2^(24-8h).

    1/n <= 2 with 29 bits is at most 2^30 (1 + 2^-26), 2^(31-p) at most 2^31: the product stays below 2^62. For p >= 32
    the result is below one in the last place.
    """
    found = await normalise(
        party, x, signed=True, shift=shift,
        low=[_table(*range(7, -1, -1))], high=[_per_high(h0=24, h1=16, h2=8, h3=0)],
    )  # fmt: skip
    both = party.launch("scale", lambda: mul(party, found.low[:, 0], found.high[:, 0]))
    inverse = await series(party, found.n << np.uint64(1), RECIPROCAL, 29)
    return await round_off(party, await mul(party, inverse, await both.result()), 29)


# -- division ------------------------------------------------------------------------------


def divide(x: Any, y: Any) -> SecretArray:
    """x / y, one of them may be public; broadcasts.

    Range: |x| < 2^40, 2^-16 <= |y| < 2^40, |x / y| < 2^27. Error: at most 1.1 ulp + (t + 1) 2^-19 of the result.
    x/0 is 0, and so is x/y for |y| >= 2^40; a quotient of 2^27 or more is a wrong number.
    Rounds: at most 33. Sends: 420 bytes.
    """
    one_secret("divide", x, y)
    return _divide(*as_numbers(broadcast, x, y))


@operation(SecretArray, broadcast)
async def _divide(x: Any, y: SecretArray) -> SecretArray:
    party, shape = y.party, broadcast(x, y)
    if isinstance(x, SecretArray):
        above, missing = await fixed_words(x)
        above = (above << np.uint64(missing)).reshape(x.share.shape)
    else:
        above = public_share(party, encoding.encode(x, FRAC, what="public dividend")[0])
    below, shift = await fixed_words(y)
    a, b = (expand(o, shape).reshape(party.layout.k, -1) for o in (above, below.reshape(y.share.shape)))
    out = await in_pieces(party, "divide", lambda a, b: _divide_words(party, a, b, shift), a, b)
    return SecretArray(party, out.reshape(party.layout.k, *shape), FRAC)


async def _divide_words(party: Party, a: Words, b: Words, shift: int) -> Words:
    """a 2^16 / (b 2^shift) for words |a| < 2^56, 1 <= |b 2^shift| < 2^56 with a quotient below 2^27.

    Q = a r 2^(15-p) for r = 1/n, b 2^shift = n 2^(p+1).

    Scales of a r, 1 <= r <= 2:
        tiny = a r 2^18, exact, for p < 16: there |a| < 2^27 |b| < 2^43.
        fine = a r 2^3 < 2^60, from a = upper 2^26 + lower, upper < 2^30, for 16 <= p < 32.
        middle = a r 2^-13 for p < 48, coarse = a r 2^-29 for the rest.
    Q 2^19 = tiny 2^(16-p) = fine 2^(31-p) = middle 2^(47-p) = coarse 2^(63-p) is below 2^62 as |Q| < 2^43, and a last
    place of a scale counts for at most 2^15. Of the scales that are not picked only the product with 0 counts, so their
    own overflow does no harm.
    """
    found = await normalise(
        party, b, signed=True, shift=shift, low=[_table(*range(7, -1, -1))],
        high=[_per_high(h0=9, h1=1), _per_high(h2=8, h3=0), _per_high(h4=8, h5=0), _per_high(h6=8)],
    )  # fmt: skip
    cut = party.launch("upper", lambda: truncate(party, a, 26))
    r = await series(party, found.n << np.uint64(1), RECIPROCAL, 29)
    rough = party.launch("rough", lambda: round_off(party, r, 11))
    upper = await cut.result()
    lower = a - (upper << np.uint64(26))
    both = await mul(party, np.stack([upper, lower], axis=1), np.stack([r, r], axis=1))
    fine = both[:, 0] + await truncate(party, np.ascontiguousarray(both[:, 1]), 26)
    shifted = [party.launch("shift", lambda f=f: truncate(party, fine, f)) for f in (16, 32)]  # type: ignore[misc]
    tiny = await mul(party, a, await rough.result())
    chosen = await weigh(party, np.stack([tiny, fine, *[await each.result() for each in shifted]], axis=1), found.high)
    return await round_off(party, await mul(party, chosen, found.low[:, 0]), 19)


# -- integers ------------------------------------------------------------------------------


def floor_divide(x: Any, y: Any) -> SecretArray:
    """x // y of integers, exact, rounding down as numpy does; one of them may be public; broadcasts.

    Range: |x|, |y| < 2^36 by secrets and public arrays; |x| < 2^46, |y| < 2^29 by one public number. By a secret 0:
    a number from -1 to t. Raises OutOfRange for a public 0, WrongType for fixed-point operands.
    By secrets: Rounds: at most 52. Sends: 555 bytes. By a public number: Rounds: at most 14. Sends: 64 to 80 bytes.
    """
    one_secret("floor_divide", x, y)
    if not isinstance(y, Secret):
        values = np.asarray(y)
        if values.dtype.kind not in "iu":
            raise WrongType("// is for integers: use / on fixed-point numbers, or astype(int) first")
        if (values == 0).any():
            raise OutOfRange("integer division by zero in the public divisor")
        if values.ndim == 0:
            if abs(int(values)) >= 1 << 29:
                raise OutOfRange(f"public divisor {int(values)}: |divisor| < 2^29 is needed")
            return _floor_by_public(numbers(x), int(values))
    return _floor_divide(*as_numbers(broadcast, x, y))


def _integers(party: Party, x: Any) -> Words:
    if isinstance(x, SecretArray):
        if x.frac:
            raise WrongType("// is for integers: use / on fixed-point numbers, or astype(int) first")
        return x.share
    words, frac = encoding.encode(x, what="public operand")
    if frac:
        raise WrongType("// is for integers: use / on fixed-point numbers, or astype(int) first")
    return public_share(party, words)


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
        party, b, signed=True, low=[_table(*range(7, -1, -1)), _table(*[0] * 8)],
        high=[_per_high(h0=8, h1=0), _per_high(h2=8, h3=0), _per_high(h4=8)],
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
