"""Element by element: + - * / // @, comparisons, and, or, not, where. Secret with secret or with public operands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import arithmetic, bits, compare, encoding
from mpc.arrays import SecretArray, SecretBits
from mpc.boolean import and_
from mpc.convert import bits_to_words
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.exchange import public_share
from mpc.party import Party
from mpc.secret import Secret, Shape, local, operation
from mpc.truncate import truncate

__all__ = [
    "add", "as_integers", "astype", "divide", "equal", "floor_divide", "invert", "less", "logical_and", "logical_xor",
    "matmul", "multiply", "negative", "power", "rescale", "subtract", "where",
]  # fmt: skip

Words = npt.NDArray[np.uint64]


# -- operands ------------------------------------------------------------------------------


def _shape_of(x: Any) -> Shape:
    return x.shape if isinstance(x, Secret) else encoding.as_array(x, "public operand").shape


def _broadcast(*operands: Any) -> Shape:
    shapes = [_shape_of(x) for x in operands]
    if all(s == shapes[0] for s in shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeMismatch(f"shapes {' and '.join(map(str, shapes))} do not broadcast together") from error


def _share(party: Party, x: Any, frac: int) -> Words:
    """Components of an operand with so many fractional bits."""
    if isinstance(x, SecretArray):
        return x.share << np.uint64(frac - x.frac) if x.frac < frac else x.share
    words, _ = encoding.encode(x, frac, what="public operand")
    return public_share(party, words)


def _align(x: Any, y: Any) -> tuple[Party, int]:
    """The party and the common fractional bits of two operands, one of them secret."""
    party = x.party if isinstance(x, Secret) else y.party
    fracs = [
        o.frac if isinstance(o, SecretArray) else encoding.natural_frac(encoding.as_array(o, "public operand"))
        for o in (x, y)
    ]
    if not isinstance(x, Secret) and fracs[0] and fracs[1]:
        fracs[0] = fracs[1]
    if not isinstance(y, Secret) and fracs[0] and fracs[1]:
        fracs[1] = fracs[0]
    return party, max(fracs)


def _expand(share: Words, shape: Shape) -> Words:
    """(k, *its own shape) to (k, *shape), contiguous."""
    k = share.shape[0]
    if share.shape[1:] == shape:
        return np.ascontiguousarray(share)
    lead = (1,) * (len(shape) - (share.ndim - 1))
    wide = np.broadcast_to(share.reshape(k, *lead, *share.shape[1:]), (k, *shape))
    return np.require(wide, None, ["C", "W"])  # one that needs no copy is read-only, which the kernels do not take


# -- linear --------------------------------------------------------------------------------


def _linear(x: Any, y: Any, sign: int) -> SecretArray:
    party, frac = _align(x, y)
    shape = _broadcast(x, y)
    a, b = _expand(_share(party, x, frac), shape), _expand(_share(party, y, frac), shape)
    return SecretArray(party, a + b if sign > 0 else a - b, frac)


def _numbers(x: Any) -> Any:
    return x.to_array() if isinstance(x, SecretBits) else x


def add(x: Any, y: Any) -> SecretArray:
    """x + y. Local."""
    return _add(_numbers(x), _numbers(y))


def subtract(x: Any, y: Any) -> SecretArray:
    """x - y. Local."""
    return _subtract(_numbers(x), _numbers(y))


@local(SecretArray, _broadcast)
def _add(x: Any, y: Any) -> SecretArray:
    return _linear(x, y, +1)


@local(SecretArray, _broadcast)
def _subtract(x: Any, y: Any) -> SecretArray:
    return _linear(x, y, -1)


@local(SecretArray, _shape_of)
def negative(x: SecretArray) -> SecretArray:
    """-x. Local."""
    return SecretArray(x.party, np.uint64(0) - x.share, x.frac)


@operation(SecretArray, lambda x, frac: x.shape)
async def rescale(x: SecretArray, frac: int) -> SecretArray:
    """x with another number of fractional bits: more is local, less is a truncation (error one in the last place)."""
    frac = encoding.check_frac(frac)
    if frac >= x.frac:
        return SecretArray(x.party, x.share << np.uint64(frac - x.frac), frac)
    return SecretArray(x.party, await truncate(x.party, x.share, x.frac - frac), frac)


def astype(x: SecretArray, kind: Any, frac: int | None = None) -> SecretArray:
    """See SecretArray.astype. To ``int`` a number is floored exactly."""
    wanted = np.dtype(kind).kind
    if wanted == "f":
        return rescale(x, encoding.FRAC if frac is None else frac)
    if wanted in "iu":
        return _floor(x)
    raise WrongType(f"astype({kind!r}): int and float; for booleans compare with 0")


@operation(SecretArray, _shape_of)
async def _floor(x: SecretArray) -> SecretArray:
    if x.frac == 0:
        return x
    return await _floor_shift(SecretArray(x.party, x.share), x.frac)


# -- products ------------------------------------------------------------------------------


def multiply(x: Any, y: Any) -> SecretArray:
    """x * y elementwise.

    Secret with secret: 1 round, 8 bytes an element and party (m = 3); two fixed-point operands are truncated
    to the larger number of fractional bits (truncate.py, 2 more rounds). By public integers: local.
    |product| < 2^62 before truncation: |x y| < 2^(62 - frac x - frac y).
    """
    return _multiply(_numbers(x), _numbers(y))


@operation(SecretArray, _broadcast)
async def _multiply(x: Any, y: Any) -> SecretArray:
    if not isinstance(y, SecretArray):
        return await _scale(x, y)
    if not isinstance(x, SecretArray):
        return await _scale(y, x)
    shape = _broadcast(x, y)
    product = await arithmetic.mul(x.party, _expand(x.share, shape), _expand(y.share, shape))
    return await _cut(x.party, product, x.frac, y.frac)


async def _cut(party: Party, product: Words, f: int, g: int) -> SecretArray:
    """A product of operands with f and g fractional bits, cut to the larger of the two."""
    if f and g:
        product = await truncate(party, product, min(f, g))
    return SecretArray(party, product, max(f, g))


async def _scale(x: SecretArray, by: Any) -> SecretArray:
    """Secret times public."""
    by = encoding.as_array(by, "public factor")
    frac = encoding.natural_frac(by, x.frac or encoding.FRAC)
    words, frac = encoding.encode(by, frac, what="public factor")
    shape = _broadcast(x, by)
    share = _expand(x.share, shape) * words
    return await _cut(x.party, share, x.frac, frac)


def matmul(x: Any, y: Any) -> SecretArray:
    """x @ y, as numpy.matmul for one and more dimensions. 1 round, 8 bytes a party for each element of the *result*."""
    return _matmul(_numbers(x), _numbers(y))


def _product_shape(x: Any, y: Any) -> Shape:
    a, b = _shape_of(x), _shape_of(y)
    try:
        return (np.broadcast_to(np.uint8(0), a) @ np.broadcast_to(np.uint8(0), b)).shape if 0 in (*a, *b) else _mm(a, b)
    except ValueError as error:
        raise ShapeMismatch(f"shapes {a} and {b} do not fit a matrix product") from error


def _mm(a: Shape, b: Shape) -> Shape:
    if not a or not b:
        raise ValueError("no dimensions")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise ValueError("inner dimensions")
    lead = np.broadcast_shapes(left[:-2], right[:-2])
    return (*lead, *(() if len(a) == 1 else (left[-2],)), *(() if len(b) == 1 else (right[-1],)))


@operation(SecretArray, _product_shape)
async def _matmul(x: Any, y: Any) -> SecretArray:
    party = x.party if isinstance(x, Secret) else y.party
    shape = _product_shape(x, y)

    def matrix(o: Any, other: Any, left: bool) -> tuple[Words, int, bool]:
        secret = isinstance(o, SecretArray)
        if secret:
            share, frac = o.share, o.frac
        else:
            public = encoding.as_array(o, "public factor")
            frac = encoding.natural_frac(public, other.frac or encoding.FRAC)
            share = encoding.encode(public, frac, what="public factor")[0][None]
        if share.ndim == 2:
            share = share[:, None, :] if left else share[:, :, None]
        return share, frac, secret

    a, f, secret_a = matrix(x, y, True)
    b, g, secret_b = matrix(y, x, False)
    if secret_a and secret_b:
        product = await arithmetic.matmul(party, a, b)
    else:
        from mpc import ring

        product = np.stack(
            [ring.matmul(a[c if secret_a else 0], b[c if secret_b else 0]) for c in range(party.layout.k)]
        )
    return await _cut(party, product.reshape(party.layout.k, *shape), f, g)


def power(x: SecretArray, exponent: Any) -> SecretArray:
    """x ** exponent for a public non-negative integer, by squaring. Rounds: those of 2 log2(exponent) products."""
    if isinstance(exponent, bool) or not isinstance(exponent, (int, np.integer)) or exponent < 0:
        raise OutOfRange(f"exponent {exponent!r}: a non-negative integer")
    result: SecretArray | None = None
    square = x
    while exponent:
        if exponent & 1:
            result = square if result is None else result * square
        exponent >>= 1
        if exponent:
            square = square * square
    return x * 0 + 1 if result is None else result


# -- quotients -----------------------------------------------------------------------------


def divide(x: Any, y: Any) -> SecretArray:
    """x / y, fixed point. By public numbers: at most two truncations (_divide_public). By secrets: functions.divide."""
    if isinstance(x, SecretArray) and not isinstance(y, Secret):
        by = encoding.as_array(y, "public divisor")
        encoding.natural_frac(by)
        by = by.astype(np.float64)
        if not np.isfinite(by).all() or (by == 0).any():
            raise OutOfRange("division by zero, NaN or infinity in the public divisor")
        return _divide_public(x, by)
    from mpc import functions

    return functions.divide(_numbers(x), _numbers(y))


@operation(SecretArray, _broadcast)
async def _divide_public(x: SecretArray, by: Any) -> SecretArray:
    """x / by for |x / by| < 2^(42 - frac) (2^26 for 16 bits), and for powers of two whatever x is.

    With 2^k <= the smallest |by|: x is cut to x / 2^(k-2), times 2^(p+k) / by rounded to at least 17 bits, cut by
    p + 2, so that the product stays as small as the quotient allows. A range of divisors from 2^k to 2^(k+e) takes
    another e - 1 bits off the range. Error: relative 2^-18, and 3 in the last place (m = 3).
    """
    frac = x.frac or encoding.FRAC
    shape = _broadcast(x, by)
    if not by.size:
        return SecretArray(x.party, _expand(x.share, shape), frac)
    wider = frac - x.frac
    least, most = float(np.abs(by).min()), float(np.abs(by).max())
    k = max(0, min(math.floor(math.log2(least)), 60 + wider))
    spread = max(0, math.ceil(math.log2(most)) - k)
    exact = bool((np.abs(np.frexp(by)[0]) == 0.5).all())
    p, spare = (spread, 0) if exact else (17 + spread, min(k, 2))
    factor = np.rint(by.dtype.type(2.0) ** (p + k) / by)
    if p > 40 or np.abs(factor).max() >= float(1 << 46):
        raise OutOfRange("public divisors too small, too large, or too far apart: divide in groups of similar size")
    share = await _shift(x.party, x.share, wider - (k - spare))
    share = _expand(share, shape) * factor.astype(np.int64).view(np.uint64)
    return SecretArray(x.party, await _shift(x.party, share, -(p + spare)), frac)


async def _shift(party: Party, share: Words, by: int) -> Words:
    """x 2^by: to the left is local, to the right a truncation."""
    return share << np.uint64(by) if by >= 0 else await truncate(party, share, -by)


def floor_divide(x: Any, y: Any) -> SecretArray:
    """x // y on integers, exact. By a public power of two: truncation and a comparison; else functions.floor_divide."""
    if not isinstance(y, Secret):
        by = encoding.as_array(y, "public divisor")
        if by.dtype.kind not in "iub":
            raise WrongType(f"// by {by.dtype}: it is for integers; use / for reals")
        if isinstance(x, SecretArray) and not by.ndim and by > 0 and int(by) & (int(by) - 1) == 0:
            return _shift_down(x, int(by).bit_length() - 1)
    from mpc import functions

    return functions.floor_divide(_numbers(x), _numbers(y))


