"""A node takes up new versions of the charter: those a command put in force here, and those other members go by.

What another member says is judged as any file is (charter_store.py, trust.py): a version comes in force here only with
all signatures, and never one that was withdrawn from.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio

from mpc.errors import AccordError
from parties.calls.members import Members
from parties.membership.charter import Charter, Member
from parties.membership.charter_bundle import Bundle, SignedCharter
from parties.membership.charter_file import read_charter
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import read_signatures

__all__ = ["CharterFollower"]

_LOOK = 2.0  # seconds between looks at the own disk
_ASK = 60.0  # seconds after which the others are asked, if nothing gave a reason before
_WITHIN = 10.0
_log = logging.getLogger("accord.node")


class CharterFollower:
    """See above.

    Args:
        store: this node's charters.
        members: the way to the others.
        changed: called with the charter now in force, after another was.
    """

    def __init__(self, store: CharterStore, members: Members, changed: Callable[[Charter], None]) -> None:
        self._store = store
        self._members = members
        self._changed = changed
        self._known = store.current.digest
        self._ask = trio.Event()

    def refused(self) -> None:
        """Somebody goes by another charter: ask the others soon."""
        self._ask.set()

    async def attend(self) -> None:
        """A task of the daemon."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_here)
            nursery.start_soon(self._look_there)

    async def _look_here(self) -> None:
        said = ""
        while True:
            fault = ""
            try:
                await trio.to_thread.run_sync(self._store.reload)
                self._tell()
            except AccordError as error:  # what is known goes on to be in force
                fault = f"{type(error).__name__}: {error}"
            if fault not in ("", said):
                _log.warning("this node's charters cannot be read anew: %s", fault)
            said = fault
            await trio.sleep(_LOOK)

    async def _look_there(self) -> None:
        while True:
            with trio.move_on_after(_ASK):
                await self._ask.wait()
            self._ask = trio.Event()
            for member in self._store.current.members:
                if self._members.calls(member):
                    try:
                        await self._take(member)
                    except AccordError as error:
                        _log.debug("charters of %s: %s: %s", member.name, type(error).__name__, error)
            self._tell()
            await trio.sleep(_LOOK)

    async def _take(self, member: Member) -> None:
        """Versions this member has and this node has not, one after another."""
        client = self._members.client(member)
        latest = (await client.charter(within=_WITHIN)).latest
        for version in range(self._store.current.version + 1, latest + 1):
            answer = await client.charter(version, within=_WITHIN)
            signed = SignedCharter(read_charter(answer.charter), read_signatures(answer.signatures.encode("utf-8")))
            if signed.charter.version != version:
                return
            await trio.to_thread.run_sync(self._store.take, Bundle((signed,), ()))

    def _tell(self) -> None:
        charter = self._store.current
        if charter.digest != self._known:
            self._known = charter.digest
            self._changed(charter)
