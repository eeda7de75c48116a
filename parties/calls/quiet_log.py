"""Log lines that strangers can cause, without letting them fill the log: one of a kind a minute, the rest counted."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

__all__ = ["QuietLog", "place_of"]

_MOST_KINDS = 256


class QuietLog:
    """A logger that repeats no kind of line before its time.

    Args:
        logger: where lines go.
        clock: seconds, never backwards.
        every: seconds between two lines of one kind.
    """

    def __init__(self, logger: logging.Logger, clock: Callable[[], float], every: float = 60.0) -> None:
        self._logger = logger
        self._clock = clock
        self._every = every
        self._kinds: dict[str, tuple[float, int]] = {}  # when the next may be written; how many were not

    def note(self, kind: str, text: str = "", level: int = logging.WARNING) -> None:
        """``kind: text``, now or as a number in the next line of this kind. The text must not be a secret."""
        now = self._clock()
        if kind not in self._kinds and len(self._kinds) >= _MOST_KINDS:
            kind, text = "other events", ""
        due, silent = self._kinds.get(kind, (now, 0))
        if now < due:
            self._kinds[kind] = due, silent + 1
            return
        self._kinds[kind] = now + self._every, 0
        more = f" (and {silent} more since the last such line)" if silent else ""
        self._logger.log(level, "%s%s%s", kind, f": {text}" if text else "", more)


def place_of(error: BaseException) -> str:
    """Class of an exception and where it was raised, without its text, which may quote what must not be logged."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    name = type(error).__name__
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        name = f"{type(error).__name__} in {code.co_name} ({code.co_filename.rpartition('/')[2]}:{line})"
    return name
