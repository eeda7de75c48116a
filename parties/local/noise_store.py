"""A party's stock of noise on disk: its shares, encrypted, and how far each batch is spent, in SQLite.

Every change is one transaction, on the disk before the call returns. Whoever gets the shares of t + 1 parties before a
release knows its noise; so they are encrypted under a key of the node's (AES-256-GCM), each block bound to its place,
and what is spent is deleted, and overwritten, when the store is opened the next time.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.errors import WrongType
from protocols.errors import StockInvalid
from protocols.stock import Batch, check_claim

__all__ = ["NoiseStore"]

Words = npt.NDArray[np.uint64]

_BLOCK = 1 << 12  # samples
_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS owner (version INTEGER, party INTEGER, m INTEGER, t INTEGER);
CREATE TABLE IF NOT EXISTS batch (name INTEGER PRIMARY KEY, law TEXT, size INTEGER, spent INTEGER);
CREATE TABLE IF NOT EXISTS block (name INTEGER, low INTEGER, sealed BLOB, PRIMARY KEY (name, low));
"""
_FORGET = "DELETE FROM block WHERE low + ? <= (SELECT spent FROM batch WHERE batch.name = block.name)"
_FIND = "SELECT sealed, size FROM block JOIN batch USING (name) WHERE name = ? AND low = ?"


class NoiseStore:
    """A protocols.stock.Store in a file that one process has open at a time. Use it in a ``with``, or close it.

    Args:
        path: the file; made with mode 0600 if it does not exist.
        key: 32 bytes.

    Raises WrongType for a key that is not 32 bytes; StockInvalid if the file is no such store, cannot be made, or
    another process has it, later if it cannot be written. That the key is another one is found at ``claim``.
    """

    def __init__(self, path: str | Path, key: bytes) -> None:
        _check_key(key)
        self._path = str(path)
        self._sealing = AESGCM(key)
        self._owner: tuple[int, int, int] | None = None
        self._claims = 0
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise StockInvalid(f"{self._path}: {error.strerror}") from None
        self._db = sqlite3.connect(self._path, isolation_level=None, timeout=0.2)
        try:
            for pragma in ("locking_mode=EXCLUSIVE", "journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(f"BEGIN EXCLUSIVE;{_SCHEMA}COMMIT;")
            self._db.execute(_FORGET, (_BLOCK,))
        except sqlite3.Error as error:
            self._db.close()
            raise StockInvalid(
                f"{self._path}: {error}; is it a stock of noise, and does no other process use it?"
            ) from None

    def __enter__(self) -> NoiseStore:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<NoiseStore {self._path}>"

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def claim(self, index: int, m: int, t: int) -> int:
        """Make it this party's; gives the number of the claim. StockInvalid if it is another's, or with another key."""
        found = self._one("SELECT version, party, m, t FROM owner")
        if found is None:
            self._do("INSERT INTO owner VALUES (?, ?, ?, ?)", _VERSION, index, m, t)
        elif found != (_VERSION, index, m, t):
            raise StockInvalid(
                f"{self._path}: the stock of party {found[1]} of {found[2]}, t={found[3]}, version {found[0]}, not of "
                f"party {index} of {m}, t={t}: give another file"
            )
        self._owner = (index, m, t)
        for block in self._do("SELECT name, low FROM block LIMIT 1"):
            self._open(*block)  # with another key no block opens: better now than in the midst of a release
        self._claims += 1
        return self._claims

    def batches(self) -> list[Batch]:
        """What is kept, and how far it is spent."""
        return [Batch(*row) for row in self._do("SELECT name, law, size, spent FROM batch ORDER BY name")]

    def add(self, batch: Batch, words: Words) -> None:
        """Keep the shares (k, size) of a new batch."""
        with self._transaction():
            self._do("INSERT INTO batch VALUES (?, ?, ?, ?)", batch.name, batch.law, batch.size, batch.spent)
            for low in range(0, batch.size, _BLOCK):
                block = np.ascontiguousarray(words[:, low : low + _BLOCK]).tobytes()
                sealed = self._seal(batch.name, low, block)
                self._do("INSERT INTO block VALUES (?, ?, ?)", batch.name, low, sealed)

    def spend(self, name: int, upto: int, claim: int) -> None:
        """Never again hand out a sample below ``upto``; StockInvalid if ``claim`` is not the latest."""
        check_claim(claim, self._claims)
        self._do("UPDATE batch SET spent = max(spent, ?) WHERE name = ?", upto, name)

    def read(self, name: int, low: int, high: int) -> Words:
        """The shares (k, high - low) of these samples; StockInvalid if they cannot be read."""
        first = low // _BLOCK * _BLOCK
        parts = [self._open(name, at) for at in range(first, high, _BLOCK)]
        return np.ascontiguousarray(np.concatenate(parts, axis=1)[:, low - first : high - first])

    def discard(self, name: int) -> None:
        """Forget a batch."""
        with self._transaction():
            self._do("DELETE FROM block WHERE name = ?", name)
            self._do("DELETE FROM batch WHERE name = ?", name)

    # -- blocks --------------------------------------------------------------------------------

    def _place(self, name: int, low: int) -> bytes:
        return f"accord noise {self._owner} {name} {low}".encode()

    def _seal(self, name: int, low: int, block: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._sealing.encrypt(nonce, block, self._place(name, low))

    def _open(self, name: int, low: int) -> Words:
        found = self._one(_FIND, name, low)
        if found is None:
            raise StockInvalid(f"{self._path}: samples from {low} of batch {name} are gone")
        sealed, size = found
        try:
            block = self._sealing.decrypt(sealed[:12], sealed[12:], self._place(name, low))
        except InvalidTag:
            raise StockInvalid(
                f"{self._path}: a block was changed, or the key is another one: delete the file"
            ) from None
        return np.frombuffer(block, np.uint64).reshape(-1, min(_BLOCK, size - low))

    def _one(self, question: str, *values: Any) -> tuple[Any, ...] | None:
        found = self._do(question, *values)
        return found[0] if found else None

    def _do(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a statement; StockInvalid where the disk or the file does not let it happen."""
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StockInvalid(f"{self._path}: {error}") from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that happens within, or nothing."""
        self._do("BEGIN IMMEDIATE")
        try:
            yield
            self._do("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # on a full disk it is rolled back already
                self._db.execute("ROLLBACK")
            raise


def _check_key(key: Any) -> None:
    if not isinstance(key, bytes) or len(key) != 32:
        what = len(key) if isinstance(key, bytes) else type(key).__name__
        raise WrongType(f"the key of a stock of noise: 32 bytes, not {what}")
