"""Plain fields as TOML: what the standard library reads and does not write. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_key", "toml_lines"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"'}


def toml_lines(fields: Mapping[str, Any]) -> list[str]:
    """``name = value`` for each: texts, numbers, booleans, dates, and lists of these."""
    return [f"{toml_key(field)} = {_value(value)}" for field, value in fields.items()]


def toml_key(text: str) -> str:
    """A name, quoted where it has to be."""
    return text if _BARE.fullmatch(text) else _quote(text)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return _quote(value) if isinstance(value, str) else repr(value)


def _quote(text: str) -> str:
    """A TOML basic string."""
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in text) + '"'
