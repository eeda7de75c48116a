"""The coordinator keeps the lanes made: as soon as all compute members are there, and anew when one broke.

What it says about a lane is checked by every node (lanes.py). A lane in which anything went wrong is not used again.
"""

from __future__ import annotations

import contextlib
import logging
import math
import secrets
from collections.abc import AsyncIterator, Callable

import trio

from mpc.errors import AccordError
from parties.calls.network import Network
from parties.calls.together import everywhere
from parties.membership.charter import Charter, Member
from parties.mesh.lanes import Lane, Lanes, Offer
from parties.wire.lane_messages import Connected, LaneConnect, LaneEntry, LanePrepare, Prepared
from parties.wire.messages import Run

__all__ = ["LaneKeeper", "entry_of", "offers_of"]

_PREPARE = 15.0  # seconds for a worker to be at hand
_AGAIN = (0.1, 0.3, 1.0, 2.0)  # seconds until a lane that could not be made is tried again
_log = logging.getLogger("accord.node")


class LaneKeeper:
    """At compute member 0.

    Args:
        me: this member's fingerprint.
        charter: gives the charter in force.
        lanes: this node's.
        network: the way to the others.
        count: how many lanes.
        deadline: seconds in which workers must have found each other.
    """

    def __init__(
        self, me: str, charter: Callable[[], Charter], lanes: Lanes, network: Network, count: int, deadline: float
    ) -> None:
        self._me = me
        self._charter = charter
        self._lanes = lanes
        self._network = network
        self._count = count
        self._deadline = deadline
        self._free, self._take = trio.open_memory_channel[tuple[int, Lane, trio.Event]](math.inf)
        self.ready = 0

    async def attend(self) -> None:
        """Make and remake all lanes: a task of the daemon."""
        async with trio.open_nursery() as nursery:
            for number in range(self._count):
                nursery.start_soon(self._keep, number)

    @property
    def any_free(self) -> bool:
        """Whether a lane waits for a job now."""
        return self._free.statistics().current_buffer_used > 0

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Run]:
        """A lane, when one is free, as the order to run in it. An error within it breaks the lane."""
        while True:
            number, lane, over = await self._take.receive()
            if lane.worker.lost is None and not over.is_set():
                break
        lane.runs += 1
        try:
            yield Run(lane=number, epoch=lane.epoch, number=lane.runs)
        except BaseException:
            lane.worker.end("a job ended in disorder")
            raise
        else:
            self._free.send_nowait((number, lane, over))

    async def _keep(self, number: int) -> None:
        tries = 0
        while True:
            for member in self._charter().compute:
                if member.fingerprint != self._me:
                    await self._network.await_there(member)
            try:
                lane = await self._make(number)
            except AccordError as error:
                _log.warning("lane %d: %s: %s", number, type(error).__name__, error)
                await trio.sleep(_AGAIN[min(tries, len(_AGAIN) - 1)])
                tries += 1
                continue
            tries, over = 0, trio.Event()
            self.ready += 1
            self._free.send_nowait((number, lane, over))
            await lane.worker.gone.wait()
            _log.info("lane %d ended and is made anew: %s", number, lane.worker.lost)
            over.set()
            self.ready -= 1

    async def _make(self, number: int) -> Lane:
        """Both steps. Any node that does not take part ends it."""
        epoch, charter = secrets.randbits(52), self._charter()

        async def prepared(member: Member) -> Prepared:
            if member.fingerprint == self._me:
                return entry_of(await self._lanes.prepare(number, epoch))
            return await self._network.call(member, LanePrepare(lane=number, epoch=epoch), within=_PREPARE)

        answers = await everywhere(charter.compute, prepared)
        entries = [
            LaneEntry(member=member.fingerprint, **answer.model_dump())
            for member, answer in zip(charter.compute, answers, strict=True)
        ]
        message = LaneConnect(lane=number, epoch=epoch, entries=entries)

        async def connected(member: Member) -> Connected:
            if member.fingerprint == self._me:
                return Connected(session=await self._lanes.connect(number, epoch, offers_of(message, charter)))
            return await self._network.call(member, message, within=self._deadline + 5.0)

        await everywhere(charter.compute, connected)
        return self._lanes.lane(number, epoch)


def entry_of(offer: Offer) -> Prepared:
    """An offer as it travels."""
    return Prepared(port=offer.port, certificate=offer.certificate, contribution=offer.contribution.hex())


def offers_of(message: LaneConnect, charter: Charter) -> list[Offer]:
    """The other way round, in the order of the compute members; those of others are left out, so lanes refuses them."""
    by = {entry.member: entry for entry in message.entries}
    return [
        Offer(entry.port, entry.certificate, bytes.fromhex(entry.contribution))
        for member in charter.compute
        if (entry := by.get(member.fingerprint)) is not None
    ]
