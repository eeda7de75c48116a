"""What a LocalCluster may be told, checked before any process starts."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

from mpc.errors import OutOfRange, UsageError, WrongType

__all__ = ["node_settings", "seconds"]

_SETTINGS = ("farewell_deadline", "max_frame", "mailbox_limit", "sec_param", "unsafe_peek")
_IN_MEMORY = ("seed", "tap", "delay", "keep")


def seconds(name: str, value: Any, *, or_zero: bool = False) -> float:
    """A time that is positive (or, ``or_zero``, not negative) and finite; WrongType or OutOfRange if it is not."""
    if isinstance(value, (bool, str, bytes)):
        raise WrongType(f"{name}={value!r}: a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise WrongType(f"{name}={value!r}: a number") from None
    if not math.isfinite(number) or number < 0 or (number == 0 and not or_zero):
        raise OutOfRange(f"{name}={value!r}: {'0 or more' if or_zero else 'more than 0'}, and finite")
    return number


def node_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The further settings of nodes, each of its kind; UsageError for one that does not exist."""
    return {name: _setting(name, value) for name, value in given.items()}


def _setting(name: str, value: Any) -> Any:
    if name not in _SETTINGS:
        hint = "; only a MemoryCluster has that" if name in _IN_MEMORY else ""
        raise UsageError(f"a LocalCluster has no setting {name!r}{hint}. Settings of its nodes: {', '.join(_SETTINGS)}")
    if name == "unsafe_peek":
        if not isinstance(value, bool):
            raise WrongType(f"unsafe_peek={value!r}: True or False")
        return value
    if name == "farewell_deadline":
        return seconds(name, value)
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        raise WrongType(f"{name}={value!r}: a whole number") from None
    if number < 1:
        raise OutOfRange(f"{name}={value!r}: 1 or more")
    return number
