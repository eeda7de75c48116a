"""A column of an Arrow batch as a numpy array the protocols take, within its bounds whatever the engine gave. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from parties.errors import ValueUnfit
from parties.published import PublishedColumn

__all__ = ["as_arrays"]


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


def _keys(values: Any) -> npt.NDArray[Any]:
    import pyarrow as pa

    if not pa.types.is_integer(values.type):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    numbers = np.asarray(values.fill_null(0).to_numpy(zero_copy_only=False))
    if not values.null_count:
        return numbers
    missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False), np.bool_)
    return np.ma.MaskedArray(numbers, missing)
