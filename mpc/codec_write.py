"""Values to bytes: the sending half of :mod:`mpc.codec`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.codec_format import DEPTH, DTYPES, F64, INTS, U32, Keys, field_name
from mpc.errors import NotTransferable

__all__ = ["encode"]


def encode(value: object, parts: list[bytes], depth: int, keys: Keys) -> None:
    """Append ``value``, which lies ``depth`` deep in another, to ``parts``. Raises NotTransferable."""
    if depth > DEPTH:
        raise NotTransferable(f"nested more than {DEPTH} deep: flatten it before the transfer")
    kind = type(value)
    if value is None:
        parts.append(b"N")
    elif kind is bool:
        parts.append(b"T" if value else b"F")
    elif isinstance(value, int):
        parts.append(b"i" + _integer(int(value)))
    elif kind is float:
        parts.append(b"f" + F64.pack(value))
    elif kind is str:
        parts.append(b"s" + _sized(str(value).encode("utf-8", "surrogatepass")))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        parts.append(b"b" + _sized(bytes(value)))
    elif isinstance(value, (list, tuple)):
        if kind is list and len(value) > 8 and all(type(x) is int for x in value):
            parts.append(b"v" + U32.pack(len(value)))
            parts.extend(_pack_ints(list(value)))
            return
        parts.append((b"t" if isinstance(value, tuple) else b"l") + U32.pack(len(value)))
        for item in value:
            encode(item, parts, depth + 1, keys)
    elif kind is dict:
        assert isinstance(value, dict)
        parts.append(b"d" + U32.pack(len(value)))
        counted = 0
        for key, item in value.items():
            start = len(parts)
            encode(key, parts, depth + 1, keys)
            if keys.key(key, sum(map(len, parts[start:]))):
                counted += 1
                keys.counted(counted)
            encode(item, parts, depth + 1, keys)
    elif isinstance(value, np.ndarray):
        _encode_array(value, parts)
    elif isinstance(value, np.generic):
        parts.append(b"x")
        _encode_array(np.asarray(value), parts)
    else:
        _encode_algebra(value, parts)


def _encode_array(array: npt.NDArray[Any], parts: list[bytes]) -> None:
    shape = bytes([array.ndim]) + struct.pack(f"<{array.ndim}I", *array.shape)
    if array.dtype != object:
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if plain.dtype.str not in DTYPES:
            raise NotTransferable(f"an array of dtype {array.dtype} does not travel: only bool, int, uint, float do")
        parts += [b"a", bytes([DTYPES.index(plain.dtype.str)]), shape, plain.tobytes()]
        return
    items = array.ravel().tolist()
    polynomial = next((x for x in items if _is_polynomial(x)), None)
    if polynomial is None:
        parts += [b"o", shape, *_pack_ints(items)]
    else:
        p = type(polynomial).p
        if not all(isinstance(x, int) or (_is_polynomial(x) and type(x).p == p) for x in items):
            raise NotTransferable("an object array may hold integers, or polynomials over one field, only")
        parts += [b"p", _integer(p), shape, *_pack_ints([int(x) for x in items])]


def _encode_algebra(value: object, parts: list[bytes]) -> None:
    """Elements and arrays of MPyC's finite fields, and polynomials."""
    from mpyc import finfields

    if _is_polynomial(value):
        parts += [b"e", _integer(type(value).p), _integer(int(value))]  # type: ignore[attr-defined,call-overload]
    elif isinstance(value, finfields.FiniteFieldElement):
        parts += [b"g", *map(_integer, field_name(type(value))), _integer(int(value.value))]
    elif isinstance(value, finfields.FiniteFieldArray):
        parts += [b"G", *map(_integer, field_name(value.field))]
        _encode_array(value.value, parts)
    else:
        raise NotTransferable(
            f"a {type(value).__module__}.{type(value).__qualname__} does not travel between parties: "
            "only numbers, text, bytes, lists, tuples, dicts and numpy arrays of numbers do"
        )


def _is_polynomial(value: object) -> bool:
    return not isinstance(value, (int, float)) and type(value).__module__ == "mpyc.gfpx"


def _integer(number: int) -> bytes:
    return _sized(number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True))


def _sized(content: bytes) -> bytes:
    if len(content) >= 1 << 32:
        raise NotTransferable("longer than 4 GiB: transfer it in pieces")
    return U32.pack(len(content)) + content


def _pack_ints(items: list[Any]) -> Iterable[bytes]:
    """Numbers of one width, side by side: what nearly all of MPyC's bulk traffic is."""
    try:
        largest, smallest = (max(items), min(items)) if items else (0, 0)
        bits = max(largest.bit_length(), (~smallest if smallest < 0 else smallest).bit_length())
        signed = smallest < 0
        if bits + signed <= 64:
            packed = np.array(items, np.int64 if signed else np.uint64).tobytes()
            return INTS.pack(8, signed), packed
        width = (bits + signed + 7) // 8
        if signed:
            return INTS.pack(width, 1), b"".join([x.to_bytes(width, "little", signed=True) for x in items])
        return INTS.pack(width, 0), b"".join([x.to_bytes(width, "little") for x in items])  # twice as fast
    except (AttributeError, TypeError, struct.error, OverflowError):
        raise NotTransferable("an object array may hold integers (of less than 65,536 bytes) only") from None
