"""Private joins: rows of several parties' tables brought together by a key, with the result shared.

No party learns which of its keys matched; nothing is opened. What comes out is a table of secret columns, and a secret
bit for each row that says whether it is in the result. Sums, groups and models go on from there: aggregate.py,
group_by.py, release.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import OutOfRange
from mpc.exchange import deal, public_share
from mpc.party import Party
from mpc.scope import checksum, current_scope
from mpc.shapes import concatenate
from protocols.dummies import Dummies, dummies_for
from protocols.errors import ColumnUnfit
from protocols.exact import as_exact
from protocols.join_helper import by_helper
from protocols.join_plan import AtLeast, Found, How, Plan, check_how, is_union
from protocols.join_shuffle import by_shuffle
from protocols.own_source import read_and_tell
from protocols.sources import Column, Source, check_sources

__all__ = ["AtLeast", "Column", "Joined", "Source", "join"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, repr=False)
class Joined:
    """A joined table. All secret but the number of rows and the names.

    Attributes:
        present: (n,) which rows are in the result. Values of other rows mean nothing: give ``present`` wherever rows
            are counted or summed up. It is not for opening: an owner knows the order of its rows.
        matched: for each source, (n,) whether the row's key is in it; in a union only known of rows that are present.
        columns: (n,) by name; where a row's key is not in the source of the column, 0.
        cost: (epsilon, delta) of what a helper saw of the number of matches, for each two tables; None if it is exact.
    """

    present: SecretBits
    matched: tuple[SecretBits, ...]
    columns: dict[str, SecretArray]
    cost: tuple[float, float] | None

    def __getitem__(self, name: str) -> SecretArray:
        """A column, or ColumnUnfit."""
        try:
            return self.columns[name]
        except KeyError:
            raise ColumnUnfit(f"no column {name!r} in this join: there are {list(self.columns)}") from None

    def __len__(self) -> int:
        return len(self.present)

    def __repr__(self) -> str:
        return f"<Joined {len(self)} rows, columns {', '.join(map(str, self.columns)) or 'none'}>"


async def join(
    party: Party,
    sources: Sequence[Source],
    mine: Any = None,
    *,
    how: How = "inner",
    method: str = "auto",
    pad: tuple[float, float] | None = None,
) -> Joined:
    """Join the tables of several parties by their keys. All parties call it; an owner gives its rows.

    Args:
        sources: whose tables, at least two, each of another party; the same at every party.
        mine: this party's rows if it is an owner: a DataFrame, or a mapping from column names to arrays. Else anything.
        how: "inner": keys that are in all sources. "left": all rows of the first. "union": every key once, in the row
            of the first source that has it. AtLeast(k): of the union, keys in at least k sources.
        method: "helper": a third party matches pseudonyms (join_helper.py), t = 1 only. "shuffle": equal keys are seen
            after a shuffle nobody knows (join_shuffle.py), any t. "auto": the helper where t = 1.
        pad: (epsilon, delta): hides from the helper how many rows match, by dummies (dummies.py), for every two tables
            and every join. It is for one key more or less; a person with several keys changes the number by as many.

    The result has the rows of the first source, for a union those of all, fillers among them. Rows without a key match
    nothing, but are in the result of "left", "union" and AtLeast(1), each as one of its own: leave them out beforehand
    where it is persons that are counted.

    Rounds: 4 with a helper and m = 3. Sends: in all, for two tables of n rows and c columns of the second, 32 n bytes
    of tags, 4 n of places, 32 c n of values. Leaks: to all the numbers of rows, unless a source says ``rows=``. With
    a helper: to the helper how many rows match. Without: to all, for each number, how many keys are in so many tables.
    Against t parties, semi-honest.
    Raises at the owner before anything is sent: see source_rows.read. At all: UnknownParty, OutOfRange, ColumnUnfit.

    1. The owners read their rows, and tell how many there are.
    2. Rows of the first source (of all) find out which others have their key, and get the values there.
    3. What is present follows by a few ANDs.
    """
    check_sources(party, sources)
    how = check_how(how, sources)
    helped = _with_helper(party, method, pad)
    dummies = None if pad is None else dummies_for(*pad)
    public = repr([s.public() for s in sources]) + repr((how, helped, pad))
    current_scope().note(checksum(public))
    started = party.launch("join", lambda: _joined(party, tuple(sources), mine, how, helped, dummies))
    plan, found, own = await started.result()
    return _table(party, plan, found, own, None if pad is None else (float(pad[0]), float(pad[1])))


def _with_helper(party: Party, method: Any, pad: Any) -> bool:
    if method not in ("auto", "helper", "shuffle"):
        raise OutOfRange(f"method={method!r}: 'auto', 'helper' or 'shuffle'")
    if method == "helper" and party.t > 1:
        raise OutOfRange(f"method='helper' with t={party.t}: a helper and an owner could pool what they see; 'shuffle'")
    helped = method == "helper" or (method == "auto" and party.t == 1)
    if pad is not None:
        if not helped:
            raise OutOfRange("pad: only with a helper; after a shuffle all parties see how many rows share a key")
        if not isinstance(pad, tuple) or len(pad) != 2 or any(as_exact(p) is None for p in pad):
            raise OutOfRange(f"pad={pad!r}: (epsilon, delta), such as (1.0, 1e-6)")
    return helped


async def _joined(
    party: Party, sources: tuple[Source, ...], mine: Any, how: How, helped: bool, dummies: Dummies | None
) -> tuple[Plan, dict[int, Found], dict[int, tuple[Words | None, Words | None]]]:
    """Steps 1 and 2, and of every source with rows in the result (values, which are real), or None for all."""
    spare = [Plan.spare(sources, how, dummies, i) for i in range(len(sources))]
    own, rows = await read_and_tell(party, sources, mine, spare)
    plan = Plan(sources, how, rows, dummies)
    find = by_helper if helped else by_shuffle
    found, own = await find(party, plan, own)
    dealt = {}
    for i in plan.targets:
        s, n = sources[i], rows[i]
        is_mine = s.owner == party.index
        values, real = None, None
        if s.columns:
            values = await deal(party, own.words if own and is_mine else None, s.owner, (n, len(s.columns)))
        if plan.filled(i):
            packed = bits.pack(own.real) if own and is_mine else None
            real = await deal(party, packed, s.owner, (bits.plane_words(n),), boolean=True)
        dealt[i] = (values, real)
    return plan, found, dealt


# -- the result ----------------------------------------------------------------------------


def _table(
    party: Party,
    plan: Plan,
    found: dict[int, Found],
    own: dict[int, tuple[Words | None, Words | None]],
    cost: tuple[float, float] | None,
) -> Joined:
    """Step 3."""
    count = len(plan.sources)
    matched: list[list[SecretBits]] = []
    present = []
    for i in plan.targets:
        n, real = plan.rows[i], own[i][1]
        ones = public_share(party, bits.pack(np.ones(n, np.bool_)))
        mine = SecretBits(party, ones if real is None else real, (n,))
        others = {j: SecretBits(party, words, (n,)) for j, words in found[i].matched.items()}
        if plan.dummies is not None:
            others = {j: flags & mine for j, flags in others.items()}
        present.append(_present(plan, i, mine, others))
        matched.append([mine if j == i else others[j] for j in range(count)])
    columns = {}
    for j, s in enumerate(plan.sources):
        for c, (name, column) in enumerate(s.columns.items()):
            parts = []
            for i in plan.targets:
                values = own[i][0] if i == j else found[i].values.get(j)
                share = np.zeros((party.layout.k, plan.rows[i]), np.uint64)
                if values is not None:
                    share = np.ascontiguousarray(values[:, :, c])
                parts.append(SecretArray(party, share, column.frac))
            columns[name] = _under(parts)
    return Joined(_under(present), tuple(_under([m[j] for m in matched]) for j in range(count)), columns, cost)


def _present(plan: Plan, i: int, mine: SecretBits, others: dict[int, SecretBits]) -> SecretBits:
    """Which rows of source i are in the result."""
    if plan.how == "left":
        return mine
    if not is_union(plan.how):
        flags = list(others.values())  # a filler has no partner
        while len(flags) > 1:
            flags = [*(a & b for a, b in zip(flags[0::2], flags[1::2], strict=False)), *flags[len(flags) & ~1 :]]
        return flags[0]
    first = mine
    for j in range(i):
        first = first & ~others[j]
    if isinstance(plan.how, AtLeast):
        first = first & (sum(flags.to_array() for flags in others.values()) >= plan.how.tables - 1)
    return first


def _under(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else concatenate(parts)
