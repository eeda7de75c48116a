"""The kinds of jobs there are, by name."""

from __future__ import annotations

from collections.abc import Mapping

from parties.errors import KindUnknown
from parties.kind import Kind
from parties.kind_aggregate import AGGREGATE
from parties.kind_join import JOIN
from parties.kind_score import SCORE
from parties.kind_train import TRAIN

__all__ = ["KINDS", "kind_of"]

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (AGGREGATE, JOIN, SCORE, TRAIN)}


def kind_of(name: str) -> Kind:
    """The kind of this name, or KindUnknown."""
    found = KINDS.get(name)
    if found is None:
        raise KindUnknown(f"a job of kind {name!r}: this node knows {', '.join(KINDS)}; a newer release may know it")
    return found
