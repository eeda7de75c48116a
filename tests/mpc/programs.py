"""Programs that tests of both clusters run; a module of their own, since the processes of a LocalCluster import it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from typing import Any

from mpc import Party
from mpc.errors import WrongType


async def product_and_less(party: Party, mine: Any) -> Any:
    x = party.input(mine, owner=0)
    y = party.input(mine, owner=1)
    return await party.reveal((x * y).sum()), await party.reveal(x < y, to=[2])


async def squares(party: Party) -> Any:
    return await party.reveal(party.random_integers((3,), 8) * 2)


async def echo(party: Party, mine: Any) -> Any:
    return party.index, mine


async def reports(party: Party) -> None:
    party.report(f"half {party.index}")
    party.report(f"all {party.index}")


# -- divergences: every one has an operation at party 1 that the others do not have


async def one_more_at_the_end(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    opened = await party.reveal(x)
    if party.index == 1:
        await party.reveal(x * x)
    return opened


async def one_more_unawaited(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    opened = await party.reveal(x)
    if party.index == 1:
        party.reveal(x * x)
    return opened


async def one_more_in_the_middle(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    if party.index == 1:
        _ = x * x
    return await party.reveal(x)


async def another_operation(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    return await party.reveal(x * x if party.index == 1 else x < 4)


async def a_local_operation_instead(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    return await party.reveal(x * x if party.index == 1 else x + x)


async def another_shape(party: Party) -> Any:
    x = party.random_integers((3 + (party.index == 1),), 8)
    return await party.reveal(x * x)


async def returns_early(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    return None if party.index == 1 else await party.reveal(x * x)


async def other_receivers(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    return await party.reveal(x, to=[0, 1] if party.index == 1 else [0])


DIVERGENCES = [
    one_more_at_the_end,
    one_more_unawaited,
    one_more_in_the_middle,
    another_operation,
    a_local_operation_instead,
    another_shape,
    returns_early,
    other_receivers,
]


# -- failures at party 1


async def raises(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    if party.index == 1:
        raise KeyError("no such column")
    return await party.reveal(x * x)


async def raises_while_others_sleep(party: Party) -> None:
    if party.index == 1:
        raise KeyError("no such column")
    await asyncio.Event().wait()


class Stubborn(Exception):
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("not me")


async def raises_unpicklable(party: Party) -> None:
    if party.index == 1:
        raise Stubborn("stay here")


async def out_of_range(party: Party) -> Any:
    return await party.reveal(party.input(float("nan"), owner=1))


async def exits(party: Party) -> None:
    if party.index == 1:
        sys.exit(3)


def _exit_at_1(party: Party) -> None:
    if party.index == 1:
        sys.exit(3)


async def _exit_soon(party: Party) -> None:
    await asyncio.sleep(0)
    _exit_at_1(party)


async def exits_in_a_task(party: Party) -> None:
    await asyncio.ensure_future(_exit_soon(party))


async def exits_in_a_group(party: Party) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_exit_soon(party))


async def exits_in_a_gathering(party: Party) -> None:
    await asyncio.gather(_exit_soon(party), asyncio.sleep(1000))


async def exits_in_a_task_nobody_awaits(party: Party) -> Any:
    party.left = asyncio.ensure_future(_exit_soon(party))  # type: ignore[attr-defined]
    await asyncio.sleep(1000)


async def exits_in_a_callback(party: Party) -> Any:
    asyncio.get_running_loop().call_soon(_exit_at_1, party)
    await asyncio.sleep(1000)


async def exits_in_a_thread(party: Party) -> None:
    await asyncio.to_thread(_exit_at_1, party)
    await asyncio.sleep(1000)


async def interrupts_in_a_task(party: Party) -> None:
    async def interrupt() -> None:
        if party.index == 1:
            raise KeyboardInterrupt

    await asyncio.ensure_future(interrupt())
    await asyncio.sleep(1000)


EXITS = [
    exits,
    exits_in_a_task,
    exits_in_a_group,
    exits_in_a_gathering,
    exits_in_a_task_nobody_awaits,
    exits_in_a_callback,
    exits_in_a_thread,
    interrupts_in_a_task,
]


async def raises_without_a_message(party: Party) -> Any:
    if party.index == 1:
        raise ValueError
    return await party.reveal(party.random_integers((3,), 8))


async def raises_the_engines_without_a_message(party: Party) -> Any:
    if party.index == 1:
        raise WrongType
    return await party.reveal(party.random_integers((3,), 8))


async def answers_a_secret(party: Party) -> Any:
    return party.random_integers((3,), 8)


async def leaves_a_task(party: Party) -> Any:
    async def never() -> None:
        await asyncio.Event().wait()

    party.left = asyncio.ensure_future(never())  # type: ignore[attr-defined]
    return await party.reveal(party.random_integers((3,), 8))


async def sleeps(party: Party) -> None:
    await asyncio.sleep(1000)


async def blocks(party: Party) -> None:
    if party.index == 1:
        time.sleep(1000)  # noqa: ASYNC251 - that is the point


async def dies(party: Party) -> Any:
    x = party.random_integers((3,), 8)
    if party.index == 1:
        os._exit(7)
    return await party.reveal(x * x)


async def is_killed(party: Party) -> Any:
    if party.index == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return await party.reveal(party.random_integers((3,), 8))


async def waits_for_party_1(party: Party) -> Any:
    """Parties 0 and 2 wait for a message; party 1 reports, and computes for ever."""
    x = party.random_integers((3,), 8)
    if party.index == 1:
        party.report("now")
        await asyncio.sleep(1000)
    return await party.reveal(x * x)


async def holds_the_interpreter(party: Party) -> float:
    """Party 1 computes in C, without ever letting another thread run; gives the seconds that took."""
    x = party.random_integers((3,), 8)
    start = time.monotonic()
    if party.index == 1:
        sum(range(1 << 27))
    taken = time.monotonic() - start
    await party.reveal(x * x)
    return taken
