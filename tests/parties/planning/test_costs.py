"""What a job is foretold to take: a sum of sizes times factors, and what the way between nodes adds."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from parties.planning.costs import EXCHANGES, FILE, WHAT, Costs, foretold, load_costs, sizes_of

PLAN: Any = SimpleNamespace(kind="count")  # of no kind that was fitted: its size is "one" and no other
FACTORS = {"count": {"seconds": {"one": 0.5}, "bytes": {"one": 1e6}, "rounds": {"one": 40.0, "rows": 3.0}}}


def test_every_machine_sends_its_bytes_and_sizes_that_are_not_there_count_nothing() -> None:
    cost = Costs(FACTORS).cost(PLAN, 5)
    assert (cost.seconds, cost.megabytes, cost.rounds, cost.round_trip) == (0.5, 5.0, 40.0, 0.0)
    assert foretold({"a": 2.0, "b": 1.0}, {"a": 3.0, "c": 9.0}) == 6.0
    assert sizes_of(PLAN) == {"one": 1.0}


def test_the_way_between_nodes_counts_for_each_round_and_each_exchange_around_the_job() -> None:
    near = Costs(FACTORS, round_trip=lambda: 5e-5).cost(PLAN, 3)
    assert near.seconds == 0.5  # as near as those were that the factors were fitted to
    far = Costs(FACTORS, round_trip=lambda: 0.0501).cost(PLAN, 3)
    assert far.seconds == pytest.approx(0.5 + (40 + EXCHANGES) * 0.05) and far.round_trip == 0.0501
    held = Costs(FACTORS, held=0.05).cost(PLAN, 3)
    assert held.seconds == pytest.approx(0.5 + 40 * 0.05)


def test_what_is_kept_foretells_every_kind() -> None:
    kept = json.loads(FILE.read_text(encoding="ascii"))["factors"]
    assert set(kept) == {"aggregate", "join", "query", "score", "train"}
    assert all(set(factors) == set(WHAT) for factors in kept.values())
    unknown = load_costs().cost(PLAN, 3)
    assert (unknown.seconds, unknown.megabytes, unknown.rounds) == (0.0, 0.0, 0.0)
