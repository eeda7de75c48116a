"""No path yields what some owner's policy denies: random policies, random jobs, the rules of real nodes.

Beside them the meaning of a policy, said again in a few lines, and of each job what its text needs (random_jobs.py).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc.errors import AccordError
from parties.consent.rules import Rules
from parties.data.description import describe, digest_of
from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import BudgetExhausted, PolicyDenied, PolicyMissing
from parties.jobs.job import Job, job_id
from parties.models.model_assets import ModelAssets
from parties.models.model_entry import Asset
from parties.models.model_facts import TreeFacts
from parties.models.model_rules import ANSWERS, ModelRules
from parties.planning.job_plans import Plans
from parties.policies.budget import Charge
from parties.policies.ledger import Ledger
from parties.policies.policy_store import sign_policy
from parties.policies.policy_terms import CAPABILITIES, OPENS, Limits, Models, Policy, Rule
from parties.wire.model_messages import BroughtIn
from protocols.accounting import Event
from protocols.mechanisms import DiscreteLaplace
from protocols.sensitivity import Change
from tests.parties.consortium import NAMES, charter, identity
from tests.parties.random_jobs import CATALOGUE, Asking, random_job

CHARTER = charter()
NOW = 1_800_000_000
BEFORE = 1.0  # epsilon that ann of alfa was told of everybody yesterday
KINDS = ("query", "aggregate", "join", "score", "train")


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ledger]]:
    found = {}
    for i, name in enumerate(NAMES[:3]):
        file = SqliteFile(tmp_path_factory.mktemp(name) / "ledger.db", CHAIN_SCHEMA)
        found[name] = Ledger(file, identity(i).fingerprint)
        event = Event(DiscreteLaplace(BEFORE), Change((1,), False))
        with file.transaction():
            before = NOW - 86400.0
            found[name].reserve(Charge("j", before, ("integer",), identity(0).fingerprint, "ann", (event,)))
    yield found


def random_policy(draw: random.Random, pair: tuple[str, str], asked: Asking) -> Policy:
    """One that allows what is asked, but for what it takes back here and there; and this and that beside."""
    table, strict = CATALOGUE[pair], draw.choice((0.0, 0.02, 0.1, 0.3))

    def few(names: Iterable[str], least: int = 1) -> frozenset[str]:
        listed = list(names)
        return frozenset(draw.sample(listed, draw.randrange(least, len(listed) + 1)))

    def luck() -> bool:
        return draw.random() < strict

    rules = []
    for column in ("", *table.columns):
        needed = {use for name, use in asked.needs[pair] if name == column}
        may = {*few(CAPABILITIES), *needed, "release"}
        if luck():
            may -= {draw.choice(sorted(needed)) if needed else "release"}
        if may:
            members, purposes = few(NAMES[:3]) if luck() else None, few(("research", "fraud")) if luck() else None
            rules.append(Rule(frozenset(may), frozenset({column}), members, purposes, luck()))
    most = draw.choice((0.75, 1.5, 3.0)) if luck() else 100.0
    later = [draw.choice((1.25, 2.25, 3.5)) if luck() else draw.choice((None, 100.0)) for _ in range(3)]
    return Policy(
        table=table.name,
        published="0" * 64 if luck() and luck() else digest_of(table),
        rules=tuple(rules),
        limits=Limits(most, later[0], later[1], 30, later[2], 1e-7 if luck() else 1e-5),
        minimum=10 if luck() else 1,
        receivers=few(NAMES[:3]) if luck() else None,
        models=Models(few(("trees", "logistic")) if luck() else None, few(OPENS, 0) if luck() else frozenset(OPENS)),
        exact_matches=not luck(),
    )


def forbids(policy: Policy, pair: tuple[str, str], asked: Asking, job: Job, who: str) -> str:
    """Why this policy does not let the job have this table, in the plainest words there are; '' if it does."""
    needs = set(asked.needs[pair])
    if asked.kind != "score":
        needs |= {(column, "release") for column, use in needs if use in ("sum", "group", "train")}
    for column, use in needs:
        granted = False
        for rule in policy.rules:
            here = rule.columns is None or column in rule.columns
            him = rule.members is None or who in rule.members
            why = rule.purposes is None or job.purpose in rule.purposes
            granted = granted or (here and him and why and use in rule.may)
        if not granted:
            return f"{column or 'the table'} for {use}"
    if asked.exact and not policy.exact_matches:
        return "exact matches"
    limits = policy.limits
    if policy.published != digest_of(CATALOGUE[pair]):
        return "signed for another table"
    everybody = set(NAMES) if asked.kind != "score" else {pair[0]}  # what is of single rows is its owner's
    if not set(job.results) <= (everybody if policy.receivers is None else policy.receivers):
        return "receivers"
    if asked.minimum is not None and asked.minimum < policy.minimum:
        return "minimum"
    if asked.epsilon > limits.query or asked.delta > limits.delta:
        return "epsilon or delta of a job"
    both = asked.epsilon + (BEFORE if (who, job.analyst) == ("alfa", "ann") else 0)
    if asked.epsilon and limits.analyst is not None and both * 0.9 > limits.analyst:
        return "analyst"
    for most in (limits.period, limits.ever):
        if asked.epsilon and most is not None and (asked.epsilon + BEFORE) * 0.9 > most:
            return "in all"
    if asked.model and policy.models.kinds is not None and asked.model not in policy.models.kinds:
        return "kind of model"
    return "" if asked.opens <= policy.models.opens else "what of a model leaves"


class Offered(ModelAssets):
    """The one model that random jobs score with, under these rules."""

    def __init__(self, rules: ModelRules) -> None:
        super().__init__(Path("nowhere"))
        facts = TreeFacts(("age", "score"), 2, 3, 1, "sigmoid")
        brought = BroughtIn(by="eve", file="risk.json", sha256="0" * 64)
        self.asset = Asset("risk", 1, "0" * 64, b"", facts, "", brought, rules, 1.0)

    def find(self, name: str, version: int | None = None) -> Asset:
        return self.asset

    def content(self, asset: Asset) -> bytes:
        return b""


def random_rules(draw: random.Random) -> ModelRules:
    """Of a model; most allow what is asked."""

    def some(names: Iterable[str]) -> frozenset[str] | None:
        return None if draw.random() < 0.8 else frozenset(draw.sample(sorted(names), 1))

    answers = frozenset(ANSWERS) if draw.random() < 0.8 else frozenset({"predict"})
    return ModelRules(some(NAMES[:3]), some(("research", "fraud")), answers, some(NAMES[:3]))


def forbids_model(rules: ModelRules, asked: Asking, job: Job, who: str) -> str:
    """Why these rules do not let bravo's model score, in the plainest words there are; '' if they do."""
    if asked.kind != "score":
        return ""
    if rules.members is not None and who not in rules.members | {"bravo"}:
        return "whose people score"
    if rules.purposes is not None and job.purpose not in rules.purposes:
        return "what for"
    if asked.parameters["answer"] not in rules.answers:
        return "the answer"
    return "" if rules.receivers is None or set(job.results) <= rules.receivers | {"alfa"} else "who receives"


