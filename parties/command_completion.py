"""What a shell offers after Tab beside commands and options: kinds of jobs, and what this machine's node knows.

A node is asked only where it answers at once: whoever pressed Tab waits. Where anything goes amiss nothing is offered.
"""

from __future__ import annotations

__all__ = ["job_ids", "kinds", "table_names"]


def kinds() -> list[str]:
    """Of jobs."""
    return ["aggregate", "join", "score", "train"]


def table_names() -> list[str]:
    return []


def job_ids() -> list[str]:
    return []
