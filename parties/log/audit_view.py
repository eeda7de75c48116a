"""Entries of an audit log for people: those that somebody looks for, and a line for each. Pure.

Many entries name only their job: who asked for it, for what, on which columns, stands in the entries of its proposal
and acceptance. So an entry is looked for, and shown, with what all entries of its job say together.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Line", "Wanted", "jobs_of", "line_of"]


@dataclass
class JobSaid:
    """What the log says of one job.

    Attributes:
        people: who asked, and who of here looked at it; the proposing member's name, or its fingerprint.
        tables: names; those of other members with their owner's name before: ``bravo.patients``.
        columns: of this member's tables.
        purpose: what for.
        proposer: fingerprint.
        analyst: who asked.
        receivers: who was to receive the answer.
    """

    people: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)
    purpose: str = ""
    proposer: str = ""
    analyst: str = ""
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; None, or nothing: any.

    Attributes:
        whats: kinds of entries.
        job: id, or how it begins.
        table: name, or member.name.
        column: of this member's tables.
        who: an analyst, a person of this member's, or a member that proposed.
        since, until: Unix seconds; the first belongs to it, the second does not.
    """

    whats: frozenset[str] = frozenset()
    job: str | None = None
    table: str | None = None
    column: str | None = None
    who: str | None = None
    since: float | None = None
    until: float | None = None

    def has(self, content: Mapping[str, Any], said: JobSaid) -> bool:
        """Whether this entry is among it; ``said``: of its job, or of it alone if it is about none."""
        at = content["at"]
        return (
            (not self.whats or content["what"] in self.whats)
            and (self.job is None or str(content.get("job", "")).startswith(self.job))
            and (self.table is None or self.table in said.tables)
            and (self.column is None or self.column in said.columns)
            and (self.who is None or self.who in said.people)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


@dataclass(frozen=True)
class Line:
    """An entry, as people read it: all text, '' where there is nothing to say."""

    number: str
    time: str
    what: str
    job: str
    who: str
    purpose: str
    columns: str
    epsilon: str
    recipients: str
    note: str


def jobs_of(contents: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, JobSaid]:
    """What the log says of each job; '' stands for none. Names: of members, by fingerprint."""
    found: dict[str, JobSaid] = {}
    for content in contents:
        if "job" in content:
            add_to(found.setdefault(content["job"], JobSaid()), content, names)
    return found


def add_to(said: JobSaid, content: Mapping[str, Any], names: Mapping[str, str]) -> JobSaid:
    """What one more entry says."""
    said.people |= {content[name] for name in ("analyst", "person", "member") if content.get(name)}
    if content.get("proposer"):
        said.proposer = content["proposer"]
        said.people |= {said.proposer, names.get(said.proposer, said.proposer)}
    said.analyst = content.get("analyst", said.analyst)
    said.purpose = content.get("purpose", said.purpose)
    said.receivers = tuple(content.get("receivers", content.get("results", said.receivers)))
    tables = content.get("tables", {})
    if isinstance(tables, dict):
        said.tables |= set(tables)
        said.columns |= {column for of in tables.values() for column in of.get("columns", ())}
    else:
        said.tables |= {f"{member}.{name}" for member, name in tables} | {name for _, name in tables}
    if content.get("table"):
        said.tables.add(content["table"])
    return said


def line_of(number: int, content: Mapping[str, Any], said: JobSaid, names: Mapping[str, str]) -> Line:
    """For a table on a terminal."""
    at = datetime.datetime.fromtimestamp(content["at"], datetime.UTC)
    member = names.get(said.proposer, said.proposer[:16])
    who = content.get("person") or (f"{said.analyst}@{member}" if said.analyst else member)
    return Line(
        number=str(number),
        time=f"{at:%Y-%m-%d %H:%M:%S}",
        what=content["what"],
        job=str(content.get("job", ""))[:8],
        who=who or content.get("member", ""),
        purpose=said.purpose,
        columns=_columns(content.get("tables", {})),
        epsilon=_epsilon(content),
        recipients=content.get("to", "") or ", ".join(content.get("receivers", content.get("results", ()))),
        note=_note(content),
    )


def _columns(tables: Any) -> str:
    if not isinstance(tables, dict):
        return ", ".join(f"{member}.{name}" for member, name in tables)
    found = []
    for name, of in tables.items():
        uses = [*(["rows: count"] if of.get("counts") else []),
                *(f"{column}: {'+'.join(used)}" for column, used in of.get("columns", {}).items())]  # fmt: skip
        found.append(f"{name} ({', '.join(uses)})" if uses else name)
    return "; ".join(found)


def _epsilon(content: Mapping[str, Any]) -> str:
    """Of the job, and for each limit of each table what is used up with it, and what is left."""
    if "epsilon" not in content:
        return ""
    parts = [f"{content['epsilon']:.4g}"]
    tables = content.get("tables", {})
    for name, of in tables.items() if isinstance(tables, dict) else ():
        left = of.get("left", {})
        for limit, spent in of.get("spent", {}).items():
            if spent is not None:
                rest = f", {left[limit]:.4g} left" if left.get(limit) is not None else ""
                parts.append(f"{name} {limit}: {spent:.4g}{rest}")
    return "; ".join(parts)


def _note(content: Mapping[str, Any]) -> str:
    if "cause" in content and content["cause"] not in ("", "proposed"):
        return str(content["cause"])
    if content.get("why"):
        return str(content["why"])
    digest = str(content.get("digest", ""))[:16] or "gone"
    match content["what"]:
        case "policy":
            return f"{content['table']}: {digest}"
        case "model":
            withdrawn = "withdrawn, " if content.get("withdrawn") else ""
            return f"{content['model']}: {withdrawn}{digest}"
        case "charter":
            return f"version {content['version']}: {digest}"
        case "software":
            return digest
        case "forked":
            one, other = content["heads"]
            return f"entries {one['number']} and {other['number']} that it showed are not of one log"
    return ""
