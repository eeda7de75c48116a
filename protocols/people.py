"""Profiles of people without a common number: a name and a date of birth. Plaintext, at the owner; see profiles.py.

Equal after canonicalisation is all a join finds: a misspelt name is another name.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from protocols.errors import KeyInvalid
from protocols.key_columns import Canonical, each_text, known_types, read_column
from protocols.profiles import Profile

__all__ = ["DATE", "NAME", "PERSON", "Date", "Name"]


@dataclass(frozen=True)
class Name:
    """A person's name: case folded, compatibility forms and accents undone, punctuation dropped, spaces collapsed.

    Dashes become spaces; apostrophes, points, symbols and invisible characters go. Letters that are no letter with an
    accent stay themselves (a stroked o is no o). Marks that are vowels (Devanagari) stay too.
    """

    name: ClassVar[str] = "name"

    def canonical(self, column: Any, what: str) -> Canonical:
        return each_text(column, what, lambda text: _plain_name(text).encode() or None)


def _plain_name(text: str) -> str:
    if text.isascii():
        return " ".join(text.lower().translate(_PLAIN_ASCII).split())
    folded = unicodedata.normalize("NFKD", text).casefold()  # in this order: a compatibility form may hold a capital
    return " ".join("".join(map(_plain, unicodedata.normalize("NFKD", folded))).split())


def _plain(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Pd" or character.isspace():
        return " "
    dropped = kind[0] in "PS" or kind in ("Cc", "Cf") or unicodedata.combining(character)
    return "" if dropped else character


_PLAIN_ASCII = {code: _plain(chr(code)) for code in range(128)}


@dataclass(frozen=True)
class Date:
    """Calendar days: dates, timestamps without a time zone (the time of day is dropped), or ISO text.

    Text is YYYY-MM-DD or YYYYMMDD; any other order of the parts could be misread, and is KeyInvalid.
    """

    name: ClassVar[str] = "date"

    def canonical(self, column: Any, what: str) -> Canonical:
        values, missing = read_column(column, what)
        if values.dtype.kind == "M":
            days = values.astype("datetime64[D]")
            gone = missing | (days < np.datetime64("0001-01-01")) | (days > np.datetime64("9999-12-31"))
            return [
                None if g else day.encode() for day, g in zip(days.astype(str).tolist(), gone.tolist(), strict=True)
            ]
        types = known_types(values, missing)
        if types and all(issubclass(kind, datetime.date) for kind in types):
            pairs = zip(values.tolist(), missing.tolist(), strict=True)
            return [None if gone else _day(value, what) for value, gone in pairs]
        return each_text(column, what, lambda text: _iso_day(text.strip(), what), kind="dates or ISO text")


_ISO = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}", re.ASCII)


def _day(value: datetime.date, what: str) -> bytes:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            raise KeyInvalid(f"{what}: times with a time zone have no one date; take .dt.date in the zone meant")
        value = value.date()
    return value.isoformat().encode()


def _iso_day(text: str, what: str) -> bytes | None:
    if not text:
        return None
    if not _ISO.fullmatch(text):
        raise KeyInvalid(f"{what}: dates not written YYYY-MM-DD or YYYYMMDD; convert them (pandas.to_datetime)")
    try:
        return datetime.date.fromisoformat(text).isoformat().encode()
    except ValueError:
        return None


NAME = Name()
DATE = Date()
PERSON: tuple[Profile, ...] = (NAME, DATE)
"""Two columns: a name and a date of birth."""
