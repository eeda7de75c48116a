"""Why values cannot be shared, and what to do about it.

The errors name positions, columns and dtypes, never a value or its size: an error may end in a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import WrongType

__all__ = ["is_frame", "place", "wrong_dtype", "wrong_kind", "wrong_objects"]

_DAYS = "as days since a public date, (d - epoch).dt.days in pandas, or (d - epoch) // np.timedelta64(1, 'D')"
_CATEGORIES = "encode categories as integers, in pandas with .cat.codes for public categories"


def is_frame(values: Any) -> bool:
    """Whether it is a DataFrame, without importing pandas."""
    return hasattr(values, "columns") and hasattr(values, "dtypes") and hasattr(values, "iloc")


def place(values: Any, array: npt.NDArray[Any], bad: npt.NDArray[np.bool_]) -> str:
    """Where the first bad element is: the position, (row, column) from 0, or the row and the name of a column."""
    if not array.ndim:
        return ""
    at = tuple(int(i) for i in np.unravel_index(int(np.flatnonzero(bad)[0]), array.shape))
    if is_frame(values) and len(at) == 2:
        return f" at row {at[0]}, column {values.columns[at[1]]!r}"
    return f" at position {at[0] if len(at) == 1 else at}"


def wrong_kind(values: Any, what: str) -> WrongType | None:
    """The error for what is no array at all."""
    if isinstance(values, (Set, Mapping)):
        return WrongType(f"{what}: a {type(values).__name__} has no order: give a list or an array")
    if isinstance(values, Iterator):
        return WrongType(f"{what}: a {type(values).__name__} is no array: give list(...) of it")
    return None


def _advice(dtype: Any) -> str:
    if str(dtype) == "category":
        return "categories: share .cat.codes, with the same public categories at every party"
    if dtype.kind == "M":
        return f"dates: share them {_DAYS}"
    if dtype.kind == "m":
        return "time spans: share whole units, .dt.days in pandas, or d // np.timedelta64(1, 'D')"
    if dtype.kind == "c":
        return "complex numbers: share the real and the imaginary part"
    return f"booleans, integers and floats can be shared; {_CATEGORIES}"


def wrong_dtype(dtype: Any, what: str) -> WrongType:
    """The error for a dtype that cannot be shared."""
    return WrongType(f"{what}: dtype {dtype}; {_advice(dtype)}")


def wrong_objects(values: Any, array: npt.NDArray[Any], what: str) -> WrongType:
    """The error for what numpy holds as objects: by the first cause found."""
    if is_frame(values):
        wrong = [(c, d) for c, d in zip(values.columns, values.dtypes, strict=True) if d.kind not in "iufb"]
        if wrong:
            named = ", ".join(f"{c!r} ({d})" for c, d in wrong[:5]) + (", ..." if len(wrong) > 5 else "")
            return WrongType(f"{what}: columns {named} cannot be shared as they are; {_advice(wrong[0][1])}")
    if str(getattr(values, "dtype", "")) == "category":
        return wrong_dtype(values.dtype, what)
    missing = np.array([_is_missing(v) for v in array.reshape(-1)], np.bool_)
    if missing.any():
        return WrongType(f"{what}: a missing value (None, NA){place(values, array, missing)}; fill or drop them first")
    kinds = {type(v) for v in array.reshape(-1)}
    if any(issubclass(k, Decimal) for k in kinds):
        return WrongType(f"{what}: Decimal: convert with .astype(float), or to whole cents with .astype(int)")
    if kinds and all(issubclass(k, (int, np.integer)) for k in kinds):
        return WrongType(f"{what}: integers too large: |value| < 2^62 is needed")
    if kinds and all(issubclass(k, (int, float, np.integer, np.floating)) for k in kinds):
        return WrongType(f"{what}: real numbers held as objects: convert with .astype(float)")
    if any(issubclass(k, (Mapping, Set, Iterator)) for k in kinds):
        return WrongType(f"{what}: sets, dicts or generators within: give lists or arrays")
    names = ", ".join(sorted(k.__name__ for k in kinds)[:5])
    return WrongType(f"{what}: dtype object, of {names}; booleans, integers and floats can be shared; {_CATEGORIES}")


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))
