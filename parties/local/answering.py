"""A session at one party, in its process of a LocalCluster: the other end of serving.LocalSession."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from mpc.line import Line
from mpc.party import Party
from protocols.inquiry import Answer, Request, Terms
from protocols.served import Served, served
from protocols.serving import serve
from protocols.tree_models import TreeModel
from protocols.trees import share_trees

__all__ = ["answer_calls", "load_trees"]


async def load_trees(size: dict[str, Any], missing: bool, party: Party, mine: TreeModel | None) -> Served:
    """Share the model of the party that has one; see LocalSession.of_trees."""
    return served(await share_trees(party, mine, **size), missing=missing)


async def answer_calls(party: Party, line: Line, told: Any) -> int:
    """Load a model, say which rows it takes, and answer until the caller hangs up. A program of LocalCluster.open."""
    load, mine, (owner, to, most_rows, allowance, at_once) = told
    model = await load(party, mine)
    model = model if isinstance(model, Served) else served(model)
    receivers = to if isinstance(to, dict) else dict.fromkeys(model.rules.kinds, to)
    terms = Terms((owner,), receivers, most_rows, allowance, at_once)
    terms.check(party, model.rules.kinds)
    line.send((model.rules, terms))

    def answer(found: Answer) -> None:
        if found.values is not None or found.error is not None:
            line.send(found)

    return await serve(party, model, terms, _requests(line), answer)


async def _requests(line: Line) -> AsyncIterator[Request]:
    async for told in line:
        yield Request(*told)
