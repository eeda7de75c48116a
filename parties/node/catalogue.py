"""What all members publish, as this node knows it: for its people, and for the jobs they ask for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import trio

from mpc.errors import AccordError
from parties.calls.members import Members
from parties.data.description import describe, read_description
from parties.data.published import PublishedTable
from parties.errors import JobRefused
from parties.kinds.kind import Owned
from parties.membership.charter import Member
from parties.node.model_offers import ModelOffers
from parties.planning.kinds import KINDS
from parties.running.board import Board
from parties.wire.meeting import Table
from parties.wire.people_messages import Consortium, MemberTables

__all__ = ["Catalogue"]

_KNOWN = 5.0  # seconds for which what another member publishes counts as known
_ASK = 5.0


class Catalogue:
    """One node's.

    Args:
        board, members: of the node.
        tables: gives what this member publishes; blocks.
        offers: models that members offer; None: nobody is asked, and jobs state all of theirs.
    """

    def __init__(
        self,
        board: Board,
        members: Members,
        tables: Callable[[], Mapping[str, PublishedTable]],
        offers: ModelOffers | None = None,
    ) -> None:
        self.offers = offers
        self._board = board
        self._members = members
        self._tables = tables
        self._known: dict[str, tuple[float, list[Table]]] = {}

    async def all(self, known: float = 0.0) -> Consortium:
        """What each member publishes; with an error where one could not be asked, and what it published last.

        ``known``: for how many seconds what a member said before will do.
        """
        found: dict[str, MemberTables] = {}

        async def one(member: Member) -> None:
            try:
                found[member.name] = MemberTables(member=member.name, tables=await self._of(member, known))
            except AccordError as error:
                last = self._known.get(member.name, (0.0, []))[1]
                found[member.name] = MemberTables(member=member.name, tables=last, error=str(error)[:2000])

        async with trio.open_nursery() as nursery:
            for member in self._board.charter.members:
                nursery.start_soon(one, member)
        return Consortium(members=[found[name] for name in sorted(found)])

    async def described(self, owner: str, name: str) -> str:
        """What is published of a table, in its canonical form. Raises JobRefused, PeerCallFailed, TableInvalid."""
        members = {member.name: member for member in self._board.charter.members}
        if owner not in members:
            raise JobRefused(f"{owner} is no member; there are {', '.join(members)}")
        tables: list[Table] = []
        for known in (_KNOWN, 0.0):
            tables = await self._of(members[owner], known)
            for table in tables:
                if table.name == name:
                    return describe(_read(table)).decode("ascii")
        there = ", ".join(table.name for table in tables) or "none"
        raise JobRefused(f"{owner} publishes no table {name!r}; there are: {there}")

    async def tables_of(self, kind: str, parameters: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """(member, table) of a job whose asker named none: those that its parameters are about, where the kind knows.

        Raises what the kind's reading of them does; JobRefused if it depends on what a member publishes whose node
        could not be asked: left out, the answer would be about other people than meant.
        """
        finding = KINDS[kind].tables if kind in KINDS else None
        if finding is None:
            return ()
        members = (await self.all(_KNOWN)).members

        def found() -> tuple[tuple[tuple[str, str], ...], bool]:
            catalogue = [Owned(one.member, _read(table)) for one in members for table in one.tables]
            return finding(parameters, catalogue)

        tables, named = await self._board.aside(found)
        silent = {one.member: one.error for one in members if one.error}
        for name, error in silent.items():
            if not named or name in {member for member, _ in tables}:
                raise JobRefused(
                    f"{name} could not be asked what it publishes ({error}); name each table with its member, "
                    f"member.table, to ask the others without it"
                )
        return tables

    async def _of(self, member: Member, known: float) -> list[Table]:
        if member == self._board.me:
            return await self._board.aside(self._mine)
        at, tables = self._known.get(member.name, (-1e9, []))
        if trio.current_time() - at > known:
            tables = list((await self._members.client(member).tables(within=_ASK)).tables)
            self._known[member.name] = trio.current_time(), tables
        return tables

    def _mine(self) -> list[Table]:
        return [Table(name=name, description=json.loads(describe(table))) for name, table in self._tables().items()]


def _read(table: Table) -> PublishedTable:
    return read_description(json.dumps(table.description).encode("ascii"))
