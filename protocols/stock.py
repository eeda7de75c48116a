"""Noise sampled ahead, while a node has nothing else to do, and spent at a release without a round of its own.

Noise does not depend on data, so it can be drawn beforehand. Every party keeps its shares of a *batch* in its own
store. A sample is used once: a party writes down how far a batch is spent before it hands out a share, and when a stock
is opened the parties compare notes and go on from the farthest any of them got. A crash can waste samples, never use
one twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange
from mpc.party import Operation, Party
from mpc.scope import checksum, current_scope
from protocols.errors import StockInvalid
from protocols.exact import is_whole
from protocols.law import Law
from protocols.noise import sample

__all__ = ["Batch", "MemoryStore", "NoiseStock", "Store", "check_claim"]

Words = npt.NDArray[np.uint64]
Shape = tuple[int, ...]

_NAME_BITS = 62


@dataclass(frozen=True)
class Batch:
    """What everybody may know of a batch.

    Attributes:
        name: a random number of 62 bits, the same at all parties.
        law: fingerprint of the law, Law.digest().
        size: how many samples.
        spent: how many of them, from the first, are used or lost.
    """

    name: int
    law: str
    size: int
    spent: int = 0


class Store(Protocol):
    """Where one party keeps its shares. What it is told to keep or to spend is safe when the call returns."""

    def claim(self, index: int, m: int, t: int) -> int:
        """Make it this party's, or StockInvalid if it is another's or cannot be read.

        Gives the number of the claim. Only the latest may spend: two stocks of one store would use samples twice.
        """

    def batches(self) -> list[Batch]:
        """What is kept, and how far it is spent."""

    def add(self, batch: Batch, words: Words) -> None:
        """Keep the shares (k, size) of a new batch."""

    def spend(self, name: int, upto: int, claim: int) -> None:
        """Never again hand out a sample below ``upto`` after the store was opened anew.

        StockInvalid if ``claim`` is not the latest.
        """

    def read(self, name: int, low: int, high: int) -> Words:
        """The shares (k, high - low) of these samples; StockInvalid if they cannot be read."""

    def discard(self, name: int) -> None:
        """Forget a batch."""


class MemoryStore:
    """A store that lasts as long as the object: for one program, or for tests."""

    def __init__(self) -> None:
        self._owner: tuple[int, int, int] | None = None
        self._claims = 0
        self._kept: dict[int, tuple[Batch, Words]] = {}

    def claim(self, index: int, m: int, t: int) -> int:
        """See Store."""
        if self._owner is not None and self._owner != (index, m, t):
            raise StockInvalid(f"this stock of noise is party {self._owner[0]}'s: each party needs its own")
        self._owner = (index, m, t)
        self._claims += 1
        return self._claims

    def batches(self) -> list[Batch]:
        """See Store."""
        return [batch for batch, _ in self._kept.values()]

    def add(self, batch: Batch, words: Words) -> None:
        """See Store."""
        self._kept[batch.name] = (batch, words)

    def spend(self, name: int, upto: int, claim: int) -> None:
        """See Store."""
        check_claim(claim, self._claims)
        batch, words = self._kept[name]
        self._kept[name] = (replace(batch, spent=max(batch.spent, upto)), words)

    def read(self, name: int, low: int, high: int) -> Words:
        """See Store."""
        return self._kept[name][1][:, low:high].copy()

    def discard(self, name: int) -> None:
        """See Store."""
        del self._kept[name]


def check_claim(claim: int, latest: int) -> None:
    """StockInvalid unless it is the latest claim of a store."""
    if claim != latest:
        raise StockInvalid("this stock of noise was opened anew since: the one opened last has the samples, use that")


@dataclass
class _Shelf:
    """A batch as this run sees it: how far it is promised, and the operation that is still sampling it, if any."""

    law: str
    size: int
    taken: int
    made: Operation[int] | None
    name: int = -1


class NoiseStock:
    """One party's stock in one run. Make it with :meth:`open`; fill it, and give it to ``release(stock=...)``.

    Call ``fill`` and ``take`` from one task of the program: what is in stock follows from their order. When a store is
    opened anew, what ``take`` of an earlier stock gave and had not handed out yet ends in StockInvalid.
    """

    def __init__(self, party: Party, store: Store, claim: int, shelves: list[_Shelf]) -> None:
        self._party = party
        self._store = store
        self._claim = claim
        self._shelves = shelves

    def __repr__(self) -> str:
        left = sum(s.size - s.taken for s in self._shelves)
        return f"<NoiseStock of party {self._party.index}, {left} samples>"

    @classmethod
    async def open(cls, party: Party, store: Store) -> NoiseStock:
        """Compare notes with all parties about what is left. All call it, each with its own store.

        A batch counts if every party has it, from the farthest any of them spent it; other batches are forgotten.
        Rounds: 2. Sends: 40 bytes a batch, input and revealed. Leaks: names, laws and levels of the batches, to all.
        Raises StockInvalid for a store that is another party's or cannot be read.
        """
        claim = store.claim(party.index, party.m, party.t)
        mine = store.batches()
        told = np.array([[b.name, *_halves(b.law), b.size, b.spent] for b in mine], np.int64).reshape(-1, 5)
        opened = [party.reveal(party.input(told, owner)) for owner in range(party.m)]
        lists = [await batches for batches in opened]
        common = [{(row[0], *row[1:4]): int(row[4]) for row in found.tolist()} for found in lists]
        own = {(b.name, *_halves(b.law), b.size): b for b in mine}
        shelves = []
        kept = set()
        for key in sorted(set.intersection(*(set(c) for c in common))):
            batch = own[key]
            spent = max(c[key] for c in common)
            if spent < batch.size:
                store.spend(batch.name, spent, claim)
                kept.add(batch.name)
                shelves.append(_Shelf(batch.law, batch.size, spent, None, batch.name))
        for batch in mine:
            if batch.name not in kept:
                store.discard(batch.name)
        return cls(party, store, claim, shelves)

    def left(self, law: Law) -> int:
        """How many samples of a law are in stock, those under way included; the same number at all parties."""
        return sum(s.size - s.taken for s in self._shelves if s.law == law.digest())

    def fill(self, law: Law, size: int) -> Operation[int]:
        """Sample a batch, in the background of what the program does next; take may be called at once.

        Await it to be sure that the batch is in the store. Rounds, bytes, leaks: noise.sample, and for the batch's
        random name 2 rounds at the same time and 1 more.
        """
        if not is_whole(size) or size < 1:
            raise OutOfRange(f"a batch of {size!r} samples: a positive whole number")
        shelf = _Shelf(law.digest(), size, 0, None)

        async def make() -> int:
            noise, name = sample(self._party, law, (size,)), self._party.random_integers((), _NAME_BITS)
            shelf.name = int(await self._party.reveal(name))
            self._store.add(Batch(shelf.name, shelf.law, size), (await noise).share)
            return size

        current_scope().note(checksum(f"stock {size}"))
        shelf.made = self._party.launch("fill", make)
        self._shelves.append(shelf)
        return shelf.made

    def take(self, law: Law, shape: Shape, *, frac: int = 0) -> SecretArray:
        """Samples out of the stock. Rounds: 0, if the batch is there; sends nothing.

        Raises OutOfRange if fewer are left: ask :meth:`left` before.
        """
        n = math.prod(shape)
        pieces = self._reserve(law, n)

        async def make() -> SecretArray:
            parts = [np.empty((self._party.layout.k, 0), np.uint64)]
            for shelf, low, high in pieces:
                if shelf.made is not None:
                    await shelf.made
                self._store.spend(shelf.name, high, self._claim)  # before anybody can see what it is used for
                parts.append(self._store.read(shelf.name, low, high))
            words = np.concatenate(parts, axis=1)
            return SecretArray(self._party, words.reshape(words.shape[0], *shape), frac)

        current_scope().note(checksum(f"take {law.digest()} {shape}"))
        return SecretArray._pending(self._party, self._party.launch("take", make), tuple(shape))

    def _reserve(self, law: Law, n: int) -> list[tuple[_Shelf, int, int]]:
        if self.left(law) < n:
            raise OutOfRange(f"{n} samples asked of a stock that has {self.left(law)} of this law: fill it first")
        pieces = []
        for shelf in self._shelves:
            if n and shelf.law == law.digest() and shelf.taken < shelf.size:
                low, shelf.taken = shelf.taken, min(shelf.size, shelf.taken + n)
                n -= shelf.taken - low
                pieces.append((shelf, low, shelf.taken))
        return pieces


def _halves(digest: str) -> Iterable[int]:
    """A fingerprint as two numbers that an input takes; 60 of its 64 bits each."""
    return (int(digest[:15], 16), int(digest[16:31], 16))
