"""Plain data to bytes and back: what takes the place of pickle between parties.

Unpickling a peer's bytes runs whatever the peer likes. Here bytes can only ever become numbers, text,
bytes, lists, tuples, dicts, numpy arrays of them, and elements of finite fields that this process itself has
in use already. A value is a tag byte and its content; every count is checked against the bytes that are
really there before anything is allocated, so a decoded message takes at most a small multiple of its length.

``dumps`` and ``loads`` are named as pickle's, since they stand in for it inside MPyC.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import NotTransferable

__all__ = ["dumps", "loads"]

_DEPTH = 32
_POLYNOMIAL_BITS = 1 << 13
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_INTS = struct.Struct("<HB")  # width of one number in bytes, 1 if signed
_DTYPES = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8")


def dumps(value: object, protocol: int | None = None) -> bytes:
    """``value`` as bytes. Raises NotTransferable for anything that is not plain data."""
    parts: list[bytes] = []
    _encode(value, parts, 0)
    return b"".join(parts)


def loads(data: bytes | bytearray | memoryview) -> Any:
    """The value in ``data``. Raises NotTransferable unless it is exactly one well-formed value."""
    reader = _Reader(memoryview(data).cast("B"))
    try:
        value = reader.value(0)
    except NotTransferable:
        raise
    except (ValueError, TypeError, ArithmeticError, struct.error, UnicodeDecodeError) as error:
        raise NotTransferable(f"malformed bytes from a peer: {type(error).__name__}") from None
    if reader.rest():
        raise NotTransferable("malformed bytes from a peer: more than one value")
    return value


# --- encoding ------------------------------------------------------------------------------------


def _encode(value: object, parts: list[bytes], depth: int) -> None:
    if depth > _DEPTH:
        raise NotTransferable(f"nested more than {_DEPTH} deep: flatten it before the transfer")
    kind = type(value)
    if value is None:
        parts.append(b"N")
    elif kind is bool:
        parts.append(b"T" if value else b"F")
    elif isinstance(value, int):
        parts.append(b"i" + _integer(int(value)))
    elif kind is float:
        parts.append(b"f" + _F64.pack(value))
    elif kind is str:
        parts.append(b"s" + _sized(str(value).encode("utf-8", "surrogatepass")))
    elif isinstance(value, (bytes, bytearray, memoryview)):
        parts.append(b"b" + _sized(bytes(value)))
    elif isinstance(value, (list, tuple)):
        if kind is list and len(value) > 8 and all(type(x) is int for x in value):
            parts.append(b"v" + _U32.pack(len(value)))
            parts.extend(_pack_ints(list(value)))
            return
        parts.append((b"t" if isinstance(value, tuple) else b"l") + _U32.pack(len(value)))
        for item in value:
            _encode(item, parts, depth + 1)
    elif kind is dict:
        assert isinstance(value, dict)
        parts.append(b"d" + _U32.pack(len(value)))
        for key, item in value.items():
            _encode(key, parts, depth + 1)
            _encode(item, parts, depth + 1)
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
        if plain.dtype.str not in _DTYPES:
            raise NotTransferable(f"an array of dtype {array.dtype} does not travel: only bool, int, uint, float do")
        parts += [b"a", bytes([_DTYPES.index(plain.dtype.str)]), shape, plain.tobytes()]
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
        parts += [b"g", *map(_integer, _field_name(type(value))), _integer(int(value.value))]
    elif isinstance(value, finfields.FiniteFieldArray):
        parts += [b"G", *map(_integer, _field_name(value.field))]
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
    return _U32.pack(len(content)) + content


def _pack_ints(items: list[Any]) -> Iterable[bytes]:
    """Numbers of one width, side by side: what nearly all of MPyC's bulk traffic is."""
    try:
        largest, smallest = (max(items), min(items)) if items else (0, 0)
        bits = max(largest.bit_length(), (~smallest if smallest < 0 else smallest).bit_length())
        signed = smallest < 0
        if bits + signed <= 64:
            packed = np.array(items, np.int64 if signed else np.uint64).tobytes()
            return _INTS.pack(8, signed), packed
        width = (bits + signed + 7) // 8
        if signed:
            return _INTS.pack(width, 1), b"".join([x.to_bytes(width, "little", signed=True) for x in items])
        return _INTS.pack(width, 0), b"".join([x.to_bytes(width, "little") for x in items])  # twice as fast
    except (AttributeError, TypeError, struct.error, OverflowError):
        raise NotTransferable("an object array may hold integers (of less than 65,536 bytes) only") from None


# --- decoding ------------------------------------------------------------------------------------


