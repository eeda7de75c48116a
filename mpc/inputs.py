"""Values of one party into the computation, and results out of it to named parties."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpc import bits, encoding, exchange
from mpc.arrays import SecretArray, SecretBits
from mpc.convert import weighted_bits
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Operation, current_scope
from mpc.secret import Shape, settled

if TYPE_CHECKING:
    from mpc.party import Party

__all__ = ["input_array", "random_bits", "random_words", "reveal"]

_MOST_AXES = 8
_MOST_ELEMENTS = 1 << 30


def _shape(shape: Any) -> Shape:
    """A shape given by the caller, one number or several, or ShapeMismatch."""
    try:
        given = tuple(operator.index(d) for d in (shape if isinstance(shape, Iterable) else (shape,)))
    except TypeError:
        given = (-1,)
    if any(d < 0 for d in given):
        raise ShapeMismatch(f"shape {shape!r}: non-negative integers")
    return given


def _too_large(shape: Shape) -> bool:
    """More elements than one input may have; an axis of length 0 counts as one, as other axes of any length beside it
    make no array either."""
    return math.prod(max(1, d) for d in shape) > _MOST_ELEMENTS


def input_array(
    party: Party, values: Any, owner: int, *, frac: int | None = None, shape: Shape | None = None
) -> SecretArray:
    """See Party.input."""
    owner = party.check_index(owner, "owner")
    shape = None if shape is None else _shape(shape)
    words, f = None, frac
    if party.index == owner:
        if values is None:
            raise WrongType(f"party {owner} is the owner of this input, but gave None")
        words, f = encoding.encode(values, frac, what=f"input of party {owner}")
        if words.ndim > _MOST_AXES:
            raise ShapeMismatch(f"input of party {owner}: {words.ndim} dimensions, at most {_MOST_AXES}")
        if _too_large(words.shape):
            raise OutOfRange(
                f"input of party {owner}: shape {words.shape}, at most {_MOST_ELEMENTS} elements in one input"
            )
        if shape is not None and words.shape != tuple(shape):
            raise ShapeMismatch(f"input of party {owner}: shape {words.shape}, but {tuple(shape)} was agreed")
    elif frac is not None:
        encoding.check_frac(frac)
    started = party.launch("input", lambda: _input(party, words, f, owner, shape))
    return SecretArray._pending(party, started, None if shape is None else tuple(shape))


async def _input(party: Party, words: Any, frac: int | None, owner: int, shape: Shape | None) -> SecretArray:
    """The owner announces shape and type to all, then deals. Rounds: 1. Leaks: shape and type."""
    words_frac = 0 if frac is None else frac
    notice = np.zeros(_MOST_AXES + 2, np.int64)
    label = party.label()
    if party.index == owner:
        notice[0] = words.ndim
        notice[1] = words_frac
        notice[2 : 2 + words.ndim] = words.shape
        for j in range(party.m):
            if j != owner:
                party.send(j, label, notice)
    else:
        await party.arrived(party.receive(owner, label, notice))
    announced = tuple(int(d) for d in notice[2 : 2 + max(0, min(int(notice[0]), _MOST_AXES))])
    if not 0 <= notice[0] <= _MOST_AXES or not 0 <= notice[1] <= 40 or any(d < 0 for d in announced):
        raise ShapeMismatch(f"party {owner} announced an input with an impossible shape or type")
    if _too_large(announced):
        raise OutOfRange(
            f"party {owner} announced an input of shape {announced}: at most {_MOST_ELEMENTS} elements in one input; "
            "give it in parts"
        )
    if shape is not None and announced != tuple(shape):
        raise ShapeMismatch(
            f"party {owner} announced an input of shape {announced}, but party {party.index} expects {tuple(shape)}"
        )
    if frac is not None and int(notice[1]) != frac:
        raise WrongType(
            f"party {owner} announced {int(notice[1])} fractional bits, but party {party.index} expects {frac}"
        )
    return SecretArray(party, await exchange.deal(party, words, owner, announced), int(notice[1]))


def reveal(party: Party, x: Any, receivers: list[int]) -> Operation[Any]:
    """See Party.reveal."""
    return party.launch("reveal", lambda: _reveal(party, x, receivers))


async def _reveal(party: Party, x: Any, receivers: list[int]) -> npt.NDArray[Any] | None:
    await settled(x)
    boolean = isinstance(x, SecretBits)
    words = await exchange.reveal(party, x.words if boolean else x.share, receivers, boolean=boolean)
    if words is None:
        return None
    value = bits.unpack(words, x.size).reshape(x.shape) if boolean else encoding.decode(words, x.frac)
    if party.on_reveal is not None:
        party.on_reveal(current_scope().label, len(receivers), value)
    return np.asarray(value)[()]  # of no dimensions: a numpy scalar


def random_bits(party: Party, shape: Shape) -> SecretBits:
    """See Party.random_bits."""
    shape = _shape(shape)
    n = math.prod(shape)

    async def make() -> SecretBits:
        words = exchange.random_share(party, (bits.plane_words(n),))
        if n % 64:
            words[:, -1] &= np.uint64((1 << (n % 64)) - 1)
        return SecretBits(party, words, tuple(shape))

    return SecretBits._pending(party, party.launch("random_bits", make), tuple(shape))


def random_words(party: Party, shape: Shape, count: Any) -> SecretArray:
    """Uniform integers in [0, 2^count) from random bits: see Party.random_integers."""
    shape = _shape(shape)
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or not 1 <= count <= 62:
        raise OutOfRange(f"random integers of {count} bits: 1 to 62")
    n, weights = math.prod(shape), np.uint64(1) << np.arange(int(count), dtype=np.uint64)

    async def make() -> SecretArray:
        planes = exchange.random_share(party, (int(count), bits.plane_words(n)))
        return SecretArray(party, (await weighted_bits(party, planes, weights, n)).reshape(party.layout.k, *shape))

    return SecretArray._pending(party, party.launch("random_words", make), shape)
