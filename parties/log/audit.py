"""A member's audit log: what happened at its node, on disk, as a chain (chain.py), in the file of its jobs.

An entry is kept in the very transaction that keeps what it tells of. So nothing is accepted, started or released that
the log does not tell; and where the log cannot be written, nothing happens. Entries hold no row, no share, no answer.

| what | when |
|---|---|
| proposed, accepted, refused, waits, approved, denied | a job came, and what this node, or a person at it, said |
| reserved, started, suspended, voted, released, aborted | its steps here |
| delivered, received, purged | a share went to a result member; an answer came; both were deleted for their age |
| forked | heads of another member's log do not go on from each other (head_watch.py) |
| policy, charter, software | another one than before is in force here, or a table's policy is gone |
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from parties.disk.chain import Head, audit_log
from parties.disk.chained_table import ChainedTable
from parties.disk.sqlite_file import SqliteFile
from parties.jobs.session import Event

__all__ = ["STEPS", "WHATS", "AuditLog"]

WHATS = (
    "proposed", "accepted", "refused", "waits", "approved", "denied", "reserved", "started", "suspended", "voted",
    "released", "aborted", "delivered", "received", "purged", "policy", "model", "charter", "software", "forked",
)  # fmt: skip

STEPS: Mapping[Event, str] = {
    Event.ACCEPT: "accepted", Event.REFUSE: "refused", Event.RESERVE: "reserved", Event.RUN: "started",
    Event.SUSPEND: "suspended", Event.READY: "voted", Event.ABORT: "aborted", Event.EXPIRE: "aborted",
    Event.DECIDE_ABORT: "aborted", Event.DECIDE_RELEASE: "released",
}  # fmt: skip
"""How a job's steps are called in the log."""

_MOST_TEXT = 2000


class AuditLog:
    """One member's.

    Args:
        file: with chained_table.CHAIN_SCHEMA.
        member: its fingerprint.

    Raises LogBroken if what is on the disk is not what was written; StoreFailed, as all methods do.
    """

    def __init__(self, file: SqliteFile, member: str) -> None:
        self.chain = ChainedTable(file, audit_log(member))
        self.chain.check()

    @property
    def head(self) -> Head:
        """Where it ends."""
        return self.chain.head

    def note(self, what: str, at: float, **fields: Any) -> Head:
        """One more entry, within a transaction of the file; the head then.

        Args:
            what: one of WHATS.
            at: Unix time in seconds.
            fields: plain data for JSON; long texts are cut.
        """
        assert what in WHATS, what
        said = {name: value[:_MOST_TEXT] if isinstance(value, str) else value for name, value in fields.items()}
        return self.chain.append({"what": what, "at": at, "nonce": secrets.token_hex(16), **said})

    def entries(self, after: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number, what it says) of those with a greater number, in their order."""
        yield from enumerate(self.chain.contents(after), after + 1)