class _Reader:
    """Takes values off the front of ``data``."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def rest(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        if count > len(self._data) - self._at:
            raise NotTransferable("malformed bytes from a peer: shorter than announced")
        self._at += count
        return self._data[self._at - count : self._at]

    def count(self) -> int:
        number: int = _U32.unpack(self.take(4))[0]
        return number

    def items(self) -> int:
        """A count of things that take at least one byte each."""
        number = self.count()
        if number > self.rest():
            raise NotTransferable("malformed bytes from a peer: shorter than announced")
        return number

    def integer(self) -> int:
        return int.from_bytes(self.take(self.count()), "little", signed=True)

    def value(self, depth: int) -> Any:
        if depth > _DEPTH:
            raise NotTransferable("malformed bytes from a peer: nested too deep")
        tag = bytes(self.take(1))
        match tag:
            case b"N":
                return None
            case b"T":
                return True
            case b"F":
                return False
            case b"i":
                return self.integer()
            case b"f":
                return _F64.unpack(self.take(8))[0]
            case b"s":
                return str(self.take(self.count()), "utf-8", "surrogatepass")
            case b"b":
                return bytes(self.take(self.count()))
            case b"l":
                return [self.value(depth + 1) for _ in range(self.items())]
            case b"t":
                return tuple([self.value(depth + 1) for _ in range(self.items())])
            case b"d":
                return self.mapping(depth)
            case b"v":
                return self.integers(self.items())
            case b"x":
                return self.scalar()
            case b"a":
                return self.array()
            case b"o" | b"p":
                return self.objects(tag)
            case b"e" | b"g" | b"G":
                return self.algebra(tag)
        raise NotTransferable("malformed bytes from a peer: unknown tag")

    def mapping(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for _ in range(self.items()):
            key = self.value(depth + 1)
            found[key] = self.value(depth + 1)
        return found

    def integers(self, count: int) -> list[int]:
        width, signed = _INTS.unpack(self.take(_INTS.size))
        if width == 0 or signed > 1:
            raise NotTransferable("malformed bytes from a peer: numbers of no width")
        raw = self.take(count * width)
        if width == 8:
            numbers: list[int] = np.frombuffer(raw, np.int64 if signed else np.uint64).tolist()
            return numbers
        data, convert = bytes(raw), int.from_bytes
        if signed:
            return [convert(data[i : i + width], "little", signed=True) for i in range(0, len(data), width)]
        return [convert(data[i : i + width], "little") for i in range(0, len(data), width)]

    def shape(self) -> tuple[int, ...]:
        ndim = self.take(1)[0]
        if ndim > _DEPTH:
            raise NotTransferable("malformed bytes from a peer: too many dimensions")
        return struct.unpack(f"<{ndim}I", self.take(4 * ndim))

    def array(self) -> npt.NDArray[Any]:
        code = self.take(1)[0]
        if code >= len(_DTYPES):
            raise NotTransferable("malformed bytes from a peer: unknown dtype")
        dtype, shape = np.dtype(_DTYPES[code]), self.shape()
        raw = self.take(math.prod(shape) * dtype.itemsize)
        if dtype.kind == "b" and np.frombuffer(raw, np.uint8).max(initial=0) > 1:
            raise NotTransferable("malformed bytes from a peer: a bool that is neither")
        return np.frombuffer(raw, dtype).reshape(shape).copy()

    def scalar(self) -> Any:
        if bytes(self.take(1)) != b"a":
            raise NotTransferable("malformed bytes from a peer: unknown scalar")
        array = self.array()
        if array.ndim:
            raise NotTransferable("malformed bytes from a peer: a scalar with a shape")
        return array[()]

    def objects(self, tag: bytes) -> npt.NDArray[Any]:
        polynomial = _polynomials_over(self.integer()) if tag == b"p" else None
        shape = self.shape()
        items: list[Any] = self.integers(math.prod(shape))
        if polynomial is not None:
            items = [_polynomial(polynomial, x) for x in items]
        return np.fromiter(items, object, len(items)).reshape(shape)

    def algebra(self, tag: bytes) -> Any:
        if tag == b"e":
            return _polynomial(_polynomials_over(self.integer()), self.integer())
        field = _field_of(tuple(self.integer() for _ in range(4)))
        if tag == b"g":
            value = self.integer()
            return field(value if field.ext_deg == 1 else _polynomial(type(field.modulus), value))
        if bytes(self.take(1)) not in (b"o", b"p"):
            raise NotTransferable("malformed bytes from a peer: unknown array")
        self._at -= 1
        return field.array(self.objects(bytes(self.take(1))))


def _polynomial(polynomials: Any, number: int) -> Any:
    if number < 0 or number.bit_length() > _POLYNOMIAL_BITS:  # the conversion takes time quadratic in the degree
        raise NotTransferable("malformed bytes from a peer: a polynomial of too high a degree")
    return polynomials(number)


def _polynomials_over(p: int) -> Any:
    """The class of polynomials over GF(p), if this process uses it: a peer cannot make us create classes."""
    from mpyc import gfpx

    return _in_use(gfpx.Polynomial, lambda cls: bool(cls.p == p))


def _field_of(name: tuple[int, ...]) -> Any:
    """The field, if this process uses it."""
    from mpyc import finfields

    return _in_use(finfields.FiniteFieldElement, lambda cls: _field_name(cls) == name)


def _field_name(field: Any) -> tuple[int, ...]:
    """What tells one finite field from another: characteristic, modulus, and for prime fields root and order."""
    modulus = getattr(field, "modulus", None)
    if modulus is None:
        return ()
    return (field.characteristic, int(modulus), getattr(field, "nth", None) or 0, getattr(field, "root", None) or 0)


def _in_use(base: Any, wanted: Callable[[Any], bool]) -> Any:
    classes = [base]
    for cls in classes:
        if wanted(cls):
            return cls
        classes += cls.__subclasses__()
    raise NotTransferable("a peer sent an element of a field that this party's program does not use")
