"""Who calls a node: trust's decisions about a connection's certificate, remembered for a minute each.

Checking a certificate takes 0.3 ms, and one connection carries many requests. A decision is remembered together with
the charter it was made by, so that a new charter decides anew.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from parties.keys.fingerprints import fingerprint_of
from parties.keys.leaf import utc_now
from parties.membership.charter import Charter, Member
from parties.membership.trust import check_stated_charter, peer_of, person_of

__all__ = ["Peers", "People"]

_MINUTE = datetime.timedelta(minutes=1)
_MOST = 1024

K = TypeVar("K")
V = TypeVar("V")
Clock = Callable[[], datetime.datetime]


class Peers:
    """The other members, as they call this one.

    Args:
        me: this member's fingerprint.
        chain: gives the charters that were in force here, the one in force last. Asked every time.
        clock: what time it is, in UTC.
    """

    def __init__(self, me: str, chain: Callable[[], Sequence[Charter]], clock: Clock = utc_now) -> None:
        self._me = me
        self._chain = chain
        self._clock = clock
        self._remembered: _Remembered[tuple[bytes, str], Member] = _Remembered(clock)

    @property
    def charter(self) -> Charter:
        """The one in force."""
        return self._chain()[-1]

    def peer_of(self, certificate: bytes | None) -> Member:
        """trust.peer_of by the charter in force. Raises what that does."""
        charter = self.charter
        return self._remembered.get(
            (certificate or b"", charter.digest), lambda now: peer_of(certificate, charter, self._me, now)
        )

    def admit(self, certificate: bytes | None) -> str:
        """The fingerprint of the same: for HttpsServer."""
        return self.peer_of(certificate).fingerprint

    def check_dialed(self, certificate: bytes | None, dialed: str) -> None:
        """trust.peer_of of a connection to the member with the fingerprint ``dialed``. Raises what that does."""
        peer_of(certificate, self.charter, self._me, self._clock(), dialed)

    def check_stated(self, digest: str) -> None:
        """trust.check_stated_charter: CharterOutdated, CharterUnknown."""
        check_stated_charter(digest, self._chain())


class People:
    """The people of this member, as they call its node.

    Args:
        keys: gives their public keys by name. Asked every time.
        clock: what time it is, in UTC.
    """

    def __init__(self, keys: Callable[[], Mapping[str, bytes]], clock: Clock = utc_now) -> None:
        self._keys = keys
        self._remembered: _Remembered[tuple[bytes, frozenset[tuple[str, bytes]]], str] = _Remembered(clock)

    def person_of(self, certificate: bytes | None) -> str:
        """trust.person_of: the name. Raises what that does."""
        keys = self._keys()
        return self._remembered.get(
            (certificate or b"", frozenset(keys.items())), lambda now: person_of(certificate, keys, now)
        )

    def admit(self, certificate: bytes | None) -> str:
        """The fingerprint of the same: for HttpsServer."""
        return fingerprint_of(self._keys()[self.person_of(certificate)])


class _Remembered(Generic[K, V]):
    """Good answers, for a minute; at most 1,024 of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[K, tuple[datetime.datetime, V]] = {}

    def get(self, key: K, decide: Callable[[datetime.datetime], V]) -> V:
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known[0] <= now < known[0] + _MINUTE:
            return known[1]
        answer = decide(now)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = now, answer
        return answer
