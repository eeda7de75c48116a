"""What an engine raises, as named errors without the engine's words: those quote values, and keep the statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mpc.errors import AccordError
from parties.errors import SourceTooLarge, SourceUnreachable, SourceUnreadable

__all__ = ["guarded"]

T = TypeVar("T")

_UNREADABLE = frozenset(
    {"ConversionException", "InvalidInputException", "InvalidTypeException", "OutOfRangeException", "SyntaxException"}
)


def guarded(what: str, call: Callable[[], T], otherwise: type[AccordError] = SourceUnreachable) -> T:
    """What the call gives. What it raises that is no AccordError becomes one, raised with nothing attached.

    SourceUnreadable, SourceTooLarge where DuckDB says so; ``otherwise`` for the rest. Only the kind of error is told.
    """
    try:
        return call()
    except (AccordError, AttributeError, NameError, AssertionError):  # ours, and bugs
        raise
    except Exception as error:
        kind = type(error).__name__
    if kind in _UNREADABLE:
        raise SourceUnreadable(
            f"{what}: its source cannot be read as what it is named ({kind}): a damaged file, a CSV file without its "
            "line of names, or rows of differing length"
        )
    if kind == "OutOfMemoryException":
        raise SourceTooLarge(f"{what}: its engine has too little memory for the job; let the node use more")
    if otherwise is SourceUnreadable:
        raise SourceUnreadable(f"{what}: its source cannot be read ({kind}); open it with a tool of its own and look")
    raise otherwise(
        f"{what}: its source does not answer ({kind}); is it up, may this node read it, and is its disk not full?"
    )
