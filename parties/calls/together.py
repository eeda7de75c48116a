"""Several members asked at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import trio

from mpc.errors import AccordError
from parties.membership.charter import Member

__all__ = ["everywhere"]

T = TypeVar("T")


async def everywhere(members: Sequence[Member], ask: Callable[[Member], Awaitable[T]]) -> list[T]:
    """The answers of all, asked at once; the first error ends it and is raised."""
    answers: dict[int, T] = {}
    errors: list[AccordError] = []
    async with trio.open_nursery() as nursery:

        async def one(i: int, member: Member) -> None:
            try:
                answers[i] = await ask(member)
            except AccordError as error:
                errors.append(error)
                nursery.cancel_scope.cancel()

        for i, member in enumerate(members):
            nursery.start_soon(one, i, member)
    if errors:
        raise errors[0]
    return [answers[i] for i in range(len(members))]
