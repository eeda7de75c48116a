"""What a coalition sees, and whether that depends on what it must not know. Used by test_privacy.py.

The method. A coalition of t parties sees the frames that others send it, and knows every stream whose key one of its
members holds. So we fix what it knows: all those streams are constants here (:class:`Known`), and only streams under
keys held by honest parties alone stay pseudorandom. What the frames still have to be, then, is uniform: a mask that the
receiver knows itself no longer hides anything. As all rows of an operation are masked alike and independently, one run
over n rows with equal inputs is n runs.

Three tests look at the frames: every stretch of them is uniform (chi-square); their distribution is the same for two
inputs (chi-square); and no XOR of their bits is constant over the rows or follows the inputs (rank over GF(2)), which
finds a mask that was used twice.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from mpc import MemoryCluster, Party
from mpc.prss import Prss, Stream
from mpc.transport import Frame

Bytes = npt.NDArray[np.uint8]
Program = Callable[[Party], Any]

NOTICE = 80  # bytes of an input's announcement: its shape and type, which are public


class _Constant:
    """A stream cipher whose key stream is one byte, over and over."""

    def __init__(self, byte: int) -> None:
        self._byte = np.uint8(byte)

    def update_into(self, source: memoryview, target: memoryview) -> None:
        np.bitwise_xor(np.frombuffer(source, np.uint8), self._byte, out=np.frombuffer(target, np.uint8))


class Known(Stream):
    """A stream the coalition knows, fixed: of every label all zeros or all ones."""

    def _start(self, label: bytes, nbytes: int) -> Any:
        super()._start(label, nbytes)
        digest = hashlib.blake2b(self._name.encode() + label, digest_size=1).digest()
        return _Constant(255 * (digest[0] & 1))


class CoalitionCluster(MemoryCluster):
    """Remembers all frames, and fixes every stream that one of the ``coalition`` knows."""

    def __init__(self, m: int, coalition: tuple[int, ...], *, seed: int = 0) -> None:
        super().__init__(m, seed=seed, keep=True)
        self.coalition = coalition
        self.expose: Callable[[str, tuple[int, ...]], bool] = lambda kind, holders: False

    def _prss(self, i: int) -> Prss:
        prss = super()._prss(i)

        def fixed(kind: str, holders: tuple[int, ...], stream: Stream) -> Stream:
            if not set(holders) & set(self.coalition) and not self.expose(kind, holders):
                return stream
            return Known(bytes(32), f"{kind} of {sorted(holders)}")

        prss.component = {a: fixed("component", a, s) for a, s in prss.component.items()}
        prss.pair = {j: fixed("pair", (i, j), s) for j, s in prss.pair.items()}
        prss.private = fixed("private", (i,), prss.private)
        return prss

    def view(self) -> list[Frame]:
        """The frames from honest parties to the coalition, each message once, in an order that no input changes."""
        seen = {
            (f.sender, f.label): f
            for f in self.log
            if f.receiver in self.coalition and f.sender not in self.coalition and len(f.payload) not in (0, NOTICE)
        }
        return [seen[key] for key in sorted(seen)]


def coalitions(m: int, t: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(m), t))


# -- the tests -----------------------------------------------------------------------------


def histograms(cells: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """How often each of 0..15 occurs in every row."""
    offset = 16 * np.arange(cells.shape[0])[:, None]
    return np.bincount((cells + offset).reshape(-1), minlength=16 * cells.shape[0]).reshape(-1, 16)


def nibbles(samples: Bytes) -> Bytes:
    return np.concatenate([samples >> 4, samples & 15], axis=1)


def positions(payload: Bytes) -> Bytes:
    """Upper and lower halves of the bytes at each position of 8-byte words, a row each."""
    words = payload[: payload.size // 8 * 8].reshape(-1, 8).T
    return np.concatenate([words >> 4, words & 15])


def uniform(samples: Bytes) -> npt.NDArray[np.float64]:
    expected = samples.shape[1] / 16
    statistic = ((histograms(samples) - expected) ** 2 / expected).sum(axis=1)
    return np.asarray(stats.chi2.sf(statistic, 15))


def uniformity(view: list[Frame]) -> npt.NDArray[np.float64]:
    """p-values: every byte position of 8-byte words over a frame, and every stretch of 256 bytes of it."""
    found = [np.ones(1)]
    for frame in view:
        payload = np.frombuffer(frame.payload, np.uint8)
        if payload.size >= 1024:
            found.append(uniform(positions(payload)))
        stretches = payload[: payload.size // 256 * 256].reshape(-1, 256)
        if stretches.size:
            found.append(uniform(nibbles(stretches)))
    return np.concatenate(found)


def homogeneity(one: list[Frame], two: list[Frame]) -> npt.NDArray[np.float64]:
    """p-values: the bytes at each position of 8-byte words, under two inputs, have one distribution."""
    assert [(f.sender, f.label, len(f.payload)) for f in one] == [(f.sender, f.label, len(f.payload)) for f in two]
    found = [np.ones(1)]
    for frames in zip(one, two, strict=True):
        a, b = (histograms(positions(np.frombuffer(f.payload, np.uint8))) for f in frames)
        both = np.maximum(a + b, 1)
        found.append(stats.chi2.sf(((a - b) ** 2 / both).sum(axis=1), 15))
    return np.concatenate(found)


def bit_columns(view: list[Frame], n: int) -> list[int]:
    """Every bit that a row is masked with, as one integer of n bits (a bit a row).

    A frame of bit planes gives a column a plane; one of 8, 4 or 2 bytes a row gives a column a bit.
    """
    columns: list[int] = []
    for frame in view:
        columns.extend(_columns(frame.payload, n))
    return columns


def _columns(payload: bytes, n: int) -> list[int]:
    for width in (8, 4, 2):
        if len(payload) == width * n:
            rows = np.frombuffer(payload, np.uint8).reshape(n, width)
            bits = np.unpackbits(rows, axis=1, bitorder="little")
            return [_integer(np.packbits(bits[:, j], bitorder="little")) for j in range(8 * width)]
    for width in (4, 2, 8):  # a message of truncate.py: words, then narrow numbers
        if len(payload) == (8 + width) * n:
            return _columns(payload[: 8 * n], n) + _columns(payload[8 * n :], n)
    assert len(payload) % (n // 8) == 0
    planes = np.frombuffer(payload, np.uint8).reshape(-1, n // 8)
    return [_integer(plane) for plane in planes]


def _integer(packed: Bytes) -> int:
    return int.from_bytes(packed.tobytes(), "little")


def relations(columns: list[int], n: int) -> int:
    """How many independent XOR relations there are among the columns and the constant one."""
    pivots: dict[int, int] = {}
    found = 0
    for column in [(1 << n) - 1, *columns]:
        while column:
            top = column.bit_length()
            if top not in pivots:
                pivots[top] = column
                break
            column ^= pivots[top]
        else:
            found += 1
    return found
