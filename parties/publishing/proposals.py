"""What could be published of a source: looked up in its rows, so it is for this member's own eyes. Nothing is sent.

What is proposed are round numbers outside of what there is, but a proposal that follows the rows tells about them: so
whoever publishes is shown what there is, told that what is written becomes public, and asked.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from typing import Any

from parties.data.table_source import OpenSource

__all__ = ["Proposal", "people_in", "propose", "round_bounds"]

_FEW = 64
_ID = ("id", "key", "nr", "no", "number", "code")


@dataclass(frozen=True, repr=False)
class Proposal:
    """Of one column.

    Attributes:
        name: of the column.
        spec: as publish_draft takes it, without the name; "" for a column that had better stay unpublished.
        categories: those seen, if it could be a category.
        seen: what there is, in words: private.
        missing: whether any value is missing.
        distinct: about how many values there are, of how many rows there are (0 to 1).
    """

    name: str
    spec: str
    categories: tuple[str, ...]
    seen: str
    missing: bool
    distinct: float


def propose(source: OpenSource) -> tuple[list[Proposal], int]:
    """(a proposal for each column, the number of rows). A query for all, one more for each possible category.

    The source is opened with ``typed=True``. Raises SourceUnreachable, SourceUnreadable.
    """
    table = source.table
    asked: dict[str, Any] = {"n": table.count()}
    for i, name in enumerate(table.columns):
        column, dtype = table[name], table[name].type()
        asked[f"known{i}"] = column.count()
        if not dtype.is_nested():
            asked[f"distinct{i}"] = column.approx_nunique()
        if dtype.is_numeric() or dtype.is_date() or dtype.is_timestamp():
            asked |= {f"low{i}": column.min(), f"high{i}": column.max()}
    found = source.one_row(table.aggregate(**asked))
    n = int(found["n"])
    made = []
    for i, name in enumerate(table.columns):
        here = {what: found.get(f"{what}{i}") for what in ("known", "distinct", "low", "high")}
        made.append(_one(source, name, n, here))
    return made, n


def people_in(proposals: list[Proposal]) -> str:
    """The column that most likely tells people apart; "" if none does."""
    keys = [p for p in proposals if p.spec.startswith("key:")]
    named = [p for p in keys if p.name.lower().replace("-", "_").split("_")[-1] in _ID]
    best = max(named or keys, key=lambda p: p.distinct, default=None)
    return best.name if best else ""


def round_bounds(low: float, high: float) -> tuple[float, float]:
    """1, 2 or 5 times a power of ten around what there is; 0 for an end on the other side of it, or at it."""
    return (-_above(-low) if low < 0 else 0.0), (_above(high) if high > 0 else 0.0)


def _above(x: float) -> float:
    power = 10.0 ** math.floor(math.log10(x))
    return next(factor * power for factor in (1, 2, 5, 10, 20) if factor * power >= x)


def _one(source: OpenSource, name: str, n: int, found: dict[str, Any]) -> Proposal:
    dtype = source.table[name].type()
    known, distinct = int(found["known"]), int(found["distinct"] or 0)
    share = min(distinct / n, 1.0) if n else 0.0
    last = name.lower().replace("-", "_").split("_")[-1]
    spec, seen = "", f"about {distinct} values"
    categories: tuple[str, ...] = ()
    if dtype.is_boolean():
        spec, seen = "boolean", "true and false"
    elif dtype.is_integer() and last in _ID:
        spec = "key:integer"
    elif dtype.is_numeric() and known:
        low, high = float(found["low"]), float(found["high"])
        seen = f"{found['low']} to {found['high']}"
        if math.isfinite(low) and math.isfinite(high):
            ends = round_bounds(low, high)
            whole = dtype.is_integer()
            spec = "integer:{:.0f}:{:.0f}".format(*ends) if whole else "real:{:g}:{:g}".format(*ends)
    elif (dtype.is_date() or dtype.is_timestamp()) and known:
        spec, seen = f"date:{_decades(found['low'], found['high'])}", f"{found['low']} to {found['high']}"
    elif dtype.is_string() and known:
        if "mail" in name.lower():
            spec = "key:email-admap"
        elif "phone" in name.lower():
            spec = "key:phone"
        elif last in _ID:
            spec = "key:text"
        elif distinct <= _FEW:
            categories = _categories(source, name)
            spec, seen = ("category", ", ".join(categories)) if categories else ("", seen)
    return Proposal(name, spec, categories, seen, known < n, share)


def _categories(source: OpenSource, name: str) -> tuple[str, ...]:
    table = source.table
    column = table[name]
    listed = table.filter(column.notnull()).select(c=column).distinct().order_by("c").limit(2 * _FEW)
    values = [text for batch in source.batches(listed, 2 * _FEW) for text in batch.column("c").to_pylist()]
    good = all(text and text.isprintable() and text == text.strip() and "," not in text for text in values)
    return tuple(sorted(values)) if good else ()


def _decades(low: Any, high: Any) -> str:
    """Whole decades around two days: 1990-01-01:2029-12-31."""
    first = max(low.year // 10 * 10, 1)
    last = min(high.year // 10 * 10 + 9, 9999)
    return f"{datetime.date(first, 1, 1).isoformat()}:{datetime.date(last, 12, 31).isoformat()}"
