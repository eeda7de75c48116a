"""A chain of entries: one can be added, and none changed, left out or moved without its showing. Pure.

    digest of entry n = SHA-256(format, log, n, digest of entry n - 1, SHA-256(content of entry n))

The digest of the last entry, with its number, is the chain's head: who has a head can tell every other past from the
one it stands for. That a later head goes on from an earlier one is shown by the digests of the contents between
(:func:`goes_on`), without the contents. So contents that could be guessed hold a nonce.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parties.errors import LogBroken

__all__ = [
    "Entry", "Head", "audit_log", "canonical", "content_digest", "first_head", "follow", "goes_on", "led_on",
    "next_entry", "read_content", "read_head",
]  # fmt: skip

MOST_CONTENT = 1 << 20  # bytes
_FORMAT = b"accord chain 1\0"
_LOG = re.compile(r"[a-z]{1,16}:[0-9a-f]{64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST = 1 << 53


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends.

    Attributes:
        log: its name: what it is about, a colon, the fingerprint of whose it is.
        number: of the last entry; 0: there is none.
        digest: of the last entry, hex.
    """

    log: str
    number: int
    digest: str

    @property
    def fields(self) -> dict[str, Any]:
        """For JSON; :func:`read_head` reads them."""
        return {"log": self.log, "number": self.number, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as it is kept. ``content``: canonical JSON of an object."""

    number: int
    content: bytes
    digest: str


def audit_log(member: str) -> str:
    """The name of a member's audit log, by its fingerprint."""
    return f"audit:{member}"


def first_head(log: str) -> Head:
    """Of a chain without entries."""
    if not _LOG.fullmatch(log):
        raise ValueError(f"a log's name: {log!r}")
    return Head(log, 0, hashlib.sha256(_FORMAT + log.encode("ascii")).hexdigest())


def next_entry(head: Head, content: Mapping[str, Any]) -> Entry:
    """The entry of this content after this head. ValueError for what JSON does not hold, or is too long."""
    written = canonical(content)
    if len(written) > MOST_CONTENT:
        raise ValueError(f"an entry of {len(written)} bytes: {MOST_CONTENT} are the most")
    return Entry(head.number + 1, written, _link(head, content_digest(written)))


def follow(head: Head, entries: Iterable[Entry]) -> Head:
    """The head after these entries, each checked. LogBroken names the first that does not follow, and why. Bounded."""
    for entry in entries:
        if entry.number != head.number + 1:
            raise LogBroken(f"{head.log}: entry {entry.number} stands where {head.number + 1} belongs")
        read_content(head.log, entry)
        if entry.digest != _link(head, content_digest(entry.content)):
            raise LogBroken(f"{head.log}, entry {entry.number}: not what was written, or not after what was before it")
        head = Head(head.log, entry.number, entry.digest)
    return head


def goes_on(earlier: Head, later: Head, digests: Sequence[str]) -> bool:
    """Whether the later head follows from the earlier one by entries whose contents have these digests. Pure."""
    if earlier.log != later.log or earlier.number + len(digests) != later.number:
        return False
    return all(map(_DIGEST.fullmatch, digests)) and led_on(earlier, digests) == later


def led_on(head: Head, digests: Iterable[str]) -> Head:
    """The head after entries whose contents have these digests, 64 hex digits each. Pure."""
    for digest in digests:
        head = Head(head.log, head.number + 1, _link(head, digest))
    return head


def content_digest(content: bytes) -> str:
    """SHA-256, hex."""
    return hashlib.sha256(content).hexdigest()


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON in ASCII, keys sorted, no spaces."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def read_content(log: str, entry: Entry) -> dict[str, Any]:
    """An entry's content. LogBroken if it is not in the form it is written in."""
    what = f"{log}, entry {entry.number}"
    if len(entry.content) > MOST_CONTENT:
        raise LogBroken(f"{what}: more than {MOST_CONTENT} bytes")
    content: Any = None
    same = False
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(entry.content.decode("ascii"))
        same = isinstance(content, dict) and canonical(content) == entry.content
    if not same:
        raise LogBroken(f"{what}: not JSON in the form it was written in")
    return dict(content)


def read_head(fields: Any) -> Head:
    """From JSON, of anywhere. LogBroken for anything else."""
    if isinstance(fields, dict) and set(fields) == {"log", "number", "digest"}:
        log, number, digest = fields["log"], fields["number"], fields["digest"]
        good = isinstance(log, str) and _LOG.fullmatch(log) and isinstance(digest, str) and _DIGEST.fullmatch(digest)
        if good and type(number) is int and 0 <= number < _MOST:
            return Head(log, number, digest)
    raise LogBroken("the head of a log: its name, the number and the digest of its last entry")


def _link(before: Head, content: str) -> str:
    said = hashlib.sha256(_FORMAT)
    for part in (before.log, str(before.number + 1), before.digest, content):
        said.update(len(part).to_bytes(4, "big") + part.encode("ascii"))
    return said.hexdigest()
