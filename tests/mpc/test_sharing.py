"""Who holds what, and that t parties know nothing while t + 1 know everything."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mpc.errors import ThresholdTooLarge, TooFewParties, TooManyParties, WrongType
from mpc.sharing import Layout, default_threshold, reconstruct, split
from tests.mpc.helpers import shares_of

LAYOUTS = [(m, t) for m in range(3, 9) for t in range(1, (m + 1) // 2)]
each_layout = pytest.mark.parametrize(("m", "t"), LAYOUTS)


@pytest.mark.parametrize("m", [-1, 0, 1, 2])
def test_fewer_than_three_parties_are_refused(m: int) -> None:
    with pytest.raises(TooFewParties, match=str(m)):
        Layout(m)


@pytest.mark.parametrize(("m", "t"), [(3, 2), (3, 0), (4, 2), (5, 3), (5, -1), (7, 4), (7, 7)])
def test_a_threshold_without_honest_majority_is_refused(m: int, t: int) -> None:
    with pytest.raises(ThresholdTooLarge, match=str(t)):
        Layout(m, t)


@pytest.mark.parametrize(("m", "t"), [(10, None), (10, 4), (11, 3), (17, 2), (127, 1), (1000, None), (10**6, 400_000)])
def test_so_many_parties_that_components_abound_are_refused(m: int, t: int | None) -> None:
    with pytest.raises(TooManyParties, match=f"^{m} parties.*126.*let 3 or 5 of them compute"):
        Layout(m, t)


@pytest.mark.parametrize(("m", "t"), [(9, 4), (10, 3), (16, 2), (126, 1)])
def test_up_to_126_components_are_taken(m: int, t: int) -> None:
    assert len(Layout(m, t).components) == math.comb(m, t) <= 126


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2), (6, 2), (7, 3), (8, 3)])
def test_default_threshold_is_the_largest_below_half(m: int, t: int) -> None:
    assert default_threshold(m) == t == Layout(m).t


@each_layout
def test_components_are_all_sets_of_m_minus_t_holders(m: int, t: int) -> None:
    layout = Layout(m, t)
    assert len(layout.components) == len(set(layout.components)) == math.comb(m, t)
    for i in range(m):
        assert set(layout.held[i]) == {a for a in layout.components if i in a}
        assert len(layout.held[i]) == layout.k
        assert [layout.slot[i][a] for a in layout.held[i]] == list(range(layout.k))
        assert i in layout.target[i] and layout.held[i][0] == layout.target[i]


@each_layout
def test_any_t_miss_exactly_one_component_and_any_t_plus_one_none(m: int, t: int) -> None:
    layout = Layout(m, t)
    for coalition in itertools.combinations(range(m), t):
        missed = [a for a in layout.components if not set(a) & set(coalition)]
        assert missed == [tuple(i for i in range(m) if i not in coalition)]
    for coalition in itertools.combinations(range(m), t + 1):
        assert all(set(a) & set(coalition) for a in layout.components)


@each_layout
def test_each_product_of_components_is_added_by_exactly_one_who_holds_both(m: int, t: int) -> None:
    layout = Layout(m, t)
    owners: dict[tuple[object, object], list[int]] = {}
    for i, table in enumerate(layout.product_table):
        for a, b in np.argwhere(table):
            owners.setdefault((layout.held[i][a], layout.held[i][b]), []).append(i)
    assert set(owners) == set(itertools.product(layout.components, repeat=2))
    assert all(len(parties) == 1 and parties[0] in layout.multipliers for parties in owners.values())


@each_layout
def test_reveal_plan_sends_every_missing_component_once_from_a_holder(m: int, t: int) -> None:
    layout = Layout(m, t)
    for receiver, plan in enumerate(layout.reveal_plan):
        sent = [a for components in plan.values() for a in components]
        assert sorted(sent) == sorted(a for a in layout.components if receiver not in a)
        assert all(sender in a for sender, components in plan.items() for a in components)
        assert len(plan) <= t


@each_layout
def test_reshare_plan_hides_an_honest_dealer_from_every_coalition(m: int, t: int) -> None:
    """The component a coalition misses absorbs what its honest dealers send: it is random, or an unseen target."""
    layout = Layout(m, t)
    for size in range(1, m + 1):
        for dealers in itertools.combinations(range(m), size):
            plan = layout.reshare_plan(dealers)
            assert plan.source == {layout.target[d]: d for d in dealers}
            assert not set(plan.source) & set(plan.random)
            for coalition in itertools.combinations(range(m), t):
                honest = [d for d in dealers if d not in coalition]
                if not honest:
                    continue
                missed = next(a for a in layout.components if not set(a) & set(coalition))
                assert plan.random.get(missed, plan.source.get(missed)) in honest


@each_layout
def test_summands_cover_every_component_once(m: int, t: int) -> None:
    layout = Layout(m, t)
    covered = [a for _, components in layout.summands for a in components]
    assert sorted(covered) == sorted(layout.components)
    assert all(d in a for d, components in layout.summands for a in components)
    assert len(layout.summands) == t + 1 and len(layout.summands[-1][1]) == 1


@pytest.mark.parametrize("boolean", [False, True])
@each_layout
def test_split_and_reconstruct(m: int, t: int, boolean: bool) -> None:
    layout = Layout(m, t)
    rng = np.random.default_rng(m * 10 + t)
    secret = rng.integers(0, 1 << 64, (2, 3), np.uint64)
    shares = shares_of(layout, secret, rng, boolean=boolean)
    for chosen in itertools.combinations(range(m), t + 1):
        assert np.array_equal(reconstruct(layout, {i: shares[i] for i in chosen}, boolean=boolean), secret)
    with pytest.raises(ValueError, match="components"):
        reconstruct(layout, {i: shares[i] for i in range(t)}, boolean=boolean)


def test_reconstruct_notices_parties_that_disagree() -> None:
    layout = Layout(3)
    shares = shares_of(layout, np.arange(4, dtype=np.uint64), np.random.default_rng(0))
    shares[1] = shares[1] + np.uint64(1)
    with pytest.raises(ValueError, match="disagree"):
        reconstruct(layout, dict(enumerate(shares)))


def test_split_does_not_change_what_it_was_given() -> None:
    layout = Layout(4)
    secret = np.arange(3, dtype=np.uint64)
    randomness = [np.full(3, i, np.uint64) for i in range(3)]
    parts = split(layout, secret, randomness)
    assert np.array_equal(secret, np.arange(3))
    assert [int(r[0]) for r in randomness] == [0, 1, 2]
    assert np.array_equal(sum(parts.values()), secret)


@pytest.mark.parametrize("t", [1.0, "1", True, np.float64(1), [1]])
def test_a_threshold_is_a_whole_number(t: Any) -> None:
    with pytest.raises(WrongType, match="threshold="):
        Layout(3, t)
    assert Layout(3, np.int64(1)).t == 1  # type: ignore[arg-type]
