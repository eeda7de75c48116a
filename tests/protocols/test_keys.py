"""Digests of keys: equal exactly when the canonical keys are, and errors that tell nothing of a row."""

from __future__ import annotations

import datetime
import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import OutOfRange, ShapeMismatch, UsageError, WrongType
from protocols.errors import DuplicateKeys, KeyInvalid
from protocols.keys import aggregate_rows, check_unique, digests
from protocols.people import DATE, NAME, PERSON
from protocols.profiles import EMAIL_ADMAP, EMAIL_PAIR, INTEGERS, RAW, TEXT, Phone, Profile

SALT = bytes(range(16))
NA: Any = pd.NA
ONE_TEXT = (TEXT, EMAIL_PAIR, EMAIL_ADMAP, NAME, Phone("DE"))


def tags_of(profile: Profile, column: Any, salt: bytes = SALT) -> list[str | None]:
    """Each row's tag in hex, None where there is no key."""
    tags, missing = digests([column], [profile], salt)
    assert tags.dtype == np.uint64 and tags.shape == (len(missing), 2) and missing.dtype == np.bool_
    assert not tags[missing].any() and tags[~missing].any(axis=1).all()
    return [None if gone else row.tobytes().hex() for row, gone in zip(tags, missing, strict=True)]


def hkdf(info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, b"", info).derive(SALT)


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


# vectors


def test_an_integer_is_one_block_of_aes() -> None:
    key = hkdf(b"accord keys aes-128 " + framed(b"integer"), 16)
    block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    for value in (0, 12, -1, -(1 << 63), (1 << 64) - 1, (1 << 127) - 1):
        expected = block.update(value.to_bytes(16, "little", signed=True)).hex()
        assert tags_of(INTEGERS, [value]) == [expected]
    assert tags_of(INTEGERS, [12]) == ["5b84b24a9c70933c9d1c4f067e19cf0e"]


def test_anything_else_is_keyed_blake2b() -> None:
    one = hashlib.blake2b(b"12", digest_size=16, key=hkdf(b"accord keys blake2b " + framed(b"text"), 32))
    assert tags_of(TEXT, ["12"]) == [one.hexdigest()] == ["75018198e38649904bd3a68d1821c985"]
    key = hkdf(b"accord keys blake2b " + framed(b"name", b"date"), 32)
    both = hashlib.blake2b(framed(b"ada lovelace", b"1815-12-10"), digest_size=16, key=key)
    tags, _ = digests([["Ada Lovelace"], ["18151210"]], PERSON, SALT)
    assert tags.tobytes() == both.digest()


# what owners hold does not matter


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_integers_of_any_type(values: list[int]) -> None:
    expected = tags_of(INTEGERS, values)
    column = np.array(values, np.int64)
    assert len(set(expected)) == len(set(values))
    for held in (column, column.astype(object), pd.Series(column), pd.Series(column, dtype="Int64"), tuple(values)):
        assert tags_of(INTEGERS, held) == expected
    small = column % 100
    expected = tags_of(INTEGERS, small)
    for dtype in (
        np.int8,
        np.int32,
        np.uint8,
        np.uint64,
        np.float16,
        np.float64,
        "Int16",
        "UInt32",
        "Float32",
        "category",
    ):
        assert tags_of(INTEGERS, pd.Series(small).astype(dtype)) == expected


def test_integers_of_any_layout() -> None:
    column = np.arange(-50, 50, dtype=np.int64)
    expected = tags_of(INTEGERS, column)
    assert tags_of(INTEGERS, column[::-3]) == expected[::-3]
    assert tags_of(INTEGERS, column.astype(">i8")) == expected
    assert tags_of(INTEGERS, np.array([1 << 63, 5], np.uint64)) == tags_of(INTEGERS, [1 << 63, 5])
    assert tags_of(INTEGERS, np.array([[1]])[0]) == tags_of(INTEGERS, pd.Index([1]))


@given(st.lists(st.text(max_size=8), max_size=20))
def test_text_of_any_type(values: list[str]) -> None:
    expected = tags_of(TEXT, values)
    for held in (pd.Series(values, dtype=object), pd.Series(values, dtype="str"), pd.Index(values, dtype=object)):
        assert tags_of(TEXT, held) == expected
    assert tags_of(TEXT, pd.Series(values, dtype=object).astype("category")) == expected
    fixed = np.array(values, dtype=np.str_)  # loses zero bytes at the end
    assert tags_of(TEXT, fixed) == tags_of(TEXT, fixed.tolist())


