"""What a member states when it accepts a job, in the very bytes it signs. Pure.

    {"format": ..., "job": digest, "plan": digest, "policies": {table: digest}, "head": {...}, "software": digest}

The plan is the one its own node made of the job; policies are those of its own tables by which it decided; the head is
its audit log's, the acceptance already in it. So everybody can prove afterwards by which rules who agreed to what, and
nobody can show one log to one member and another to another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parties.disk.chain import Head, audit_log, canonical, read_head
from parties.errors import JobInvalid

__all__ = ["MOST_STATEMENT", "Statement", "check_statement", "read_statement"]

MOST_STATEMENT = 16 << 10
"""Bytes of a statement: of policies, some hundred tables of one member in one job."""

_FORMAT = "accord acceptance 1"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TABLE = re.compile(r"[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?")
_FIELDS = {"format", "job", "plan", "policies", "head", "software"}


@dataclass(frozen=True)
class Statement:
    """See above.

    Attributes:
        job: digest of the job.
        plan: digest of the plan.
        policies: by table, of this member's tables.
        head: of this member's audit log.
        software: digest of the program that this node runs (software.py).
    """

    job: str
    plan: str
    head: Head
    software: str
    policies: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """Canonical JSON in ASCII: what is signed."""
        return canonical(
            {
                "format": _FORMAT,
                "job": self.job,
                "plan": self.plan,
                "policies": dict(self.policies),
                "head": self.head.fields,
                "software": self.software,
            }
        )


def read_statement(content: bytes) -> Statement:
    """From a peer's bytes, which must be those :attr:`Statement.content` gives. JobInvalid for anything else."""
    said: Any = None
    if len(content) <= MOST_STATEMENT:
        try:
            said = json.loads(content.decode("ascii"))
        except (ValueError, RecursionError):
            said = None
    if not isinstance(said, dict) or set(said) != _FIELDS or said["format"] != _FORMAT:
        raise JobInvalid("an acceptance: a statement in the form that nodes sign")
    policies = said["policies"]
    good = isinstance(policies, dict) and all(_TABLE.fullmatch(name) and _is(policies[name]) for name in policies)
    if not good or not all(_is(said[name]) for name in ("job", "plan", "software")):
        raise JobInvalid("an acceptance: digests, 64 hex digits each")
    made = Statement(said["job"], said["plan"], read_head(said["head"]), said["software"], policies)
    if made.content != content:
        raise JobInvalid("an acceptance: a statement in another form than the one that nodes sign")
    return made


def check_statement(statement: Statement, job: str, member: str) -> None:
    """JobInvalid unless it is about this job, and its head is of this member's log."""
    if statement.job != job:
        raise JobInvalid(f"an acceptance of job {statement.job[:16]}..., where {job[:16]}... was asked for")
    if statement.head.log != audit_log(member):
        raise JobInvalid("an acceptance with the head of another member's log")


def _is(digest: Any) -> bool:
    return isinstance(digest, str) and _DIGEST.fullmatch(digest) is not None