@operation(SecretArray, lambda x, bits_: x.shape)
async def _shift_down(x: SecretArray, bits_: int) -> SecretArray:
    if x.frac:
        raise WrongType("// is for integers: use / on fixed-point numbers, or astype(int) first")
    bits_ = min(bits_, 62)
    while x.party.t << bits_ >= encoding.LIMIT:  # in steps, so that _floor_shift's remainders stay in range
        x, bits_ = await (await _floor_shift(x, 31)), bits_ - 31
    return await _floor_shift(x, bits_) if bits_ else x


async def _floor_shift(x: SecretArray, f: int) -> SecretArray:
    """Exact x >> f of integers: the truncation is up to t too low, so what is left over says how often to add one."""
    low = SecretArray(x.party, await truncate(x.party, x.share, f))
    rest = x - low * (1 << f)
    quotient = low
    for step in range(1, x.party.t + 1):
        quotient = quotient + (rest >= step << f).to_array()
    return quotient


# -- comparisons ---------------------------------------------------------------------------


def less(x: Any, y: Any) -> SecretBits:
    """x < y. 6 rounds, 16 bytes an element and party (m = 3). |x - y| < 2^63 holds for numbers in range."""
    return _less(_numbers(x), _numbers(y))


def equal(x: Any, y: Any) -> SecretBits:
    """x == y. 6 rounds, 13.3 bytes an element and party (m = 3)."""
    return _equal(_numbers(x), _numbers(y))


