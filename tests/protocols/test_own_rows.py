"""What an owner does with its own rows: any container, exact bounds, and errors that tell nothing of a row."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.aggregate import clip_rows, encode_categories

NA: Any = pd.NA


def test_clip_rows() -> None:
    values = np.array([-3.0, 4.0, math.nan, 1e9])
    assert clip_rows(values, 0, 10, missing=2).tolist() == [0, 4, 2, 10]
    assert clip_rows(np.array([-7, 7]), 0, 5).tolist() == [0, 5]
    assert clip_rows(np.array([1.0, math.inf, -math.inf]), 0, 5).tolist() == [1, 5, 0]
    assert clip_rows(values, 0, 10, missing=99).tolist() == [0, 4, 10, 10]
    for bad in ((5, 1), (0, math.inf), (math.nan, 1), ("0", 1), (None, 1)):
        with pytest.raises(OutOfRange, match="the lower one first"):
            clip_rows(values, *bad, missing=0)  # type: ignore[arg-type]
    for stand_in in (math.nan, math.inf, "x"):
        with pytest.raises(OutOfRange, match="a finite number"):
            clip_rows(values, 0, 1, missing=stand_in)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "bounds", "expected", "dtype"),
    [
        ([1, 2.5], (0, 2), [1, 2], np.float64),
        ([1, 5], (0, 2), [1, 2], np.int64),
        ((True, False), (0, 1), [1, 0], np.int64),
        (7, (0, 5), 5, np.int64),
        ([], (0, 5), [], np.float64),
        (np.array([[-9, 9]], np.int8), (-300, 5), [[-9, 5]], np.int64),
        (np.array([1 << 63, 3], np.uint64), (0, 1 << 70), [(1 << 63) - 1, 3], np.int64),
        ([1, 5], (0.5, 2.5), [1, 2.5], np.float64),
        (pd.Series([1, 9], dtype="Int64"), (0, 5), [1, 5], np.int64),
        (pd.Series([1.5, 9.0], dtype="Float64"), (0, 5), [1.5, 5], np.float64),
    ],
)
def test_clip_rows_takes_what_people_have(values: Any, bounds: Any, expected: Any, dtype: Any) -> None:
    cut = clip_rows(values, *bounds)
    assert cut.tolist() == expected
    assert isinstance(cut, np.ndarray) and cut.dtype == dtype


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.0, math.nan, 9], np.float64),
        ([1, None, 9], np.int64),
        (pd.Series([1, NA, 9], dtype="Int64"), np.int64),
        (pd.Series([1, NA, 9], dtype="UInt8"), np.int64),
        (pd.Series([1, NA, 9], dtype="Float64"), np.float64),
        (pd.Series([1, NA, 9], dtype=object), np.int64),
        (np.ma.masked_array([1, 77, 9], [False, True, False]), np.int64),
        (np.ma.masked_array([1.0, 77.0, 9.0], [False, True, False]), np.float64),
    ],
)
def test_every_kind_of_missing_value_is_found(values: Any, dtype: Any) -> None:
    with pytest.raises(OutOfRange, match="stay: some are missing; say what stands for them: missing=, from 0 to 5"):
        clip_rows(values, 0, 5, what="stay")
    cut = clip_rows(values, 0, 5, missing=2)
    assert cut.tolist() == [1, 2, 5]
    assert cut.dtype == dtype
    assert clip_rows(values, 0, 5, missing=2.5).tolist() == [1, 2.5, 5]


def test_all_missing() -> None:
    for values in ([None, None], pd.Series([NA, NA], dtype="Int64"), [math.nan] * 2):
        assert clip_rows(values, 0, 5, missing=3).tolist() == [3, 3]


def test_the_dtype_does_not_tell_whether_any_is_missing() -> None:
    some, none = pd.Series([1, NA], dtype="Int64"), pd.Series([1, 2], dtype="Int64")
    for stand_in in (0, 0.5):
        assert clip_rows(some, 0, 5, missing=stand_in).dtype == clip_rows(none, 0, 5, missing=stand_in).dtype


def test_errors_tell_no_value_no_place_and_no_number() -> None:
    texts = []
    for unknown in (1, 37):
        with pytest.raises(OutOfRange) as caught:
            clip_rows(np.array([123.0] * 5 + [math.nan] * unknown), 0, 10)
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert "123" not in texts[0]


@pytest.mark.parametrize("bound", [0.1, 1e-3, (1 << 53) + 1, Fraction(1, 3), np.float32(0.1)])
def test_no_value_returned_is_beyond_a_bound(bound: Any) -> None:
    exact = Fraction(bound) if not isinstance(bound, np.floating) else Fraction(float(bound))
    for values in (np.array([9e30, -9e30], np.float32), np.array([9e30, -9e30])):
        high, low = (Fraction(float(v)) for v in clip_rows(values, -bound, bound))
        assert -exact <= low and high <= exact
        assert high > exact * Fraction(999_999, 1_000_000)


@pytest.mark.parametrize("values", [["a"], np.array([1 + 2j]), [[1], [2, 3]], [None, "a"], [object()]])
def test_what_is_no_number_is_refused(values: Any) -> None:
    with pytest.raises(WrongType, match="stay: not "):
        clip_rows(values, 0, 1, missing=0, what="stay")


# -- categories --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", "?", "b"],
        np.array(["b", "a", "?", "b"]),
        np.array(["b", "a", None, "b"], object),
        pd.Series(["b", "a", None, "b"]),
        pd.Series(["b", "a", NA, "b"], dtype="string"),
        pd.Series(["b", "a", "?", "b"], dtype="category"),
    ],
)
def test_encode_categories(values: Any) -> None:
    assert encode_categories(values, ["a", "b"]).tolist() == [[0, 1], [1, 0], [0, 0], [0, 1]]


def test_numbers_are_categories_too() -> None:
    assert encode_categories([1, 2], [1, 2]).tolist() == [[1, 0], [0, 1]]
    assert encode_categories(pd.Series([2, NA], dtype="Int64"), [1, 2]).tolist() == [[0, 1], [0, 0]]
    assert encode_categories([1, 2], ["1", "2"]).tolist() == [[0, 0], [0, 0]]
    assert encode_categories([], ["a", "b"]).shape == (0, 2)


def test_bad_categories() -> None:
    for bad in ([], ["a", "a"]):
        with pytest.raises(OutOfRange, match="each once"):
            encode_categories(np.array(["a"]), bad)
    with pytest.raises(WrongType, match="text or numbers"):
        encode_categories(["a"], [["a"]])
    with pytest.raises(ShapeMismatch, match="one column"):
        encode_categories([["a"]], ["a"])
