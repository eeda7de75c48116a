"""Reciprocal and division. Errors, rounds and bytes are stated as in functions.py.

x / y = x (1/n) 2^-(p+1) where y = n 2^(p+1), n in [1/2, 1] (normalise.py), and 1/n is a sine series (separable.py).
As a word cannot be shifted by a secret distance at full precision, products are kept at several scales, of which the
upper digit of p picks one: the other tables have a 0 there.

Goldschmidt's and Newton's iterations (Catrina and Saxena, FC 2010) do the same from a coarse start in twice the rounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding, publics
from mpc.arithmetic import mul
from mpc.arrays import SecretArray
from mpc.coefficients import RECIPROCAL
from mpc.exchange import public_share
from mpc.normalise import in_pieces, normalise, powers
from mpc.operands import as_numbers, broadcast, expand, numbers, one_secret, shape_of
from mpc.party import Party
from mpc.secret import Secret, operation
from mpc.separable import series, weigh
from mpc.truncate import round_off, truncate

__all__ = ["divide", "fixed_words", "only_secret", "per_high", "reciprocal", "table"]

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


def table(*exponents: int | None) -> Words:
    """A column of powers of two, 0 for None."""
    return powers(list(exponents))


def per_high(**of: int) -> Words:
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
        low=[table(*range(7, -1, -1))], high=[per_high(h0=24, h1=16, h2=8, h3=0)],
    )  # fmt: skip
    both = party.launch("scale", lambda: mul(party, found.low[:, 0], found.high[:, 0]))
    inverse = await series(party, found.n << np.uint64(1), RECIPROCAL, 29)
    return await round_off(party, await mul(party, inverse, await both.result()), 29)


# -- division ------------------------------------------------------------------------------


def divide(x: Any, y: Any) -> SecretArray:
    """x / y, one of them may be public; broadcasts.

    Range: |x| < 2^40, 2^-16 <= |y| < 2^40, |x / y| < 2^27. Error: at most 1.1 ulp + (t + 1) 2^-19 of the result.
    x/0 is 0, and so is x/y for |y| >= 2^40; a quotient of 2^27 or more is a wrong number. Raises OutOfRange for a
    public x out of range.
    Rounds: at most 33. Sends: 420 bytes.
    """
    one_secret("divide", x, y)
    if not isinstance(x, Secret):
        x = publics.within(x, 40, "public dividend", "scale it, and the quotient back")
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
        party, b, signed=True, shift=shift, low=[table(*range(7, -1, -1))],
        high=[per_high(h0=9, h1=1), per_high(h2=8, h3=0), per_high(h4=8, h5=0), per_high(h6=8)],
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