@operation(SecretBits, _broadcast)
async def _less(x: Any, y: Any) -> SecretBits:
    difference = _linear(x, y, -1)
    share = difference.share.reshape(difference.party.layout.k, -1)
    return SecretBits(difference.party, await compare.sign_bit(difference.party, share), difference.shape)


@operation(SecretBits, _broadcast)
async def _equal(x: Any, y: Any) -> SecretBits:
    difference = _linear(x, y, -1)
    share = difference.share.reshape(difference.party.layout.k, -1)
    return SecretBits(difference.party, await compare.is_zero(difference.party, share), difference.shape)


# -- bits ----------------------------------------------------------------------------------


def _public_bits(x: Any) -> npt.NDArray[np.bool_]:
    array = encoding.as_array(x, "public operand")
    if array.dtype != np.bool_:
        raise WrongType(f"a public operand of & | ^ must be boolean, not {array.dtype}")
    return array


def _bit_operands(x: SecretBits, y: Any) -> tuple[Words, Words, Shape]:
    """Packed words of both, broadcast."""
    shape = _broadcast(x, y)

    def words(o: Any) -> Words:
        if isinstance(o, SecretBits):
            if o.shape == shape:
                return o.words
            k = o.party.layout.k
            wide = _expand(o.unpacked().view(np.uint8), shape)
            return np.stack([bits.pack(wide[c].view(np.bool_)) for c in range(k)])
        return bits.pack(np.ascontiguousarray(np.broadcast_to(_public_bits(o), shape)))

    return words(x), words(y), shape


