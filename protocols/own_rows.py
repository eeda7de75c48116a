"""What an owner does with its own rows before it shares them. Plaintext, in its own process; nothing is sent.

An error here ends the computation for everybody and may be shown to others, so none carries a value, a number of rows
or a place: it names the column, the bound, and the way out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.exact import as_exact

__all__ = ["check_bounds", "clip_rows", "encode_categories", "encode_codes"]

Table = npt.NDArray[Any]

_WORD = (-(1 << 63), (1 << 63) - 1)


def check_bounds(low: Any, high: Any) -> tuple[Fraction, Fraction]:
    """Both bounds as the exact numbers they are, or OutOfRange (no finite numbers, or the higher one first)."""
    exact = (as_exact(low), as_exact(high))
    if exact[0] is None or exact[1] is None or exact[0] > exact[1]:
        raise OutOfRange(f"bounds {low!r} to {high!r}: two finite numbers, the lower one first")
    return exact[0], exact[1]


def clip_rows(values: Any, low: float, high: float, *, missing: float | None = None, what: str = "values") -> Table:
    """Own values cut to public bounds, as int64 or float64, of the same shape. Plaintext.

    The bounds must be agreed beforehand: bounds read off the rows would tell about them.

    Args:
        values: numbers: an array, a list, a column of pandas. Missing are NaN, None, pandas' NA and masked values.
        low, high: within these, exactly, is every value returned.
        missing: stands in for a missing value, and is cut to the bounds like one.
        what: name of the column, for errors.

    Integers stay integers if low, high and ``missing`` are integers; the dtype never depends on whether any is missing.
    Raises OutOfRange for a missing value without ``missing``, for bad bounds; WrongType for what is no number.
    """
    bounds = check_bounds(low, high)
    stand_in = None if missing is None else as_exact(missing)
    if missing is not None and stand_in is None:
        raise OutOfRange(f"{what}: missing={missing!r}: a finite number")
    array, unknown = _numbers(values, what)
    if stand_in is None and unknown.any():
        raise OutOfRange(f"{what}: some are missing; say what stands for them: missing=, from {low!r} to {high!r}")
    whole = all(b is None or isinstance(b, (int, np.integer)) for b in (low, high, missing))
    if array.dtype.kind != "f" and whole:
        least, most = (min(max(int(b), _WORD[0]), _WORD[1]) for b in bounds)
        fill = min(max(int(stand_in or 0), _WORD[0]), _WORD[1])
        return np.asarray(np.clip(np.where(unknown, np.int64(fill), array), least, most))
    reals = np.where(unknown, float(stand_in or 0), array.astype(np.float64))  # float32 could round a bound outwards
    return np.asarray(np.clip(reals, _inwards(bounds[0], math.inf), _inwards(bounds[1], -math.inf)))


def _inwards(bound: Fraction, towards: float) -> float:
    """The nearest float that is not outside the bound."""
    nearest = float(bound)
    outside = Fraction(nearest) < bound if towards > 0 else Fraction(nearest) > bound
    return math.nextafter(nearest, towards) if outside else nearest


def _numbers(values: Any, what: str) -> tuple[Table, npt.NDArray[np.bool_]]:
    """(int64 or float64 values, which of them are missing)."""
    hidden = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    array = _array(values if hidden is None else np.ma.getdata(values), what)
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if array.dtype.kind == "f" and kind in ("b", "i", "u"):
        array = np.asarray(values, dtype=object)  # pandas makes floats of nullable integers only if some are missing
    if array.dtype.kind == "O":
        unknown = _unknown(array)
        known = _array(array[~unknown].tolist(), what)
        numbers = np.zeros(array.shape, known.dtype if known.size or kind is None else np.int64)
        if known.dtype.kind in "biuf":
            numbers[~unknown] = known
    else:
        numbers, known = array, array
        unknown = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, np.bool_)
    if known.dtype.kind not in "biuf":
        raise WrongType(f"{what}: not numbers (dtype {array.dtype}); text goes through encode_categories")
    if hidden is not None:
        unknown = unknown | hidden
    if numbers.dtype.kind == "u":
        numbers = np.minimum(numbers.astype(np.uint64), np.uint64(_WORD[1]))
    return numbers.astype(np.float64 if numbers.dtype.kind == "f" else np.int64), unknown


def _array(values: Any, what: str) -> Table:
    """As encoding.as_array, but with missing values allowed, and no error that says where they are."""
    try:
        return np.asarray(values)
    except ValueError:
        raise WrongType(f"{what}: not an array, the rows differ in length") from None


def _unknown(objects: Table) -> npt.NDArray[np.bool_]:
    import pandas

    return np.asarray(pandas.isna(objects), dtype=np.bool_)


def encode_categories(values: Any, domain: Sequence[Any], *, what: str = "categories") -> npt.NDArray[np.int64]:
    """Own rows as a 0/1 matrix (rows, len(domain)) of a public list of categories; a value not in it is a row of zeros.

    Plaintext. Arguments and errors: encode_codes.
    """
    names = list(domain)
    codes = encode_codes(values, names, what=what)
    matrix = np.zeros((len(codes), len(names)), np.int64)
    rows = np.flatnonzero(codes >= 0)
    matrix[rows, codes[rows]] = 1
    return matrix


def encode_codes(values: Any, domain: Sequence[Any], *, what: str = "categories") -> npt.NDArray[np.int64]:
    """Own rows as the places of their values in a public list of categories; -1 for what is not in it. Plaintext.

    As pandas.Categorical(values, domain).codes. ``values``: an array (rows,), a list, a column of pandas; ``what``: its
    name, for errors. Raises OutOfRange for a list without categories or with one twice; ShapeMismatch for more than one
    column.
    """
    names = list(domain)
    try:
        places = {name: j for j, name in enumerate(names)}
    except TypeError:
        raise WrongType(f"{what}: categories are text or numbers") from None
    if len(places) < len(names) or not names:
        raise OutOfRange(f"{what}: a public list of categories must name each once, and at least one")
    column = _array(values, what)
    if column.ndim != 1:
        raise ShapeMismatch(f"{what}: {column.ndim} dimensions, but one column is needed")
    if column.dtype.kind == "O":
        column = column.copy()
        column[_unknown(column)] = None  # pandas' NA is neither equal nor unequal to anything
    if column.dtype.kind in "biuOU" or column.dtype == np.float64:
        try:
            return np.fromiter((places.get(v, -1) for v in column.tolist()), np.int64, len(column))
        except TypeError:  # something in the column has no hash
            pass
    codes = np.full(len(column), -1, np.int64)
    for j, name in enumerate(names):
        codes[np.asarray(column == name, np.bool_)] = j
    return codes
