"""The charter: who the members are, where they listen, what each does, and how many may collude. Pure: no files.

Its canonical bytes are what members sign; they depend on what it says, not on how somebody wrote it down.
"""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import json
import re
import unicodedata
from dataclasses import dataclass

from mpc.errors import TooManyParties
from mpc.sharing import check_components
from parties.errors import CharterInvalid, KeyInvalid
from parties.keys.fingerprints import check_public_key, fingerprint_of, show_public_key

__all__ = ["ROLES", "Charter", "Member", "check_address"]

ROLES = ("compute", "input", "result")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MOST_MEMBERS = 1000
_MOST_VERSIONS = 10**6


@dataclass(frozen=True, slots=True)
class Member:
    """One member, as the charter has it.

    Attributes:
        name: what people call it: 1 to 32 of a-z, 0-9 and - within.
        key: its identity's public key, 32 bytes. The member is this key; the name is a label.
        roles: of ``compute`` (its node holds shares), ``input`` (it has tables), ``result`` (it may receive answers).
        address: ``host:port`` or ``[v6]:port`` its node listens at; None if nobody dials it, which no compute party is.

    Raises CharterInvalid.
    """

    name: str
    key: bytes
    roles: frozenset[str]
    address: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise CharterInvalid(f"member {self.name!r}: a name has 1 to 32 of a-z, 0-9 and, within, -")
        try:
            check_public_key(self.key)
        except KeyInvalid as error:
            raise CharterInvalid(f"member {self.name}, key: {error}") from None
        if not self.roles or self.roles - set(ROLES):
            raise CharterInvalid(f"member {self.name}, roles: one or more of {', '.join(ROLES)}")
        if self.address is not None:
            try:
                check_address(self.address)
            except CharterInvalid as error:
                raise CharterInvalid(f"member {self.name}, {error}") from None
        elif "compute" in self.roles:
            raise CharterInvalid(
                f"member {self.name}, address: missing, but the others dial a compute party; give host:port, "
                "or take the role compute away"
            )

    @property
    def fingerprint(self) -> str:
        """64 hex digits."""
        return fingerprint_of(self.key)


@dataclass(frozen=True)
class Charter:
    """One version of the agreement.

    Attributes:
        consortium: its title, 1 to 64 printable characters.
        version: 1, 2, ...
        previous: digest of the version before; None for version 1.
        threshold: how many compute parties may collude: at least 1, fewer than half.
        members: sorted by name, whatever order they are given in. The compute parties' indexes follow this order.

    Raises CharterInvalid.
    """

    consortium: str
    version: int
    previous: str | None
    threshold: int
    members: tuple[Member, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", tuple(sorted(self.members, key=lambda member: member.name)))
        _check_title(self.consortium)
        if not 1 <= self.version <= _MOST_VERSIONS:
            raise CharterInvalid(f"version {self.version}: the first is 1, and each adds 1")
        if (self.version == 1) != (self.previous is None):
            raise CharterInvalid(
                f"version {self.version}, previous: version 1 has none, every other states the digest of the one before"
            )
        if self.previous is not None and not _DIGEST.fullmatch(self.previous):
            raise CharterInvalid("previous: the 64 hex digits of the digest of the version before")
        _check_members(self.members)
        m = len(self.compute)
        if m < 3:
            raise CharterInvalid(f"{m} members have the role compute: an honest majority needs at least 3")
        if self.threshold < 1 or 2 * self.threshold >= m:
            raise CharterInvalid(f"threshold {self.threshold}: with {m} compute members it is 1 to {(m - 1) // 2}")
        try:
            check_components(m, self.threshold)
        except TooManyParties as error:
            raise CharterInvalid(f"threshold {self.threshold}: {error}") from None

    @functools.cached_property
    def compute(self) -> tuple[Member, ...]:
        """The compute parties, by index."""
        return tuple(member for member in self.members if "compute" in member.roles)

    @functools.cached_property
    def by_fingerprint(self) -> dict[str, Member]:
        """All members, by fingerprint."""
        return {member.fingerprint: member for member in self.members}

    @functools.cached_property
    def canonical(self) -> bytes:
        """What is signed: JSON in ASCII, keys sorted, no spaces; equal charters, and only they, have equal bytes."""
        said = {
            "consortium": self.consortium,
            "format": "accord charter 1",
            "members": [
                {
                    "address": member.address,
                    "key": show_public_key(member.key),
                    "name": member.name,
                    "roles": sorted(member.roles),
                }
                for member in self.members
            ],
            "previous": self.previous,
            "threshold": self.threshold,
            "version": self.version,
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical bytes, hex: what jobs and messages carry, and the next version states."""
        return hashlib.sha256(self.canonical).hexdigest()


def _check_title(title: str) -> None:
    if not 1 <= len(title) <= 64 or title != title.strip() or not title.isprintable():
        raise CharterInvalid("consortium: 1 to 64 printable characters, without blanks around them")
    if unicodedata.normalize("NFC", title) != title:
        raise CharterInvalid("consortium: write it in Unicode's composed form (NFC), so that it is the same everywhere")


def _check_members(members: tuple[Member, ...]) -> None:
    if len(members) > _MOST_MEMBERS:
        raise CharterInvalid(f"{len(members)} members: at most {_MOST_MEMBERS}")
    for field in ("name", "key", "address"):
        seen: dict[str | bytes, str] = {}
        for member in members:
            value = getattr(member, field)
            if value in seen:
                raise CharterInvalid(f"members {seen[value]} and {member.name} have the same {field}: each has its own")
            if value is not None:
                seen[value] = member.name


def check_address(address: str) -> None:
    """CharterInvalid unless it is ``host:port`` or ``[v6]:port``, in the one form that a charter takes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or port[0] == "0" or int(port[:6]) > 65535:
        raise CharterInvalid(f"address {address!r}: write host:port or [v6]:port, port 1 to 65535")
    try:
        if host.startswith("["):
            good = "%" not in host and host == f"[{ipaddress.IPv6Address(host[1:-1]).compressed}]"
        elif re.fullmatch(r"[0-9.]+", host):
            good = str(ipaddress.IPv4Address(host)) == host
        else:
            good = len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split("."))
    except ValueError:
        good = False
    if not good:
        raise CharterInvalid(
            f"address {address!r}: {host!r} is no host name in lower case, IPv4 address, or IPv6 "
            "address in brackets in its short form"
        )
