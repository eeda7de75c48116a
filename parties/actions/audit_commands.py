"""``accord audit show``, ``verify`` and ``export``: what happened at a node, from its own store, which is only read.

What is typed is in commands/audit.py. The node may run or not: store_snapshot.py.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mpc.errors import AccordError
from parties.disk.chain import audit_log, first_head
from parties.disk.chained_table import ChainedTable
from parties.disk.private_files import write_atomically
from parties.disk.sqlite_file import SqliteFile
from parties.errors import FileMissing, FileUnusable, IdentityMissing, LogBroken, PassphraseNeeded
from parties.keys.fingerprints import fingerprint_of
from parties.log.audit_file import Known, check_file, check_known, write_csv, write_lines
from parties.log.audit_view import JobSaid, Wanted, add_to, jobs_of, line_of
from parties.log.shown_heads import check_growing, check_own, check_single, read_floors, read_shown
from parties.membership.charter_store import CharterStore
from parties.node.store_snapshot import snapshot
from parties.policies.ledger import Ledger
from parties.setup.home import Home
from parties.terminal.command_output import Output

__all__ = ["export", "names_of", "open_store", "show", "verify", "verify_file"]


_HEADINGS = ("entry", "time, UTC", "what", "job", "who", "purpose", "columns by role", "epsilon", "to", "note")
"""Of audit_view.Line."""


def show(home: Home, wanted: Wanted, most: int, output: Output) -> None:
    """The last entries of those that are wanted. Raises FileMissing, FileUnusable, StoreFailed, LogBroken."""
    names = names_of(home)
    with open_store(home) as (file, member):
        log = ChainedTable(file, audit_log(member))
        log.check()
        said = jobs_of(log.contents(), names)
        found: deque[tuple[int, dict[str, Any], JobSaid]] = deque(maxlen=most)
        count = 0
        for number, content in enumerate(log.contents(), 1):
            of = said[content["job"]] if "job" in content else add_to(JobSaid(), content, names)
            if wanted.has(content, of):
                count += 1
                found.append((number, content, of))
    output.result(
        {
            "log": log.log,
            "found": count,
            "entries": [{"number": number, **content} for number, content, _ in found],
        }
    )
    if output.json:
        return
    if not found:
        output.say("no entry of the log is among what you look for")
        return
    output.table(_HEADINGS, [dataclasses.astuple(line_of(*one, names)) for one in found])
    if count > len(found):
        output.say(f"{count - len(found)} earlier ones are not shown: --most {count} shows them too")


def verify(home: Home, known: Known | None, output: Output) -> None:
    """Log and ledger of this node, and all heads in the acceptances it keeps. Raises LogBroken, and as :func:`show`."""
    with open_store(home) as (file, member):
        stated = _stated(home, output)
        if stated is not None and stated != member:
            raise LogBroken(f"{audit_log(member)}: the log of another member than the one whose key is here, {stated}")
        log = ChainedTable(file, audit_log(member))
        head = check_known(first_head(log.log), log.entries(), known)
        ledger = Ledger(file, member)
        ledger.book()
        shown = read_shown(file)
        own = check_own(shown, log.log, log.digest_at)
        check_single(shown)
        check_growing(shown, read_floors(file, shown, member))
        members = {one.member for one in shown if one.head.log != log.log}
        entries = ledger.chain.head.number
    output.result(
        {
            **head.fields,
            "ledger_entries": entries,
            "own_heads": own,
            "others_heads": len(shown) - own,
            "others": sorted(members),
        }
    )
    output.say(
        f"log    {head.number} entries, each as it was written; the last one is {head.number}:{head.digest}",
        f"ledger {entries} entries, each as it was written",
        f"heads  {own} of this log, all in it; {len(shown) - own} of {', '.join(sorted(members)) or 'nobody'}, "
        "which fit together",
    )


def verify_file(path: Path, known: Known | None, output: Output) -> None:
    """An exported log, without any node. Raises LogBroken, FileMissing, FileUnusable."""
    try:
        with path.open("rb") as file:
            head = check_file(file, known)
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from None
    output.result(head.fields)
    output.say(f"{head.number} entries, each as it was written; the last one is {head.number}:{head.digest}")
    if known is None and not output.json:
        output.say("that none is cut off at its end shows with --head, from an acceptance that another member has")


def export(home: Home, format_: str, path: Path, output: Output) -> None:
    """The whole log into a file, checked on the way. Raises as :func:`show`."""
    with open_store(home) as (file, member):
        log = ChainedTable(file, audit_log(member))
        head = log.check()
        if format_ == "csv":
            text = io.StringIO(newline="")
            write_csv(text, log.entries(), log.log)
            content = text.getvalue().encode()
        else:
            lines = io.BytesIO()
            write_lines(lines, head, log.entries())
            content = lines.getvalue()
    write_atomically(path, content, replace=True)
    output.result({"file": str(path), "format": format_, **head.fields})
    output.say(f"{head.number} entries are in {path}; the last one is {head.number}:{head.digest}")


@contextlib.contextmanager
def open_store(home: Home) -> Iterator[tuple[SqliteFile, str]]:
    """A copy of the node's store, and the fingerprint of the member whose log and ledger it has.

    Raises FileMissing, FileUnusable, StoreFailed; LogBroken if it has those of two members.
    """
    home.check()
    with snapshot(home.jobs) as file:
        logs = [log for (log,) in file.read("SELECT DISTINCT log FROM chain ORDER BY log")]
        members = {log.partition(":")[2] for log in logs}
        if len(members) > 1:
            raise LogBroken(f"{home.jobs} has logs of {len(members)} members: {', '.join(logs)}")
        if not members:
            members = {fingerprint_of(home.stated_key())}
        yield file, members.pop()


def names_of(home: Home) -> dict[str, str]:
    """Of members by fingerprint, by all charters that are known here; none if they cannot be read."""
    with contextlib.suppress(AccordError):
        return {member.fingerprint: member.name for charter in CharterStore(home).chain for member in charter.members}
    return {}


def _stated(home: Home, output: Output) -> str | None:
    try:
        return fingerprint_of(home.stated_key())
    except (IdentityMissing, PassphraseNeeded):
        output.warn("the member's key is not here, or does not state its public half: whose log it is was not checked")
        return None
