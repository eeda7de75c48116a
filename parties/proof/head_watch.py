"""Whether the logs of other members only ever go on: a node asks them to show it, after a job, whenever it is there.

Two heads of one member fit together if the later one follows from the earlier by what is between: the digests of the
contents of its entries, which the member gives (chain.goes_on). Nobody can give such digests for a log of which an
entry was changed or cut off, or that is another one than it showed before. What does not go on is in this node's log
and its status; jobs go on as before: what follows from it, people decide.

It is asked in the background, in pages, by one task for each member, and no job waits for it. A member that does not
answer is asked again after the next job. What was shown to others is compared on the way: acceptance_watch.py.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

import trio

from parties.disk.chain import Head, led_on
from parties.errors import EntriesUnknown, MessageInvalid, PeerCallFailed, PeerRefusedUs
from parties.membership.charter import Member
from parties.proof.acceptance_watch import AcceptanceWatch
from parties.running.board import Board
from parties.running.head_store import KeptHead
from parties.wire.log_messages import MOST_DIGESTS, Entries, EntriesQuery

__all__ = ["HeadWatch", "entries_of"]

MOST_BETWEEN = 10_000_000
"""Entries between two heads: no node writes more from one job to the next."""

_WITHIN = 10.0  # seconds for one page
_IN_ALL = 300.0  # seconds for all of one member's
_REST = 1.0  # seconds between looks
_log = logging.getLogger("accord.node")


class HeadWatch:
    """One node's.

    Args:
        board: whom it reaches, and what it keeps.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._acceptances = AcceptanceWatch(board)
        self._asked: dict[str, frozenset[int]] = {}  # by log: what was to be checked when nobody answered

    async def attend(self) -> None:
        """A task of the daemon."""
        while True:
            changed = self._board.changed
            await self.look()
            await changed.wait()
            await trio.sleep(_REST)

    async def look(self) -> None:
        """Check what can be checked now."""
        await self._acceptances.look()
        known = self._board.charter.by_fingerprint
        async with trio.open_nursery() as nursery:
            for heads in await self._board.disk(self._board.store.heads.unchecked):
                member = known.get(heads[0].head.log.partition(":")[2])
                if member is not None:
                    nursery.start_soon(self._check, member, heads)

    async def _check(self, member: Member, kept: Sequence[KeptHead]) -> None:
        """All heads of one log, from that with the lowest number on."""
        board, log = self._board, kept[0].head.log
        pending = frozenset(one.shown for one in kept)
        heads = sorted((one.head for one in kept), key=lambda head: head.number)
        apart = heads[-1].number > heads[0].number
        if apart and (self._asked.get(log) == pending or not board.network.is_there(member)):
            return
        self._asked[log] = pending
        try:
            with trio.move_on_after(_IN_ALL) as scope:
                forks = await self._forks(member, heads)
            if scope.cancelled_caught:
                return
        except PeerCallFailed as error:
            _log.debug("the log of %s was not checked: %s: %s", member.name, type(error).__name__, error)
            return
        for earlier, later in forks:
            _log.warning(
                "the log of %s does not go on from what it showed: entry %d (%s...) and entry %d (%s...) are not of "
                "one log: it was changed, cut off or begun anew, or it shows another one to others",
                member.name, earlier.number, earlier.digest[:16], later.number, later.digest[:16],
            )  # fmt: skip
        latest = max(kept, key=lambda one: one.shown if forks else one.head.number)
        await board.disk(board.store.heads.checked, kept, latest, forks, board.clock())
        self._asked.pop(log, None)

    async def _forks(self, member: Member, heads: Sequence[Head]) -> list[tuple[Head, Head]]:
        """Pairs of heads, one after the other, of which the second does not go on from the first."""
        shown, last, rest = heads[0], heads[-1], deque(heads[1:])
        if last.number - shown.number > MOST_BETWEEN:
            return [(shown, last)]
        forks: list[tuple[Head, Head]] = []
        led, page = shown, deque[str]()  # where the member says that it leads; what it says comes next
        while rest:
            if rest[0].number == led.number:
                if rest[0] != led:
                    forks.append((shown, rest[0]))
                shown = led = rest.popleft()
                continue
            if not page:
                up_to = min(last.number, led.number + MOST_DIGESTS)
                said = await self._digests(member, led, up_to)
                if said is None and up_to > rest[0].number:  # it may have that much, so that a later pair is at fault
                    said = await self._digests(member, led, rest[0].number)
                if said is None:
                    return [*forks, (shown, rest[0])]
                page.extend(said)
            led = led_on(led, (page.popleft(),))
        return forks

    async def _digests(self, member: Member, after: Head, up_to: int) -> list[str] | None:
        """Of the entries between; None if it says that it has not what it showed, or says less than it was asked."""
        query = EntriesQuery(log=after.log, after=after.number, up_to=up_to)
        try:
            digests = (await self._board.network.call(member, query, within=_WITHIN)).digests
        except PeerRefusedUs as error:
            if error.error != EntriesUnknown.__name__:
                raise
            return None
        return digests if len(digests) == up_to - after.number else None


async def entries_of(board: Board, query: EntriesQuery) -> Entries:
    """The answer to a member that looks whether this node's log goes on: digests alone, which tell how many there are.

    Raises EntriesUnknown, MessageInvalid.
    """
    if not query.after < query.up_to <= query.after + MOST_DIGESTS:
        raise MessageInvalid(f"body.up_to: 1 to {MOST_DIGESTS} more than body.after")
    return await board.disk(_entries, board, query)


def _entries(board: Board, query: EntriesQuery) -> Entries:
    chain = board.store.audit.chain
    if query.log != chain.log:
        raise EntriesUnknown(f"{query.log} is not the log of {board.me.name}: it is {chain.log}")
    number = chain.head.number
    if query.up_to > number:
        raise EntriesUnknown(f"{query.log}, entry {query.up_to}: the log of {board.me.name} ends with entry {number}")
    return Entries(digests=chain.digests(query.after, query.up_to))
