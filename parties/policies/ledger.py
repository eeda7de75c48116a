"""A member's ledger: its charges on disk, in the file of its jobs, as a chain (chain.py). What they mean: budget.py.

A charge is reserved in the very transaction that keeps this node's acceptance of the job, and settled in the one that
keeps its end: whenever the machine stops, nothing is told that is not charged.
"""

from __future__ import annotations

import secrets

from parties.disk.chain import Head, read_content
from parties.disk.chained_table import ChainedTable
from parties.disk.sqlite_file import SqliteFile
from parties.policies.budget import Book, Charge

__all__ = ["Ledger"]


class Ledger:
    """One member's.

    Args:
        file: with chained_table.CHAIN_SCHEMA.
        member: its fingerprint.

    Raises LogBroken if what is on the disk is not what was written; StoreFailed, as all methods do.
    """

    def __init__(self, file: SqliteFile, member: str) -> None:
        self.chain = ChainedTable(file, f"ledger:{member}")
        self.chain.check()
        self._book = Book()
        self._file = file
        self._read: Head = Head(self.chain.log, 0, "")
        self._current()

    def book(self) -> Book:
        """All charges that are kept now, from any thread; what is charged later does not change it."""
        with self._file.alone():
            return self._current().copy()

    def reserve(self, charge: Charge) -> None:
        """Charge it, within a transaction of the file. The same job again changes nothing."""
        if not self._current().is_open(charge.job):
            self.chain.append({**charge.content, "nonce": secrets.token_hex(16)})

    def settle(self, job: str, charged: str, at: float) -> None:
        """Say what of it stays: budget.ALL, RUN or NOTHING. Nothing for a job that is not open here."""
        if self._current().is_open(job):
            self.chain.append(
                {"what": "settle", "job": job, "charged": charged, "at": at, "nonce": secrets.token_hex(16)}
            )

    def _current(self) -> Book:
        """Of this ledger's own, for whoever has the file alone: what was kept since it was read is added."""
        known = self._read
        if known.number and self.chain.digest_at(known.number) != known.digest:
            self._book, known = Book(), Head(self.chain.log, 0, "")  # what was read was undone
        for entry in self.chain.entries(known.number):
            self._book.apply(read_content(self.chain.log, entry))
            known = Head(self.chain.log, entry.number, entry.digest)
        self._read = known
        return self._book
