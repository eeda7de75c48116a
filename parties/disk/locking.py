"""A lock between processes of this machine, by a file that stays. The kernel lets go of it when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from parties.errors import FileUnusable

__all__ = ["held"]

_PATIENCE = 5.0  # seconds
_PAUSE = 0.02


@contextlib.contextmanager
def held(path: Path, monotonic: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Hold it; others wait, five seconds at most, then FileUnusable says so. Not to be held twice by one process."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise FileUnusable(f"{path} cannot be opened: {error.strerror or error}") from None
    try:
        give_up = monotonic() + _PATIENCE
        while not _lock(descriptor, path):
            if monotonic() >= give_up:
                raise FileUnusable(
                    f"another process has held {path} for {_PATIENCE:g} s: is an `accord` command stopped there?"
                )
            time.sleep(_PAUSE)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise FileUnusable(f"{path} cannot be locked: {error.strerror or error}") from None
    return True
