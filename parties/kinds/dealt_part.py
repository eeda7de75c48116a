"""A part of a dealt table as bytes: frames written by its dealer, read by a compute member. Pure, strict, bounded.

All sizes follow from what the reader knows of the table: what is longer, shorter, or in another order is DealtInvalid.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.errors import WrongType
from mpc.sharing import Holders, Layout
from parties.errors import DealtInvalid

__all__ = ["Part", "chunk_frame", "chunk_rows", "component_digest", "end_frame", "header_frame", "read_part"]

Words = npt.NDArray[np.uint64]

_CHUNK = 1 << 17  # words
_FRAME = struct.Struct("<BI")  # kind, length of the content
_HEADER, _WORDS, _END = 1, 2, 3
_MOST_HEADER = 1 << 16
_MOST_CONTEXT = 64
_FORMAT = "accord dealt table 1"


@dataclass(frozen=True, repr=False)
class Part:
    """What one party got.

    Attributes:
        seeds: 32 bytes of each component it holds but the explicit one.
        explicit: (columns, rows), where it holds it.
        digest: SHA-256 of the explicit component as it came.
    """

    seeds: dict[Holders, bytes]
    explicit: Words | None
    digest: bytes = field(default=b"")


def component_digest(context: bytes, holders: Holders, part: Part) -> bytes:
    """What the holders of a component compare: 32 bytes, equal exactly if their components are."""
    content = part.seeds.get(holders, part.digest)
    return hashlib.sha256(b"accord component 1\0" + context + bytes(holders) + content).digest()


def header_frame(
    context: bytes, m: int, t: int, party: int, columns: int, rows: int, seeds: Mapping[Holders, bytes]
) -> bytes:
    """The first frame."""
    if len(context) > _MOST_CONTEXT:
        raise WrongType(f"the context of a dealt table: at most {_MOST_CONTEXT} bytes")
    said = {**_about(context, m, t, party, (columns, rows)), "seeds": [[list(a), s.hex()] for a, s in seeds.items()]}
    return _frame(_HEADER, json.dumps(said).encode("ascii"))


def chunk_rows(columns: int) -> int:
    """Rows in a chunk of so many columns, the last one excepted: about 1 MiB."""
    return max(1, _CHUNK // max(1, columns))


def chunk_frame(words: Words) -> bytes:
    """Some rows, (columns, rows)."""
    return _frame(_WORDS, np.ascontiguousarray(words, "<u8").tobytes())


def end_frame() -> bytes:
    """The last frame."""
    return _frame(_END, b"")


def _frame(kind: int, content: bytes) -> bytes:
    return _FRAME.pack(kind, len(content)) + content


def _about(context: bytes, m: int, t: int, party: int, size: tuple[int, int]) -> dict[str, Any]:
    columns, rows = size
    return {
        "format": _FORMAT, "context": context.hex(), "m": m, "t": t, "party": party, "columns": columns, "rows": rows,
    }  # fmt: skip


def read_part(pieces: Iterable[bytes], context: bytes, layout: Layout, me: int, size: tuple[int, int]) -> Part:
    """The part of party ``me``, in bytes cut anywhere; DealtInvalid unless it is exactly that."""
    columns, rows = size
    held = [a for a in layout.held[me] if a != layout.components[0]]
    whole = len(held) < layout.k  # holds the explicit component
    each = chunk_rows(columns)
    frames = _frames(pieces, max(_MOST_HEADER, 8 * columns * each))
    seeds = _read_header(next(frames), _about(context, layout.m, layout.t, me, size), held)
    if not whole:
        _read_end(next(frames), frames)
        return Part(seeds, None)
    explicit = np.empty(size, np.uint64)
    hashed = hashlib.sha256()
    for low in range(0, rows, each):
        n = min(each, rows - low)
        kind, content = next(frames)
        if kind != _WORDS or len(content) != 8 * columns * n:
            raise DealtInvalid("a part of a dealt table: a chunk is missing, or has another size")
        hashed.update(content)
        explicit[:, low : low + n] = np.frombuffer(content, "<u8").reshape(columns, n)
    _read_end(next(frames), frames)
    return Part(seeds, explicit, hashed.digest())


def _frames(pieces: Iterable[bytes], most: int) -> Iterator[tuple[int, bytes]]:
    """The frames; after the last one, or where one is cut short, (0, b"")."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _FRAME.size:
            kind, length = _FRAME.unpack_from(held)
            if length > most:
                raise DealtInvalid(f"a part of a dealt table: a frame of {length} bytes, {most} are the most")
            if len(held) < _FRAME.size + length:
                break
            content = bytes(memoryview(held)[_FRAME.size : _FRAME.size + length])
            del held[: _FRAME.size + length]
            yield kind, content
    if held:
        raise DealtInvalid("a part of a dealt table: cut short")
    while True:
        yield 0, b""


def _read_header(frame: tuple[int, bytes], about: dict[str, Any], held: list[Holders]) -> dict[Holders, bytes]:
    kind, content = frame
    if kind != _HEADER or len(content) > _MOST_HEADER:
        raise DealtInvalid("a part of a dealt table: no header, or too long a one")
    said: dict[str, Any] = {}
    seeds: dict[Holders, bytes] = {}
    with contextlib.suppress(AttributeError, KeyError, RecursionError, TypeError, ValueError):
        said = json.loads(content.decode("ascii"))
        seeds = {tuple(a): bytes.fromhex(seed) for a, seed in said.pop("seeds")}
    if not seeds and held:  # outside of any except: what JSON raises has the seeds in it
        raise DealtInvalid("a part of a dealt table: a header that is not one")
    if said != about:
        names = [name for name in about if said.get(name) != about[name]]
        raise DealtInvalid(f"a part of a dealt table: not the one that is needed here, by its {', '.join(names)}")
    if set(seeds) != set(held) or any(len(seed) != 32 for seed in seeds.values()):
        raise DealtInvalid("a part of a dealt table: seeds of other components than this party holds")
    return seeds


def _read_end(frame: tuple[int, bytes], frames: Iterator[tuple[int, bytes]]) -> None:
    if frame != (_END, b"") or next(frames) != (0, b""):
        raise DealtInvalid("a part of a dealt table: cut short, or with more behind its end")