def test_bytes_of_any_type() -> None:
    assert tags_of(RAW, np.array([b"ab", b"c\0"], "V2")) == tags_of(RAW, [b"ab", b"c\0"])
    assert tags_of(RAW, np.array([b"ab", b"c"])) == tags_of(RAW, [b"ab", b"c"])


@given(st.sampled_from(ONE_TEXT), st.text(max_size=12), st.text(max_size=12))
def test_equal_digests_are_equal_canonical_forms(profile: Profile, one: str, other: str) -> None:
    for second in (other, one.upper(), f" {one}", one.replace("e", "e\u0301")):
        forms = profile.canonical([one, second], "key")
        tags = tags_of(profile, [one, second])
        assert [form is None for form in forms] == [tag is None for tag in tags]
        assert (forms[0] == forms[1]) == (tags[0] == tags[1])


# what may not be equal


def test_salts_and_profiles_are_kept_apart() -> None:
    assert not set(tags_of(INTEGERS, range(9))) & set(tags_of(INTEGERS, range(9), SALT[::-1]))
    assert not set(tags_of(TEXT, list("abc"))) & set(tags_of(TEXT, list("abc"), SALT + b"\0"))
    same = [tags_of(INTEGERS, [12]), tags_of(TEXT, ["12"]), tags_of(NAME, ["12"]), tags_of(RAW, [b"12"])]
    mail = [tags_of(profile, ["a@b.de"]) for profile in (EMAIL_PAIR, EMAIL_ADMAP)]
    block = tags_of(RAW, [(12).to_bytes(16, "little")])
    pair = digests([["12"], ["12"]], [TEXT, TEXT], SALT)[0].tobytes().hex()
    assert len({tag for tags in [*same, *mail, block, [pair]] for tag in tags}) == 8


@given(st.lists(st.binary(max_size=3), min_size=2, max_size=2), st.lists(st.binary(max_size=3), min_size=2, max_size=2))
def test_composite_keys_are_unambiguous(one: list[bytes], other: list[bytes]) -> None:
    tags, _ = digests([[one[0], other[0]], [one[1], other[1]]], [RAW, RAW], SALT)
    assert (tags[0] == tags[1]).all() == (one == other)
    moved, _ = digests([[b"ab", b"a"], [b"c", b"bc"]], [RAW, RAW], SALT)
    assert (moved[0] != moved[1]).any()


def test_the_order_of_columns_counts_and_their_names_do_not() -> None:
    frame = pd.DataFrame({"dtype": [1, 2], "items": [3, 4]})
    tags = digests(frame, [INTEGERS, INTEGERS], SALT)[0]
    assert (tags == digests({"x": [1, 2], "y": [3, 4]}, [INTEGERS, INTEGERS], SALT)[0]).all()
    assert (tags != digests(frame[["items", "dtype"]], [INTEGERS, INTEGERS], SALT)[0]).all()


# NULL


@pytest.mark.parametrize(
    ("profile", "column"),
    [
        (INTEGERS, pd.Series([7, NA], dtype="Int64")),
        (INTEGERS, pd.Series([7, NA], dtype="UInt64")),
        (INTEGERS, np.ma.array([7, 5], mask=[False, True])),
        (INTEGERS, np.array([7.0, np.nan])),
        (INTEGERS, [7, None]),
        (INTEGERS, [7, NA]),
        (INTEGERS, [7, float("nan")]),
        (INTEGERS, [7, pd.NaT]),
        (TEXT, ["a", None]),
        (TEXT, pd.Series(["a", None])),
        (TEXT, pd.Series(["a", NA], dtype="string")),
        (TEXT, np.ma.array(["a", "b"], mask=[False, True])),
        (TEXT, ["a", float("nan")]),
        (RAW, [b"a", None]),
        (DATE, pd.Series(pd.to_datetime(["2000-01-01", None]))),
        (DATE, [datetime.date(2000, 1, 1), pd.NaT]),
    ],
)
def test_null_is_no_key(profile: Profile, column: Any) -> None:
    _, missing = digests([column], [profile], SALT)
    assert missing.tolist() == [False, True]
    _, missing = digests([column, [1, 2]], [profile, INTEGERS], SALT)
    assert missing.tolist() == [False, True]
    _, missing = digests([["x", "y"], column], [TEXT, profile], SALT)
    assert missing.tolist() == [False, True]


def test_columns_without_any_key() -> None:
    for profile in (RAW, INTEGERS, DATE, *ONE_TEXT):
        for column in ([None, None], np.array([np.nan, np.nan]), pd.Series([NA, NA], dtype="Int64")):
            assert tags_of(profile, column) == [None, None]
        for empty in ([], np.array([]), pd.Series([], dtype="Int64"), pd.Series([], dtype=object)):
            assert tags_of(profile, empty) == []


