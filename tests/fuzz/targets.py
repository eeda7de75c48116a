"""All targets by name, and how many of a number of inputs each one gets."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from tests.fuzz.engine_targets import engine_targets
from tests.fuzz.network_targets import network_targets
from tests.fuzz.sql_target import sql_targets
from tests.fuzz.target import Target
from tests.fuzz.text_targets import text_targets

__all__ = ["REGRESSIONS", "regressions", "shared", "targets"]

REGRESSIONS = Path(__file__).parent / "regressions"
"""Inputs that failed once: files TARGET-NAME."""


@functools.cache
def targets() -> Mapping[str, Target]:
    """All of them, by name."""
    return {target.name: target for target in _all()}


def _all() -> tuple[Target, ...]:
    return (*engine_targets(), *text_targets(), *sql_targets(), *network_targets())


def shared(count: int) -> dict[str, int]:
    """Inputs for each target, by its share: ``count`` in all, or a few more."""
    whole = sum(target.share for target in targets().values())
    return {target.name: -(-count * target.share // whole) for target in targets().values()}


def regressions() -> list[tuple[str, Path]]:
    """(target, file) of each."""
    return [(path.name.partition("-")[0], path) for path in sorted(REGRESSIONS.iterdir())]
