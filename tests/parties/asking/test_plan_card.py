"""Plan cards as people see them: in a terminal, in a notebook, as data."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.asking.plan_card import Card
from parties.wire.message_form import read_json
from parties.wire.quote_messages import PlanCard

SQL = "SELECT ward, COUNT(*), SUM(age)\nFROM stays GROUP BY ward"


def clause(name: str, column: str, verdict: str, remedy: str = "") -> dict[str, Any]:
    return {"clause": name, "column": column, "verdict": verdict, "text": f"looked at {name}", "remedy": remedy}


def said(**other: Any) -> dict[str, Any]:
    table = {
        "table": "stays", "policy": "0" * 64, "verdict": "allowed", "columns": {"age": ["sum"], "ward": ["group"]},
        "counts": True, "left": {"delta": 1e-5, "days": 30, "analyst": 3.5, "period": None, "ever": -0.5},
        "clauses": [clause("use", "age", "allowed"), clause("use", "ward", "allowed"), clause("query", "", "allowed")],
    }  # fmt: skip
    return {
        "verdict": "allowed", "kind": "query", "parameters": {"sql": SQL, "epsilon": 1.0}, "purpose": "planning",
        "by": "ann", "results": ["alfa"], "tables": ["alfa.stays"], "plan": "1" * 64, "epsilon": 1.0, "delta": 0.0,
        "groups": 4, "minimum": 20, "leaks": [], "explained": "alfa runs this\non shares that",
        "figures": [{"name": "COUNT(*)", "error": 2.25, "by_rows": False}, {"name": "m", "error": 7.0, "by_rows": True},
                    {"name": "MEDIAN(age)", "error": None, "by_rows": False}],
        "owners": [{"member": "alfa", "tables": [table], "models": [], "error": ""}],
        "cost": {"seconds": 0.25, "megabytes": 12.0, "rounds": 9.0, "round_trip": 1e-4}, "replays": "",
        **other,
    }  # fmt: skip


def card(**other: Any) -> Card:
    return Card(read_json(PlanCard, json.dumps(said(**other)).encode()))


def denied() -> Card:
    made = said(verdict="denied")
    made["owners"][0]["tables"][0]["verdict"] = "denied"
    made["owners"][0]["tables"][0]["clauses"] += [
        clause("rule", "ward", "denied", "ask the owner"), clause("query", "", "ask", "somebody approves it"),
    ]  # fmt: skip
    made["owners"].append({"member": "bravo", "tables": [], "error": "PeerUnreachable: bravo is away"})
    return card(**made)


def test_a_models_owner_is_on_the_card_with_what_its_rules_say() -> None:
    made = said(verdict="denied")
    clauses = [clause("content", "", "allowed"), clause("answer", "", "denied", "ask for classes")]
    model = {"model": "risk@2", "verdict": "denied", "clauses": clauses}
    made["owners"].append({"member": "charlie", "tables": [], "models": [model], "error": ""})
    shown = card(**made)
    for text in (repr(shown), " ".join(Cells(shown._repr_html_()).text)):
        for part in ("charlie.risk@2", "denied", "looked at answer", "ask for classes", "content"):
            assert part in text


class Cells(HTMLParser):
    """What stands in a notebook's cells."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_card_says_all_of_it_in_a_terminal_and_in_a_notebook() -> None:
    made = card()
    text, cells = repr(made), " ".join(Cells(made._repr_html_()).text)
    for shown in (text, cells):
        assert "SELECT ward, COUNT(*), SUM(age)" in shown and "allowed" in shown
        assert "asked by ann for planning; the answer goes to alfa" in shown
        assert "alfa.stays" in shown or ("alfa" in shown and "stays" in shown)
        for part in ("± 2.25", "± 7 / number of rows", "MEDIAN(age)", "not known before", "4 groups", "below 20 rows"):
            assert part in shown
        assert "3.5 at delta 1e-05" in shown and "no limit" in shown and "-0.5" in shown
        assert "0.25 s" in shown and "12 MB" in shown
    assert "use (2), query" in text
    assert made.allowed and (made.epsilon, made.seconds, made.megabytes) == (1.0, 0.25, 12.0)
    assert made.json() == said()


def test_a_card_is_plain_text_also_where_a_notebooks_kernel_asks_for_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = repr(card())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert repr(card()) == plain and "\x1b" not in plain


def test_a_card_that_is_denied_says_by_what_and_the_way_out() -> None:
    made = denied()
    assert made.verdict == "denied" and not made.allowed
    for shown in (repr(made), html.unescape(made._repr_html_())):
        assert shown.index("ask the owner") < shown.index("somebody approves it")
        assert "bravo does not say: PeerUnreachable: bravo is away" in shown
    assert "denied by rule of ward: looked at rule; ask the owner" in repr(made)


def test_a_question_that_was_answered_costs_nothing() -> None:
    made = card(replays="2" * 32)
    for shown in (repr(made), made._repr_html_()):
        assert f"answered before, by job {'2' * 32}" in shown and "nothing is spent" in shown


def test_a_card_says_what_the_way_between_nodes_takes_where_that_is_much() -> None:
    cost = {"seconds": 3.2, "megabytes": 12.0, "rounds": 60.0, "round_trip": 0.05}
    for shown in (repr(card(cost=cost)), card(cost=cost)._repr_html_()):
        assert "60 rounds of 50 ms are in it" in " ".join(shown.split())
    assert "rounds" not in repr(card(cost={**cost, "round_trip": 1e-4}))


def test_a_job_without_figures_or_limits_has_a_card_too() -> None:
    made = card(figures=[], groups=1, minimum=None, explained="", kind="score", parameters={"answer": "predict"},
                cost={"seconds": 0.0, "megabytes": 0.0}, leaks=["somebody: something"])  # fmt: skip
    assert "answer: predict" in repr(made) and "not foretold" in repr(made)
    assert "learned on the way by somebody: something" in repr(made)
    assert "how it runs" not in made._repr_html_()


TEXTS = st.text(max_size=40)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_what_others_wrote_is_never_markup_or_an_order(name: str, text: str, column: str, error: str) -> None:
    made = said()
    table = made["owners"][0]["tables"][0]
    table["columns"][column] = ["sum"]
    table["clauses"].append({**clause("rule", column, "denied"), "text": text, "remedy": text})
    made["owners"].append({"member": "bravo", "tables": [], "error": error})
    shown = card(**{**made, "figures": [{"name": name, "error": 1.0, "by_rows": False}], "leaks": [text]})
    assert {c for c in repr(shown) if not c.isprintable()} <= {"\n"}
    tags = set(Cells(shown._repr_html_()).tags)
    assert tags <= {"div", "b", "pre", "table", "tr", "th", "td", "details", "summary"}


@pytest.mark.parametrize("text", ["[red]x[/red]", "<script>x</script>", "a\x1b[2Jb"])
def test_markup_is_text(text: str) -> None:
    shown = card(figures=[{"name": text, "error": 1.0, "by_rows": False}])
    assert "\x1b" not in repr(shown) and "<script>" not in shown._repr_html_()
    assert text.replace("\x1b", "\\x1b") in repr(shown)
