"""A column of keys as people hold it, read without losing what its values are. Plaintext; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from protocols.errors import KeyInvalid

__all__ = ["Canonical", "each_text", "known_types", "read_column", "wrong"]

Canonical = list[bytes | None]
"""One piece of bytes a row, None where there is no key."""

Flags = npt.NDArray[np.bool_]


def read_column(column: Any, what: str) -> tuple[npt.NDArray[Any], Flags]:
    """(values (n,), which are missing (n,)) of an array, a masked array, a list or a column of pandas.

    Nullable integers stay integers; what stands at a missing place is anything. A list becomes an array of objects, as
    numpy would make texts of numbers beside texts. Raises KeyInvalid for what is no single column.
    """
    import pandas

    hidden = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    if hidden is not None:
        column = np.ma.getdata(column)
    if isinstance(column, (str, bytes)) or getattr(column, "ndim", 1) != 1:
        raise KeyInvalid(f"{what}: not one column; a key of several columns takes a list of columns")
    kind = getattr(getattr(column, "dtype", None), "kind", None)
    if isinstance(column, (pandas.Series, pandas.Index, pandas.api.extensions.ExtensionArray)):
        missing = np.asarray(pandas.isna(column), np.bool_)
        exact = {"i": np.int64, "u": np.uint64, "f": np.float64}.get(kind or "")
        if exact and not isinstance(column.dtype, np.dtype):
            values = column.to_numpy(exact, na_value=np.nan if kind == "f" else 0)
        else:
            values = column.to_numpy()
    elif isinstance(column, np.ndarray):
        values = column
        missing = (
            np.zeros(len(values), np.bool_)
            if values.dtype.kind in "iubSUV"
            else np.asarray(pandas.isna(values), np.bool_)
        )
    else:
        try:
            values = np.fromiter(column, dtype=object, count=len(column))
        except TypeError:
            raise KeyInvalid(f"{what}: not a column: an array, a list or a column of pandas is") from None
        missing = np.asarray(pandas.isna(values), np.bool_)
    return values, missing if hidden is None else missing | hidden


def known_types(values: npt.NDArray[Any], missing: Flags) -> set[type]:
    """The types among the values that are there; for an array of numbers or text, its one type, if any is."""
    if values.dtype.kind != "O":
        return set() if missing.all() else {values.dtype.type}
    return set(map(type, values[~missing].tolist() if missing.any() else values.tolist()))


def wrong(what: str, wanted: str, values: npt.NDArray[Any], missing: Flags, way_out: str) -> KeyInvalid:
    """The error for a column of the wrong kind, or of several."""
    held = sorted({kind.__name__ for kind in known_types(values, missing)})
    mixed = "a mixture of " if len(held) > 1 else ""
    return KeyInvalid(f"{what}: {wanted} are needed, but the column holds {mixed}{', '.join(held)}; {way_out}")


def each_text(column: Any, what: str, of: Callable[[str], bytes | None], kind: str = "text") -> Canonical:
    """``of`` each text, None for what is missing. Raises KeyInvalid for a column that holds anything else."""
    values, missing = read_column(column, what)
    if not all(issubclass(held, str) for held in known_types(values, missing)):
        raise wrong(what, kind, values, missing, "make it one type, or take another profile")
    try:
        if not missing.any():
            return [of(text) for text in values.tolist()]
        return [None if gone else of(text) for text, gone in zip(values.tolist(), missing.tolist(), strict=True)]
    except UnicodeEncodeError:
        raise KeyInvalid(f"{what}: text that is no Unicode (half a surrogate pair); read it in its encoding") from None
