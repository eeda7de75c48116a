"""Plain data to bytes and back: what takes the place of pickle between parties.

Unpickling a peer's bytes runs whatever the peer likes. Here bytes can only ever become numbers, text,
bytes, lists, tuples, dicts, numpy arrays of them, and elements of finite fields that this process itself has
in use already. A value is a tag byte and its content; every count is checked against the bytes that are
really there before anything is allocated, so a decoded message takes at most a small multiple of its length.

It also takes time proportional to its length. Python looks up a key that is text or bytes by a hash nobody can foresee,
but any number of different numbers, or tuples, can be made that have one hash; so dicts of them are kept small.

``dumps`` and ``loads`` are named as pickle's, since they stand in for it inside MPyC.
"""

from __future__ import annotations

import struct
from typing import Any

from mpc.codec_format import Keys
from mpc.codec_read import Reader
from mpc.codec_write import encode
from mpc.errors import NotTransferable

__all__ = ["dumps", "loads"]


def dumps(value: object, protocol: int | None = None) -> bytes:
    """``value`` as bytes. Raises NotTransferable for anything that is not plain data."""
    parts: list[bytes] = []
    encode(value, parts, 0, Keys())
    return b"".join(parts)


def loads(data: bytes | bytearray | memoryview) -> Any:
    """The value in ``data``. Raises NotTransferable unless it is exactly one well-formed value."""
    reader = Reader(memoryview(data).cast("B"))
    try:
        value = reader.value(0)
    except NotTransferable:
        raise
    except (ValueError, TypeError, ArithmeticError, struct.error, UnicodeDecodeError) as error:
        raise NotTransferable(f"malformed bytes from a peer: {type(error).__name__}") from None
    if reader.rest():
        raise NotTransferable("malformed bytes from a peer: more than one value")
    return value
