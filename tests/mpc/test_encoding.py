"""Numbers as ring words and back; everything out of range raises."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpc import encoding
from mpc.errors import OutOfRange, WrongType
from tests.mpc.helpers import EDGES, LARGEST, same

shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@given(hnp.arrays(np.int64, shapes, elements=st.integers(-LARGEST, LARGEST)))
def test_integers_come_back(values: Any) -> None:
    words, frac = encoding.encode(values)
    assert frac == 0 and words.dtype == np.uint64 and words.flags.c_contiguous
    same(np.asarray(encoding.decode(words, 0)), values)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
@pytest.mark.parametrize("frac", [0, 16, 30, 31, 40])
def test_every_integer_type_is_exact_or_out_of_range(dtype: type, frac: int) -> None:
    info = np.iinfo(dtype)
    for value in {info.min, info.max, 0, 1, min(info.max, (1 << (62 - frac)) - 1), min(info.max, 1 << (62 - frac))}:
        array = np.array([value], dtype)
        if abs(value) < 1 << (62 - frac):
            words, _ = encoding.encode(array, frac)
            assert int(words.view(np.int64)[0]) == value << frac
        else:
            with pytest.raises(OutOfRange, match="is needed"):
                encoding.encode(array, frac)


@given(st.integers(1, 40), st.data())
def test_reals_come_back_to_half_a_unit(frac: int, data: st.DataObject) -> None:
    bound = 2.0 ** (62 - frac)
    values = data.draw(
        hnp.arrays(np.float64, shapes, elements=st.floats(-bound, bound, exclude_min=True, exclude_max=True))
    )
    if values.size and np.abs(np.rint(values * 2.0**frac)).max() >= 2.0**62:
        return
    words, f = encoding.encode(values, frac)
    back = encoding.decode(words, f)
    assert back.shape == values.shape and back.dtype == np.float64
    assert np.all(np.abs(back - values) <= 2.0 ** -(frac + 1) + np.abs(values) * 2.0**-52)


@pytest.mark.parametrize("values", [True, 3, [1, 2], np.arange(6).reshape(2, 3).T, np.arange(10)[::-2], [], [[]]])
def test_anything_like_an_array(values: Any) -> None:
    words, _ = encoding.encode(values)
    assert words.flags.c_contiguous
    same(np.asarray(encoding.decode(words, 0)), np.asarray(values, np.int64))


def test_the_words_are_a_copy() -> None:
    for values in (np.arange(4), np.arange(4).astype(np.uint64), np.linspace(0, 1, 4)):
        before = values.copy()
        words, _ = encoding.encode(values)
        words += np.uint64(1)
        assert np.array_equal(values, before)


@pytest.mark.parametrize("value", EDGES)
def test_the_edges_of_the_range(value: int) -> None:
    assert int(encoding.decode(encoding.encode(value)[0], 0)) == value


@pytest.mark.parametrize("value", [1 << 62, -(1 << 62), (1 << 63) - 1, -(1 << 63), 1 << 63, (1 << 64) - 1])
def test_integers_beyond_the_range_raise(value: int) -> None:
    with pytest.raises(OutOfRange, match="2\\^62"):
        encoding.encode(value, what="age")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.0**46, -(2.0**46), 1e300, np.float16("inf")])
def test_reals_beyond_the_range_raise_and_name_what(value: float) -> None:
    with pytest.raises(OutOfRange, match="column age"):
        encoding.encode([0.0, value], what="column age")


def test_the_position_of_the_first_nan_is_named_and_no_value() -> None:
    with pytest.raises(OutOfRange, match="position 2") as caught:
        encoding.encode([123.456, 1.0, np.nan, np.inf])
    assert "123" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        "text", ["a", "b"], b"bytes", None, [None, 1], [1, "a"], 1j, [1 << 70], {"a": 1}, object(),
        np.array(["2020-01-01"], "M8[D]"), np.array([1], "m8[s]"), datetime.date(2020, 1, 1),
        np.array([(1, 2)], "i4,i4"),
    ],
)  # fmt: skip
def test_other_types_raise(values: Any) -> None:
    with pytest.raises(WrongType):
        encoding.encode(values)


FRAME = pd.DataFrame({"age": [1, 2, 3], "sick": [True, False, True], "cost": [0.5, 1.5, 2.5]})
DATES = pd.Series(pd.to_datetime(["2020-01-01", "2021-01-01"]))
SECRET = 7654321.0

ADVICE: list[tuple[Any, str]] = [
    ([1, None], r"missing value.*position 1"), (pd.Series([True, None], dtype="boolean"), "missing value.*position 1"),
    (np.array([[1, 2], [None, 4]], object), r"missing value.*position \(1, 0\)"),
    (FRAME.assign(name=["a", "b", "c"], day="x"), r"columns 'name' .*'day' "),
    (pd.DataFrame({"a": [1, 2], "b": pd.array([3, None], dtype="Int64")}).astype(object).assign(c=1), "columns 'a'"),
    ([Decimal("7654321.0")], r"Decimal.*astype\(float\)"), ([1 << 70], r"too large.*2\^62"),
    ({1, 2}, "set has no order"), ({"a": 1}, "dict"), ((i for i in range(3)), r"generator.*list"), ([{1}], "sets"),
    (DATES, r"\(d - epoch\)\.dt\.days"), (DATES.to_numpy(), "epoch"), (DATES - DATES[0], r"\.dt\.days"),
    (pd.DataFrame({"d": DATES, "n": [1, 2]}), "column.*'d'.*epoch"),
    (pd.Series(["a", "b"]).astype("category"), r"\.cat\.codes.*same public categories"),
    (["a"], r"\.cat\.codes"), ([1j], "real"),
    (np.array([1 << 64, 3], object), r"too large.*2\^62"), (np.array([1, 0.5], object), r"objects.*astype\(float\)"),
    (np.array([np.uint64(SECRET), -(1 << 63) - 1], object), "too large"),
    (pd.DataFrame({"a": pd.array([1, None], dtype="Int64"), "b": [1, 2]}), "missing value.*row 1, column 'a'"),
    (pd.DataFrame({"a": np.array([1, 2**64 - 1], np.uint64), "b": [True, False]}), "too large"),
    (pd.DataFrame({"a": np.array([1, 2**64 - 1], np.uint64), "b": [-1, 0]}), "too large"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "advice"), ADVICE, ids=[a for _, a in ADVICE])
def test_a_wrong_type_is_explained(values: Any, advice: str) -> None:
    with pytest.raises(WrongType, match=advice) as caught:
        encoding.encode(values, what="input of party 1")
    assert str(caught.value).startswith("input of party 1: ") and "7654321" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("values", "where"),
    [
        (np.array([[SECRET, 1.0], [2.0, np.nan]]), r"position \(1, 1\)"), ([SECRET, np.inf], "position 1"),
        (FRAME.assign(cost=[SECRET, np.nan, 1.0]), "row 1, column 'cost'"), (np.nan, "NaN or infinity;"),
        ([1.0, SECRET * 1e30], r"position 1: .*2\^46"), ([[0, 7654321 << 40]], r"position \(0, 1\): .*2\^62"),
        ([-(7654321 << 40)], r"position 0: .*2\^62"), (pd.DataFrame({"n": [1, 7654321 << 40]}), "row 1, column 'n'"),
        (7654321 << 40, r"range: .*2\^62"), (np.array([1, 7654321 << 40], np.uint64), "position 1"),
    ],
)  # fmt: skip
def test_errors_say_where_but_no_value(values: Any, where: str) -> None:
    with pytest.raises(OutOfRange, match=where) as caught:
        encoding.encode(values)
    assert "7654321" not in str(caught.value) and not re.search(r"e\+|\d{5}", str(caught.value))


@pytest.mark.parametrize("columns", [["age"], ["age", "sick"], ["age", "cost"], ["sick", "cost"], ["sick"]])
def test_frames_and_series_of_numbers(columns: list[str]) -> None:
    words, frac = encoding.encode(FRAME[columns])
    expected = FRAME[columns].to_numpy(np.float64 if "cost" in columns else np.int64)
    same(np.asarray(encoding.decode(words, frac)), expected)
    for column in columns:
        words, frac = encoding.encode(FRAME[column])
        same(np.asarray(encoding.decode(words, frac)), FRAME[column].to_numpy(np.float64 if frac else np.int64))
    assert encoding.encode(pd.Series([1, 2], dtype="Int64"))[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2], object), [1, 2]), (np.array([[1, -(2**61)]], object), [[1, -(2**61)]]),
        (np.array([1, True, np.int8(3), np.uint64(4)], object), [1, 1, 3, 4]), (np.array(7, object), 7),
        (pd.Series([1, 2], dtype=object), [1, 2]), (np.array([True, False], object), [1, 0]),
        (pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "b": [3, 4]}), [[1, 3], [2, 4]]),
        (pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "b": pd.array([3, 4], dtype="Int8")}), [[1, 3], [2, 4]]),
        (pd.DataFrame({"a": pd.array([2**61, 2], dtype="UInt64"), "b": [-3, 4]}), [[2**61, -3], [2, 4]]),
        (pd.DataFrame({"a": pd.array([True, False], dtype="boolean"), "b": [3, 4]}), [[1, 3], [0, 4]]),
        (pd.DataFrame({"a": pd.array([True, False], dtype="boolean"), "b": [True, True]}), [[1, 1], [0, 1]]),
        (pd.DataFrame({"a": np.array([1, 2], np.int8), "b": [2**61 + 1, 4]}), [[1, 2**61 + 1], [2, 4]]),
    ],
)  # fmt: skip
def test_integers_held_as_objects_or_nullable(values: Any, expected: Any) -> None:
    words, frac = encoding.encode(values)
    assert frac == 0
    same(np.asarray(encoding.decode(words, 0)), np.array(expected, np.int64))


def test_nullable_integers_beside_floats() -> None:
    frame = pd.DataFrame({"a": pd.array([1, 2], dtype="Int64"), "b": [0.5, 1.5]})
    words, frac = encoding.encode(frame)
    same(np.asarray(encoding.decode(words, frac)), np.array([[1, 0.5], [2, 1.5]]))
    with pytest.raises(OutOfRange, match=r"NaN.*row 1, column 'a'"):
        encoding.encode(frame.assign(a=pd.array([1, None], dtype="Int64")))


@pytest.mark.parametrize("values", [[[1], [1, 2]], [[1, 2], 3], [[[1]], [[1, 2]]]])
def test_ragged_lists_raise(values: Any) -> None:
    with pytest.raises(WrongType, match="differ in length"):
        encoding.encode(values)


def test_missing_values_of_a_masked_array_raise() -> None:
    with pytest.raises(OutOfRange, match="missing"):
        encoding.encode(np.ma.array([1, 2], mask=[False, True]))
    assert encoding.encode(np.ma.array([1, 2]))[0].tolist() == [1, 2]


def test_reals_as_integers_raise() -> None:
    with pytest.raises(WrongType, match="fractional"):
        encoding.encode([1.5], 0)


@pytest.mark.parametrize("frac", [-1, 41, True, 1.5, "16"])
def test_impossible_fractional_bits_raise(frac: Any) -> None:
    with pytest.raises(OutOfRange, match="fractional bits"):
        encoding.encode([1.0], frac)
