"""A question to an embedded engine whose memory does not hold all people at once: asked of part of them each time.

DuckDB would write what does not fit to disk, in the clear. Instead it is told to fail; then the people are halved by a
bit of a hash of theirs, and asked about one half after the other. All that is asked is about each person apart, so the
parts' answers together are the answer. Each part reads the source again, and that is the price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from parties.errors import SourceTooLarge

if TYPE_CHECKING:
    import ibis.expr.types as ir

__all__ = ["WHOLE", "Part", "Parts"]

_MOST_BITS = 10

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Some of the people: those the last ``bits`` of whose hash are ``number``."""

    bits: int
    number: int

    def of(self, rows: ir.Table, person: str) -> ir.Table:
        """The rows of these people, by a column that holds the person."""
        if not self.bits:
            return rows
        key = rows[person]
        if not (key.type().is_string() or key.type().is_binary()):  # integers of several widths hash differently
            key = key.cast("string")
        return rows.filter((key.hash() & ((1 << self.bits) - 1)) == self.number)


WHOLE = Part(0, 0)


@dataclass
class Parts:
    """How finely people must be parted: by ``bits`` of their hash, which only grows."""

    bits: int = 0

    def ask(self, rows: Callable[[Part], ir.Table], question: Callable[[ir.Table], Iterator[T]]) -> Iterator[T]:
        """What the question gives of the rows of all parts, one after the other.

        Raises SourceTooLarge if even a thousandth of the people does not fit, or a part stops after it gave something.
        """
        waiting = list(range(1 << self.bits))
        while waiting:
            part = waiting.pop()
            started = False
            try:
                for found in question(rows(Part(self.bits, part))):
                    started = True
                    yield found
            except SourceTooLarge:
                if started or self.bits >= _MOST_BITS:
                    raise
                waiting = [one | half << self.bits for one in (*waiting, part) for half in (0, 1)]
                self.bits += 1