@operation(SecretBits, _broadcast)
async def logical_and(x: SecretBits, y: Any) -> SecretBits:
    """x & y. 1 round, one bit an element and party for m = 3; with public bits local."""
    a, b, shape = _bit_operands(x, y)
    if isinstance(y, SecretBits):
        return SecretBits(x.party, await and_(x.party, a, b), shape)
    return SecretBits(x.party, a & b, shape)


@local(SecretBits, _broadcast)
def logical_xor(x: SecretBits, y: Any) -> SecretBits:
    """x ^ y. Local."""
    a, b, shape = _bit_operands(x, y)
    if not isinstance(y, SecretBits):
        b = public_share(x.party, b, boolean=True)
    return SecretBits(x.party, a ^ b, shape)


@local(SecretBits, _shape_of)
def invert(x: SecretBits) -> SecretBits:
    """~x. Local; the bits that fill up the last word stay zero."""
    ones = bits.pack(np.ones(x.size, np.bool_))
    return SecretBits(x.party, x.words ^ public_share(x.party, ones, boolean=True), x.shape)


def invert_public(x: Any) -> Any:
    """~x for secret or public bits."""
    return invert(x) if isinstance(x, SecretBits) else ~_public_bits(x)


@operation(SecretArray, _shape_of)
async def as_integers(x: SecretBits) -> SecretArray:
    """See SecretBits.to_array."""
    words = await bits_to_words(x.party, x.words, x.size)
    return SecretArray(x.party, words.reshape(x.party.layout.k, *x.shape))


def where(condition: SecretBits, x: Any, y: Any) -> SecretArray:
    """x where the condition holds, else y: y + c (x - y). 3 rounds."""
    if not isinstance(condition, SecretBits):
        raise WrongType(
            f"where: the condition must be SecretBits, what comparisons give, not {type(condition).__name__}"
        )
    return _where(condition, _numbers(x), _numbers(y))


@operation(SecretArray, _broadcast)
async def _where(condition: SecretBits, x: Any, y: Any) -> SecretArray:
    flags = condition.to_array()
    if not isinstance(x, Secret) and not isinstance(y, Secret):
        frac = max(encoding.natural_frac(encoding.as_array(o, "public operand")) for o in (x, y))
        a, _ = encoding.encode(x, frac, what="public operand")
        b, _ = encoding.encode(y, frac, what="public operand")
        await flags
        shape = _broadcast(condition, x, y)
        share = _expand(flags.share, shape) * (a - b) + _expand(public_share(condition.party, b), shape)
        return SecretArray(condition.party, share, frac)
    difference = _linear(x, y, -1)
    chosen = await _multiply(flags, difference)
    return _linear(chosen, y, +1)
