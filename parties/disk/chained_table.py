"""Chains on a node's disk, in the file of its jobs: an entry is kept in the very transaction that it tells of.

So there is no change without its entry, and no entry without its change, whenever the machine stops. SQLite refuses to
change or delete an entry (triggers); who gets around that breaks the chain (chain.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from parties.disk.chain import Entry, Head, content_digest, first_head, follow, next_entry, read_content
from parties.disk.sqlite_file import SqliteFile

__all__ = ["CHAIN_SCHEMA", "ChainedTable"]

CHAIN_SCHEMA = """
CREATE TABLE IF NOT EXISTS chain (
    log TEXT NOT NULL, number INTEGER NOT NULL, content BLOB NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (log, number)) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS chain_is_not_changed BEFORE UPDATE ON chain
    BEGIN SELECT RAISE(ABORT, 'entries are not changed'); END;
CREATE TRIGGER IF NOT EXISTS chain_is_not_cut BEFORE DELETE ON chain
    BEGIN SELECT RAISE(ABORT, 'entries are not deleted'); END;
"""

_PAGE = 1000  # entries read at once


class ChainedTable:
    """One chain.

    Args:
        file: with CHAIN_SCHEMA.
        log: its name, see chain.Head.

    Every method raises StoreFailed where the disk fails.
    """

    def __init__(self, file: SqliteFile, log: str) -> None:
        self._file = file
        self._first = first_head(log)

    @property
    def log(self) -> str:
        """Its name."""
        return self._first.log

    @property
    def head(self) -> Head:
        """Where it ends."""
        row = self._file.one("SELECT number, digest FROM chain WHERE log = ? ORDER BY number DESC LIMIT 1", self.log)
        return self._first if row is None else Head(self.log, *row)

    def digest_at(self, number: int) -> str | None:
        """Of this entry; None if there is none."""
        row = self._file.one("SELECT digest FROM chain WHERE log = ? AND number = ?", self.log, number)
        return None if row is None else str(row[0])

    def append(self, content: Mapping[str, Any]) -> Head:
        """One more entry, within a transaction of the file; the head then."""
        head = self.head
        entry = next_entry(head, content)
        self._file.change("INSERT INTO chain VALUES (?, ?, ?, ?)", self.log, entry.number, entry.content, entry.digest)
        return Head(self.log, entry.number, entry.digest)

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """As they are kept, those with a greater number, in their order, without ever holding all of them."""
        while True:
            rows = self._file.read(
                "SELECT number, content, digest FROM chain WHERE log = ? AND number > ? ORDER BY number LIMIT ?",
                self.log, after, _PAGE,
            )  # fmt: skip
            yield from (Entry(*row) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def contents(self, after: int = 0) -> Iterator[dict[str, Any]]:
        """What they say; LogBroken for one that is not in the form it is written in."""
        for entry in self.entries(after):
            yield read_content(self.log, entry)

    def digests(self, after: int, up_to: int) -> list[str]:
        """Of the contents of the entries after one and up to another: chain.goes_on."""
        rows = self._file.read(
            "SELECT content FROM chain WHERE log = ? AND number > ? AND number <= ? ORDER BY number",
            self.log, after, up_to,
        )  # fmt: skip
        return [content_digest(content) for (content,) in rows]

    def check(self) -> Head:
        """All of it; the head. Raises LogBroken, which names the first entry that does not follow."""
        return follow(self._first, self.entries())
