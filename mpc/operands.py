"""What two operands of an operator have in common: shape, fractional bits, components. All local."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding, publics
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.exchange import public_share
from mpc.party import Party
from mpc.secret import Secret, Shape

__all__ = [
    "admit",
    "align",
    "are_bits",
    "broadcast",
    "common_frac",
    "expand",
    "linear",
    "numbers",
    "one_secret",
    "public_words",
    "shape_of",
    "share_of",
]

Words = npt.NDArray[np.uint64]

_BITS = encoding.LIMIT.bit_length() - 1


def shape_of(x: Any) -> Shape:
    """The shape of an operand; WrongType for a public one that is no number."""
    return x.shape if isinstance(x, Secret) else publics.public_array(x).shape


def broadcast(*operands: Any) -> Shape:
    shapes = [shape_of(x) for x in operands]
    if all(s == shapes[0] for s in shapes):
        return shapes[0]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise ShapeMismatch(f"shapes {' and '.join(map(str, shapes))} do not broadcast together") from error


def share_of(party: Party, x: Any, frac: int) -> Words:
    """Components of an operand with so many fractional bits."""
    if isinstance(x, SecretArray):
        return x.share << np.uint64(frac - x.frac) if x.frac < frac else x.share
    return public_share(party, public_words(x, frac))


def public_words(x: Any, frac: int) -> Words:
    """A public operand with so many fractional bits."""
    way_out = "scale it, or use fewer fractional bits" if frac else "scale it"
    array = publics.within(x, _BITS - frac, f"public operand beside {frac} fractional bits", way_out)
    return encoding.encode(array, frac, what="public operand")[0]


def align(x: Any, y: Any) -> tuple[Party, int]:
    """The party and the common fractional bits of two operands, one of them secret."""
    return x.party if isinstance(x, Secret) else y.party, common_frac(x, y)


def common_frac(*operands: Any) -> int:
    """The most fractional bits a secret has, 16 where none has any but a public operand is real."""
    most = max((o.frac for o in operands if isinstance(o, SecretArray)), default=0)
    return most or max((_natural(o) for o in operands if not isinstance(o, Secret)), default=0)


def _natural(x: Any) -> int:
    return encoding.natural_frac(publics.public_array(x))


def expand(share: Words, shape: Shape) -> Words:
    """(k, *its own shape) to (k, *shape), contiguous."""
    k = share.shape[0]
    if share.shape[1:] == shape:
        return np.ascontiguousarray(share)
    lead = (1,) * (len(shape) - (share.ndim - 1))
    wide = np.broadcast_to(share.reshape(k, *lead, *share.shape[1:]), (k, *shape))
    return np.require(wide, None, ["C", "W"])  # one that needs no copy is read-only, which the kernels do not take


def linear(x: Any, y: Any, sign: int) -> SecretArray:
    party, frac = align(x, y)
    shape = broadcast(x, y)
    a, b = expand(share_of(party, x, frac), shape), expand(share_of(party, y, frac), shape)
    return SecretArray(party, a + b if sign > 0 else a - b, frac)


def numbers(x: Any) -> Any:
    """Secret bits as integers, anything else as it is."""
    return x.to_array() if isinstance(x, SecretBits) else x


def one_secret(name: str, *operands: Any) -> None:
    """WrongType unless one of the operands is secret."""
    if not any(isinstance(o, Secret) for o in operands):
        kinds = ", ".join(type(o).__name__ for o in operands)
        raise WrongType(f"{name}: no secret among the operands ({kinds}): use numpy for public numbers")


def as_numbers(fits: Callable[..., Shape], *operands: Any) -> Sequence[Any]:
    """The operands with secret bits as integers. That sends, so what ``fits(*operands)`` does not take goes first."""
    for o in operands:
        if isinstance(o, SecretBits):
            break
    else:
        return operands
    if all(o._shape is not None for o in operands if isinstance(o, Secret)):
        fits(*operands)
    return [numbers(o) for o in operands]


def admit(fits: Callable[..., Shape], *operands: Any) -> Sequence[Any]:
    """as_numbers for arithmetic, with public operands as arrays. Those out of range go first, with OutOfRange."""
    given = [o if o is None or isinstance(o, Secret) else publics.within(o, _BITS) for o in operands]
    if any(isinstance(o, SecretBits) for o in given) and all(
        o._frac is not None for o in given if isinstance(o, SecretArray)
    ):
        frac = common_frac(*(o for o in given if o is not None))
        for o in given:
            if isinstance(o, np.ndarray):
                public_words(o, frac)
    return as_numbers(fits, *given)


def are_bits(*operands: Any) -> bool:
    """Whether all are SecretBits or public booleans."""
    return not any(isinstance(x, SecretArray) for x in operands) and all(
        isinstance(x, SecretBits) or publics.public_array(x).dtype == np.bool_ for x in operands
    )
