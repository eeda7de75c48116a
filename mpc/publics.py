"""Public numbers beside secrets: out of range they are refused; in comparisons they are exact bounds.

A secret is X 2^-f for an integer X, |X| < 2^62. X 2^-f < c holds just where X < ceil(c 2^f), c < X 2^-f just where
floor(c 2^f) < X, and they are equal just where X is c 2^f, if that is whole. So a comparison needs no rounding of c: it
takes such a bound on X instead. A bound beyond the range stops at 2^62, where it still lies on its side of every X.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.encoding import LIMIT, as_array, natural_frac
from mpc.errors import OutOfRange
from mpc.refusals import place

__all__ = ["above", "at", "below", "is_nan", "public_array", "refuse", "within"]

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[Any]

_NEVER = -(1 << 63)


def public_array(values: Any, what: str = "public operand") -> Numbers:
    """Booleans, integers or reals as a numpy array; WrongType for anything else.

    Python's integers stay exact; from 2^62 on, where no secret is, they become 2^62, and -2^62 on the other side.
    """
    held = isinstance(values, (int, list, tuple)) or getattr(values, "dtype", None) == np.dtype(object)
    if held and not np.ma.is_masked(values):
        with contextlib.suppress(ValueError):  # rows of different length: as_array says so
            objects = np.asarray(values, object)
            if _all_whole(objects):
                whole = [min(max(int(v), -LIMIT), LIMIT) for v in objects.reshape(-1)]
                return np.array(whole, np.int64).reshape(objects.shape)
    array = as_array(values, what)
    natural_frac(array, what=what)
    return array


def _all_whole(objects: npt.NDArray[np.object_]) -> bool:
    kinds = {type(v) for v in objects.reshape(-1)}
    if all(issubclass(k, (bool, np.bool_)) for k in kinds):
        return False
    return all(issubclass(k, (int, np.integer, np.bool_)) for k in kinds)


def within(values: Any, bits: int, what: str = "public operand", way_out: str = "scale it") -> Numbers:
    """public_array; OutOfRange, with the value and the way out, for NaN and infinity, and unless |value| < 2^bits."""
    array, limit = public_array(values, what), 1 << bits
    if array.dtype.kind == "f":
        good = np.abs(array.astype(np.result_type(array.dtype, np.float64), copy=False)) < float(limit)
    elif array.dtype.kind == "b" or np.iinfo(array.dtype).max + 1 < limit:
        return array
    else:
        good = (array < limit) & (array > -limit)
    refuse(values, array, ~np.asarray(good), what, f"|value| < 2^{bits} is needed: {way_out}")
    return array


def refuse(values: Any, array: Numbers, bad: npt.NDArray[np.bool_], what: str, needed: str) -> None:
    """OutOfRange if any element is bad. It names the first, so the values must be public."""
    if not bad.any():
        return
    value = np.asarray(values, object)[bad][0]
    missing = " (fill or drop missing values first)" if array.dtype.kind == "f" and np.isnan(array[bad][0]) else ""
    raise OutOfRange(f"{what}: {value} is out of range{place(values, array, bad)}{missing}: {needed}")


def is_nan(c: Any) -> npt.NDArray[np.bool_] | None:
    """Where NaN stands in a public array; None if nowhere, and for a secret."""
    if not isinstance(c, np.ndarray) or c.dtype.kind != "f":
        return None
    nan = np.isnan(c)
    return nan if nan.any() else None


# -- bounds ----------------------------------------------------------------------------------


def below(c: Numbers, frac: int) -> Words:
    """T for which X < T holds just where X 2^-frac < c; never for NaN. |T| <= 2^62."""
    return _bounds(c, frac, np.ceil, -LIMIT)


def above(c: Numbers, frac: int) -> Words:
    """T for which T < X holds just where c < X 2^-frac; never for NaN. |T| <= 2^62."""
    return _bounds(c, frac, np.floor, LIMIT)


def at(c: Numbers, frac: int) -> Words:
    """T for which T = X holds just where c = X 2^-frac: elsewhere it is -2^63 or beyond the range of X."""
    return _bounds(c, frac, lambda s: np.where(np.floor(s) == s, s, np.asarray(_NEVER, s.dtype)), _NEVER)


def _bounds(c: Numbers, frac: int, whole: Callable[[Numbers], Numbers], of_nan: int) -> Words:
    """c 2^frac, held between -2^62 and 2^62 without another error, and made whole."""
    most = LIMIT >> frac
    if c.dtype.kind == "f":
        wide = c.astype(np.result_type(c.dtype, np.float64))
        scaled = whole(np.ldexp(np.clip(wide, -float(most), float(most)), frac))
        scaled = np.where(np.isnan(wide), np.asarray(of_nan, wide.dtype), scaled).astype(np.int64)
    else:
        if c.dtype == np.uint64:
            c = np.minimum(c, np.uint64(most))
        scaled = np.clip(c.astype(np.int64), -most, most) << frac
    return np.ascontiguousarray(scaled).reshape(c.shape).view(np.uint64)
