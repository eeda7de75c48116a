"""Numbers as ring words and back. Out of range raises; nothing is ever clipped or wrapped silently.

An integer v is the word v mod 2^64, |v| < 2^62. A real number x with f fractional bits is the integer round(x 2^f),
|x| < 2^(62-f). One bit of head-room is left so that a difference of two numbers still has the right sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import OutOfRange, WrongType

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
    raise WrongType(
        f"{what}: dtype {values.dtype}; booleans, integers and floats can be shared; encode categories as integers"
    )


def as_array(values: Any, what: str = "value") -> npt.NDArray[Any]:
    """The values as a numpy array; WrongType for ragged lists, OutOfRange for a masked array with missing values."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise WrongType(f"{what}: not an array, the rows differ in length ({type(values).__name__})") from error
    if np.ma.is_masked(values):
        raise OutOfRange(f"{what}: a masked array with missing values; fill or drop them first")
    return array


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
        return _encode_reals(array, f, what), f
    bound = LIMIT >> f
    if array.size and array.dtype.kind in "iu" and np.iinfo(array.dtype).max + 1 >= bound:
        low, high = int(array.min()), int(array.max())
        if low <= -bound or high >= bound:
            raise OutOfRange(
                f"{what}: from {low} to {high}, but |value| < 2^{bound.bit_length() - 1} is needed"
                + (f" with {f} fractional bits" if f else "")
            )
    words = array.astype(np.int64).view(np.uint64) if array.ndim else np.asarray(int(array), np.int64).view(np.uint64)
    return np.ascontiguousarray(words << np.uint64(f)).reshape(array.shape), f


def _encode_reals(array: npt.NDArray[Any], f: int, what: str) -> Words:
    reals = array.astype(np.float64)
    if not np.isfinite(reals).all():
        bad = int(np.flatnonzero(~np.isfinite(reals))[0])
        raise OutOfRange(f"{what}: NaN or infinity (first at position {bad}); fill or drop missing values first")
    scaled = np.rint(reals * float(1 << f))
    if scaled.size and np.abs(scaled).max() >= float(LIMIT):
        raise OutOfRange(
            f"{what}: magnitude {np.abs(reals).max():.6g}, but |value| < {LIMIT / (1 << f):.6g} is needed "
            f"with {f} fractional bits; scale the values or use fewer bits"
        )
    return np.ascontiguousarray(scaled.astype(np.int64).view(np.uint64)).reshape(array.shape)


def decode(words: Words, frac: int) -> npt.NDArray[Any]:
    """int64 for frac = 0, else float64."""
    signed = words.view(np.int64)
    if frac == 0:
        return signed
    return signed.astype(np.float64) / float(1 << frac)
