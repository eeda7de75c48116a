"""What a job that waits for a person asks otherwise than one that was approved before. Pure.

Compared is what the log tells of a job (rules.told_of), and its parameters: who asks, for what, of which columns what,
who receives the answer, how much is told. Of all that were approved, the one that differs in the fewest lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["differences", "nearest"]

_SAID = ("proposer", "analyst", "purpose", "kind", "receivers", "epsilon", "delta")
_MOST = 300  # characters of a value


def nearest(
    asked: Mapping[str, Any], approved: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[str, list[str]] | None:
    """(id of the job that is most like it, how they differ), the first of several; None if none was approved.

    Args:
        asked: what the log tells of it, and "parameters".
        approved: (id, the same) of those that were approved, the latest first.
    """
    found = [(job, differences(asked, before)) for job, before in approved]
    return min(found, key=lambda pair: len(pair[1])) if found else None


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Line by line; empty: it asks the same."""
    return [*_said(now, before), *_parameters(now, before), *_tables(now, before)]


def _said(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    for name in _SAID:
        yield from _changed(name, now.get(name), before.get(name))


def _parameters(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    mine, theirs = now.get("parameters", {}), before.get("parameters", {})
    for name in sorted({*mine, *theirs} - {"epsilon", "delta"}):
        yield from _changed(name, mine.get(name), theirs.get(name))


def _tables(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    mine, theirs = now.get("tables", {}), before.get("tables", {})
    for table in sorted({*mine, *theirs}):
        if table not in theirs or table not in mine:
            yield f"table {table}: {'not asked for' if table in mine else 'asked for'} before"
            continue
        new, old = mine[table]["columns"], theirs[table]["columns"]
        for column in sorted({*new, *old}):
            more, less = set(new.get(column, ())), set(old.get(column, ()))
            if more - less:
                yield f"table {table}, column {column}: now for {', '.join(sorted(more - less))}"
            if less - more:
                yield f"table {table}, column {column}: no more for {', '.join(sorted(less - more))}"
        if mine[table]["counts"] != theirs[table]["counts"]:
            yield f"table {table}: rows are {'now' if mine[table]['counts'] else 'no more'} counted"


def _changed(name: str, now: Any, before: Any) -> Iterator[str]:
    if now != before:
        yield f"{name}: {_written(now)}, before {_written(before)}"


def _written(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."
