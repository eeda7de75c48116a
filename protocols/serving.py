"""A session: a shared model stays with its parties and answers requests, as they come, for as long as they come.

    terms = Terms(owners=(1,), to={"predict": 2})
    await serve(party, served(model), terms, requests, answer)

``requests`` gives every party the same requests in the same order; where they come from (a pipe, an RPC of a node) is
not known here. Rows come from the party that owns them, predictions go to the one party that the terms name for their
kind, by release.deliver; others see the public part of a request: its number, kind, owner and how many rows.

A request that is refused, by the terms or by the owner's own check of its rows, gets an error for an answer and costs
the session nothing. Any other error ends the session: parties could not know of each other where they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable
from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import UsageError
from mpc.outcomes import first_cause
from mpc.pages import turn_page
from mpc.party import Party, current_scope
from mpc.scope import checksum
from protocols.errors import RequestRefused, RowsRefused
from protocols.inquiry import Answer, Book, Request, Terms
from protocols.release import deliver
from protocols.served import Served

__all__ = ["serve"]

_PAGE = 4096  # requests under one key; see mpc.pages


async def serve(
    party: Party,
    model: Served,
    terms: Terms,
    requests: AsyncIterable[Request],
    answer: Callable[[Answer], None],
    *,
    page: int = _PAGE,
) -> int:
    """Answer requests until there are no more; gives the rows let in. All parties call it alike.

    Args:
        requests: the same at all parties, but for ``values``, which only a request's owner has.
        answer: called at every party for every request once it is over there; values are at its receiver only. Answers
            of requests worked on at once may come in another order.
        page: after so many requests all under way are waited for, and streams get new keys.

    Rounds: those of the model, 1 before (rows, and whether the owner refuses them), 1 after (delivery). Leaks: to the
    receiver the predictions; to all the requests' public parts, and that an owner refused its rows, not why. Raises
    what Terms.check raises before anything is sent; afterwards what the engine raises.
    """
    terms.check(party, model.rules.kinds)
    current_scope().note(checksum(str(terms)))
    book = Book(terms)
    places = asyncio.Semaphore(terms.at_once)
    running: set[asyncio.Task[None]] = set()

    async def one(request: Request) -> None:
        begin = time.perf_counter()
        values, error = None, None
        try:
            values = await _answered(party, model, terms, request)
        except RowsRefused as refused:
            error = refused
        finally:
            places.release()
        answer(Answer(request.number, values, error, time.perf_counter() - begin))

    taken = 0
    try:
        async with asyncio.TaskGroup() as group:  # an error in one request ends the wait for the next
            async for request in requests:
                try:
                    book.enter(request)
                except RequestRefused as error:
                    answer(Answer(request.number, error=error))
                    continue
                await places.acquire()
                task = group.create_task(one(request))
                running.add(task)
                task.add_done_callback(running.discard)
                taken += 1
                if taken % page == 0:
                    await asyncio.gather(*running)
                    await turn_page(party)
    except BaseExceptionGroup as failed:
        raise first_cause(failed.exceptions) or failed from None
    return book.rows


async def _answered(party: Party, model: Served, terms: Terms, request: Request) -> Any:
    """One request: the answer at its receiver. RowsRefused at all parties, if the owner does.

    1. The owner shares its rows, and says whether it does.                         (one round)
    2. The model.                                                                   (rounds of the model)
    3. Open to the receiver of this kind.                                           (one round)
    """
    current_scope().note(checksum(f"{request.number} {request.kind} {request.rows} {request.owner}"))
    X, missing = await _rows(party, model, request)
    found = await model.answer(request.kind, X, missing)
    return await deliver(party, found, to=terms.to[request.kind])


async def _rows(party: Party, model: Served, request: Request) -> tuple[SecretArray, SecretArray | None]:
    """[rows], [1 where missing]. Rows that their owner refuses are zeros, and RowsRefused at all parties."""
    owner, rules = request.owner, model.rules
    shape = (request.rows, rules.features)
    values, gone, fault = None, None, None
    if party.index == owner:
        try:
            values, gone = rules.read(request.values, request.rows)
        except UsageError as error:
            fault, values, gone = error, np.zeros(shape), np.zeros(shape, np.int64)
    told = party.launch("rows refused", lambda: _told(party, owner, fault is not None))
    X = party.input(values, owner, frac=rules.frac, shape=shape)
    missing = party.input(gone, owner, frac=0, shape=shape) if rules.missing else None
    refused = await told
    X = await X
    missing = None if missing is None else await missing
    if refused:
        why = f": {fault}" if fault is not None else ""
        raise RowsRefused(f"party {owner} refused its rows of request {request.number}{why}") from fault
    return X, missing


async def _told(party: Party, teller: int, flag: bool) -> bool:
    """A public flag of one party, at all. Rounds: 1."""
    label, into = party.label(), np.array([flag], np.int64)
    if party.index == teller:
        for j in range(party.m):
            if j != teller:
                party.send(j, label, into)
    else:
        await party.arrived(party.receive(teller, label, into))
    return bool(into[0])
