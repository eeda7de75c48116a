"""What both directions of the codec know: how values are written, and the limits both sides keep to.

A value is a tag byte and its content:

    N T F                  None, True, False
    i size number          integer, little-endian, signed
    f 8 bytes              float
    s b size content       text, bytes
    l t count values       list, tuple
    d count keys, values   dict
    v count ints           list of integers of one width
    a dtype shape words    array of numbers; x: the same without dimensions, a numpy scalar
    o shape ints           array of Python's integers
    p e g G ...            polynomials (array, one), an element of a finite field, an array of them
"""

from __future__ import annotations

import struct
from typing import Any

from mpc.errors import NotTransferable

__all__ = ["DEPTH", "DTYPES", "F64", "INTS", "U32", "Keys", "field_name"]

DEPTH = 32
U32 = struct.Struct("<I")
F64 = struct.Struct("<d")
INTS = struct.Struct("<HB")  # width of one number in bytes, 1 if signed
DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")
_KEY_BYTES = 256  # most of a dict's key that is neither text nor bytes
_KEYS_SQUARED = 1 << 20  # most of the sum of squares of the numbers of such keys, over all dicts of one value


class Keys:
    """The keys of dicts met so far in one value, that are neither text nor bytes."""

    def __init__(self) -> None:
        self._left = _KEYS_SQUARED

    def key(self, key: object, nbytes: int) -> bool:
        """Does it have to be counted? Raises NotTransferable if it is too large."""
        if type(key) in (str, bytes):
            return False
        if nbytes > _KEY_BYTES:
            raise NotTransferable(f"a dict's key of {nbytes} bytes: at most {_KEY_BYTES}, unless it is text or bytes")
        return True

    def counted(self, count: int) -> None:
        """A dict has so many of them. Raises NotTransferable if these are too many, with those of other dicts."""
        self._left -= 2 * count - 1  # the next square
        if self._left < 0:
            raise NotTransferable(
                "too many keys of dicts that are neither text nor bytes (1,024 in one dict): "
                "make them text, or send keys and values as two lists"
            )


def field_name(field: Any) -> tuple[int, ...]:
    """What tells one finite field from another: characteristic, modulus, and for prime fields root and order."""
    modulus = getattr(field, "modulus", None)
    if modulus is None:
        return ()
    return (field.characteristic, int(modulus), getattr(field, "nth", None) or 0, getattr(field, "root", None) or 0)
