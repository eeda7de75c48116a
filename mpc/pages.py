"""New streams for a program that runs for days: the record of used labels would grow for ever."""

from __future__ import annotations

import asyncio

from mpc.party import Party

__all__ = ["turn_page"]


async def turn_page(party: Party) -> None:
    """From here on pseudorandom streams have new keys, derived from the last ones, which are forgotten.

    All parties do it at the same place of the program; secrets stay what they are. Waits until the operations started
    so far are over; none may be started meanwhile. Rounds: 0. Leaks nothing.
    """
    while running := [task for task in party._open if not task.done()]:
        await asyncio.wait(running)
    party.prss = party.prss.for_run(b"next page")
