"""``accord audit`` and what is below it: what is typed. What they do is in audit_commands.py."""

from __future__ import annotations

import datetime
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command, make_group
from parties.terminal.command_completion import job_ids
from parties.terminal.command_options import HomeOption
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_audit_commands"]

_ABOUT = """The log of what a node was asked, said and told.

Who asked for what, on which columns, at which epsilon, who received it; policies and charters as
they came in force. Each entry is chained to all before it. The commands read the node's own store,
whether the node runs or not, and change nothing.
"""

_STATUSES = (ExitStatus.FILE_FAULT, ExitStatus.NOT_GENUINE)

_SHOW = Page(
    examples=(
        ("the last twenty entries", "accord audit show"),
        ("who used a column since a day, and what that told", "accord audit show --column age --since 2026-11-01"),
        ("all that one analyst asked", "accord audit show --who ann --most 1000"),
        ("the epsilon of each job that was accepted, in a script",
         "accord audit show --what accepted --most 1000000 --json | jq '.entries[] | {job, epsilon}'"),
    ),
    json="""
    log      its name: audit:, and the member's fingerprint
    found    how many entries are among what is looked for
    entries  the last of them: {number, what, at, ...}; at: seconds since 1970
    """,
    statuses=_STATUSES,
)  # fmt: skip

_VERIFY = Page(
    examples=(
        ("this node's log and ledger, and every head of a log in the acceptances it keeps", "accord audit verify"),
        ("an exported one, anywhere", "accord audit verify audit.jsonl"),
        ("that nothing is cut off: by a head that somebody else kept",
         f"accord audit verify audit.jsonl --head 812:{'0a' * 32}"),
    ),
    json="""
    log, number, digest        its name, and its last entry
    ledger_entries             of the node's ledger      (these not of a file)
    own_heads, others_heads    how many acceptances show one
    others                     names of the members whose heads are kept
    """,
    statuses=_STATUSES,
)  # fmt: skip

_EXPORT = Page(
    examples=(
        ("lines of JSON, which `accord audit verify` checks without a node", "accord audit export -o audit.jsonl"),
        ("for a spreadsheet", "accord audit export --format csv -o audit.csv"),
    ),
    json="file, format, and log, number, digest of the last entry",
    statuses=_STATUSES,
)


class Format(StrEnum):
    """Of an exported log."""

    JSONL = "jsonl"
    CSV = "csv"


def add_audit_commands(app: typer.Typer) -> None:
    """``audit``, and ``show``, ``verify``, ``export`` below it."""
    audit = make_group(app, "audit", _ABOUT, Panel.DATA)
    add_command(audit, "audit show", _show, _SHOW)
    add_command(audit, "audit verify", _verify, _VERIFY)
    add_command(audit, "audit export", _export, _EXPORT)


def _show(
    what: Annotated[
        list[str] | None, typer.Option("--what", metavar="KIND", help="proposed, accepted, ...; may be given again")
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", metavar="JOB", help="its id, or how it begins", autocompletion=job_ids)
    ] = None,
    table: Annotated[str | None, typer.Option("--table", metavar="NAME", help="or member.name")] = None,
    column: Annotated[str | None, typer.Option("--column", metavar="NAME", help="of a table of this member's")] = None,
    who: Annotated[
        str | None, typer.Option("--who", "--analyst", metavar="NAME", help="an analyst, an approver, a member")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="2026-11-01, or with 12:00; UTC if it says no zone")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="likewise; a day is meant to its end")
    ] = None,
    most: Annotated[int, typer.Option("--most", "-n", metavar="N", min=1, help="how many, the last ones")] = 20,
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Show who asked what, on which columns, at which epsilon.

    An entry that names a job is found by all that the log says of that job: --column age shows its
    release too. Epsilon: the job's; then of each limit of the table's policy, what is used up with
    it and what is left. The log is checked on the way: a broken one is not shown.
    """
    from parties.actions.audit_commands import show
    from parties.log.audit import WHATS
    from parties.log.audit_view import Wanted
    from parties.setup.home import Home

    wrong = sorted(set(what or ()) - set(WHATS))
    if wrong:
        raise typer.BadParameter(f"--what {wrong[0]}: one of {', '.join(WHATS)}")
    wanted = Wanted(
        frozenset(what or ()), job, table, column, who, _time("--since", since), _time("--until", until, 86400.0)
    )
    show(Home(home), wanted, most, output)


def _verify(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="an exported log; default: the node's own")
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", metavar="NUMBER:DIGEST", help="of an entry that the log is to have, from elsewhere"),
    ] = None,
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Check that log and ledger are what was written.

    Every entry is followed from the first one. Of the node's own log, each head it ever gave away
    in an acceptance has to be in it, and heads that other members gave have to fit together. The
    first thing that is wrong is named. A log that is cut off at its end shows only by a head that
    somebody else kept: by --head.
    """
    from parties.actions.audit_commands import verify, verify_file
    from parties.setup.home import Home

    known = _known(head)
    if file is None:
        verify(Home(home), known, output)
    else:
        verify_file(file, known, output)


def _export(
    file: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="to be written, or replaced")],
    format_: Annotated[Format, typer.Option("--format", help="only jsonl can be verified")] = Format.JSONL,
    home: HomeOption = None,
    *,
    output: Output,
) -> None:
    """Write the whole log to a file, to check or to read elsewhere.

    For a spreadsheet, what could be taken for a formula has an apostrophe before it.
    """
    from parties.actions.audit_commands import export
    from parties.setup.home import Home

    export(Home(home), format_.value, file, output)


def _time(option: str, text: str | None, day: float = 0.0) -> float | None:
    """Unix seconds; a day without a time is moved by so many seconds."""
    if text is None:
        return None
    try:
        at = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} {text}: a day, 2026-11-01, or a time, 2026-11-01T12:00+01:00") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=datetime.UTC)
    return at.timestamp() + (day if len(text) <= len("2026-11-01") else 0.0)


def _known(head: str | None) -> tuple[int, str] | None:
    if head is None:
        return None
    if not re.fullmatch(r"[0-9]{1,16}:[0-9a-f]{64}", head):
        raise typer.BadParameter("--head: NUMBER:DIGEST, as `accord audit verify` prints it")
    number, _, digest = head.partition(":")
    return int(number), digest
