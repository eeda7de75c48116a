"""Heads of logs that members gave away: every acceptance of a job states one, and a node keeps those of its jobs.

A member cannot have shown what is not so, or two things that do not fit together:
 - a head of this node's own is the digest of that entry of its log;
 - each acceptance has an entry of its own, so no two jobs were accepted with heads of the same number;
 - what a member accepted after this node knew an earlier head of it has a higher number. A job that this node's own
   people asked for came after all that was reserved here before it.

That a later head goes on from an earlier one, entry by entry, only the other member can show: head_watch.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from parties.disk.chain import Head
from parties.disk.sqlite_file import SqliteFile
from parties.errors import JobInvalid, LogBroken
from parties.jobs.job_signatures import stated_in
from parties.jobs.session import Event

__all__ = ["ShownHead", "check_growing", "check_own", "check_single", "read_floors", "read_shown"]


@dataclass(frozen=True, slots=True)
class ShownHead:
    """One.

    Attributes:
        job: id of the job that was accepted with it.
        member: name of the member that did.
        head: of its log.
    """

    job: str
    member: str
    head: Head


def read_shown(file: SqliteFile) -> list[ShownHead]:
    """All that are kept, of all jobs. LogBroken for an acceptance that is none any more. File: with job_records.SCHEMA.

    The signatures were checked when they were kept, and are not checked again.
    """
    found = []
    for job, member, acceptance in file.read(
        "SELECT id, member, signature FROM signature WHERE what = 'acceptance' ORDER BY id, member"
    ):
        try:
            found.append(ShownHead(job, member, stated_in(acceptance).head))
        except JobInvalid:
            raise LogBroken(f"job {job}: what is kept here as the acceptance of {member} is none") from None
    return found


def check_own(shown: Iterable[ShownHead], log: str, digest_at: Callable[[int], str | None]) -> int:
    """How many heads this node gave away of its own log. LogBroken unless each is the digest of that entry."""
    count = 0
    for one in shown:
        if one.head.log != log:
            continue
        count += 1
        kept = digest_at(one.head.number)
        if kept != one.head.digest:
            what = "is not there" if kept is None else "is another one"
            raise LogBroken(f"{log}, entry {one.head.number}: it {what}; it was shown when job {one.job} was accepted")
    return count


def check_single(shown: Iterable[ShownHead]) -> None:
    """LogBroken if a member accepted two jobs with heads of the same number."""
    known: dict[tuple[str, int], ShownHead] = {}
    for one in shown:
        other = known.setdefault((one.head.log, one.head.number), one)
        if other is not one:
            raise LogBroken(
                f"{one.head.log}, entry {one.head.number}: {one.member} showed it for job {other.job} and for job "
                f"{one.job}, and each has an entry of its own: it keeps two logs, or began its log anew"
            )


def check_growing(shown: Iterable[ShownHead], floors: Mapping[str, Mapping[str, int]]) -> None:
    """LogBroken if a member accepted a job with a head that is not after one it had shown before.

    Args:
        floors: :func:`read_floors` gives them.
    """
    for one in shown:
        least = floors.get(one.job, {}).get(one.head.log, -1)
        if one.head.number <= least:
            raise LogBroken(
                f"{one.head.log}, entry {one.head.number}: {one.member} showed it for job {one.job}, which came after "
                f"it had shown entry {least}: its log was cut off, or begun anew"
            )


def read_floors(file: SqliteFile, shown: Iterable[ShownHead], me: str) -> dict[str, dict[str, int]]:
    """For each job of this node's own people: the highest number that was known of each log when it was asked for.

    Args:
        file: with job_records.SCHEMA.
        me: this member's fingerprint.
    """
    heads: dict[str, list[Head]] = {}
    for one in shown:
        heads.setdefault(one.job, []).append(one.head)
    proposers = file.read("SELECT id, json_extract(CAST(canonical AS TEXT), '$.proposer') FROM job")
    own = {job for job, proposer in proposers if proposer == me}
    highest: dict[str, int] = {}
    floors: dict[str, dict[str, int]] = {}
    for job, event in file.read("SELECT id, event FROM change ORDER BY rowid"):
        if event == "" and job in own:
            floors[job] = dict(highest)
        elif event == Event.RESERVE.value:
            for head in heads.get(job, ()):
                highest[head.log] = max(highest.get(head.log, 0), head.number)
    return floors