# bad input


def test_bad_calls() -> None:
    for columns, profiles, salt, text in (
        ([[1]], [INTEGERS], b"short", "at least 16 bytes"),
        ([[1], [2]], [INTEGERS], SALT, "2 columns for 1 profiles"),
        ([], [], SALT, "0 columns"),
        ([[1], [2, 3]], [INTEGERS, INTEGERS], SALT, "differ in length"),
        (pd.Series([1]), [INTEGERS], SALT, "a list of columns"),
        (np.array([1]), [INTEGERS], SALT, "a list of columns"),
        (np.array([[1]]), [INTEGERS], SALT, "a list of columns"),
        ("a", [TEXT], SALT, "a list of columns"),
    ):
        with pytest.raises(KeyInvalid, match=text):
            digests(columns, profiles, salt)
    with pytest.raises(KeyInvalid, match="table, column 2: "):
        digests([[1], ["x"]], [INTEGERS, INTEGERS], SALT, what="table")


# repeats


def test_repeats_are_found() -> None:
    keys = digests([pd.Series([1, 2, NA, NA], dtype="Int64")], [INTEGERS], SALT)
    check_unique(*keys)
    check_unique(*digests([[]], [INTEGERS], SALT))
    with pytest.raises(DuplicateKeys, match=r"bank, column 'id': a key stands .*aggregate_rows.*many=True") as e:
        check_unique(*digests([[4711, 3, 4711]], [INTEGERS], SALT), what="bank, column 'id'")
    assert "4711" not in str(e.value) and isinstance(e.value, UsageError)


def test_half_a_tag_in_common_is_no_repeat() -> None:
    tags = np.array([[5, 1], [5, 2], [6, 1], [5, 3]], np.uint64)
    none = np.zeros(4, np.bool_)
    check_unique(tags, none)
    check_unique(tags[:, ::-1], none)
    tags[3] = tags[0]
    with pytest.raises(DuplicateKeys):
        check_unique(tags, none)
    check_unique(tags, np.array([False, False, False, True]))


def test_aggregate_rows() -> None:
    frame = pd.DataFrame(
        {
            "mail": ["B@x.de", "a@x.de", None, "b@x.de", None],
            "spent": [1, 10, 100, 2, 200],
            "seen": [np.nan, 5.0, 6.0, 7.0, np.nan],
            "left out": list("vwxyz"),
        }
    )
    keys = digests(frame[["mail"]], [EMAIL_PAIR], SALT)
    (tags, missing), totals = aggregate_rows(keys, frame, {"spent": "sum", "seen": "first"})
    assert totals.to_dict("list") == {
        "spent": [3, 10, 100, 200],
        "seen": [7.0, 5.0, 6.0, pytest.approx(np.nan, nan_ok=True)],
    }
    assert missing.tolist() == [False, False, True, True]
    assert (tags == keys[0][[0, 1, 2, 4]]).all()
    check_unique(tags, missing)
    for kind, expected in {"mean": 1.5, "min": 1, "max": 2, "last": 2, "count": 2}.items():
        assert aggregate_rows(keys, frame, {"spent": kind})[1]["spent"][0] == expected
    (tags, _), nothing = aggregate_rows(keys, frame, {})
    assert tags.shape == (4, 2) and nothing.shape == (4, 0)
    (tags, _), nothing = aggregate_rows((tags[:0], missing[:0]), frame[:0], {"spent": "sum"})
    assert tags.shape == (0, 2) and len(nothing) == 0


def test_aggregates_refused() -> None:
    frame = pd.DataFrame({"v": [1 << 62, 1 << 62], "w": ["a", "b"], "d": [{}, {}]})
    keys = digests([[7, 7]], [INTEGERS], SALT)
    for how, error, text in (
        ({"v": "sum"}, OutOfRange, "leaves 64 bits"),
        ({"v": "median"}, OutOfRange, "no aggregate 'median'"),
        ({"w": "mean"}, WrongType, "no column of numbers"),
        ({"w": "sum"}, WrongType, "no column of numbers"),
        ({"d": "max"}, WrongType, "no such aggregate"),
        ({"z": "sum"}, WrongType, "no column 'z'"),
    ):
        with pytest.raises(error, match=text):
            aggregate_rows(keys, frame, how, what="bank")
    with pytest.raises(ShapeMismatch):
        aggregate_rows(keys, frame[:1], {"v": "max"})
    assert aggregate_rows(keys, frame, {"v": "max"})[1]["v"].tolist() == [1 << 62]
