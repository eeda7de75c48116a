"""What can wake an event loop from outside, and whether it still can: connections, processes, threads."""

from __future__ import annotations

import concurrent.futures.thread
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["ENGINE_THREAD", "busy_threads", "is_open", "process_is_open"]

ENGINE_THREAD = "accord "  # begins the names of the engine's own threads


def is_open(transport: Any) -> Callable[[], bool]:
    """A function that tells whether this transport of a loop may still call its protocol.

    It may until its descriptor is closed: ``connection_lost`` comes first, in asyncio and in uvloop.
    """
    descriptor = -1
    for kind in ("socket", "pipe"):
        end = transport.get_extra_info(kind)
        if end is not None and descriptor < 0:
            descriptor = end.fileno()
    identity = _identity(descriptor)
    if identity is None:
        return lambda: not transport.is_closing()
    return lambda: _identity(descriptor) == identity


def _identity(descriptor: int) -> tuple[int, int] | None:
    """What a descriptor refers to; its number is given to others once it is closed."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def process_is_open(transport: Any) -> Callable[[], bool]:
    """A function that tells whether this process runs, or one of its pipes is open."""
    pipes = [is_open(pipe) for i in range(3) if (pipe := transport.get_pipe_transport(i)) is not None]
    return lambda: transport.get_returncode() is None or any(pipe() for pipe in pipes)


def busy_threads(bystanders: frozenset[int]) -> bool:
    """Is there a thread that might wake the loop of the calling thread?

    Any, but the engine's, the bystanders (their idents), and the idle ones of a ThreadPoolExecutor.
    """
    me = threading.get_ident()
    others = [t for t in threading.enumerate() if t.ident != me and not t.name.startswith(ENGINE_THREAD)]
    if not others:
        return False
    frames = sys._current_frames()
    queues = getattr(concurrent.futures.thread, "_threads_queues", {})
    idle = getattr(getattr(concurrent.futures.thread, "_worker", None), "__code__", None)
    for thread in others:
        queue = queues.get(thread)
        if queue is None:
            if thread.ident not in bystanders:
                return True
            continue
        frame = frames.get(thread.ident or 0)
        if frame is None or frame.f_code is not idle or not queue.empty():
            return True  # it works for a pool, or is about to
    return False
