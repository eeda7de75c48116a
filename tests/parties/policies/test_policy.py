"""Policies: every clause denies by its own name, an empty policy denies everything."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.data.description import digest_of
from parties.data.published import PublishedColumn
from parties.errors import PolicyInvalid
from parties.policies.policy import check_policy, verdict_of
from parties.policies.policy_store import load_policy, save_policy, sign_policy
from parties.policies.policy_terms import (
    CAPABILITIES,
    OPENS,
    TABLE,
    Asked,
    Finding,
    Limits,
    Models,
    Policy,
    Rule,
    Spent,
    Verdict,
)
from parties.policies.policy_text import check_fits, policy_bytes, policy_toml, read_policy, read_toml
from parties.publishing.publish_policy import policy_of
from tests.parties.consortium import identity
from tests.parties.tabular import COLUMNS, table

UNBOUNDED = PublishedColumn("weight", "integer", frozenset({"filter"}))
PATIENTS = table("a.csv", columns={**COLUMNS, "weight": UNBOUNDED})
DIGEST = digest_of(PATIENTS)
ALL = frozenset(CAPABILITIES)
ALL_OPENS = frozenset(OPENS)
OPEN = Policy("patients", DIGEST, (Rule(ALL),), Limits(query=2.0, analyst=4.0, period=6.0, ever=8.0))
GOOD = Asked(
    member="alfa",
    analyst="ann",
    purpose="research",
    uses={"age": frozenset({"sum", "release", "filter"}), "id": frozenset({"join"})},
    counts=True,
    receivers=frozenset({"alfa"}),
    epsilon=1.0,
    delta=1e-6,
    spent=Spent(1.0, 2.0, 3.0),
    minimum=20,
)


def said(policy: Policy, asked: Asked, digest: str = DIGEST) -> tuple[Finding, ...]:
    return check_policy(policy, PATIENTS, digest, asked)


def denied(policy: Policy, asked: Asked) -> list[tuple[str, str]]:
    return [(f.clause, f.column) for f in said(policy, asked) if f.verdict is Verdict.DENIED]


def test_what_is_allowed_is_allowed_clause_by_clause() -> None:
    findings = said(OPEN, GOOD)
    assert verdict_of(findings) is Verdict.ALLOWED and not any(f.remedy for f in findings)
    assert {f.clause for f in findings} == {
        "published", "use", "bounds", "rule", "receivers", "minimum", "query", "analyst", "period", "ever",
    }  # fmt: skip
    at_the_limit = dataclasses.replace(GOOD, epsilon=2.0, delta=1e-5, spent=Spent(4.0, 6.0, 8.0))
    assert verdict_of(said(dataclasses.replace(OPEN, minimum=20), at_the_limit)) is Verdict.ALLOWED
    trees = dataclasses.replace(OPEN, models=Models(frozenset({"trees", "logistic"}), frozenset()))
    assert verdict_of(said(trees, dataclasses.replace(GOOD, model="logistic"))) is Verdict.ALLOWED


def test_a_table_whose_coefficients_stay_is_not_trained_on_and_the_remedy_says_so() -> None:
    rules = dataclasses.replace(OPEN, models=Models(None, frozenset({"metric"})))
    asked = dataclasses.replace(GOOD, model="logistic", opens=frozenset({"coefficients"}))
    [finding] = [f for f in said(rules, asked) if f.verdict is Verdict.DENIED]
    assert finding.clause == "model" and finding.text == "the model's coefficients would leave"
    assert finding.remedy == (
        "what may leave: metric; a train job opens them, with noise, so until the owner allows that nothing is trained "
        "on it"
    )


def test_an_empty_policy_denies_everything_and_so_does_no_finding() -> None:
    empty = Policy("patients", DIGEST, (), Limits(query=1e6))
    for uses in ({}, {"age": frozenset({"filter"})}):
        assert verdict_of(said(empty, dataclasses.replace(GOOD, uses=uses))) is Verdict.DENIED
    assert verdict_of(()) is Verdict.DENIED


@pytest.mark.parametrize(
    ("policy", "asked", "clauses"),
    [
        ({"published": "0" * 64}, {}, [("published", TABLE)]),
        ({}, {"uses": {"height": frozenset({"sum"})}}, [("use", "height")]),
        ({}, {"uses": {"age": frozenset({"steal"})}}, [("use", "age"), ("rule", "age")]),
        ({}, {"uses": {"age": frozenset({"join"})}}, [("use", "age")]),
        ({}, {"uses": {"age": frozenset({"group"})}}, []),
        ({}, {"uses": {"id": frozenset({"filter"})}}, [("use", "id")]),
        ({}, {"uses": {"age": frozenset()}}, [("use", "age")]),
        ({}, {"uses": {"weight": frozenset({"sum"})}}, [("bounds", "weight")]),
        ({}, {"uses": {"weight": frozenset({"predict"})}}, [("bounds", "weight")]),
        ({}, {"uses": {"weight": frozenset({"group"})}}, [("bounds", "weight")]),
        ({}, {"uses": {}, "counts": False}, [("use", TABLE)]),
        ({"rules": (Rule(ALL - {"count"}),)}, {}, [("rule", TABLE)]),
        ({"rules": (Rule(ALL - {"filter"}),)}, {}, [("rule", "age")]),
        ({"rules": (Rule(ALL, frozenset({"age", TABLE})),)}, {}, [("rule", "id")]),
        ({"rules": (Rule(ALL, frozenset({"age", "id"})),)}, {}, [("rule", TABLE)]),
        ({"rules": (Rule(ALL, members=frozenset({"bravo"})),)}, {"uses": {}}, [("rule", TABLE)]),
        ({"rules": (Rule(ALL, purposes=frozenset({"fraud"})),)}, {"uses": {}}, [("rule", TABLE)]),
        ({"receivers": frozenset({"bravo"})}, {}, [("receivers", TABLE)]),
        ({"receivers": frozenset({"alfa"})}, {"receivers": frozenset({"alfa", "bravo"})}, [("receivers", TABLE)]),
        ({}, {"receivers": frozenset()}, [("receivers", TABLE)]),
        ({}, {"of_rows": True, "owner": "bravo"}, [("receivers", TABLE)]),
        ({}, {"of_rows": True, "owner": "alfa"}, []),
        ({"receivers": frozenset({"alfa"})}, {"of_rows": True, "owner": "bravo"}, []),
        ({"receivers": frozenset({"bravo"})}, {"of_rows": True, "owner": "alfa"}, [("receivers", TABLE)]),
        ({"minimum": 21}, {}, [("minimum", TABLE)]),
        ({}, {"exact": True}, [("matches", TABLE)]),
        ({}, {"epsilon": 2.0000001}, [("query", TABLE)]),
        ({}, {"epsilon": float("nan")}, [("query", TABLE)]),
        ({}, {"delta": 2e-5}, [("query", TABLE)]),
        ({}, {"spent": Spent(4.01, 0, 0)}, [("analyst", TABLE)]),
        ({}, {"spent": Spent(0, 6.01, 0)}, [("period", TABLE)]),
        ({}, {"spent": Spent(0, 0, 8.01)}, [("ever", TABLE)]),
        ({}, {"spent": Spent(None, 0, None)}, [("analyst", TABLE), ("ever", TABLE)]),
        ({"models": Models(frozenset({"trees"}))}, {"model": "logistic"}, [("model", TABLE)]),
        ({"models": Models(None, frozenset({"loss"}))}, {"model": "x", "opens": ALL_OPENS}, [("model", TABLE)] * 2),
    ],
)  # fmt: skip
def test_each_clause_denies_by_its_name_with_a_way_out(
    policy: dict[str, Any], asked: dict[str, Any], clauses: list[tuple[str, str]]
) -> None:
    rules, job = dataclasses.replace(OPEN, **policy), dataclasses.replace(GOOD, **asked)
    assert denied(rules, job) == clauses
    assert all(f.remedy for f in said(rules, job) if f.verdict is not Verdict.ALLOWED)


def test_what_members_learn_exactly_on_the_way_is_the_owners_to_allow() -> None:
    exact = dataclasses.replace(GOOD, exact=True)
    text = "compute members would learn exactly how many people match"
    remedy = 'ask with "pad", so that they learn it with noise; or the owner allows it: exact_matches = true'
    assert f"matches [] denied: {text} | {remedy}" in words(OPEN, exact)
    assert f"matches [] allowed: {text}" in words(dataclasses.replace(OPEN, exact_matches=True), exact)
    assert not any(line.startswith("matches") for line in words(OPEN, GOOD))


def words(policy: Policy, asked: Asked, digest: str = DIGEST) -> list[str]:
    """What the findings say, as people read it: one line each."""
    return [
        f"{f.clause} [{f.column}] {f.verdict.value}: {f.text}" + (f" | {f.remedy}" if f.remedy else "")
        for f in said(policy, asked, digest)
    ]


def test_every_clause_in_its_words_where_all_is_allowed() -> None:
    assert words(OPEN, dataclasses.replace(GOOD, model="logistic", opens=frozenset({"loss"}))) == [
        "published [] allowed: the policy is for the table as it is published",
        "use [age] allowed: filter of a column of kind integer",
        "use [age] allowed: release of a column of kind integer",
        "use [age] allowed: sum of a column of kind integer",
        "bounds [age] allowed: public bounds, by which noise is measured",
        "use [id] allowed: join of a column of kind key",
        "rule [] allowed: count by alfa for research",
        "rule [age] allowed: filter by alfa for research",
        "rule [age] allowed: release by alfa for research",
        "rule [age] allowed: sum by alfa for research",
        "rule [id] allowed: join by alfa for research",
        "receivers [] allowed: alfa would receive the answer",
        "minimum [] allowed: figures of groups of 20 rows and more",
        "query [] allowed: epsilon 1 of 2 a job",
        "query [] allowed: delta 1e-06 of 1e-05",
        "analyst [] allowed: epsilon 1 with this job of 4 by ann within 30 days",
        "period [] allowed: epsilon 2 with this job of 6 by all within 30 days",
        "ever [] allowed: epsilon 3 with this job of 8 ever",
        "model [] allowed: a model of kind logistic",
        "model [] allowed: the model's loss would leave",
    ]


def test_every_clause_in_its_words_where_all_is_denied() -> None:
    rules = (
        Rule(frozenset({"sum"}), frozenset({"age"}), frozenset({"charlie", "bravo"}), frozenset({"fraud", "audit"})),
        Rule(frozenset({"sum"}), purposes=frozenset({"billing"})),
        Rule(frozenset({"sum"}), frozenset({"cost"}), frozenset({"delta"})),
        Rule(frozenset({"count"}), members=frozenset({"delta"})),
    )
    strict = Policy(
        "patients", "0" * 64, rules, Limits(0.5, 1.0, 2.0, 7, 3.0, 1e-9), 50, frozenset({"delta", "bravo"}),
        Models(frozenset({"trees", "forest"}), frozenset({"metric", "loss"})),
    )  # fmt: skip
    asked = dataclasses.replace(
        GOOD, purpose="", analyst="", model="logistic", opens=frozenset({"loss", "coefficients"}),
        spent=Spent(None, 12.34567, 3.5), receivers=frozenset({"echo", "bravo", "alfa"}),
        uses={"age": frozenset({"sum", "join"}), "weight": frozenset({"sum"}), "dead": frozenset(), "no": ALL},
    )  # fmt: skip
    assert [line for line in words(strict, asked) if "] denied" in line and not line.startswith("rule [no]")] == [
        "published [] denied: the policy is for the table as it is published | its owner looks at the table as it is "
        "published now and signs anew: `accord policy`",
        "use [age] denied: join of a column of kind integer | it can be for sum, group, filter, train, predict, "
        "release",
        "use [dead] denied: the job says no use of the column | leave it out",
        f"use [no] denied: not published | take one of {', '.join(PATIENTS.columns)}, or ask the owner to publish it",
        "bounds [weight] denied: public bounds, by which noise is measured | the owner publishes bounds: `accord "
        "publish` with --column weight=integer:LOW:HIGH",
        "rule [] denied: count by alfa without a purpose | it is allowed to delta",
        "rule [age] denied: join by alfa without a purpose | leave it out, or ask the owner to allow it",
        "rule [age] denied: sum by alfa without a purpose | it is allowed to bravo, charlie for audit, fraud; all "
        "members for billing",
        "rule [weight] denied: sum by alfa without a purpose | it is allowed to all members for billing",
        "receivers [] denied: alfa would receive the answer | the owner gives answers to bravo, delta",
        "receivers [] denied: echo would receive the answer | the owner gives answers to bravo, delta",
        "minimum [] denied: figures of groups of 20 rows and more | ask with a minimum of 50",
        "query [] denied: epsilon 1 of 0.5 a job | ask with an epsilon of 0.5 at most",
        "query [] denied: delta 1e-06 of 1e-09 | ask with a delta of 1e-09 at most",
        "analyst [] denied: epsilon unknown with this job of 1 by one analyst within 7 days | ask with a smaller "
        "epsilon, or wait",
        "period [] denied: epsilon 12.35 with this job of 2 by all within 7 days | ask with a smaller epsilon, or wait",
        "ever [] denied: epsilon 3.5 with this job of 3 ever | ask with a smaller epsilon, or the owner alone can "
        "raise it: `accord policy`",
        "model [] denied: a model of kind logistic | models there may be: forest, trees",
        "model [] denied: the model's coefficients would leave | what may leave: loss, metric; a train job opens them, "
        "with noise, so until the owner allows that nothing is trained on it",
    ]
    every = [line for line in words(OPEN, dataclasses.replace(GOOD, model="x", opens=ALL_OPENS)) if "leave" in line]
    assert every == [f"model [] allowed: the model's {name} would leave" for name in ("coefficients", "loss", "metric")]


def test_the_rarer_words_of_clauses() -> None:
    nobody = dataclasses.replace(OPEN, receivers=frozenset(), models=Models(frozenset(), frozenset()), rules=())
    asked = dataclasses.replace(GOOD, uses={}, model="x", opens=frozenset({"loss"}), receivers=frozenset({"b", "a"}))
    found = words(nobody, asked)
    assert "receivers [] denied: a would receive the answer | the owner gives answers to nobody" in found
    assert found.index(next(line for line in found if ": a would" in line)) + 1 == found.index(
        next(line for line in found if ": b would" in line)
    )
    assert "model [] denied: a model of kind x | models there may be: none" in found
    assert "model [] denied: the model's loss would leave | what may leave: nothing" in found
    none = words(OPEN, dataclasses.replace(GOOD, uses={}, counts=False, receivers=frozenset()))
    assert "use [] denied: the job says no use of the table | ask with a figure or a column" in none
    assert "receivers [] denied: nobody would receive the answer | name a result member" in none
    rows = words(OPEN, dataclasses.replace(GOOD, of_rows=True, owner="bravo", receivers=frozenset({"alfa", "bravo"})))
    assert [line for line in rows if line.startswith("receivers")] == [
        "receivers [] denied: alfa would receive predictions for single rows | the owner gives predictions for single "
        "rows to bravo",
        "receivers [] allowed: bravo would receive predictions for single rows",
    ]
    asks = dataclasses.replace(
        OPEN, rules=(Rule(ALL, ask=True),), limits=dataclasses.replace(OPEN.limits, ask=0.25)
    )  # fmt: skip
    found = words(asks, dataclasses.replace(GOOD, uses={}))
    assert "rule [] ask: count by alfa for research | the owner approves the job: `accord approve`" in found
    assert (
        "query [] ask: epsilon 1 of 2 a job | the owner approves the job: `accord approve`; up to 0.25 none is needed"
        in found
    )


def test_what_is_denied_once_is_denied_whatever_a_person_says() -> None:
    kinds = {v: Finding("rule", TABLE, v, "") for v in Verdict}
    for first in Verdict:
        for second in Verdict:
            worst = max(first, second, key=[Verdict.ALLOWED, Verdict.ASK, Verdict.DENIED].index)
            assert verdict_of([kinds[first], kinds[second]]) is worst


@pytest.mark.parametrize("use", ["sum", "group", "train", "predict"])
def test_what_is_measured_needs_bounds(use: str) -> None:
    asked = dataclasses.replace(GOOD, uses={"weight": frozenset({use})})
    assert ("bounds", "weight") in denied(OPEN, asked)
    for other in ("filter", "release", "count", "join"):
        assert ("bounds", "weight") not in denied(OPEN, dataclasses.replace(GOOD, uses={"weight": frozenset({other})}))


def test_an_epsilon_of_nothing_is_in_no_limit_and_the_least_is_in_all() -> None:
    spent = dataclasses.replace(GOOD, spent=Spent(9, 9, 9), minimum=None)
    assert denied(OPEN, dataclasses.replace(spent, epsilon=0.0)) == []
    assert denied(OPEN, dataclasses.replace(spent, epsilon=5e-324)) == [
        (c, TABLE) for c in ("analyst", "period", "ever")
    ]
    within = {f.clause for f in said(OPEN, dataclasses.replace(spent, epsilon=0.0))}
    assert not within & {"analyst", "period", "ever"}


def test_what_is_not_limited_is_not_looked_at_nor_what_tells_nothing() -> None:
    free = dataclasses.replace(OPEN, limits=Limits(query=2.0))
    assert denied(free, dataclasses.replace(GOOD, spent=Spent(1e9, 1e9, 1e9))) == []
    nothing = dataclasses.replace(GOOD, epsilon=0.0, delta=0.0, minimum=None, spent=Spent(1e9, 1e9, 1e9))
    assert denied(dataclasses.replace(OPEN, minimum=1000), nothing) == []


def test_a_person_is_asked_only_where_no_rule_allows_it_without() -> None:
    asks = dataclasses.replace(OPEN, rules=(Rule(ALL, ask=True),))
    assert verdict_of(said(asks, GOOD)) is Verdict.ASK
    either = dataclasses.replace(OPEN, rules=(Rule(ALL, ask=True), Rule(ALL, members=frozenset({"alfa"}))))
    assert verdict_of(said(either, GOOD)) is Verdict.ALLOWED
    assert verdict_of(said(either, dataclasses.replace(GOOD, member="bravo"))) is Verdict.ASK
    above = dataclasses.replace(OPEN, limits=dataclasses.replace(OPEN.limits, ask=0.5))
    assert verdict_of(said(above, GOOD)) is Verdict.ASK
    assert verdict_of(said(above, dataclasses.replace(GOOD, epsilon=0.5))) is Verdict.ALLOWED
    assert verdict_of(said(above, dataclasses.replace(GOOD, spent=Spent(9, 9, 9)))) is Verdict.DENIED


def test_who_may_is_told_to_who_may_not() -> None:
    rules = (Rule(frozenset({"count"}), members=frozenset({"bravo"}), purposes=frozenset({"fraud"})),)
    found = said(dataclasses.replace(OPEN, rules=rules), dataclasses.replace(GOOD, uses={}))
    (told,) = [f for f in found if f.clause == "rule"]
    assert told.remedy == "it is allowed to bravo for fraud" and told.text == "count by alfa for research"


_NAMES = st.frozensets(st.sampled_from(["alfa", "bravo", "charlie"]), min_size=1)
_COLUMNS = st.sampled_from([TABLE, "age", "cost", "ward", "id", "dead"])
_PURPOSES = st.frozensets(st.sampled_from(["research", "fraud"]), min_size=1)
_EPSILON = st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.0])
RULES = st.builds(
    Rule,
    st.frozensets(st.sampled_from(CAPABILITIES), min_size=1),
    st.none() | st.frozensets(_COLUMNS, min_size=1),
    st.none() | _NAMES,
    st.none() | _PURPOSES,
    st.booleans(),
)
LIMITS = st.builds(
    Limits, st.just(4.5), st.none() | _EPSILON, st.none() | _EPSILON, st.integers(1, 400), st.none() | _EPSILON,
    st.sampled_from([1e-9, 1e-6]), st.none() | _EPSILON,
)  # fmt: skip
POLICIES = st.builds(
    Policy,
    st.just("patients"),
    st.just(DIGEST),
    st.lists(RULES, max_size=4).map(tuple),
    LIMITS,
    st.sampled_from([1, 10, 100]),
    st.none() | _NAMES,
    st.builds(Models, st.none() | st.frozensets(st.just("logistic")), st.frozensets(st.sampled_from(OPENS))),
    st.booleans(),
)
ASKED = st.builds(
    Asked,
    member=st.sampled_from(["alfa", "bravo"]),
    analyst=st.just("ann"),
    purpose=st.sampled_from(["", "research"]),
    uses=st.dictionaries(_COLUMNS.filter(bool), st.frozensets(st.sampled_from(CAPABILITIES), min_size=1), max_size=3),
    counts=st.booleans(),
    receivers=_NAMES,
    epsilon=_EPSILON,
    delta=st.sampled_from([0.0, 1e-7]),
    spent=st.builds(Spent, _EPSILON, _EPSILON, _EPSILON),
    minimum=st.none() | st.sampled_from([1, 10, 100]),
    model=st.none() | st.just("logistic"),
    opens=st.frozensets(st.sampled_from(OPENS)),
    exact=st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(POLICIES, ASKED)
def test_what_is_let_through_is_allowed_by_a_rule_of_the_owners_own_words(policy: Policy, asked: Asked) -> None:
    """Written again, from what the documentation says of a policy."""
    if verdict_of(said(policy, asked)) is Verdict.DENIED:
        return
    needed = [(TABLE, "count")] if asked.counts else []
    needed += [(column, use) for column, uses in asked.uses.items() for use in uses]
    assert needed
    for column, use in needed:
        assert any(
            use in rule.may
            and (rule.columns is None or column in rule.columns)
            and (rule.members is None or asked.member in rule.members)
            and (rule.purposes is None or asked.purpose in rule.purposes)
            for rule in policy.rules
        ), (column, use)
    assert policy.receivers is None or asked.receivers <= policy.receivers
    assert asked.minimum is None or asked.minimum >= policy.minimum
    assert policy.exact_matches or not asked.exact
    limits = policy.limits
    assert asked.epsilon <= limits.query and asked.delta <= limits.delta
    for most, spent in ((limits.analyst, "analyst"), (limits.period, "period"), (limits.ever, "ever")):
        assert most is None or getattr(asked.spent, spent) <= most
    assert asked.model is None or (policy.models.kinds is None or asked.model in policy.models.kinds)
    assert asked.model is None or asked.opens <= policy.models.opens


@settings(max_examples=200, deadline=None)
@given(POLICIES)
def test_a_policy_is_read_as_it_was_written(policy: Policy) -> None:
    if policy.limits.ask is not None and policy.limits.ask >= policy.limits.query:
        return
    assert read_policy(policy_bytes(policy)) == policy
    again = read_toml(policy_toml(policy), DIGEST)
    assert again == policy and policy_bytes(again) == policy_bytes(policy)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "table"),
        ("table = 'patients'", "limits"),
        ("table = 'patients'\n[limits]\nquery = 0", "query"),
        ("table = 'patients'\n[limits]\nquery = nan", "query"),
        ("table = 'patients'\n[limits]\nquery = 1\nask = 1.0", "ask: below query"),
        ("table = 'patients'\nlimit = 1\n[limits]\nquery = 1", "limit"),
        ("table = 'patients'\n[limits]\nquery = 1\n[[rules]]\nmay = ['steal']", "steal; there are count"),
        ("table = 'patients'\n[limits]\nquery = 1\n[[rules]]\nmay = []", "may"),
        ("table = 'patients'\n[limits]\nquery = 1\n[models]\nopens = ['rows']", "rows; there are coefficients"),
        ("table = [", "not TOML"),
    ],
)
def test_what_is_no_policy_names_the_field(text: str, words: str) -> None:
    with pytest.raises(PolicyInvalid, match=words):
        read_toml(text, DIGEST)


def test_a_column_the_table_has_not_is_a_slip_of_the_pen() -> None:
    check_fits(OPEN, PATIENTS)
    check_fits(policy_of(PATIENTS), PATIENTS)
    with pytest.raises(PolicyInvalid, match="'agee'"):
        check_fits(dataclasses.replace(OPEN, rules=(Rule(ALL, frozenset({"agee"})),)), PATIENTS)


def test_only_what_its_owner_signed_counts(tmp_path: Path) -> None:
    path = save_policy(tmp_path, sign_policy(OPEN, identity(0)))
    found = load_policy(tmp_path, "patients", identity(0).public)
    assert found is not None and found.policy == OPEN
    assert load_policy(tmp_path, "visits", identity(0).public) is None
    with pytest.raises(PolicyInvalid, match="not signed by its owner"):
        load_policy(tmp_path, "patients", identity(1).public)
    good = path.read_bytes()
    for at in range(0, len(good), 7):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(PolicyInvalid):
            load_policy(tmp_path, "patients", identity(0).public)
    path.write_bytes(good)
    (tmp_path / "policies" / "visits.json").write_bytes(good)
    (tmp_path / "policies" / "visits.json").chmod(0o600)
    with pytest.raises(PolicyInvalid, match="it is for table patients"):
        load_policy(tmp_path, "visits", identity(0).public)


def test_publishing_allows_what_its_flags_say_and_no_more() -> None:
    policy = policy_of(PATIENTS)
    allowed = dataclasses.replace(GOOD, uses={"count": frozenset({"sum", "release"})}, epsilon=2.0)
    assert denied(policy, allowed) == []
    assert denied(policy, dataclasses.replace(allowed, uses={"ward": frozenset({"filter"})})) == [("rule", "ward")]
    assert denied(policy, dataclasses.replace(allowed, epsilon=2.1)) == [("query", TABLE)]
