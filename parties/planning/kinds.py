"""The kinds of jobs there are, by name; and what members who compute nothing do: deal a table, open an answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from parties.errors import KindUnknown, TableUnfit
from parties.kinds.dealing import deal_table
from parties.kinds.kind import Kind, Plan, Rows
from parties.kinds.kind_aggregate import AGGREGATE
from parties.kinds.kind_join import JOIN
from parties.kinds.kind_train import TRAIN
from parties.models.kind_score import SCORE
from parties.sql.kind_query import QUERY
from protocols.errors import ShareInvalid
from protocols.sealed_share import SealedShare, open_sealed

__all__ = ["KINDS", "answer_of", "deal_rows", "kind_of", "table_context"]

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (AGGREGATE, JOIN, QUERY, SCORE, TRAIN)}


def kind_of(name: str) -> Kind:
    """The kind of this name, or KindUnknown."""
    found = KINDS.get(name)
    if found is None:
        raise KindUnknown(f"a job of kind {name!r}: this node knows {', '.join(KINDS)}; a newer release may know it")
    return found


def table_context(job: str, place: int) -> bytes:
    """What a table is dealt for: the job's digest, in hex, and its place in the job."""
    return bytes.fromhex(job) + place.to_bytes(2, "big")


def deal_rows(
    plan: Plan, place: int, batches: Iterable[Rows], m: int, t: int, context: bytes
) -> Iterator[tuple[int, bytes]]:
    """(compute party, bytes to send on to it) of a table whose member does not compute: dealing.deal_table.

    Args:
        place: of the table in the job.
        batches: its rows, in batches as they were read; read as they are needed.

    Raises RowsUnfit; DealtInvalid for more rows than the capacity; TableUnfit for a kind that takes no dealt tables.
    """
    encode, ask = kind_of(plan.kind).encode, plan.asks[place]
    if encode is None:
        raise TableUnfit(f"table {ask.table} of {ask.member}: a {plan.kind} takes tables of members who compute")
    shape = plan.shapes[place]
    words = (encode(plan, place, rows) for rows in batches)
    return deal_table(m, t, context, len(shape.columns), shape.rows, words)


def answer_of(plan: Plan, shares: Mapping[int, Sequence[bytes]], m: int, t: int) -> dict[str, Any]:
    """The answer of a job that was let out, at a result member: plain data for JSON.

    Args:
        plan: as this member's own check made it, so it need believe nobody's description.
        shares: Outcome.shares, by index of the compute member they came from; of t + 1 members at least. With those of
            all, every copy of every component is compared.

    Raises ShareInvalid, SharesMissing, SharesDisagree. Pure.
    """
    for party, given in shares.items():
        if len(given) != len(plan.answers):
            raise ShareInvalid(f"party {party}: {len(given)} shares, but the job has {len(plan.answers)} answers")
    opened = []
    for j, description in enumerate(plan.answers):
        parts = {party: SealedShare.from_bytes(given[j], description) for party, given in shares.items()}
        opened.append(open_sealed(description, parts, m, t))
    return kind_of(plan.kind).answer(plan, opened)
