"""A model's own rules: every clause denies by its own name, and who has none of them has nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from parties.kinds.kind import ModelAsk
from parties.models.model_facts import LogisticFacts, Term, TreeFacts
from parties.models.model_rules import ANSWERS, ModelAsked, ModelRules, check_model, may_see
from parties.policies.policy import verdict_of
from parties.policies.policy_terms import Verdict

FACTS = TreeFacts(("age", "cost"), 3, 10, 1, "sigmoid")
ID = "a" * 64
ASK = ModelAsk("charlie", "risk", 2, ID, "predict", FACTS)
ASKED = ModelAsked("bravo", "research", "alfa", frozenset({"alfa"}))
RULES = ModelRules(members=frozenset({"bravo"}))
LINEAR = LogisticFacts((Term("age", None, 0.0, 1.0),), 1.0, 2.0)


def denied(rules: ModelRules = RULES, ask: ModelAsk = ASK, asked: ModelAsked = ASKED, facts: Any = FACTS) -> list[str]:
    findings = check_model(rules, facts, ID, ask, asked)
    assert all(f.remedy for f in findings if f.verdict is not Verdict.ALLOWED)
    assert not any(f.remedy for f in findings if f.verdict is Verdict.ALLOWED)
    return [f.clause for f in findings if f.verdict is Verdict.DENIED]


def test_what_is_allowed_is_allowed_clause_by_clause() -> None:
    findings = check_model(RULES, FACTS, ID, ASK, ASKED)
    assert verdict_of(findings) is Verdict.ALLOWED
    assert [f.clause for f in findings] == ["content", "size", "member", "purpose", "answer", "receivers"]


def test_by_default_a_model_is_its_owners_and_tells_classes_to_the_rows_owner() -> None:
    assert denied(ModelRules()) == ["member"]
    own = dataclasses.replace(ASKED, member="charlie")
    assert denied(ModelRules(), asked=own) == []
    assert denied(ModelRules(), dataclasses.replace(ASK, answer="predict_proba"), own) == ["answer"]
    assert denied(ModelRules(), asked=dataclasses.replace(own, receivers=frozenset({"charlie"}))) == ["receivers"]
    assert may_see(ModelRules(), "charlie", "charlie") and not may_see(ModelRules(), "charlie", "bravo")
    assert may_see(ModelRules(members=None), "charlie", "bravo") and may_see(RULES, "charlie", "bravo")


@pytest.mark.parametrize(
    ("rules", "ask", "asked", "clauses"),
    [
        ({}, {"id": "b" * 64}, {}, ["content"]),
        ({}, {"facts": dataclasses.replace(FACTS, depth=4)}, {}, ["size"]),
        ({}, {"facts": dataclasses.replace(FACTS, trees=9)}, {}, ["size"]),
        ({}, {"facts": dataclasses.replace(FACTS, link="identity")}, {}, ["size"]),
        ({}, {"facts": dataclasses.replace(FACTS, features=("cost", "age"))}, {}, ["size"]),
        ({}, {"facts": LINEAR}, {}, ["size"]),
        ({"members": frozenset()}, {}, {}, ["member"]),
        ({}, {}, {"member": "alfa"}, ["member"]),
        ({"purposes": frozenset({"care"})}, {}, {}, ["purpose"]),
        ({"purposes": frozenset({"care"})}, {}, {"purpose": ""}, ["purpose"]),
        ({"answers": frozenset()}, {}, {}, ["answer"]),
        ({}, {"answer": "decision_function"}, {}, ["answer"]),
        ({}, {}, {"receivers": frozenset({"alfa", "bravo"})}, ["receivers"]),
        ({"receivers": frozenset({"delta"})}, {}, {"receivers": frozenset({"bravo"})}, ["receivers"]),
        ({}, {}, {"receivers": frozenset()}, ["receivers"]),
        ({"receivers": frozenset({"bravo"})}, {}, {"receivers": frozenset({"alfa", "bravo"})}, []),
        ({"receivers": None}, {}, {"receivers": frozenset({"delta"})}, []),
        ({"members": None, "purposes": frozenset({"research"})}, {}, {"member": "echo"}, []),
    ],
)
def test_each_clause_denies_by_its_name_with_a_way_out(
    rules: dict[str, Any], ask: dict[str, Any], asked: dict[str, Any], clauses: list[str]
) -> None:
    found = denied(
        dataclasses.replace(RULES, **rules), dataclasses.replace(ASK, **ask), dataclasses.replace(ASKED, **asked)
    )
    assert found == clauses


def words(rules: ModelRules, ask: ModelAsk, asked: ModelAsked, facts: Any = FACTS) -> list[str]:
    return [
        f"{f.clause} {f.verdict.value}: {f.text}" + (f" | {f.remedy}" if f.remedy else "")
        for f in check_model(rules, facts, ID, ask, asked)
    ]


def test_every_clause_in_its_words() -> None:
    assert words(RULES, ASK, ASKED) == [
        "content allowed: version 2 with the id aaaaaaaaaaaaaaaa...",
        "size allowed: of the public size it has",
        "member allowed: scoring by bravo",
        "purpose allowed: scoring for research",
        "answer allowed: its predict would leave",
        "receivers allowed: alfa would receive the predictions",
    ]
    look = "`accord models` lists it as it is offered: leave id and size out, and the node looks them up"
    strict = ModelRules(
        frozenset({"delta", "bravo"}), frozenset({"fraud", "care"}), frozenset({"predict", "decision_function"}),
        frozenset({"echo", "delta"}),
    )  # fmt: skip
    other = TreeFacts(("cost", "rate"), 4, 9, 1, "sigmoid")
    ask = ModelAsk("charlie", "risk", 3, "b" * 64, "predict_proba", other)
    asked = ModelAsked("foxtrot", "", "alfa", frozenset({"foxtrot", "alfa", "bravo"}))
    assert words(strict, ask, asked) == [
        f"content denied: version 3 with the id bbbbbbbbbbbbbbbb... | {look}",
        f"size denied: on the columns cost, rate, and it takes age, cost | {look}",
        f"size denied: another depth, trees than it has | {look}",
        "member denied: scoring by foxtrot | it is offered to bravo, charlie, delta",
        "purpose denied: scoring without a purpose | it is for care, fraud",
        "answer denied: its predict_proba would leave | what may be asked for: decision_function, predict",
        "receivers allowed: alfa would receive the predictions",
        "receivers denied: bravo would receive the predictions | predictions of it go to alfa, delta, echo",
        "receivers denied: foxtrot would receive the predictions | predictions of it go to alfa, delta, echo",
    ]
    nothing = ModelRules(purposes=frozenset(), answers=frozenset())
    none = dataclasses.replace(asked, receivers=frozenset())
    assert words(nothing, ask, none, LINEAR)[1:] == [
        f"size denied: a model of the family trees, and it is one of logistic | {look}",
        "member denied: scoring by foxtrot | it is offered to charlie",
        "purpose denied: scoring without a purpose | it is for nothing",
        "answer denied: its predict_proba would leave | what may be asked for: nothing",
        "receivers denied: nobody would receive the predictions | name a result member",
    ]


def test_rules_as_fields() -> None:
    assert ModelRules().fields == {
        "members": [], "purposes": None, "answers": ["predict"], "receivers": [], "coefficients": False,
    }  # fmt: skip
    every = ModelRules(frozenset({"b", "a"}), frozenset({"y", "x"}), frozenset(ANSWERS), frozenset({"d", "c"}), True)
    assert every.fields == {
        "members": ["a", "b"], "purposes": ["x", "y"], "receivers": ["c", "d"], "coefficients": True,
        "answers": ["decision_function", "predict", "predict_proba"],
    }  # fmt: skip


def test_the_bounds_of_a_logistic_regression_are_of_its_size() -> None:
    wider = dataclasses.replace(LINEAR, terms=(Term("age", None, 0.0, 2.0),))
    ask = dataclasses.replace(ASK, facts=wider)
    assert denied(ask=ask, facts=LINEAR) == ["size"] and denied(ask=ask, facts=wider) == []


def test_equal_rules_have_one_digest_and_others_another() -> None:
    variants = [
        RULES,
        ModelRules(),
        ModelRules(members=None),
        dataclasses.replace(RULES, coefficients=True),
        dataclasses.replace(RULES, receivers=None),
        dataclasses.replace(RULES, purposes=frozenset()),
        dataclasses.replace(RULES, answers=frozenset()),
    ]
    assert len({rules.digest for rules in variants}) == len(variants)
    assert ModelRules(members=frozenset({"a", "b"})).digest == ModelRules(members=frozenset({"b", "a"})).digest
