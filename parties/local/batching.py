"""Questions that wait go out together: a request of many rows takes hardly longer than one of a single row.

One question alone goes out at once. While as many requests are out as may be, the others wait, and those of one kind
that follow each other become one request. Plain bookkeeping: no clock, no lock, nothing is sent.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from protocols.inquiry import Book, Kind, Request, Terms

__all__ = ["Batches", "Question"]

_TOGETHER = 256  # rows; with more, what a row costs outweighs the rounds, and nothing is gained


@dataclass(frozen=True, eq=False)
class Question:
    """Rows (n, features) of one call, and the future of their answer."""

    kind: Kind
    rows: Any = field(repr=False)
    answer: Future[Any]


class Batches:
    """What was asked and is not answered yet.

    Args:
        terms: of the session; what they forbid is refused here, before it is sent.
        owner: whose rows all are.
    """

    def __init__(self, terms: Terms, owner: int) -> None:
        self._terms = terms
        self._owner = owner
        self._book = Book(terms)
        self._asked = 0
        self._number = 0
        self._queue: deque[Question] = deque()
        self._out: dict[int, list[Question]] = {}

    def __len__(self) -> int:
        return len(self._queue) + sum(len(batch) for batch in self._out.values())

    def ask(self, question: Question) -> None:
        """Take a question in. Raises RequestRefused, by the same rules as all parties."""
        self._asked += 1
        self._book.enter(Request(self._asked, question.kind, len(question.rows), self._owner))
        self._queue.append(question)

    def next(self, *, hurry: bool = False) -> Request | None:
        """The next request to go out, with its rows; None if nothing waits, or ``at_once`` are out (but in a hurry)."""
        if not self._queue or (len(self._out) >= self._terms.at_once and not hurry):
            return None
        batch = [self._queue.popleft()]
        kind, n = batch[0].kind, len(batch[0].rows)
        most = min(_TOGETHER, self._terms.most_rows)
        while self._queue and self._queue[0].kind == kind and n + len(self._queue[0].rows) <= most:
            batch.append(self._queue.popleft())
            n += len(batch[-1].rows)
        self._number += 1
        self._out[self._number] = batch
        rows = batch[0].rows if len(batch) == 1 else np.concatenate([question.rows for question in batch])
        return Request(self._number, kind, n, self._owner, rows)

    def back(self, number: int) -> list[Question]:
        """The questions of a request that is answered; none if it is not out."""
        return self._out.pop(number, [])

    def drop(self) -> list[Question]:
        """All questions, none of which will be answered."""
        dropped = [question for batch in self._out.values() for question in batch] + list(self._queue)
        self._out.clear()
        self._queue.clear()
        return dropped
