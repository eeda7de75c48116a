"""Numbers as ring words and back. Out of range raises; nothing is ever clipped or wrapped silently.

An integer v is the word v mod 2^64, |v| < 2^62. A real number x with f fractional bits is the integer round(x 2^f),
|x| < 2^(62-f). One bit of head-room is left so that a difference of two numbers still has the right sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange, WrongType
from mpc.refusals import is_frame, place, wrong_dtype, wrong_kind, wrong_objects

__all__ = ["FRAC", "LIMIT", "as_array", "check_frac", "decode", "encode", "natural_frac"]

Words = npt.NDArray[np.uint64]

FRAC = 16
LIMIT = 1 << 62


def check_frac(frac: Any) -> int:
    """0 to 40 fractional bits, or OutOfRange."""
    if isinstance(frac, bool) or not isinstance(frac, (int, np.integer)) or not 0 <= frac <= 40:
        raise OutOfRange(f"{frac!r} fractional bits: 0 (integers) to 40")
    return int(frac)


def natural_frac(values: npt.NDArray[Any], default: int = FRAC, what: str = "value") -> int:
    """0 for integers and booleans, ``default`` for reals; WrongType for anything else."""
    if values.dtype.kind in "iub":
        return 0
    if values.dtype.kind == "f":
        return default
    raise wrong_objects(values, values, what) if values.dtype.kind == "O" else wrong_dtype(values.dtype, what)


def as_array(values: Any, what: str = "value") -> npt.NDArray[Any]:
    """The values as a numpy array.

    WrongType for ragged lists, sets and generators, and objects that are no numbers; OutOfRange for a masked array
    with missing values.
    """
    if not isinstance(values, np.ndarray) and (wrong := wrong_kind(values, what)):
        raise wrong
    try:
        array = _of_frame(values) if is_frame(values) else np.asarray(values)
    except ValueError:
        raise WrongType(f"{what}: not an array, the rows differ in length ({type(values).__name__})") from None
    if np.ma.is_masked(values):
        raise OutOfRange(f"{what}: a masked array with missing values; fill or drop them first")
    if array.dtype.kind == "O":
        numbers = _of_objects(array)
        if numbers is None:
            raise wrong_objects(values, array, what)
        return numbers
    return array


def _of_frame(frame: Any) -> npt.NDArray[Any]:
    """A DataFrame of integers, booleans and floats, nullable ones too; booleans count as integers, if there are others.

    What cannot be held exactly comes as objects.
    """
    types = set(frame.dtypes)
    kinds = {d.kind for d in types}
    if not kinds <= set("iufb") or (len(types) == 1 and isinstance(next(iter(types)), np.dtype)):
        return np.asarray(frame)
    if "f" in kinds:
        return frame.to_numpy(np.float64, na_value=np.nan)  # type: ignore[no-any-return]
    wide = any(d.kind == "u" and d.itemsize == 8 for d in types)
    if kinds == {"b"} or wide or frame.isna().to_numpy().any():
        return np.asarray(frame.astype(object))
    return frame.to_numpy(np.int64)  # type: ignore[no-any-return]


def _of_objects(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Integers and booleans that numpy holds as Python's objects, or None: for others, and beyond 64 bits."""
    kinds = {type(v) for v in array.reshape(-1)}
    if kinds and all(issubclass(k, (bool, np.bool_)) for k in kinds):
        return array.astype(np.bool_)
    if not kinds or not all(issubclass(k, (int, np.integer, np.bool_)) for k in kinds):
        return None
    whole = [int(v) for v in array.reshape(-1)]
    if not -LIMIT * 2 <= min(whole) <= max(whole) < LIMIT * 2:
        return None
    return np.array(whole, np.int64).reshape(array.shape)


def encode(values: Any, frac: int | None = None, *, what: str = "value") -> tuple[Words, int]:
    """(words, fractional bits) of a numpy array, list or number.

    Args:
        frac: fractional bits; None takes 0 for integers, 16 for reals.
        what: what the values are, for error messages.

    Raises OutOfRange for NaN, infinity and numbers beyond the range; WrongType for other dtypes, and for reals to be
    encoded with 0 fractional bits.
    """
    array = as_array(values, what)
    natural = natural_frac(array, what=what)
    f = natural if frac is None else check_frac(frac)
    if array.dtype.kind == "f":
        if f == 0:
            raise WrongType(f"{what}: real numbers with 0 fractional bits; round them or give frac=16")
        return _encode_reals(values, array, f, what), f
    bound = LIMIT >> f
    if array.size and array.dtype.kind in "iu" and np.iinfo(array.dtype).max + 1 >= bound:
        bad = (array >= bound) | (array <= -bound) if array.dtype.kind == "i" else array >= np.uint64(bound)
        if np.any(bad):
            raise _beyond(values, array, np.asarray(bad), f, what)
    words = array.astype(np.int64).view(np.uint64) if array.ndim else np.asarray(int(array), np.int64).view(np.uint64)
    return np.ascontiguousarray(words << np.uint64(f)).reshape(array.shape), f


def _beyond(values: Any, array: npt.NDArray[Any], bad: npt.NDArray[np.bool_], f: int, what: str) -> OutOfRange:
    with_bits = f" with {f} fractional bits; scale the values or use fewer bits" if f else ""
    limit = f"|value| < 2^{LIMIT.bit_length() - 1 - f} is needed{with_bits}"
    return OutOfRange(f"{what}: out of range{place(values, array, bad)}: {limit}")


def _encode_reals(values: Any, array: npt.NDArray[Any], f: int, what: str) -> Words:
    reals = array.astype(np.float64)
    bad = ~np.isfinite(reals)
    if bad.any():
        raise OutOfRange(f"{what}: NaN or infinity{place(values, array, bad)}; fill or drop missing values first")
    scaled = np.rint(reals * float(1 << f))
    bad = np.abs(scaled) >= float(LIMIT)
    if bad.any():
        raise _beyond(values, array, np.asarray(bad), f, what)
    return np.ascontiguousarray(scaled.astype(np.int64).view(np.uint64)).reshape(array.shape)


def decode(words: Words, frac: int) -> npt.NDArray[Any]:
    """int64 for frac = 0, else float64."""
    signed = words.view(np.int64)
    if frac == 0:
        return signed
    return signed.astype(np.float64) / float(1 << frac)
