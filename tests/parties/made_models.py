"""Models that sessions load in tests; a module of their own, since the processes of a LocalCluster import it."""

from __future__ import annotations

import asyncio
from typing import Any

from mpc import Party
from protocols.logistic import LogisticRegression
from protocols.served import Served, served


async def fit(party: Party, mine: Any) -> Served:
    """Party 0 has the rows, party 1 the labels."""
    rows = await party.input(mine if party.index == 0 else None, owner=0)
    labels = await party.input(mine if party.index == 1 else None, owner=1)
    return served(await LogisticRegression(max_iter=6).fit(rows, labels))


async def fails(party: Party, mine: Any) -> Served:
    raise ValueError("no model here")


async def sleeps(party: Party, mine: Any) -> Served:
    await asyncio.sleep(3600)
    raise AssertionError


class Slow:
    """A model that never comes to an answer."""

    n_features_in_ = 4

    async def predict(self, rows: Any) -> Any:
        await asyncio.sleep(3600)


async def slow(party: Party, mine: Any) -> Served:
    return served(Slow())