def asks_of(seed: int, ledgers: dict[str, Ledger]) -> tuple[Asking, str, dict[str, str]]:
    """A job; what the policies forbid, '' nothing; by owner how its node answers: '' it consents."""
    draw = random.Random(seed)
    asked = random_job(draw)
    who = draw.choice(NAMES[:3])
    results = tuple(draw.sample(NAMES[:3], draw.choice((1, 1, 2))))
    if asked.kind == "score" and draw.random() < 0.7:
        results = ("alfa",)
    job = Job(
        charter=CHARTER.digest,
        id=job_id(identity(0).fingerprint, str(seed)),
        kind=asked.kind,
        parameters=asked.parameters,
        tables=asked.tables,
        published=tuple(digest_of(CATALOGUE[pair]) for pair in asked.tables),
        results=results,
        proposer=identity(NAMES.index(who)).fingerprint,
        proposed=NOW,
        deadline=60,
        analyst=draw.choice(("ann", "bob")),
        purpose=draw.choice(("", "research")),
    )
    policies = {pair: random_policy(draw, pair, asked) for pair in asked.tables if draw.random() < 0.99}
    model_rules = random_rules(draw)
    told, denied = {}, ""
    for i, owner in enumerate(NAMES[:3]):
        mine = {name: table for (member, name), table in CATALOGUE.items() if member == owner}
        signed = {name: sign_policy(policy, identity(i)) for (m, name), policy in policies.items() if m == owner}
        rules = Rules(
            lambda i=i: CHARTER.members[i], Plans(lambda: (CHARTER,)), lambda mine=mine: mine,
            lambda names, signed=signed: {name: signed[name] for name in names if name in signed},
            ledgers[owner], lambda: float(NOW), Offered(model_rules) if owner == "bravo" else None,
        )  # fmt: skip
        why = [
            forbids(policies[pair], pair, asked, job, who) if pair in policies else "no policy"
            for pair in asked.tables
            if pair[0] == owner
        ]
        if owner == "bravo":
            by_model = forbids_model(model_rules, asked, job, who)
            why += [by_model] if by_model else []
        denied = denied or next((f"{owner}: {one}" for one in why if one), "")
        try:
            consent = rules.consent(job, [describe(CATALOGUE[pair]).decode() for pair in asked.tables])
        except AccordError as error:
            told[owner] = type(error).__name__
            continue
        assert not any(why), (owner, why, job.parameters, asked.needs)
        told[owner] = ""
        if why and asked.epsilon:
            assert consent.charge is not None
            charged = float(sum(cost.promise[0] for cost in consent.charge.costs))
            assert charged >= asked.epsilon * 0.999, "what is charged is what is told"
        else:
            assert consent.charge is None
    return asked, denied, told


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 1 << 40))
def test_what_an_owners_policy_forbids_its_node_never_consents_to(ledgers: dict[str, Ledger], seed: int) -> None:
    asks_of(seed, ledgers)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(4))
def test_nor_in_many_more_jobs(ledgers: dict[str, Ledger], part: int) -> None:
    for seed in range(part * 5000, (part + 1) * 5000):
        asks_of(seed, ledgers)


def test_jobs_are_of_all_kinds_and_both_forbidden_and_allowed_by_all(ledgers: dict[str, Ledger]) -> None:
    """Else the property would say little; and what nothing forbids is, of most kinds, consented to."""
    seen: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    policy = {PolicyDenied.__name__, BudgetExhausted.__name__, PolicyMissing.__name__, ""}
    for seed in range(300):
        asked, denied, told = asks_of(seed, ledgers)
        how = "unfit" if set(told.values()) - policy else "denied" if denied else "free"
        seen[asked.kind][how if how != "free" or not any(told.values()) else "stricter"] += 1
    for kind, counted in seen.items():
        assert counted["denied"] > 5 and counted["free"] > 5, (kind, counted)
        assert counted["stricter"] + counted["unfit"] < counted["free"], (kind, counted)
