"""A column of an Arrow batch as a numpy array the protocols take, within its bounds whatever the engine gave. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from parties.data.expression_types import Type
from parties.data.published import PublishedColumn
from parties.errors import ValueUnfit

__all__ = ["as_arrays", "as_outputs"]


def as_arrays(values: Any, column: PublishedColumn, ends: tuple[float, float] | None, what: str) -> npt.NDArray[Any]:
    """(n,) of a pyarrow array; see tables.Batch.

    ``ends``: of its numbers; an engine's last digit may stray beyond them, and a sensitivity knows no such thing.
    Raises ValueUnfit for a missing value, or a category that is none: found here only if the table was changed.
    """
    import pyarrow as pa
    import pyarrow.compute

    if column.kind == "key":
        return _keys(values)
    if column.kind == "category":
        values = pyarrow.compute.index_in(values, value_set=pa.array(column.categories, values.type))
    if values.null_count:
        raise ValueUnfit(f"{what}: some values are missing, or do not fit what was published; was the table changed?")
    assert ends is not None
    if column.kind == "real":
        reals = np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
        return np.clip(reals, float(ends[0]), float(ends[1]))
    whole = np.asarray(values.to_numpy(zero_copy_only=False), np.int64)
    return np.clip(whole, int(ends[0]), int(ends[1]))


def as_outputs(values: Any, name: str, kind: Type, what: str) -> dict[str, npt.NDArray[Any]]:
    """An output of a query, (n,): under its name the values, 0 where there is none; under name + "?" 1 where there is.

    int64 of integers, booleans, days of dates, places of categories; float64 of reals; cut to their bounds. A key is as
    in as_arrays, and has no flags. Raises ValueUnfit for a category that is none: the engine's texts are not ours.
    """
    import pyarrow as pa
    import pyarrow.compute

    if kind.kind == "key":
        return {name: _keys(values)}
    there = np.asarray(values.is_valid().to_numpy(zero_copy_only=False), np.int64)
    if kind.kind == "category":
        dtype = pa.string() if isinstance(kind.values[0], str) else pa.int64()
        places = pyarrow.compute.index_in(values.cast(dtype), value_set=pa.array(kind.values, dtype))
        if (there > np.asarray(places.is_valid().to_numpy(zero_copy_only=False))).any():
            raise ValueUnfit(f"{what}: a value that is none of the categories published; was the table changed?")
        return {name: _filled(places, np.int64), f"{name}?": there}
    if kind.kind == "null":
        return {name: np.zeros(len(there), np.int64), f"{name}?": np.zeros(len(there), np.int64)}
    dtype = np.float64 if kind.kind == "real" else np.int64
    found = _filled(values, dtype)
    low, high = kind.low, kind.high
    if low is None or high is None:  # only asked whether it is there
        return {name: np.zeros(len(there), dtype), f"{name}?": there}
    ends = (float(low), float(high)) if kind.kind == "real" else (math.ceil(low), math.floor(high))
    return {name: np.where(there == 1, np.clip(found, *ends), 0).astype(dtype), f"{name}?": there}


def _filled(values: Any, dtype: Any) -> npt.NDArray[Any]:
    """NaN is no number either: a bound holds for it too."""
    filled = np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False), dtype)
    return np.nan_to_num(filled, posinf=np.inf, neginf=-np.inf) if dtype is np.float64 else filled


def _keys(values: Any) -> npt.NDArray[Any]:
    import pyarrow as pa

    if not pa.types.is_integer(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    numbers = np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False))
    if not values.null_count:
        return numbers
    missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
    return np.ma.MaskedArray(numbers, missing)
