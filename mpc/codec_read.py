"""Bytes to values: the receiving half of :mod:`mpc.codec`. Everything here distrusts what it reads."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.codec_format import DEPTH, DTYPES, F64, INTS, U32, Keys, field_name
from mpc.errors import NotTransferable

__all__ = ["Reader"]

_POLYNOMIAL_BITS = 1 << 13


class Reader:
    """Takes values off the front of ``data``."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0
        self._keys = Keys()
        self._fields: dict[tuple[int, ...], Any] = {}  # those met: to find one takes a while

    def rest(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> memoryview:
        if count > len(self._data) - self._at:
            raise NotTransferable("malformed bytes from a peer: shorter than announced")
        self._at += count
        return self._data[self._at - count : self._at]

    def count(self) -> int:
        number: int = U32.unpack(self.take(4))[0]
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
        if depth > DEPTH:
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
                return F64.unpack(self.take(8))[0]
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
        counted = 0
        for _ in range(self.items()):
            start = self._at
            key = self.value(depth + 1)
            if self._keys.key(key, self._at - start):
                counted += 1
                self._keys.counted(counted)
            found[key] = self.value(depth + 1)
        return found

    def integers(self, count: int) -> list[int]:
        width, signed = INTS.unpack(self.take(INTS.size))
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
        if ndim > DEPTH:
            raise NotTransferable("malformed bytes from a peer: too many dimensions")
        return struct.unpack(f"<{ndim}I", self.take(4 * ndim))

    def array(self) -> npt.NDArray[Any]:
        code = self.take(1)[0]
        if code >= len(DTYPES):
            raise NotTransferable("malformed bytes from a peer: unknown dtype")
        dtype, shape = np.dtype(DTYPES[code]), self.shape()
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
        polynomial = self.polynomials() if tag == b"p" else None
        shape = self.shape()
        items: list[Any] = self.integers(math.prod(shape))
        if polynomial is not None:
            items = [_polynomial(polynomial, x) for x in items]
        return np.fromiter(items, object, len(items)).reshape(shape)

    def polynomials(self) -> Any:
        p = self.integer()
        if (p,) not in self._fields:
            self._fields[(p,)] = _polynomials_over(p)
        return self._fields[(p,)]

    def field(self) -> Any:
        name = tuple(self.integer() for _ in range(4))
        if name not in self._fields:
            self._fields[name] = _field_of(name)
        return self._fields[name]

    def algebra(self, tag: bytes) -> Any:
        if tag == b"e":
            return _polynomial(self.polynomials(), self.integer())
        field = self.field()
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

    return _in_use(finfields.FiniteFieldElement, lambda cls: field_name(cls) == name)


def _in_use(base: Any, wanted: Callable[[Any], bool]) -> Any:
    classes = [base]
    for cls in classes:
        if wanted(cls):
            return cls
        classes += cls.__subclasses__()
    raise NotTransferable("a peer sent an element of a field that this party's program does not use")
