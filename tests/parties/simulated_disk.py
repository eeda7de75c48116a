"""A disk in memory under SQLite, that stops at any write, truncation, sync, creation or deletion of a file.

What was not synced when it stopped is on it or is not, each sector by itself, as on a disk that orders nothing: so
what a store finds when it starts again is all that a machine may find whose power went. SQLite renames no file.

It is SQLite's own interface to a disk (a VFS), by ctypes: stores run on it as they are, and without waiting.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["SECTOR", "Disk", "mounted"]

SECTOR = 512
"""Bytes that are written whole, or not at all."""

_OK, _IOERR, _NOTFOUND, _CANTOPEN, _SHORT_READ, _NO_ENTRY = 0, 10, 12, 14, 10 | (2 << 8), 10 | (23 << 8)
_CREATE, _DELETE_ON_CLOSE = 0x4, 0x8
_Unsynced = tuple[int, bytes]  # (offset, data); a truncation: (size, b"")


@dataclass
class _File:
    """``content``: as it is read; ``synced``: what a stop leaves of it for sure; ``there``: whether its name does."""

    content: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    unsynced: list[_Unsynced] = field(default_factory=list)
    there: bool = False


class Disk:
    """Files by name.

    Attributes:
        stops_at: number of the change, counted from now, at which the power goes; None: it does not.
        stopped: the change at which it went, "write" say; "" while it did not. Nothing is read or written then.
        changes: how many of each kind there were.
    """

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = {name: _File(bytearray(content), content, [], True) for name, content in (files or {}).items()}
        self.deleted: dict[str, bytes] = {}  # whose names may come back
        self.stops_at: int | None = None
        self.stopped = ""
        self.changes: Counter[str] = Counter()

    def change(self, what: str) -> bool:
        """Whether a change reaches the disk; where the power goes it does by half."""
        if self.stopped:
            return False
        self.changes[what] += 1
        if self.stops_at is not None:
            self.stops_at -= 1
            if self.stops_at == 0:
                self.stopped = what
        return True

    def after_a_stop(self, draw: random.Random) -> Disk:
        """The disk that is found when the power is back."""
        found = {name: content for name, content in self.deleted.items() if draw.random() < 0.5}
        for name, file in self.files.items():
            if not file.there and draw.random() < 0.5:
                continue
            content = bytearray(file.synced)
            for offset, data in file.unsynced:
                _put(content, offset, data, draw)
            found[name] = bytes(content)
        return Disk(found)


def _put(content: bytearray, offset: int, data: bytes, draw: random.Random) -> None:
    """A change that was not synced: all of it, nothing, or some sectors."""
    luck = draw.random()
    if luck < 0.3:
        return
    if not data:
        del content[offset:]
        return
    for start in range(0, len(data), SECTOR):
        if luck > 0.6 or draw.random() < 0.5:
            _write(content, offset + start, data[start : start + SECTOR])


def _write(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


# -- SQLite's interface --------------------------------------------------------------------------

_P, _I, _L = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64


class _Methods(ctypes.Structure):
    _TYPES = (
        ("xClose", (_P,)), ("xRead", (_P, _P, _I, _L)), ("xWrite", (_P, _P, _I, _L)), ("xTruncate", (_P, _L)),
        ("xSync", (_P, _I)), ("xFileSize", (_P, _P)), ("xLock", (_P, _I)), ("xUnlock", (_P, _I)),
        ("xCheckReservedLock", (_P, _P)), ("xFileControl", (_P, _I, _P)), ("xSectorSize", (_P,)),
        ("xDeviceCharacteristics", (_P,)),
    )  # fmt: skip
    _fields_ = (("iVersion", _I), *((name, ctypes.CFUNCTYPE(_I, *types)) for name, types in _TYPES))


class _Handle(ctypes.Structure):
    _fields_ = (("methods", ctypes.POINTER(_Methods)), ("number", _L))


class _Vfs(ctypes.Structure):
    _TYPES = (
        ("xOpen", (_P, ctypes.c_char_p, ctypes.POINTER(_Handle), _I, ctypes.POINTER(_I))),
        ("xDelete", (_P, ctypes.c_char_p, _I)), ("xAccess", (_P, ctypes.c_char_p, _I, ctypes.POINTER(_I))),
        ("xFullPathname", (_P, ctypes.c_char_p, _I, _P)), ("xDlOpen", (_P,)), ("xDlError", (_P,)), ("xDlSym", (_P,)),
        ("xDlClose", (_P,)), ("xRandomness", (_P, _I, _P)), ("xSleep", (_P, _I)),
        ("xCurrentTime", (_P, ctypes.POINTER(ctypes.c_double))), ("xGetLastError", (_P, _I, _P)),
    )  # fmt: skip
    _fields_ = (
        ("iVersion", _I), ("szOsFile", _I), ("mxPathname", _I), ("pNext", _P), ("zName", ctypes.c_char_p),
        ("pAppData", _P), *((name, ctypes.CFUNCTYPE(_I, *types)) for name, types in _TYPES),
    )  # fmt: skip


class _Mounted:
    """A VFS that SQLite calls, over the disk of now. Only what a store does on a disk is there."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[Disk, str, _File, int]] = {}
        self._methods = _Methods(1, *(kind(self._guarded(name)) for name, kind in _Methods._fields_[1:]))
        calls = [kind(self._guarded(name)) for name, kind in _Vfs._fields_[6:]]
        self.vfs = _Vfs(1, ctypes.sizeof(_Handle), 512, None, b"simulated", None, *calls)

    def _guarded(self, name: str) -> Callable[..., int]:
        """What Python raises SQLite would not see."""
        call: Callable[..., int] = getattr(self, name, lambda *_: _OK)

        def guarded(*given: Any) -> int:
            try:
                return call(*given)
            except Exception as error:
                self.disk.stopped = f"{type(error).__name__} in {name}: {error}"
                return _IOERR

        return guarded

    # -- files by name

    def xOpen(self, _: int, name: bytes | None, handle: Any, flags: int, out: Any) -> int:  # noqa: N802
        disk = self.disk
        said = f"temporary {next(self._numbers)}" if name is None else name.decode()
        handle.contents.methods = None
        if disk.stopped or (said not in disk.files and not flags & _CREATE):
            return _CANTOPEN
        if said not in disk.files:
            if not disk.change("create"):
                return _CANTOPEN
            disk.files[said] = _File()
            disk.deleted.pop(said, None)
            if disk.stopped:
                return _IOERR
        number = next(self._numbers)
        self._open[number] = (disk, said, disk.files[said], flags)
        handle.contents.methods, handle.contents.number = ctypes.pointer(self._methods), number
        if out:
            out[0] = flags
        return _OK

    def xDelete(self, _: int, name: bytes, sync: int) -> int:  # noqa: N802
        file = self.disk.files.get(name.decode())
        if file is None:
            return _NO_ENTRY
        if not self.disk.change("delete"):
            return _IOERR
        if self.disk.stopped:
            file.there = False  # it may be gone
            return _IOERR
        del self.disk.files[name.decode()]
        if not sync and file.there:
            self.disk.deleted[name.decode()] = file.synced
        return _OK

    def xAccess(self, _: int, name: bytes, flags: int, out: Any) -> int:  # noqa: N802
        out[0] = int(name.decode() in self.disk.files)
        return _IOERR if self.disk.stopped else _OK

    def xFullPathname(self, _: int, name: bytes, size: int, out: int) -> int:  # noqa: N802
        ctypes.memmove(out, name + b"\0", len(name) + 1)
        return _OK

    def xRandomness(self, _: int, size: int, out: int) -> int:  # noqa: N802
        ctypes.memmove(out, os.urandom(size), size)
        return size

    def xCurrentTime(self, _: int, out: Any) -> int:  # noqa: N802
        out[0] = 2440587.5
        return _OK

    # -- an open file

    def _file(self, handle: int) -> tuple[Disk, str, _File, int]:
        return self._open[ctypes.cast(handle, ctypes.POINTER(_Handle)).contents.number]

    def xClose(self, handle: int) -> int:  # noqa: N802
        disk, name, _, flags = self._open.pop(ctypes.cast(handle, ctypes.POINTER(_Handle)).contents.number)
        if flags & _DELETE_ON_CLOSE and not disk.stopped:
            disk.files.pop(name, None)
        return _OK

    def xRead(self, handle: int, out: int, size: int, offset: int) -> int:  # noqa: N802
        disk, _, file, _ = self._file(handle)
        if disk.stopped:
            return _IOERR
        found = bytes(file.content[offset : offset + size])
        ctypes.memmove(out, found.ljust(size, b"\0"), size)
        return _OK if len(found) == size else _SHORT_READ

    def xWrite(self, handle: int, data: int, size: int, offset: int) -> int:  # noqa: N802
        disk, _, file, _ = self._file(handle)
        if not disk.change("write"):
            return _IOERR
        given = ctypes.string_at(data, size)
        file.unsynced.append((offset, given))
        _write(file.content, offset, given)
        return _IOERR if disk.stopped else _OK

    def xTruncate(self, handle: int, size: int) -> int:  # noqa: N802
        disk, _, file, _ = self._file(handle)
        if not disk.change("truncate"):
            return _IOERR
        file.unsynced.append((size, b""))
        del file.content[size:]
        return _IOERR if disk.stopped else _OK

    def xSync(self, handle: int, flags: int) -> int:  # noqa: N802
        disk, _, file, _ = self._file(handle)
        if not disk.change("sync") or disk.stopped:
            return _IOERR
        if not file.there:  # SQLite syncs the directory with a new file
            disk.deleted.clear()
        file.synced, file.unsynced, file.there = bytes(file.content), [], True
        return _OK

    def xFileSize(self, handle: int, out: int) -> int:  # noqa: N802
        disk, _, file, _ = self._file(handle)
        ctypes.cast(out, ctypes.POINTER(_L))[0] = len(file.content)
        return _IOERR if disk.stopped else _OK

    def xFileControl(self, handle: int, what: int, out: int) -> int:  # noqa: N802
        return _NOTFOUND

    def xSectorSize(self, handle: int) -> int:  # noqa: N802
        return SECTOR


@contextlib.contextmanager
def mounted(disk: Disk) -> Iterator[_Mounted]:
    """Whatever SQLite opens within, in this process, is on this disk; put another in ``disk`` of what this gives."""
    import _sqlite3

    library = ctypes.CDLL(_sqlite3.__file__)  # its symbols, and those of the SQLite that it is linked with
    there = _Mounted(disk)
    assert library.sqlite3_vfs_register(ctypes.byref(there.vfs), 1) == _OK
    try:
        yield there
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(there.vfs))
