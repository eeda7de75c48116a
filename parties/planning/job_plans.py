"""What a job comes down to: its plan, from the job and from what is published; and its answer, from shares. Blocking.

Plans are equal at all participants, so none is ever sent.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from parties.data.description import read_description
from parties.errors import JobRefused
from parties.jobs.job import Job
from parties.kinds.kind import Kind, Owned, Plan
from parties.membership.charter import Charter
from parties.planning.kinds import answer_of, kind_of
from protocols.errors import ShareInvalid

__all__ = ["Plans", "pack_shares", "unpack_shares", "write_answer"]

_MOST_PLANS = 256
_LENGTH = struct.Struct("<Q")


class Plans:
    """The plans of jobs, made once each.

    Args:
        chain: gives the charters that were in force here.
    """

    def __init__(self, chain: Callable[[], Sequence[Charter]]) -> None:
        self._chain = chain
        self._made: dict[str, Plan] = {}

    def charter_of(self, job: Job) -> Charter:
        """The charter a job was made under. JobRefused if it was never in force here."""
        for charter in self._chain():
            if charter.digest == job.charter:
                return charter
        raise JobRefused(f"job {job.id} was made under a charter that was never in force here")

    def plan(self, job: Job, tables: Sequence[str]) -> tuple[Kind, Plan]:
        """Of a job on these described tables. Raises KindUnknown, TableInvalid, and what its kind's check raises."""
        kind = kind_of(job.kind)
        made = self._made.get(job.digest)
        if made is None:
            owned = [
                Owned(member, read_description(text.encode()))
                for (member, _), text in zip(job.tables, tables, strict=True)
            ]
            for (member, name), table in zip(job.tables, owned, strict=True):
                if table.facts.name != name:
                    raise JobRefused(f"job {job.id}: what is published of {member}'s {name} describes another table")
            made = kind.check(job.parameters, owned, self.charter_of(job))
            if made.receivers is not None and set(job.results) - set(made.receivers):
                raise JobRefused(
                    f"job {job.id}: only {', '.join(made.receivers)} may receive the answer of a {job.kind}"
                )
            if len(self._made) >= _MOST_PLANS:
                self._made.clear()
            self._made[job.digest] = made
        return kind, made

    def answer(self, job: Job, tables: Sequence[str], parts: Mapping[str, bytes]) -> bytes | None:
        """The answer as JSON, from compute members' shares by name; None if they are too few.

        Raises ShareInvalid, SharesDisagree, which name who differs.
        """
        charter = self.charter_of(job)
        index = {member.name: i for i, member in enumerate(charter.compute)}
        if len(parts) <= charter.threshold:
            return None
        _, plan = self.plan(job, tables)
        shares = {index[name]: unpack_shares(content) for name, content in parts.items() if name in index}
        answer = answer_of(plan, shares, len(charter.compute), charter.threshold)
        return write_answer(_plain(answer))


def write_answer(answer: Any) -> bytes:
    """The one form of an answer in JSON: read from any layout of it, and written again, it has the same bytes.

    ValueError for what JSON does not hold.
    """
    return json.dumps(answer, allow_nan=False).encode()


def pack_shares(shares: Sequence[bytes]) -> bytes:
    """Several as one: each after its length."""
    return b"".join(_LENGTH.pack(len(share)) + share for share in shares)


def unpack_shares(content: bytes) -> list[bytes]:
    """The other way round; ShareInvalid for anything else."""
    shares, at = [], 0
    while at < len(content):
        if at + _LENGTH.size > len(content):
            raise ShareInvalid("a share that ends within a length")
        (length,) = _LENGTH.unpack_from(content, at)
        at += _LENGTH.size
        if length > len(content) - at:
            raise ShareInvalid("a share that is shorter than it says")
        shares.append(content[at : at + length])
        at += length
    return shares


def _plain(value: Any) -> Any:
    """What JSON has; a number that is none is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
