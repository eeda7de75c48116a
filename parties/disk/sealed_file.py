"""A long secret on disk, encrypted in pieces, so that nobody holds all of it at once: a part of a dealt table.

Each file has a key of its own, derived from the node's and 16 random bytes. A piece's nonce is its number and whether
it is the last one (the STREAM construction: Hoang, Reyhanitabar, Rogaway, Vizar, CRYPTO 2015), so pieces that were
changed, swapped, doubled or cut off are found out. On disk:

    magic | 16 random bytes | pieces: length u32, AES-256-GCM of up to 1 MiB

A file is there whole, or not at all, under its name.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc.errors import WrongType
from parties.errors import FileMissing, FileUnusable

__all__ = ["SealedFile"]

_MAGIC = b"accord sealed file 1\n"
_PIECE = 1 << 20
_LENGTH = struct.Struct("<I")
_NONCE = struct.Struct("<7xI?")


@dataclass(frozen=True)
class SealedFile:
    """A file of this node's. It can be given to a worker, who iterates over its content.

    Attributes:
        path: where it is.
        key: the node's, 32 bytes.
        context: what it is; a file written as something else does not open.
    """

    path: Path
    key: bytes = field(repr=False)
    context: bytes

    def __post_init__(self) -> None:
        if len(self.key) != 32:
            raise WrongType("the key of a sealed file: 32 bytes")

    @contextlib.contextmanager
    def write(self) -> Iterator[Any]:
        """Gives a function that takes the content, in any pieces; the file is there when the block ends without error.

        Raises FileUnusable where it cannot be written (a full disk); what was under the name stays then.
        """
        beside = self.path.with_name(f".{self.path.name}.{os.urandom(8).hex()}")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                writer = _Writer(file, self.key, self.context)
                yield writer.take
                writer.end()
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self.path)
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise FileUnusable(f"{self.path} was not written: {error.strerror or error}") from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(beside)

    def store(self, pieces: Iterable[bytes]) -> None:
        """Write all of this content. Raises FileUnusable."""
        with self.write() as take:
            for piece in pieces:
                take(piece)

    def __iter__(self) -> Iterator[bytes]:
        """The content, in pieces of at most 1 MiB; each is what was written, but that it is all shows at the end only.

        Raises FileMissing; FileUnusable for a file that was changed or cut short, or is of another key or context.
        """
        try:
            with self.path.open("rb") as file:
                if file.read(len(_MAGIC)) != _MAGIC:
                    raise FileUnusable(f"{self.path} is no sealed file of this release")
                yield from _pieces(file, _cipher(self.key, file.read(16), self.context), self.path)
        except FileNotFoundError:
            raise FileMissing(f"there is no file {self.path}") from None
        except OSError as error:
            raise FileUnusable(f"{self.path} cannot be read: {error.strerror or error}") from None


class _Writer:
    def __init__(self, file: BinaryIO, key: bytes, context: bytes) -> None:
        salt = os.urandom(16)
        file.write(_MAGIC + salt)
        self._file, self._cipher = file, _cipher(key, salt, context)
        self._held, self._number = bytearray(), 0

    def take(self, piece: bytes | bytearray | memoryview) -> None:
        self._held += piece
        while len(self._held) > _PIECE:  # one piece at least is left for the end
            self._put(bytes(self._held[:_PIECE]), False)
            del self._held[:_PIECE]

    def end(self) -> None:
        self._put(bytes(self._held), True)

    def _put(self, content: bytes, last: bool) -> None:
        sealed = self._cipher.encrypt(_NONCE.pack(self._number, last), content, None)
        self._file.write(_LENGTH.pack(len(sealed)) + sealed)
        self._number += 1


def _cipher(key: bytes, salt: bytes, context: bytes) -> AESGCM:
    return AESGCM(HKDF(hashes.SHA256(), 32, salt, b"accord sealed file 1\0" + context).derive(key))


def _pieces(file: BinaryIO, cipher: AESGCM, path: Path) -> Iterator[bytes]:
    wrong = FileUnusable(
        f"{path} was changed or cut short, or belongs to something else; delete it, and have it sent anew"
    )
    number = 0
    while True:
        head = file.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        if not 16 <= length <= _PIECE + 16:
            raise wrong
        sealed = file.read(length)
        content, last = _opened(cipher, number, sealed)
        if content is None or (last and file.read(1)):
            raise wrong
        yield content
        if last:
            return
        number += 1


def _opened(cipher: AESGCM, number: int, sealed: bytes) -> tuple[bytes | None, bool]:
    """(content or None, whether it is the last piece)."""
    for last in (False, True):
        with contextlib.suppress(InvalidTag):
            return cipher.decrypt(_NONCE.pack(number, last), sealed, None), last
    return None, False
