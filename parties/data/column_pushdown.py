"""A column of a source as an engine's expression of what the protocols take: the encoding, pushed down. Pure.

| kind | value | from |
|---|---|---|
| integer | int64 within the bounds | integers; whole floats and decimals; text of integers |
| real | float64 within the bounds | numbers; text of numbers |
| date | int64, days since 1970-01-01, within the bounds | dates, timestamps (a zone counts as UTC), text YYYY-MM-DD |
| boolean | int64, 0 or 1 | booleans; 0 and 1; text of booleans |
| category | its text or number, later its place | text, integers, booleans |
| key | as it is, to be canonicalised by its profile | by profile |

NULL and NaN are missing. What cannot be read as the column's kind is *unfit*, and never silently missing.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mpc.encoding import LIMIT
from parties.data.published import PublishedColumn
from parties.errors import BoundsMissing, ColumnMissing
from protocols.errors import ColumnUnfit

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["EPOCH", "Pushed", "encoded", "key_identity", "readable"]

EPOCH = datetime.date(1970, 1, 1)
_EXACT = 1 << 53  # whole floats below this are told from their neighbours


@dataclass(frozen=True)
class Pushed:
    """Expressions over one source.

    Attributes:
        value: NULL where it is missing or unfit.
        unfit: whether there is a value that is none of the kind.
        absent: whether there is no value.
    """

    value: Any
    unfit: Any
    absent: Any


def readable(table: ir.Table, column: PublishedColumn, what: str, *, can_try: bool = True) -> Pushed:
    """The column as its kind, before any bound or rule. ``what`` names the table, for errors.

    ``can_try``: whether the engine can try a cast and give NULL (PostgreSQL cannot).
    Raises ColumnMissing; ColumnUnfit for a column of the source of another type.
    """
    import ibis

    if column.name not in table.columns:
        raise ColumnMissing(f"{what}, column {column.name!r}: not in its source any more; publish the table anew")
    given = table[column.name]
    dtype = given.type()
    never = ibis.literal(False)
    if dtype.is_floating() or dtype.is_decimal():  # PostgreSQL's decimals have a NaN too
        given = _without_nan(given)
    kind = column.profile if column.kind == "key" else column.kind
    if column.kind == "category" and isinstance(column.categories[0], int):
        kind = "integer"
    parsed = kind in ("integer", "real", "boolean") or column.kind == "date"  # else text is what it is
    if dtype.is_string() and parsed:
        if can_try:
            return _from_text(given, kind)
    elif kind == "integer" and dtype.is_numeric():
        return _whole(given, dtype, column)
    elif kind == "real" and dtype.is_numeric():
        return Pushed(given.cast("float64"), never, given.isnull())
    elif kind == "boolean" and dtype.is_boolean():
        return Pushed(_digit(given), never, given.isnull())
    elif kind == "boolean" and dtype.is_integer():
        fits = given.isin([0, 1])
        return Pushed(fits.ifelse(given.cast("int64"), ibis.null("int64")), given.notnull() & ~fits, given.isnull())
    elif kind == "date" and (dtype.is_date() or dtype.is_timestamp()):
        return Pushed(given.date() if dtype.is_timestamp() else given, never, given.isnull())
    elif kind == "raw":
        if dtype.is_binary():
            return Pushed(given, never, given.isnull())
    elif not parsed and (dtype.is_string() or dtype.is_integer() or dtype.is_boolean() or dtype.is_uuid()):
        return Pushed(given if dtype.is_string() else given.cast("string"), never, given.isnull())
    named = f"key ({kind})" if column.kind == "key" else column.kind
    raise ColumnUnfit(
        f"{what}, column {column.name!r}: published as {named}, but its source holds {dtype}; "
        "publish it as another kind, or give the source a view with the right type"
    )


def encoded(table: ir.Table, column: PublishedColumn, what: str, *, can_try: bool = True) -> Pushed:
    """As the table above has it: cut to the bounds, and what is missing filled in where there is a rule.

    Where there is none ``absent`` says whether a value is missing; of a key that is no fault, and it is never.
    Raises as readable; BoundsMissing for a number or date without bounds.
    """
    import ibis

    read = readable(table, column, what, can_try=can_try)
    never = ibis.literal(False)
    if column.kind == "key":
        return Pushed(read.value, read.unfit, never)
    value, unfit = read.value, read.unfit
    if column.kind == "category":
        listed = value.isin(list(column.categories))
        if column.other is None:
            unfit = unfit | (value.notnull() & ~listed)
        else:
            value = ibis.cases((value.isnull(), value), (listed, value), else_=column.other)
    elif column.kind != "boolean":
        if column.low is None:
            raise BoundsMissing(f"{what}, column {column.name}: no bounds are published, so its values cannot be read")
        value = ibis.cases((value < column.low, column.low), (value > column.high, column.high), else_=value)
        value = value.cast({"integer": "int64", "real": "float64", "date": "date"}[column.kind])
    if column.missing is not None:
        value = value.fill_null(int(column.missing) if isinstance(column.missing, bool) else column.missing)
    if column.kind == "date":
        value = value.delta(ibis.date(EPOCH.isoformat()), unit="day").cast("int64")
    return Pushed(value, unfit, never if column.missing is not None else read.absent)


def key_identity(key: Any, profile: str | None) -> Any:
    """Equal for rows of one person, NULL for a row of nobody, by what an engine can tell of a profile.

    Case and blanks of an email do not count. Texts count as they are: two Unicode forms of one text are two people.
    """
    if profile in ("email-pair", "email-admap"):
        key = key.strip().lower()
    return key.nullif("") if profile in ("text", "email-pair", "email-admap") else key


def _without_nan(number: Any) -> Any:
    """NULL for NaN. Not by comparing: engines disagree on whether NaN is NaN."""
    import ibis

    return number.cast("float64").isnan().ifelse(ibis.null(number.type()), number)


def _digit(truth: Any) -> Any:
    """1, 0 or NULL; not every engine casts a boolean."""
    import ibis

    return ibis.cases((truth, 1), (~truth, 0)).cast("int64")


def _from_text(given: Any, kind: str | None) -> Pushed:
    """Integers as text may have a fraction of zero; engines would round any other without a word."""
    if kind == "integer":
        value = given.try_cast("int64")
        real = given.try_cast("float64")
        value = (value.cast("float64") == real).ifelse(value, None)
    elif kind == "boolean":
        value = _digit(given.try_cast("boolean"))
    elif kind == "date":
        value = given.try_cast("date")
    else:
        real = given.try_cast("float64")
        value = _without_nan(real)
        return Pushed(value, given.notnull() & real.isnull(), value.isnull() & (given.isnull() | real.notnull()))
    return Pushed(value, given.notnull() & value.isnull(), given.isnull())


def _whole(given: Any, dtype: Any, column: PublishedColumn) -> Pushed:
    """Integers as they are; floats and decimals if they are whole, or beyond the bounds and so will be cut."""
    import ibis

    never = ibis.literal(False)
    if dtype.is_unsigned_integer() and dtype.nbytes == 8 and column.kind != "key":
        most = ibis.literal(2 * LIMIT - 1, dtype)
        return Pushed(ibis.cases((given > most, most), else_=given).cast("int64"), never, given.isnull())
    if dtype.is_integer():
        return Pushed(given, never, given.isnull())
    low: Any = column.low
    high: Any = column.high
    if low is None:
        low, high = -LIMIT, LIMIT
        if dtype.is_floating():
            low, high = -_EXACT, _EXACT
    if dtype.is_floating():
        low, high = float(low), float(high)
    held = ibis.cases((given < low, low), (given > high, high), else_=given)
    beyond = held != given if column.low is None else never
    floor = held.floor()
    return Pushed(floor.cast("int64"), (held != floor) | beyond, given.isnull())
