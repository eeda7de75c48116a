"""The coordinator's lanes: which are given to jobs, and which never again. Workers and members are stand-ins."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from parties.mesh.lane_keeper import LaneKeeper
from parties.mesh.lanes import Lane, Offer
from parties.wire.lane_messages import Prepared
from tests.parties.consortium import charter, member


class Worker:
    def __init__(self) -> None:
        self.lost: str | None = None
        self.gone = trio.Event()

    def end(self, why: str) -> None:
        if self.lost is None:
            self.lost = why
            self.gone.set()


class OwnLanes:
    """lanes.Lanes without processes: all lanes that were ever made, by epoch."""

    def __init__(self) -> None:
        self.made: dict[int, Lane] = {}

    async def prepare(self, number: int, epoch: int) -> Offer:
        self.made[epoch] = Lane(epoch, Worker(), None, Offer(1, "", bytes(32)))  # type: ignore[arg-type]
        return self.made[epoch].offer

    async def connect(self, number: int, epoch: int, offers: Any) -> str:
        return "00" * 32

    def lane(self, number: int, epoch: int) -> Lane:
        return self.made[epoch]


class Others:
    """All are there, and take whatever is asked."""

    async def await_there(self, member: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def call(self, member: Any, message: Any, job: str = "", *, within: float = 0.0) -> Any:
        return Prepared(port=1, certificate="x", contribution="00" * 32)


@asynccontextmanager
async def keeping() -> AsyncIterator[tuple[LaneKeeper, OwnLanes]]:
    agreed = charter(*(member(i, "compute") for i in range(3)))
    lanes = OwnLanes()
    keeper = LaneKeeper(agreed.compute[0].fingerprint, lambda: agreed, lanes, Others(), 1, 5.0)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.attend)
        yield keeper, lanes
        nursery.cancel_scope.cancel()


def test_a_lane_goes_from_job_to_job() -> None:
    async def main() -> None:
        async with keeping() as (keeper, lanes):
            orders = []
            for _ in range(3):
                async with keeper.slot() as order:
                    orders.append((order.epoch, order.number))
            (epoch,) = lanes.made
            assert orders == [(epoch, 1), (epoch, 2), (epoch, 3)]

    trio.run(main)


def test_a_lane_in_which_a_job_ended_in_disorder_is_made_anew() -> None:
    async def main() -> None:
        async with keeping() as (keeper, lanes):
            with pytest.raises(RuntimeError):
                async with keeper.slot() as first:
                    raise RuntimeError
            async with keeper.slot() as second:
                assert second.epoch != first.epoch
            assert lanes.made[first.epoch].worker.lost is not None

    trio.run(main)
