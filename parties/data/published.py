"""What a member publishes about a table: its columns, their public bounds, and what jobs may do with them. Pure.

Others learn all of this but the source, the order and a phone column's own region; so bounds are agreed or common
numbers, never read off the rows. A person is the unit of privacy: whatever a job releases is protected for all rows
of one together.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.encoding import FRAC, LIMIT
from parties.errors import TableInvalid
from protocols.errors import EpsilonInvalid
from protocols.exact import check_epsilon
from protocols.people import DATE, NAME
from protocols.profiles import EMAIL_ADMAP, EMAIL_PAIR, INTEGERS, RAW, TEXT, Phone, Profile
from protocols.sources import MOST_ROWS

__all__ = ["KINDS", "PROFILES", "USES", "PublishedColumn", "PublishedTable", "Scalar", "profile_of"]

Scalar = int | float | str | bool | datetime.date

USES = ("count", "sum", "group", "filter", "join", "train", "score")
KINDS: Mapping[str, tuple[str, ...]] = {
    "integer": ("sum", "group", "filter", "train", "score"),
    "real": ("sum", "group", "filter", "train", "score"),
    "date": ("sum", "group", "filter", "train", "score"),
    "boolean": ("sum", "group", "filter", "train", "score"),
    "category": ("group", "filter", "train", "score"),
    "key": ("count", "join"),
}
"""What can be done with a column of each kind. A key is never filtered by: that would single out a person."""

_PROFILES: Mapping[str, Profile] = {
    profile.name: profile for profile in (RAW, TEXT, INTEGERS, EMAIL_PAIR, EMAIL_ADMAP, Phone(), NAME, DATE)
}
PROFILES = tuple(_PROFILES)
_PERSON_PROFILES = ("raw", "text", "integer", "email-pair", "email-admap")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?")
_REGION = re.compile(r"[A-Z]{2}")
_TYPES: Mapping[str, type] = {"integer": int, "real": float, "date": datetime.date, "boolean": bool}
_LIMITS = {"integer": LIMIT, "real": LIMIT >> FRAC}
_MOST_COLUMNS = 1000
_MOST_CATEGORIES = 4096
_MOST_TEXT = 256
_MOST_ROWS_A_PERSON = 1 << 20


@dataclass(frozen=True, slots=True)
class PublishedColumn:
    """One column, as others know it.

    Attributes:
        name: as in the source, 1 to 256 printable characters.
        kind: one of KINDS.
        uses: of those its kind has. Empty: the column is known, and nothing may be done with it.
        low, high: integer, real, date: values are cut to these. Both or neither; needed for sum, train and score.
        categories: category: all there are, in this order, texts or whole numbers; codes are their places.
        missing: what a missing value counts as, within the bounds or categories. None: a missing value is an error.
        other: category: which of them a value counts as that is none of them. None: such a value is an error.
        profile: key: how it is written before it is compared, one of PROFILES.
        region: key with profile phone: country of numbers written without one. Private.

    Raises TableInvalid, without the table's name.
    """

    name: str
    kind: str
    uses: frozenset[str] = frozenset()
    low: int | float | datetime.date | None = None
    high: int | float | datetime.date | None = None
    categories: tuple[str, ...] | tuple[int, ...] = ()
    missing: Scalar | None = None
    other: str | int | None = None
    profile: str | None = None
    region: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_text(self.name, f"column {self.name!r}")
        what = f"column {self.name}"
        if self.kind not in KINDS:
            raise TableInvalid(f"{what}, kind: one of {', '.join(KINDS)}")
        possible = KINDS[self.kind]
        if self.uses - set(possible):
            raise TableInvalid(f"{what}, uses: a column of kind {self.kind} has {', '.join(possible)}")
        _check_bounds(self, what)
        _check_categories(self, what)
        _check_missing(self, what)
        _check_profile(self, what)

    @property
    def bounded(self) -> bool:
        """Whether values have a public range: bounds, categories, or two values."""
        return self.low is not None or bool(self.categories) or self.kind == "boolean"


@dataclass(frozen=True)
class PublishedTable:
    """One table, as its member publishes it.

    Attributes:
        name: 1 to 32 of a-z, 0-9 and, within, _ and -.
        source: where it is, see table_source.py. Private; empty in a table that another member told of.
        person: the column that tells people apart, of kind key. Rows without it are never read: they cannot be bounded.
        rows_a_person: at most so many rows of a person are read, 1 to 2^20.
        capacity: public upper bound of rows, so that how many there are is not shown; 1 to 2^29.
        columns: by name, in the order they were given in.
        counts: whether jobs may count rows or people.
        results_to: names of the members that may receive answers; None: all of them may.
        epsilon_a_job: the most epsilon one job may spend on this table.
        order: the column by whose values a person's rows are taken, smallest first, if there are too many. Private.

    Raises TableInvalid, which names table, column and field.
    """

    name: str
    source: str = field(repr=False)
    person: str
    rows_a_person: int
    capacity: int
    columns: Mapping[str, PublishedColumn]
    counts: bool = False
    results_to: frozenset[str] | None = None
    epsilon_a_job: float = 1.0
    order: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        what = f"table {self.name!r}"
        if not _NAME.fullmatch(self.name):
            raise TableInvalid(f"{what}: a name has 1 to 32 of a-z, 0-9 and, within, _ and -")
        if not 1 <= len(self.columns) <= _MOST_COLUMNS or any(n != c.name for n, c in self.columns.items()):
            raise TableInvalid(f"{what}, columns: 1 to {_MOST_COLUMNS}, each under its own name")
        _check_person(self, what)
        if not 1 <= self.rows_a_person <= _MOST_ROWS_A_PERSON:
            raise TableInvalid(f"{what}, rows_a_person {self.rows_a_person}: 1 to {_MOST_ROWS_A_PERSON}")
        if not 1 <= self.capacity <= MOST_ROWS:
            raise TableInvalid(f"{what}, capacity {self.capacity}: 1 to {MOST_ROWS} rows")
        try:
            check_epsilon(self.epsilon_a_job)
        except EpsilonInvalid as error:
            raise TableInvalid(f"{what}, epsilon_a_job: {error}") from None
        if self.results_to is not None and not self.results_to:
            raise TableInvalid(f"{what}, results_to: names of members, or leave it out and all may receive answers")
        if self.order is not None:
            _check_text(self.order, f"{what}, order")


def profile_of(column: PublishedColumn) -> Profile:
    """The profile by which a key column is made comparable. Raises TableInvalid for a column that is no key."""
    if column.profile is None:
        raise TableInvalid(f"column {column.name}: of kind {column.kind}, and only a key has a profile")
    return Phone(column.region) if column.region else _PROFILES[column.profile]


def _check_text(text: Any, what: str) -> None:
    good = isinstance(text, str) and 1 <= len(text) <= _MOST_TEXT and text.isprintable()
    if not good or unicodedata.normalize("NFC", text) != text:
        raise TableInvalid(f"{what}: a text of 1 to {_MOST_TEXT} printable characters in Unicode's composed form (NFC)")


def _check_bounds(column: PublishedColumn, what: str) -> None:
    ends = (column.low, column.high)
    if column.kind not in ("integer", "real", "date"):
        if ends != (None, None):
            raise TableInvalid(f"{what}, low and high: a column of kind {column.kind} has none")
        return
    if ends == (None, None):
        needing = sorted(column.uses - {"filter"})
        if needing:
            raise TableInvalid(f"{what}, low and high: needed for {', '.join(needing)}: noise is measured by them")
        return
    if None in ends:
        raise TableInvalid(f"{what}, low and high: both or neither")
    for end, value in zip(("low", "high"), ends, strict=True):
        _check_scalar(column, value, f"{what}, {end}")
    low: Any
    high: Any
    low, high = ends
    if low > high:
        raise TableInvalid(f"{what}, low and high: the lower one first")


def _check_scalar(column: PublishedColumn, value: Any, what: str) -> None:
    kind: Any = _TYPES[column.kind]
    if type(value) is not kind:  # not isinstance: true is no number, a time is no date
        named = {int: "a whole number", float: "a number", datetime.date: "a date", bool: "true or false"}[kind]
        raise TableInvalid(f"{what}: {named}, not {type(value).__name__}")
    limit = _LIMITS.get(column.kind)
    if limit is not None and not -limit < value < limit:  # NaN too
        raise TableInvalid(f"{what}: between -2^{limit.bit_length() - 1} and 2^{limit.bit_length() - 1}, both excluded")


def _check_categories(column: PublishedColumn, what: str) -> None:
    names = column.categories
    if column.kind != "category":
        if names or column.other is not None:
            raise TableInvalid(f"{what}, categories and other: a column of kind {column.kind} has none")
        return
    if not 1 <= len(names) <= _MOST_CATEGORIES or len(set(names)) != len(names):
        raise TableInvalid(f"{what}, categories: 1 to {_MOST_CATEGORIES}, each once")
    if len({type(name) for name in names}) != 1 or type(names[0]) not in (str, int):
        raise TableInvalid(f"{what}, categories: all texts, or all whole numbers")
    name: Any
    for name in names:
        if isinstance(name, str):
            _check_text(name, f"{what}, categories")
        elif not -LIMIT < name < LIMIT:
            raise TableInvalid(f"{what}, categories: whole numbers between -2^62 and 2^62, both excluded")
    if column.other is not None and (type(column.other) is not type(names[0]) or column.other not in names):
        raise TableInvalid(f"{what}, other: one of the categories")


def _check_missing(column: PublishedColumn, what: str) -> None:
    value: Any = column.missing
    if value is None:
        return
    if column.kind == "key":
        raise TableInvalid(f"{what}, missing: a missing key matches nobody, and nothing can stand for it")
    if column.kind == "category":
        if type(value) is not type(column.categories[0]) or value not in column.categories:
            raise TableInvalid(f"{what}, missing: one of the categories")
        return
    _check_scalar(column, value, f"{what}, missing")
    low: Any = column.low
    high: Any = column.high
    if low is not None and not low <= value <= high:
        raise TableInvalid(f"{what}, missing: within low and high, as every value is")


def _check_profile(column: PublishedColumn, what: str) -> None:
    if column.kind == "key" and column.profile not in PROFILES:
        raise TableInvalid(f"{what}, profile: a key needs one of {', '.join(PROFILES)}")
    if column.kind != "key" and column.profile is not None:
        raise TableInvalid(f"{what}, profile: only a column of kind key has one")
    if column.region is not None and (column.profile != "phone" or not _REGION.fullmatch(column.region)):
        raise TableInvalid(f"{what}, region: two capital letters of a country, with profile phone")


def _check_person(table: PublishedTable, what: str) -> None:
    person = table.columns.get(table.person)
    if person is None or person.kind != "key":
        raise TableInvalid(f"{what}, person {table.person!r}: name one of its columns of kind key")
    if person.profile not in _PERSON_PROFILES:
        raise TableInvalid(
            f"{what}, person {table.person!r}: with profile {person.profile} one person can be written in several "
            f"ways, and would have as many times the rows; take a column with {', '.join(_PERSON_PROFILES)}"
        )
