"""A published table from the short texts of a command line. Pure.

| text | is |
|---|---|
| `age=integer:0:120`, `cost=real:0:1e5`, `seen=date:2015-01-01:2030-01-01` | a column with its bounds |
| `age=integer`, `dead=boolean` | a column without: for filters only, or none needed |
| `id=key:integer`, `email=key:email-admap`, `tel=key:phone:DE` | a key with its profile |
| `sex=F,M` (categories), `age=0` (missing), `sex=M` (other), `age=sum,filter` (uses) | of a column |
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from parties.data.published import KINDS, USES, PublishedColumn, PublishedTable
from parties.errors import TableInvalid

__all__ = ["Draft", "build"]


@dataclass(frozen=True, repr=False)
class Draft:
    """What was said about a table: see above, and PublishedTable. ``allow`` is for every column that says no uses."""

    name: str
    source: str
    person: str
    capacity: int
    columns: Sequence[str]
    rows_a_person: int = 1
    categories: Sequence[str] = ()
    missing: Sequence[str] = ()
    other: Sequence[str] = ()
    uses: Sequence[str] = ()
    allow: Sequence[str] = ()
    results_to: Sequence[str] | None = None
    epsilon_a_job: float = 1.0
    order: str | None = None


def build(draft: Draft) -> PublishedTable:
    """The table. Raises TableInvalid, which names table, column and what is wrong with it."""
    what = f"table {draft.name!r}"
    unknown = sorted(set(draft.allow) - set(USES))
    if unknown:
        raise TableInvalid(f"{what}, --allow {','.join(unknown)}: there are {', '.join(USES)}")
    missing, other = _by_name(draft.missing, "--missing", what), _by_name(draft.other, "--other", what)
    uses = {name: _listed(text) for name, text in _by_name(draft.uses, "--use", what).items()}
    columns: dict[str, PublishedColumn] = {}
    categories = _by_name(draft.categories, "--category", what)
    kinds = _by_name(draft.columns, "--column", what) | {name: "category" for name in categories}
    kinds.setdefault(draft.person, "key:text")
    for said, option in ((missing, "--missing"), (other, "--other"), (uses, "--use")):
        for name in said:
            if name not in kinds:
                raise TableInvalid(f"{what}, {option} {name}: give that column by --column or --category too")
    for name, kind in kinds.items():
        fields = _fields(kind, f"{what}, --column {name}={kind}")
        listed = tuple(_listed(categories[name])) if name in categories else ()
        possible = KINDS[fields["kind"]]
        allowed = [use for use in draft.allow if use in possible and _measurable(use, fields)]
        try:
            columns[name] = PublishedColumn(
                name,
                uses=frozenset(uses.get(name, allowed)),
                categories=listed,
                missing=_scalar(fields["kind"], missing[name]) if name in missing else None,
                other=other.get(name),
                **fields,
            )
        except TableInvalid as error:
            raise TableInvalid(f"{what}, {error}") from None
    return PublishedTable(
        name=draft.name,
        source=draft.source,
        person=draft.person,
        rows_a_person=draft.rows_a_person,
        capacity=draft.capacity,
        columns=columns,
        counts="count" in draft.allow,
        results_to=None if draft.results_to is None else frozenset(draft.results_to),
        epsilon_a_job=draft.epsilon_a_job,
        order=draft.order,
    )


def _fields(text: str, what: str) -> dict[str, Any]:
    kind, *rest = text.split(":")
    if kind in ("integer", "real", "date") and len(rest) in (0, 2):
        return {"kind": kind, **({"low": _scalar(kind, rest[0]), "high": _scalar(kind, rest[1])} if rest else {})}
    if kind in ("boolean", "category") and not rest:
        return {"kind": kind}
    if kind == "key" and 1 <= len(rest) <= 2:
        return {"kind": kind, "profile": rest[0], "region": rest[1] if len(rest) == 2 else None}
    raise TableInvalid(
        f"{what}: write integer:LOW:HIGH, real:LOW:HIGH, date:LOW:HIGH, boolean or key:PROFILE; a category goes by "
        "--category"
    )


def _measurable(use: str, fields: dict[str, Any]) -> bool:
    """Whether the column says what the use needs: --allow is for all columns, and some may have no bounds."""
    return use == "filter" or fields["kind"] in ("boolean", "category", "key") or fields.get("low") is not None


def _scalar(kind: str, text: str) -> Any:
    """The value; the text itself where it is none, which PublishedColumn refuses by its own words."""
    try:
        if kind == "integer":
            return int(text)
        if kind == "real":
            return float(text)
        if kind == "date":
            return datetime.date.fromisoformat(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text, text) if kind == "boolean" else text


def _by_name(texts: Iterable[str], option: str, what: str) -> dict[str, str]:
    said: dict[str, str] = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        if not equals or not name or name in said:
            raise TableInvalid(f"{what}, {option} {text}: write NAME=..., for each column once")
        said[name] = rest
    return said


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")] if text else []
