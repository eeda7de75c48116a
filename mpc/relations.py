"""What is true of the elements: comparisons, and, or, not; and what to take where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from mpc import bits, compare, encoding, publics
from mpc.arrays import SecretArray, SecretBits
from mpc.boolean import and_
from mpc.convert import bits_to_words
from mpc.elementwise import multiply
from mpc.errors import WrongType
from mpc.exchange import public_share
from mpc.operands import (
    admit,
    are_bits,
    as_numbers,
    broadcast,
    common_frac,
    expand,
    linear,
    public_words,
    shape_of,
)
from mpc.party import Party
from mpc.secret import Secret, Shape, local, operation

__all__ = [
    "NUMBERS_ARE_NO_BITS",
    "as_integers",
    "equal",
    "invert",
    "invert_public",
    "less",
    "less_equal",
    "logical_and",
    "logical_xor",
    "where",
]

Words = npt.NDArray[np.uint64]

NUMBERS_ARE_NO_BITS = (
    "an array of numbers where bits are needed (an input of booleans becomes integers 0 and 1): "
    "compare with != 0 to get SecretBits"
)


def less(x: Any, y: Any) -> SecretBits:
    """x < y. 6 rounds, 16 bytes an element and party (m = 3). |x - y| < 2^63 holds for numbers in range.

    A public operand is compared exactly, whatever its size; with NaN it is False. Of two SecretBits, or public
    booleans, it is ~x & y, as logical_and.
    """
    x, y = _exact(x), _exact(y)
    if (isinstance(x, SecretBits) or isinstance(y, SecretBits)) and are_bits(x, y):
        return logical_and(invert_public(x), y)
    return _less(*as_numbers(broadcast, x, y))


def less_equal(x: Any, y: Any) -> SecretBits:
    """x <= y, as less."""
    x, y = _exact(x), _exact(y)
    result = invert(less(y, x))
    for nan in (publics.is_nan(x), publics.is_nan(y)):
        if nan is not None:
            result = logical_and(result, ~nan)
    return result


def equal(x: Any, y: Any) -> SecretBits:
    """x == y. 6 rounds, 13.3 bytes an element and party (m = 3). A public operand is compared exactly, as in less."""
    return _equal(*as_numbers(broadcast, _exact(x), _exact(y)))


def _exact(x: Any) -> Any:
    return x if isinstance(x, Secret) else publics.public_array(x)


Bound = Callable[[npt.NDArray[Any], int], Words]


def _difference(x: Any, y: Any, left: Bound, right: Bound) -> tuple[Party, Words, Shape]:
    """Words (k, n) that are negative, or zero, as x - y is, and its shape; a bound stands in for a public operand."""
    shape = broadcast(x, y)
    if isinstance(x, Secret) and isinstance(y, Secret):
        party, share = x.party, linear(x, y, -1).share
    elif isinstance(x, SecretArray):
        party = x.party
        share = expand(x.share, shape) - expand(public_share(party, right(y, x.frac)), shape)
    else:
        party = y.party
        share = expand(public_share(party, left(x, y.frac)), shape) - expand(y.share, shape)
    return party, share.reshape(party.layout.k, -1), shape


@operation(SecretBits, broadcast)
async def _less(x: Any, y: Any) -> SecretBits:
    party, words, shape = _difference(x, y, publics.above, publics.below)
    return SecretBits(party, await compare.sign_bit(party, words), shape)


@operation(SecretBits, broadcast)
async def _equal(x: Any, y: Any) -> SecretBits:
    party, words, shape = _difference(x, y, publics.at, publics.at)
    return SecretBits(party, await compare.is_zero(party, words), shape)


def _public_bits(x: Any) -> npt.NDArray[np.bool_]:
    if isinstance(x, SecretArray):
        raise WrongType(NUMBERS_ARE_NO_BITS)
    array = encoding.as_array(x, "public operand")
    if array.dtype != np.bool_:
        raise WrongType(
            f"SecretBits with a public operand of {array.dtype}: & | ^ == and != of bits take booleans; "
            "for numbers use .to_array() on the bits"
        )
    return array


def _bit_operands(x: SecretBits, y: Any) -> tuple[Words, Words, Shape]:
    """Packed words of both, broadcast."""
    shape = broadcast(x, y)

    def words(o: Any) -> Words:
        if isinstance(o, SecretBits):
            if o.shape == shape:
                return o.words
            k = o.party.layout.k
            wide = expand(o.unpacked().view(np.uint8), shape)
            return np.stack([bits.pack(wide[c].view(np.bool_)) for c in range(k)])
        return bits.pack(np.ascontiguousarray(np.broadcast_to(_public_bits(o), shape)))

    return words(x), words(y), shape


def _secret_first(x: Any, y: Any) -> tuple[SecretBits, Any]:
    """Both as SecretBits or public booleans, the first of them secret; WrongType at once for anything else."""
    if not isinstance(x, SecretBits):
        x, y = y, x
    return x, y if isinstance(y, SecretBits) else _public_bits(y)


def logical_and(x: Any, y: Any) -> SecretBits:
    """x & y, one of them SecretBits. 1 round, one bit an element and party for m = 3; with public bits local."""
    return _and(*_secret_first(x, y))


def logical_xor(x: Any, y: Any) -> SecretBits:
    """x ^ y, one of them SecretBits. Local."""
    return _xor(*_secret_first(x, y))


@operation(SecretBits, broadcast)
async def _and(x: SecretBits, y: Any) -> SecretBits:
    a, b, shape = _bit_operands(x, y)
    if isinstance(y, SecretBits):
        return SecretBits(x.party, await and_(x.party, a, b), shape)
    return SecretBits(x.party, a & b, shape)


@local(SecretBits, broadcast)
def _xor(x: SecretBits, y: Any) -> SecretBits:
    a, b, shape = _bit_operands(x, y)
    if not isinstance(y, SecretBits):
        b = public_share(x.party, b)
    return SecretBits(x.party, a ^ b, shape)


@local(SecretBits, shape_of)
def invert(x: SecretBits) -> SecretBits:
    """~x. Local; the bits that fill up the last word stay zero."""
    ones = bits.pack(np.ones(x.size, np.bool_))
    return SecretBits(x.party, x.words ^ public_share(x.party, ones), x.shape)


def invert_public(x: Any) -> Any:
    """~x for secret or public bits."""
    return invert(x) if isinstance(x, SecretBits) else ~_public_bits(x)


@operation(SecretArray, shape_of)
async def as_integers(x: SecretBits) -> SecretArray:
    """See SecretBits.to_array."""
    words = await bits_to_words(x.party, x.words, x.size)
    return SecretArray(x.party, words.reshape(x.party.layout.k, *x.shape))


@overload
def where(condition: SecretBits, x: SecretBits | bool, y: SecretBits | bool) -> SecretBits: ...
@overload
def where(condition: SecretBits, x: Any, y: Any) -> SecretArray: ...
def where(condition: SecretBits, x: Any, y: Any) -> SecretArray | SecretBits:
    """x where the condition holds, else y: y + c (x - y). Of SecretBits or public booleans: y ^ (c & (x ^ y)), bits.

    Rounds: 3, of bits 1, of public booleans 0 (m = 3). Leaks nothing: not what was taken either.
    """
    if isinstance(condition, SecretArray):
        raise WrongType(f"where: the condition is {NUMBERS_ARE_NO_BITS}")
    if not isinstance(condition, SecretBits):
        raise WrongType(
            f"where: the condition must be SecretBits, what comparisons give, not {type(condition).__name__}"
        )
    if are_bits(x, y):
        return _where_bits(condition, x, y)
    return _where(condition, *admit(broadcast, x, y))


@operation(SecretBits, broadcast)
async def _where_bits(condition: SecretBits, x: Any, y: Any) -> SecretBits:
    public = not isinstance(x, Secret) and not isinstance(y, Secret)
    differ = _public_bits(x) ^ _public_bits(y) if public else logical_xor(x, y)
    return logical_xor(condition & differ, y)


@operation(SecretArray, broadcast)
async def _where(condition: SecretBits, x: Any, y: Any) -> SecretArray:
    if not isinstance(x, Secret) and not isinstance(y, Secret):
        frac = common_frac(x, y)
        a, b = public_words(x, frac), public_words(y, frac)
        flags = await condition.to_array()
        shape = broadcast(condition, x, y)
        share = expand(flags.share, shape) * (a - b) + expand(public_share(condition.party, b), shape)
        return SecretArray(condition.party, share, frac)
    difference = linear(x, y, -1)
    chosen = await multiply(condition.to_array(), difference)
    return linear(chosen, y, +1)
