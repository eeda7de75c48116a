"""What a key is before it is hashed, profile by profile, and the errors of columns that are not of its kind."""

from __future__ import annotations

import datetime
import hashlib
import traceback
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import KeyInvalid
from protocols.keys import digests
from protocols.people import DATE, NAME
from protocols.profiles import EMAIL_ADMAP, EMAIL_PAIR, INTEGERS, RAW, TEXT, Phone, Profile

SALT = bytes(16)

EXAMPLE = "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"  # of PAIR's and ADMaP's tables


@pytest.mark.parametrize(
    ("profile", "value", "canonical"),
    [
        (RAW, b"", b""),
        (RAW, b"a\0", b"a\0"),
        (TEXT, "", None),
        (TEXT, "Zoe\u0308 ", "Zo\u00eb ".encode()),
        (EMAIL_PAIR, "user@example.com", bytes.fromhex(EXAMPLE)),
        (EMAIL_PAIR, "User@Example.COM", bytes.fromhex(EXAMPLE)),
        (EMAIL_PAIR, " user@example.com", hashlib.sha256(b" user@example.com").digest()),
        (EMAIL_PAIR, "\u00c9U@x.de", hashlib.sha256("\u00c9u@x.de".encode()).digest()),
        (EMAIL_PAIR, "  ", None),
        (EMAIL_ADMAP, " User@example.com\t\n", bytes.fromhex(EXAMPLE)),
        (EMAIL_ADMAP, "us er@example.com", hashlib.sha256(b"us er@example.com").digest()),
        (EMAIL_ADMAP, " ", None),
        (Phone("DE"), "030 901820", b"+4930901820"),
        (Phone("DE"), "0049 (30) 90-18-20", b"+4930901820"),
        (Phone("US"), "011 49 30 901820", b"+4930901820"),
        (Phone(), "+49 (0)30 901820", b"+4930901820"),
        (Phone(), "030 901820", None),
        (Phone("IT"), "06 698 12345", b"+390669812345"),
        (Phone("FR"), "06 12 34 56 78", b"+33612345678"),
        (Phone("US"), "(234) 567-8901 ext. 5", b"+12345678901"),
        (Phone("US"), "567-8901", None),
        (Phone("DE"), "+49 301234567890123", None),
        (Phone("DE"), "unknown", None),
        (Phone("DE"), "", None),
        (NAME, "  O'Brien,  Jean\u2013Pierre\t", b"obrien jean pierre"),
        (NAME, "Zo\u00eb M\u00fcller-Gro\u00df", b"zoe muller gross"),
        (NAME, "\u0130lker \uff21\uff22", b"ilker ab"),
        (NAME, "\u0141ukasz", "\u0142ukasz".encode()),
        (NAME, "\u0938\u0940\u0924\u093e", "\u0938\u0940\u0924\u093e".encode()),
        (NAME, "soft\u00adhyphen", b"softhyphen"),
        (NAME, "-.'", None),
        (DATE, "1815-12-10", b"1815-12-10"),
        (DATE, " 18151210 ", b"1815-12-10"),
        (DATE, datetime.date(1815, 12, 10), b"1815-12-10"),
        (DATE, datetime.datetime(1815, 12, 10, 23, 59), b"1815-12-10"),
        (DATE, "2023-02-29", None),
        (DATE, "00000000", None),
        (DATE, " ", None),
    ],
)
def test_canonical_forms(profile: Profile, value: Any, canonical: bytes | None) -> None:
    assert profile.canonical([value], "key") == [canonical]
    assert digests([[value]], [profile], SALT)[1].tolist() == [canonical is None]


def test_days_of_numpy_and_pandas() -> None:
    days = pd.Series(pd.to_datetime(["1815-12-10 11:00", None]))
    before_calendars = np.array(["-001-01-01", "10000-01-01", "NaT"], "datetime64[D]")
    assert DATE.canonical(days, "key") == DATE.canonical(days.to_numpy(), "key") == [b"1815-12-10", None]
    assert DATE.canonical(days.astype(object), "key") == [b"1815-12-10", None]
    assert DATE.canonical(before_calendars, "key") == [None, None, None]


@given(st.text(max_size=12))
def test_a_canonical_name_stays_as_it_is(name: str) -> None:
    form = NAME.canonical([name], "key")[0]
    assert form is None or NAME.canonical([form.decode()], "key") == [form]


def test_every_character_of_a_name_stays_as_it_became() -> None:
    once = NAME.canonical([chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000], "key")
    forms = [form for form in once if form is not None]
    assert NAME.canonical([form.decode() for form in forms], "key") == forms


@given(st.text(st.characters(max_codepoint=127), max_size=12))
def test_plain_names_take_the_short_way_to_the_same_end(name: str) -> None:
    """An accent sends a name the long way and is then dropped."""
    assert NAME.canonical([name + "x\u0301"], "key") == NAME.canonical([name + "x"], "key")


@pytest.mark.parametrize(
    ("profile", "column", "text"),
    [
        (INTEGERS, [4711, "4711"], "a mixture of int, str"),
        (INTEGERS, ["4711"], "integers are needed, but the column holds str"),
        (INTEGERS, [4711.5], "floats that are no integers"),
        (INTEGERS, np.array([4711, np.inf]), "floats that are no integers"),
        (INTEGERS, np.array([2.0**53]), "too large to be sure"),
        (INTEGERS, np.array([2.0**24], np.float32), "too large to be sure"),
        (INTEGERS, [4711, 4711.0], "a mixture of float, int"),
        (INTEGERS, [4711, True], "a mixture of bool, int"),
        (INTEGERS, np.array([True]), "bool"),
        (INTEGERS, [1 << 127], "128 bits"),
        (TEXT, ["4711", b"4711"], "a mixture of bytes, str"),
        (TEXT, [4711, "4711"], "a mixture of int, str"),
        (TEXT, np.array([4711]), "int64"),
        (TEXT, ["4711\ud800"], "half a surrogate pair"),
        (EMAIL_PAIR, ["4711\ud800"], "half a surrogate pair"),
        (NAME, ["4711\ud800"], "half a surrogate pair"),
        (RAW, ["4711"], "bytes are needed"),
        (RAW, np.array([(47, 11)], "i1,i1"), "bytes are needed"),
        (RAW, [b"4711", bytearray(b"4711")], "a mixture of bytearray, bytes"),
        (DATE, ["11.12.4711"], "YYYY-MM-DD"),
        (DATE, ["4711-W10-1"], "YYYY-MM-DD"),
        (DATE, [datetime.date(2000, 1, 1), "4711-01-01"], "a mixture of date, str"),
        (DATE, [20004711], "dates or ISO text are needed"),
        (DATE, pd.Series(pd.to_datetime(["2000-01-01"])).dt.tz_localize("UTC"), "time zone"),
        (TEXT, [["4711"]], "list"),
        (TEXT, "4711", "not one column"),
        (TEXT, np.array([["4711"]]), "not one column"),
        (TEXT, 4711, "not a column"),
        (Phone("Germany"), ["4711"], "two capital letters"),
    ],
)
def test_bad_columns_are_named_and_not_quoted(profile: Profile, column: Any, text: str) -> None:
    with pytest.raises(KeyInvalid) as caught:
        digests({"id": column}, [profile], SALT, what="party 1, customers")
    assert str(caught.value).startswith("party 1, customers, column 'id': ")
    assert text in str(caught.value)
    assert "4711" not in "".join(traceback.format_exception_only(caught.value))
    assert (caught.value.__cause__ is None and caught.value.__suppress_context__) or caught.value.__context__ is None
