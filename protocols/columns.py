"""What rows come as: secret columns of one length, and whether each row is there. Checked before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.exchange import public_share
from mpc.secret import Secret, local, operation
from mpc.truncate import truncate

__all__ = ["all_set", "as_flags", "as_numbers", "check_columns", "constant", "cut_at_point", "listed", "read_on_grid"]


def check_columns(present: Any, columns: Mapping[str, Any], *, whole: Collection[str] = ()) -> None:
    """Refuse columns that do not fit, without sending anything.

    WrongType for what is no secret array, or is fixed point and must be whole; ShapeMismatch unless all have one
    dimension and one length, as far as shapes are known.
    """
    rows: tuple[int, ...] | None = None
    named = dict(columns) if present is None else {**columns, "present": present}
    for name, x in named.items():
        if not isinstance(x, Secret):
            kind = "SecretBits, what comparisons give," if name == "present" else "a secret array (n,),"
            raise WrongType(f"{name}: {kind} is needed, not {type(x).__name__}")
        if name in whole and isinstance(x, SecretArray) and x._frac:
            raise WrongType(f"{name}: whole numbers, but these have {x._frac} fractional bits; astype(int) rounds down")
        if x._shape is None:
            continue
        if len(x._shape) != 1:
            raise ShapeMismatch(f"{name} of shape {x._shape}: one dimension is needed, one value a row")
        rows = rows or x._shape
        if x._shape != rows:
            raise ShapeMismatch(f"{name} of shape {x._shape}, others of shape {rows}: one value a row is needed")


def listed(name: str, given: Any) -> dict[str, Any]:
    """The columns in a list or tuple, by name; WrongType for one array instead."""
    if not isinstance(given, (list, tuple)):
        raise WrongType(f"{name}: a list of secret arrays (n,), not {type(given).__name__}")
    return {f"{name}[{j}]": x for j, x in enumerate(given)}


def as_numbers(x: SecretArray | SecretBits) -> SecretArray:
    """Bits as 0 and 1 (2 rounds)."""
    return x.to_array() if isinstance(x, SecretBits) else x


def as_flags(x: SecretArray | SecretBits) -> SecretBits:
    """Integers as whether they are not 0 (an equality each)."""
    return x if isinstance(x, SecretBits) else x != 0


@local(SecretBits, lambda x: x.shape)
def all_set(x: SecretArray) -> SecretBits:
    """Bits that are all set, of the shape of x. Local."""
    ones = public_share(x.party, np.ones(x.shape, np.uint64)).astype(np.bool_)
    return SecretBits.packed(x.party, ones)


@local(SecretArray, lambda x, words, frac: np.shape(words))
def constant(x: SecretArray, words: Any, frac: int) -> SecretArray:
    """Public words, integers of so many fractional bits, as shares at the party of x. Local."""
    value = np.array(words, np.int64)
    return SecretArray(x.party, public_share(x.party, value.view(np.uint64)), frac)


@local(SecretArray, lambda x, frac: x.shape)
def read_on_grid(x: SecretArray, frac: int) -> SecretArray:
    """The same words read with so many fractional bits. Local."""
    return SecretArray(x.party, x.share, frac)


async def cut_at_point(d: SecretArray) -> tuple[SecretArray, SecretArray]:
    """(high, low), integers, with the word of d = high 2^frac + low and |low| <= 2^frac (t + 1/2). Rounds: 2 (m = 3).

    Squares of d need not fit a word, those of its parts do. Leaks nothing.
    """
    high = await _nearest(await d)
    return high, read_on_grid(d, 0) - high * (1 << d.frac)


@operation(SecretArray, lambda d: d.shape)
async def _nearest(d: SecretArray) -> SecretArray:
    """d to the nearest integer, or one beside it."""
    half = 1 << (d.frac - 1)
    return SecretArray(d.party, await truncate(d.party, (read_on_grid(d, 0) + half).share, d.frac))
