"""What became of a receipt, on a terminal. What others wrote is text, never markup."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from parties.keys.fingerprints import show_fingerprint
from parties.membership.charter import Charter
from parties.proof.receipt_facts import Facts
from parties.proof.receipt_verify import Verdict, Verified
from parties.wire.told_errors import printable

__all__ = ["show_verified"]

_WORDS = {
    Verdict.GOOD: ("ok", "green"),
    Verdict.FALSE: ("NOT OK", "bold red"),
    Verdict.UNSURE: ("cannot tell", "yellow"),
    Verdict.ABSENT: ("not there", "yellow"),
}
_ENDS = {
    Verdict.GOOD: "genuine, as far as the keys above are the members'",
    Verdict.FALSE: "NOT GENUINE",
    Verdict.UNSURE: "cannot be told: nothing was found false, but not everything could be checked",
}


def show_verified(console: Console, found: Verified, *, pinned: bool) -> None:
    """The checks; what the receipt says, if it is not false; whose keys that stands on; the verdict last."""
    grid = Grid("check", "", "", show_lines=False)
    for check in found.checks:
        word, style = _WORDS[check.verdict]
        grid.add_row(check.name, Text(word, style), _text(check.text))
    console.print(grid)
    if found.facts is not None and found.verdict is not Verdict.FALSE:
        _show_facts(console, found.facts)
        if found.answer is not None:
            _pairs(console, [("answer", json.dumps(json.loads(found.answer), ensure_ascii=False))])
    if found.charter is not None:
        _show_keys(console, found.charter, pinned)
    console.print(Text(f"this receipt is {_ENDS[found.verdict]}", _WORDS[found.verdict][1]))


def _show_facts(console: Console, facts: Facts) -> None:
    when = datetime.datetime.fromtimestamp(facts.proposed, datetime.UTC)
    asked = f"{facts.analyst or 'somebody'} of {facts.proposer}, {when:%Y-%m-%d %H:%M:%S} UTC"
    lines: list[tuple[str, str]] = [
        ("job", facts.job),
        ("asked by", asked),
        ("purpose", facts.purpose or "unsaid"),
        ("kind", facts.kind),
    ]
    parameters = dict(facts.parameters)
    if isinstance(parameters.get("sql"), str):
        lines.append(("query", parameters.pop("sql")))
    lines.append(("parameters", json.dumps(parameters, sort_keys=True, ensure_ascii=False)))
    for table in facts.tables:
        columns = "; ".join(f"{name}: {', '.join(uses)}" for name, uses in table["columns"].items())
        counted = ["its rows: count"] if table["counts"] else []
        lines.append((f"{table['member']}.{table['table']}", "; ".join([*counted, *([columns] if columns else [])])))
        lines.append(("  by policy", str(table["policy"])))
    for one in facts.mechanisms:
        parts = ", ".join(f"{name} {value:g}" for name, value in one["parameters"].items() if value is not None)
        error = f"standard deviation {one['standard_deviation']:.6g}"
        lines.append(("noise", f"{one['noise']} ({parts}) on {one['figures']} figures, {error}"))
    if facts.beside[0]:
        lines.append(("  beside", f"epsilon {facts.beside[0]:g}, delta {facts.beside[1]:g}: no noise on figures"))
    lines.append(("epsilon, delta", f"{facts.epsilon:g}, {facts.delta:g}"))
    if facts.minimum is not None and facts.minimum > 1:
        lines.append(("least group", f"{facts.minimum} rows, by their noised count"))
    lines += [("on the way", leak) for leak in facts.leaks]
    lines.append(("answer goes to", ", ".join(facts.results)))
    lines += [("software", f"{digest[:16]}...: {names}") for digest, names in _by_digest(facts)]
    _pairs(console, lines)


def _by_digest(facts: Facts) -> list[tuple[str, str]]:
    named: dict[str, list[str]] = {}
    for name, digest in facts.software.items():
        named.setdefault(digest, []).append(name)
    return [(digest, ", ".join(names)) for digest, names in sorted(named.items())]


def _show_keys(console: Console, charter: Charter, pinned: bool) -> None:
    grid = Grid("member", "fingerprint")
    for member in charter.members:
        grid.add_row(_text(member.name), show_fingerprint(member.fingerprint))
    console.print(grid)
    console.print(f"charter  {charter.digest}", soft_wrap=True)
    if not pinned:
        console.print(
            "All of this stands on these keys. The receipt brings them along: compare their fingerprints with what\n"
            "the members read aloud, or give one you know as --member, or the charter's digest as --charter-digest."
        )


def _pairs(console: Console, lines: Iterable[tuple[str, Any]]) -> None:
    grid = Grid(box=None, show_header=False, pad_edge=False)
    for name, text in lines:
        grid.add_row(_text(name), _text(text))
    console.print(grid)


def _text(said: str) -> Text:
    return Text(printable(said))
