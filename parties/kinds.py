"""The kinds of jobs there are, by name; and a job's answer, made where nothing was computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parties.errors import KindUnknown
from parties.kind import Kind, Plan
from parties.kind_aggregate import AGGREGATE
from parties.kind_join import JOIN
from parties.kind_score import SCORE
from parties.kind_train import TRAIN
from protocols.errors import ShareInvalid
from protocols.sealed_share import SealedShare, open_sealed

__all__ = ["KINDS", "answer_of", "kind_of"]

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (AGGREGATE, JOIN, SCORE, TRAIN)}


def kind_of(name: str) -> Kind:
    """The kind of this name, or KindUnknown."""
    found = KINDS.get(name)
    if found is None:
        raise KindUnknown(f"a job of kind {name!r}: this node knows {', '.join(KINDS)}; a newer release may know it")
    return found


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
