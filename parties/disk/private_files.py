"""Files nobody else on this machine may read: checked before they are read, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from parties.errors import FileExposed, FileMissing, FileUnusable

__all__ = ["make_private_directory", "read_private", "read_public", "remove", "write_atomically"]

_MOST = 1 << 20  # bytes


def read_private(path: str | Path) -> bytes:
    """The content of a secret's file, 1 MiB at most.

    Its owner must be this user or root; nobody else may read or write it. One exception, for what orchestrators mount:
    a file of root's may be readable (not writable) by its group, if this process is not root. Its directory must not
    be one where everybody may exchange files. A symbolic link is followed; what counts is the file itself.

    Raises FileMissing, FileExposed, FileUnusable.
    """
    return _read(Path(path), secret=True)


def read_public(path: str | Path) -> bytes:
    """The content of a file that is no secret, 1 MiB at most. Raises FileMissing, FileUnusable."""
    return _read(Path(path), secret=False)


def write_atomically(path: str | Path, content: bytes, *, replace: bool = False, mode: int = 0o600) -> None:
    """Write a file that is there whole after this returns, even if the power fails; or leave things as they were.

    1. A file of another name in the same directory, of this mode from its first moment, is written and synced.
    2. It takes the name at once: by a link, which fails where the name is taken, or with ``replace`` by a rename.
    3. The directory is synced.

    Raises FileExistsError if the name is taken and ``replace`` is not set; FileUnusable for all else.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(beside, path)
            else:
                os.link(beside, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)
        _sync_directory(path.parent)
    except FileExistsError:
        raise
    except OSError as error:
        raise FileUnusable(f"{path} was not written: {error.strerror or error}") from None


def remove(path: str | Path) -> None:
    """Take a file away, for good when this returns. One that is gone is no error. Raises FileUnusable."""
    path = Path(path)
    try:
        path.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise FileUnusable(f"{path} was not removed: {error.strerror or error}") from None


def make_private_directory(path: str | Path) -> None:
    """Make it, and those above it, for this user alone. One that exists is left as it is.

    Raises FileUnusable; FileExposed if it exists and anybody may exchange files in it.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(path.parent)
        _check_directory(path)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be a directory of this node's: {error.strerror or error}") from None


def _read(path: Path, *, secret: bool) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)  # of what was opened: the name may point elsewhere by now
            if not stat.S_ISREG(status.st_mode):
                raise FileUnusable(f"{path} is no regular file")
            if secret:
                _check_private(path, status)
                _check_directory(path.parent)
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_MOST + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise FileMissing(f"there is no file {path}") from None
    except OSError as error:
        raise FileUnusable(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > _MOST:
        raise FileUnusable(f"{path} is larger than {_MOST} bytes: that is no file of Accord's")
    return content


def _check_private(path: Path, status: os.stat_result) -> None:
    me = os.geteuid()
    if status.st_uid not in (me, 0):
        raise FileExposed(f"{path} belongs to user {status.st_uid}, not to this one: chown {me} {path}")
    mounted = status.st_uid == 0 and me != 0
    refused = 0o037 if mounted else 0o077
    if status.st_mode & refused:
        raise FileExposed(
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}, so that others on this machine can get at the secret "
            f"in it: chmod 600 {path} (a mounted secret: mode 0400, or 0440 if root owns it), and make a new secret if "
            "somebody may have read it"
        )


def _check_directory(directory: Path) -> None:
    mode = directory.stat().st_mode
    if mode & 0o002 and not mode & stat.S_ISVTX:
        raise FileExposed(f"anybody can exchange the files in {directory}: chmod o-w {directory}")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
