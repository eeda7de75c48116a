"""A crowd of mute connections is bounded, and takes no place from whoever speaks."""

from __future__ import annotations

import asyncio

from mpc.strangers import Strangers


async def test_the_oldest_of_the_most_crowded_address_has_to_go() -> None:
    strangers = Strangers(4)
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(8)]
    for task, address in zip(tasks, "baaaaaab", strict=True):
        strangers.admit(task, address)
        assert len(strangers) <= 4
    await asyncio.sleep(0)
    assert [task.cancelled() for task in tasks] == [False, True, True, True, True, False, False, False]
    strangers.release(tasks[5])
    strangers.release(None)
    assert len(strangers) == 3
    strangers.cancel()
    await asyncio.wait(tasks, timeout=1.0)
    assert len(strangers) == 0 and not tasks[5].done()
    tasks[5].cancel()


async def test_who_is_gone_takes_no_place() -> None:
    strangers = Strangers(2)
    for _ in range(10):
        task = asyncio.create_task(asyncio.sleep(0))
        strangers.admit(task, "a")
        await task
        await asyncio.sleep(0)
        assert not task.cancelled() and len(strangers) == 0
