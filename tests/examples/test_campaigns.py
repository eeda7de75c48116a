"""The campaigns' example: figures by campaign against pandas, in memory and in processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from examples import campaigns, stand_ins
from examples.command import run
from examples.tables import Tables
from protocols.release import Released
from tests.examples.released import check_released, silent

DATA = Tables("stand-in", "here", "", False, stand_ins.complete_journey(150, 4))
EXACT = 128.0


def released(plan: campaigns.Plan, tables: list[Any]) -> list[dict[str, Released]]:
    return run(campaigns.program, [(plan, t) for t in tables], in_memory=True, progress=silent, seed=5)[0]


@pytest.mark.parametrize("epsilon", [4.0, EXACT])
def test_figures_are_the_truth_within_their_errors(epsilon: float) -> None:
    plan, tables = campaigns.make_plan(DATA, epsilon), campaigns.split(DATA)
    answers = released(plan, tables)
    check_released(answers[campaigns.SHOP], campaigns.truth(plan, tables), epsilon)
    for name, figure in answers[campaigns.SHOP].items():
        assert np.array_equal(figure.values, answers[campaigns.MEDIUM][name].values, equal_nan=True)  # type: ignore[arg-type]
        assert answers[campaigns.HELPER][name].values is None


def test_a_smaller_run_has_whole_households() -> None:
    few = campaigns.first(DATA, 10)
    assert campaigns.households(few).tolist() == campaigns.households(DATA)[:10].tolist()
    for name, frame in few.frames.items():
        whole = DATA[name]
        kept = whole[whole["household_id"] <= 10] if "household_id" in whole else whole
        assert frame.equals(kept), name
    assert campaigns.first(DATA, None)["transactions"].equals(DATA["transactions"])


def by_hand() -> tuple[campaigns.Plan, list[Any]]:
    days = [pd.Timestamp(f"2017-01-{d:02}") for d in (1, 10, 5, 20)]
    plan = campaigns.Plan((7, 9), ((days[0], days[1]), (days[2], days[3])), (16, 16), 1, EXACT)
    sent = pd.DataFrame({"household_id": [1, 1, 2, 3, 8], "campaign_id": [7, 9, 7, 9, 7]})
    bought = pd.DataFrame(
        {
            "household_id": [1, 1, 1, 2, 2, 3],
            "transaction_timestamp": pd.to_datetime(
                [
                    "2017-01-01 08:00",
                    "2017-01-10 22:00",
                    "2017-01-21 09:00",
                    "2017-01-03 09:00",
                    "2017-01-15 09:00",
                    "2017-01-05 09:00",
                ]
            ),
            "sales_value": [100.4, 50, 900, 20, 7, 9000],
        }
    )
    used = pd.DataFrame({"household_id": [1, 1, 2, 4], "campaign_id": [7, 7, 9, 7]})
    return plan, [{"campaigns": sent}, {"transactions": bought, "coupon_redemptions": used}, None]


def test_a_few_households_counted_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "MOST_CAMPAIGNS", 2)
    monkeypatch.setattr(campaigns, "SALES", (0, 200))
    plan, tables = by_hand()
    true = campaigns.truth(plan, tables)
    # campaign 7: households 1 (150 dollars, redeemed) and 2 (20); 9: 1 (50) and 3 (cut to 200); 2 was not sent 9
    assert np.array_equal(true["reach"], [[2, 2], [1, 0]])
    assert np.array_equal(true["sales"], [85, 125])
    answer = released(plan, tables)[0]
    assert np.array_equal(answer["reach"].values, [[2, 2], [1, 0]])  # type: ignore[arg-type]
    check_released(answer, true, EXACT)


def test_a_household_changes_no_more_than_the_sensitivity_says() -> None:
    plan = campaigns.make_plan(DATA, 1.0)
    greedy = pd.DataFrame({"household_id": [1] * 40, "campaign_id": [*plan.campaigns] * 10})
    medium = campaigns.own_rows(plan, campaigns.MEDIUM, {"campaigns": greedy})
    assert medium is not None and len(medium["household_id"]) == len(plan.campaigns) <= campaigns.MOST_CAMPAIGNS
    many = replace(plan, campaigns=tuple(range(20)))
    greedy = pd.DataFrame({"household_id": [1] * 20, "campaign_id": range(20)})
    medium = campaigns.own_rows(many, campaigns.MEDIUM, {"campaigns": greedy})
    assert medium is not None and len(medium["household_id"]) == campaigns.MOST_CAMPAIGNS
    shop = campaigns.own_rows(plan, campaigns.SHOP, campaigns.split(DATA)[campaigns.SHOP])
    assert shop is not None and len(set(shop["household_id"])) == len(shop["household_id"])
    for name, column in plan.sources[1].columns.items():
        assert column.low <= min(shop[name]) and max(shop[name]) <= column.high  # type: ignore[operator]


def test_small_campaigns_are_not_printed(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = campaigns.make_plan(DATA, EXACT)
    counts = campaigns.truth(plan, campaigns.split(DATA))["reach"][0]
    monkeypatch.setattr(campaigns, "load_complete_journey", lambda: DATA)
    minimum = int(np.sort(counts)[-2]) - 2
    monkeypatch.setattr(campaigns, "STAND_IN_MINIMUM", minimum)
    assert sorted(counts >= minimum) == [False, False, True, True]
    campaigns.main(["--in-memory", "--epsilon", "128"])
    printed = capsys.readouterr().out
    for campaign, count in zip(plan.campaigns, counts, strict=True):
        assert printed.count(f"campaign {campaign} ") == (3 if count >= minimum else 0)
    assert "Not printed: 2 campaigns" in printed


@pytest.mark.parametrize("where", [["--in-memory"], []], ids=["in memory", "three processes"])
def test_the_command(where: list[str], capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "load_complete_journey", lambda: DATA)
    monkeypatch.setattr(campaigns, "CAPACITY_STEP", 256)
    campaigns.main([*where, "--epsilon", "60", "--rows", "100"])
    printed, progress = capsys.readouterr()
    for words in (
        "households reached", "redeemed a coupon", "mean sales", "truth", "± standard error", "95% interval",
        "ε = 60 in all", "rounds", "MB sent",
    ):  # fmt: skip
        assert words in printed, words
    assert [line[:4] for line in progress.splitlines()] == [f"[{i}/5" for i in range(1, 6)]
