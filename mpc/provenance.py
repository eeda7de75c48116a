"""What an operand tells the history of a scope: where a secret comes from, of a public one type and shape, no value."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.scope import Scope, checksum

__all__ = ["describe"]

_LONG = 64  # of a longer list only the length and the secrets in its beginning count
_KINDS = {
    kind: checksum(name) for kind, name in (("b", "bool"), ("i", "int"), ("u", "int"), ("f", "float"), ("O", "object"))
}
_SCALARS = {bool: _KINDS["b"], int: _KINDS["i"], float: _KINDS["f"], type(None): checksum("None")}


def describe(scope: Scope, operands: Any) -> None:
    """Mix operands, in their order, into the history of ``scope``; see mpc.scope for what counts."""
    for value in operands:
        known = _SCALARS.get(type(value))
        if known is not None:
            scope.note(known)
        elif isinstance(value, (np.ndarray, np.generic)):
            scope.note(_KINDS.get(value.dtype.kind, 7))
            for d in value.shape:
                scope.note(d)
        elif isinstance(value, (list, tuple)):
            scope.note(len(value))
            describe(scope, value[:_LONG])
        elif isinstance(value, slice):
            for bound in (value.start, value.stop, value.step):
                scope.note(bound & 0xFFFFFFFF if isinstance(bound, int) else 5)
        else:
            tag = getattr(value, "tag", None)
            scope.note(tag if isinstance(tag, int) else checksum(type(value).__name__))
