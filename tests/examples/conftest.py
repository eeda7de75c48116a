"""Fixtures of the examples' tests."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def own_ports() -> Iterator[None]:
    """The examples' nodes take the first free ports from one number on: one consortium at a time, in all processes."""
    with (Path(tempfile.gettempdir()) / f"accord-examples-{os.getuid()}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
