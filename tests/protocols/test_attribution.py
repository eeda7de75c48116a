"""Attribution against a plain loop over rows, for every rule, with one person's effect bounded as stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, ProgramDiverged
from protocols.attribution import Even, LastTouch, Rule, TimeDecay, UShaped, attribute, most_credit
from protocols.errors import ColumnUnfit
from protocols.mechanisms import DiscreteLaplace
from protocols.profiles import INTEGERS
from protocols.release import release
from protocols.sources import Column, Source

Table = dict[str, Any]
Reals = npt.NDArray[np.float64]

RULES: tuple[Rule, ...] = (LastTouch(), Even(), UShaped(), UShaped(0.25), TimeDecay(7), TimeDecay(0.5))
CAMPAIGNS, WINDOW = 5, 20
SOURCES = (
    Source(0, {"id": INTEGERS}, {"seen": Column(-50, 50), "campaign": Column(0, CAMPAIGNS - 1)}),
    Source(1, {"id": INTEGERS}, {"amount": Column(0, 1000), "bought": Column(-50, 50)}),
)
OPTIONS: dict[str, Any] = {
    "time": ("seen", "bought"), "campaign": "campaign", "campaigns": CAMPAIGNS, "window": WINDOW,
}  # fmt: skip


def tables(seed: int, exposures: int, conversions: int, people: int = 12) -> list[Table]:
    rng = np.random.default_rng(seed)
    seen = {
        "id": rng.integers(0, people, exposures),
        "seen": rng.integers(-50, 51, exposures),
        "campaign": rng.integers(0, CAMPAIGNS, exposures),
    }
    bought = {
        "id": rng.integers(0, people, conversions).astype(object),
        "bought": rng.integers(-50, 51, conversions),
        "amount": rng.integers(0, 1001, conversions),
    }
    bought["id"][rng.random(conversions) < 0.1] = None
    return [seen, bought]


def _shares(rule: Rule, ages: Sequence[float]) -> Reals:
    """What the exposures of these ages, the latest first, get of one conversion."""
    n = len(ages)
    if isinstance(rule, LastTouch):
        return np.eye(1, n)[0]
    if isinstance(rule, Even):
        return np.full(n, 1 / n)
    if isinstance(rule, UShaped):
        if n < 3:
            return np.full(n, 1 / n)
        return np.array([rule.ends, *[(1 - 2 * rule.ends) / (n - 2)] * (n - 2), rule.ends])
    weights = np.exp2(-np.array(ages) / rule.half_life)
    return np.asarray(weights / weights.sum())


def expected(given: list[Table], rule: Rule, touches: int = 8, each: int = 1) -> tuple[Reals, Reals]:
    """Row by row."""
    seen, bought = given
    rows = [(p, t, 0, i) for i, (p, t) in enumerate(zip(seen["id"], seen["seen"], strict=True))]
    had: Counter[Any] = Counter()
    for i, (p, t) in enumerate(zip(bought["id"], bought["bought"], strict=True)):
        had[p] += 1
        if p is not None and had[p] <= each:
            rows.append((p, t, 1, i))
    rows.sort(key=lambda row: row[:3])
    credits, values = np.zeros(CAMPAIGNS), np.zeros(CAMPAIGNS)
    for k, (person, time, sold, i) in enumerate(rows):
        before = rows[max(0, k - touches) : k][::-1]
        counting = [r for r in before if sold and r[0] == person and not r[2] and time - r[1] <= WINDOW]
        if counting:
            for (_, _, _, j), part in zip(counting, _shares(rule, [time - r[1] for r in counting]), strict=True):
                credits[seen["campaign"][j]] += part
                values[seen["campaign"][j]] += part * bought["amount"][i]
    return credits, values


def attributed(cluster: MemoryCluster, given: list[Table], rule: Rule | None, **options: Any) -> list[Any]:
    async def program(party: Party) -> Any:
        mine = given[party.index] if party.index < 2 else None
        found = await attribute(party, *SOURCES, mine, value="amount", rule=rule, **OPTIONS, **options)
        assert found.values is not None
        return await party.reveal(found.credits), await party.reveal(found.values)

    return list(cluster.run(program)[0])


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 2)])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_credit_is_that_of_a_loop_over_rows(m: int, t: int, rule: Rule) -> None:
    given = tables(m, 60, 40)
    credits, values = attributed(MemoryCluster(m, t, seed=1), given, rule, each=3, touches=6)
    want = expected(given, rule, 6, 3)
    assert want[0].sum() > 10
    exact = isinstance(rule, LastTouch)
    np.testing.assert_allclose(credits, want[0], rtol=0, atol=0 if exact else 40 * 2**-10)
    np.testing.assert_allclose(values, want[1], rtol=0 if exact else 2**-10, atol=0 if exact else 1)


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (0, 1), (1, 1), (0, 5), (5, 0), (70, 3)])
@pytest.mark.parametrize("rule", [LastTouch(), UShaped(), TimeDecay(7)], ids=str)
def test_small_and_empty_tables(sizes: tuple[int, int], rule: Rule) -> None:
    given = tables(3, *sizes, people=1)
    credits, values = attributed(MemoryCluster(3, seed=1), given, rule)
    want = expected(given, rule)
    np.testing.assert_allclose(credits, want[0], atol=2**-8)
    np.testing.assert_allclose(values, want[1], rtol=2**-8, atol=2**-4)


@pytest.mark.parametrize("touches", [1, 2, 64])
def test_no_more_touches_are_looked_at_than_asked(touches: int) -> None:
    given = tables(4, 50, 10, people=2)
    found = attributed(MemoryCluster(3, seed=1), given, Even(), touches=touches)
    np.testing.assert_allclose(found[0], expected(given, Even(), touches)[0], atol=2**-8)


def test_an_exposure_at_the_same_time_counts_and_at_the_windows_end_but_not_beyond() -> None:
    seen = {"id": [1, 2, 3, 4], "seen": [10, 9, -10, -11], "campaign": [0, 1, 2, 3]}
    bought = {"id": [1, 2, 3, 4], "bought": [10, 8, 10, 10], "amount": [1, 1, 1, 1]}
    credits, _ = attributed(MemoryCluster(3, seed=1), [seen, bought], LastTouch())
    assert credits.tolist() == [1, 0, 1, 0, 0]


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("each", [1, 3])
def test_one_person_changes_no_more_than_stated(rule: Rule, each: int) -> None:
    """All rows of one person, at the highest values, in and out."""
    seen = {"id": np.full(12, 7), "seen": np.arange(12), "campaign": np.arange(12) % CAMPAIGNS}
    bought = {"id": np.full(6, 7), "bought": np.arange(6) + 6, "amount": np.full(6, 1000)}
    credits, values = attributed(MemoryCluster(3, seed=1), [seen, bought], rule, each=each)
    assert 0.99 * each < np.abs(credits).sum() <= float(most_credit(each))
    assert 990 * each < np.abs(values).sum() <= float(most_credit(each, high=1000))


@pytest.mark.parametrize(("rule", "frac", "bits"), [
    (Even(), 0, 46), (Even(), 20, 26), (UShaped(), 4, 42), (TimeDecay(7), 0, 30), (TimeDecay(7), 20, 26),
])  # fmt: skip
def test_values_up_to_the_largest_are_shared_out_and_larger_ones_refused(rule: Rule, frac: int, bits: int) -> None:
    seen = {"id": [1, 1, 1], "seen": [5, 5, 5], "campaign": [0, 1, 2]}

    def credited(high: int | None) -> Any:
        column = Column(frac=frac) if high is None else Column(-high, high, frac=frac)
        sources = (SOURCES[0], Source(1, {"id": INTEGERS}, {"amount": column, "bought": Column(-50, 50)}))
        bought = {"id": [1], "bought": [5], "amount": [-(high or 0)]}

        async def program(party: Party) -> Any:
            mine = [seen, bought, None][party.index]
            found = await attribute(party, *sources, mine, value="amount", rule=rule, **OPTIONS)
            assert found.values is not None
            return await party.reveal(found.values)

        cluster = MemoryCluster(3, seed=1, keep=True)
        try:
            return cluster.run(program)[0]
        except (OutOfRange, ColumnUnfit):
            assert not cluster.log
            raise

    high = (1 << bits) - 1
    np.testing.assert_allclose(credited(high)[:3], -high * _shares(rule, [0, 0, 0]), rtol=2**-10)
    with pytest.raises(OutOfRange, match=f"'amount' of party 1.* below 2\\^{bits}; "):
        credited(high + 1)
    with pytest.raises(ColumnUnfit, match=r"'amount' of party 1: .*bounds"):
        credited(None)


def test_released_by_campaign_with_noise() -> None:
    given = tables(5, 300, 200, people=100)

    async def program(party: Party) -> Any:
        mine = given[party.index] if party.index < 2 else None
        found = await attribute(party, *SOURCES, mine, rule=Even(), **OPTIONS)
        assert found.values is None
        return await release(party, found.credits, DiscreteLaplace(2.0), sensitivity=most_credit(1), to=[2])

    released = MemoryCluster(3, seed=1).run(program)[2]
    off = np.abs(released.values - expected(given, Even())[0])
    assert 0 < off.max() < 10 * released.standard_error
    assert 0.6 < released.standard_error < 0.85


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"time": "seen"}, ColumnUnfit, "names of two columns"),
        ({"time": ("seen", "amount2")}, ColumnUnfit, "no column 'amount2'"),
        ({"campaign": "none"}, ColumnUnfit, "no column 'none'"),
        ({"campaigns": 4}, ColumnUnfit, "numbers 0 to 3"),
        ({"campaigns": 0}, OutOfRange, "campaigns=0"),
        ({"window": -1}, OutOfRange, "window=-1"),
        ({"window": 1.5}, OutOfRange, r"window=1\.5"),
        ({"touches": 0}, OutOfRange, "touches=0"),
        ({"touches": 65}, OutOfRange, "1 to 64"),
        ({"rule": "even"}, OutOfRange, "LastTouch"),
        ({"each": 0}, OutOfRange, "rows a person"),
        ({"value": "none"}, ColumnUnfit, "no column 'none'"),
    ],
)
def test_bad_questions_are_refused_before_anything_is_sent(options: Any, error: type[Exception], text: str) -> None:
    cluster = MemoryCluster(3, seed=1, keep=True)

    async def program(party: Party) -> None:
        await attribute(party, *SOURCES, tables(1, 5, 5)[0], **{**OPTIONS, **options})

    with pytest.raises(error, match=text):
        cluster.run(program)
    assert not cluster.log


@pytest.mark.parametrize(
    ("seen", "bought", "error", "text"),
    [
        (Column(-50, 50), Column(0, 1 << 40), OutOfRange, "'bought' of party 1: times below 2\\^40"),
        (Column(-(1 << 40), 0), Column(-50, 50), OutOfRange, "'seen' of party 0: times below 2\\^40"),
        (Column(), Column(-50, 50), ColumnUnfit, "'seen' of party 0: whole numbers with bounds"),
        (Column(-50, 50), Column(-50, 50, frac=4), ColumnUnfit, "'bought' of party 1: whole numbers with bounds"),
    ],
)
def test_times_need_bounds_and_are_whole(seen: Column, bought: Column, error: type[Exception], text: str) -> None:
    cluster = MemoryCluster(3, seed=1, keep=True)
    exposures = Source(0, {"id": INTEGERS}, {"seen": seen, "campaign": Column(0, CAMPAIGNS - 1)})
    conversions = Source(1, {"id": INTEGERS}, {"amount": Column(0, 1000), "bought": bought})

    async def program(party: Party) -> None:
        await attribute(party, exposures, conversions, tables(1, 5, 5)[0], **OPTIONS)

    with pytest.raises(error, match=text):
        cluster.run(program)
    assert not cluster.log


def test_rounding_is_in_the_bound_of_one_person() -> None:
    """What is left of values of 0 is rounding only."""
    seen = {"id": np.full(12, 7), "seen": np.arange(12), "campaign": np.arange(12) % CAMPAIGNS}
    bought = {"id": [7], "bought": [12], "amount": [0]}
    _, values = attributed(MemoryCluster(3, seed=1), [seen, bought], TimeDecay(7), touches=12)
    assert 0 < np.abs(values).sum() <= float(most_credit(1, high=0))


@pytest.mark.parametrize("change", [{"rule": Even()}, {"window": 3}, {"each": 2}])
def test_parties_that_ask_for_other_credits_are_found_out(change: dict[str, Any]) -> None:
    given = tables(1, 5, 5)

    async def program(party: Party) -> None:
        options = {**OPTIONS, **(change if party.index == 2 else {})}
        await attribute(party, *SOURCES, given[party.index] if party.index < 2 else None, **options)

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3, seed=1).run(program)


def test_times_out_of_bounds_are_found_at_their_owner() -> None:
    given = tables(1, 5, 5)
    given[1]["bought"][0] = 51
    cluster = MemoryCluster(3, seed=1, keep=True)
    with pytest.raises(OutOfRange, match="column 'bought' of party 1"):
        attributed(cluster, given, Even())
    assert not [f for f in cluster.log if f.sender == 1]


def test_sizes_of_messages_depend_on_sizes_only() -> None:
    logs = []
    for seed, people in ((1, 1), (2, 1000)):
        cluster = MemoryCluster(3, seed=3, keep=True)
        attributed(cluster, tables(seed, 40, 30, people), UShaped())
        logs.append(sorted((f.sender, f.receiver, len(f.payload)) for f in cluster.log))
    assert logs[0] == logs[1]


def test_bad_rules() -> None:
    for make in (
        lambda: UShaped(0),
        lambda: UShaped(0.6),
        lambda: TimeDecay(0),
        lambda: TimeDecay(10**400),
        lambda: TimeDecay(float("nan")),
    ):
        with pytest.raises(OutOfRange):
            make()
    with pytest.raises(OutOfRange, match="high"):
        most_credit(1, high=-1)
