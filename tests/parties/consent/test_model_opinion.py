"""Scoring with a model: its owner and the rows' owner decide, each by its own rules, before anything is sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from mpc.errors import AccordError
from parties.consent.rules import Rules
from parties.data.description import describe, digest_of
from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import ModelChanged, ParametersInvalid, PolicyDenied
from parties.jobs.job import Job, job_id
from parties.models.model_assets import ModelAssets
from parties.models.model_entry import Asset
from parties.models.model_rules import ModelRules
from parties.planning.job_plans import Plans
from parties.planning.job_work import Consent
from parties.policies.ledger import Ledger
from parties.policies.policy_store import SignedPolicy, sign_policy
from parties.policies.policy_terms import Policy, Rule
from parties.publishing.publish_policy import policy_of
from parties.wire.model_messages import BroughtIn
from protocols.tree_models import from_sklearn
from tests.parties.consortium import NAMES, charter, identity
from tests.parties.job_tables import stays

CHARTER = charter()
NOW = 1_800_000_000
BROUGHT = BroughtIn(by="eve", file="risk.json", sha256="b" * 64)
FEATURES = ("age", "cost")
RULES = ModelRules(members=frozenset({"bravo"}))
Change = Callable[[Policy], Policy]


class Members:
    """Rules of alfa, whose rows they are, and of charlie, whose model it is. Bravo asks."""

    def __init__(self, directory: Path) -> None:
        X = np.random.default_rng(1).normal(size=(60, 2))
        self.model = from_sklearn(DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, X[:, 0] > X[:, 1]))
        self.directory = directory
        self.models = ModelAssets(directory / "models")
        self.asset = self.add()
        self.ledgers = {
            name: Ledger(SqliteFile(directory / f"{name}.db", CHAIN_SCHEMA), identity(i).fingerprint)
            for i, name in enumerate(NAMES[:3])
        }
        self.policy: Change = lambda policy: policy

    def add(self, rules: ModelRules = RULES) -> Asset:
        return self.models.add(self.model, "risk", BROUGHT, 7.0, features=FEATURES, rules=rules)

    def job(self, model: Any = None, results: Iterable[str] = ("alfa",), by: int = 1, **change: Any) -> Job:
        named = {"owner": "charlie", "name": "risk", "version": 1, "id": self.asset.id, "family": "trees"}
        stated = {**named, **self.asset.facts.fields, **(model or {})}
        return Job(
            charter=CHARTER.digest,
            id=job_id(identity(by).fingerprint, "one"),
            kind="score",
            parameters={"model": stated, "features": list(FEATURES), **change},
            tables=(("alfa", "stays"),),
            published=(digest_of(stays()),),
            results=tuple(results),
            proposer=identity(by).fingerprint,
            proposed=NOW,
            deadline=600,
            purpose="research",
        )

    def says(self, who: str, job: Job) -> Consent:
        i = NAMES.index(who)
        own = {"stays": stays()} if who == "alfa" else {}

        def policies(names: Iterable[str]) -> dict[str, SignedPolicy]:
            return {name: sign_policy(self.policy(policy_of(own[name])), identity(i)) for name in names}

        ledger = self.ledgers[who]
        models = self.models if who == "charlie" else ModelAssets(self.directory / who)
        member = CHARTER.members[i]
        rules = Rules(lambda: member, Plans(lambda: (CHARTER,)), lambda: own, policies, ledger, lambda: NOW, models)
        return rules.consent(job, [describe(stays()).decode()])


@pytest.fixture
def members(tmp_path: Path) -> Members:
    return Members(tmp_path)


def test_what_both_allow_goes_on_and_the_log_tells_by_which_rules(members: Members) -> None:
    job = members.job()
    said = {who: members.says(who, job) for who in NAMES[:3]}
    assert len({one.plan for one in said.values()}) == 1
    assert said["charlie"].told["model"] == {
        "model": "risk@1", "id": members.asset.id, "rules": RULES.digest, "answer": "predict",
    }  # fmt: skip
    assert "model" not in said["bravo"].told and "model" not in said["alfa"].told
    assert list(said["alfa"].policies) == ["stays"] and not said["charlie"].policies


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"version": 2}}, "model risk@2, offered: there is no such version"),
        ({"model": {"name": "other"}}, "model other@1, offered"),
        ({"model": {"name": "../risk"}}, "offered"),
        ({"model": {"id": "0" * 64}}, "model risk@1, content: version 1 with the id 0000000000000000"),
        ({"model": {"depth": 4}}, "model risk@1, size: another depth than it has"),
        ({"model": {"depth": 2, "trees": 2}}, "size: another depth, trees than it has"),
        ({"features": ["cost", "age"]}, "size: on the columns cost, age, and it takes age, cost"),
        ({"features": ["age", "cost", "ward"]}, "size: on the columns"),
        ({"answer": "predict_proba"}, "answer: its predict_proba would leave; what may be asked for: predict"),
        ({"results": ("alfa", "bravo")}, "receivers: bravo would receive the predictions"),
        ({"by": 0}, "member: scoring by alfa; it is offered to bravo, charlie"),
    ],
)
def test_a_job_that_is_not_as_the_model_is_offered_is_refused_by_its_clause(
    members: Members, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(PolicyDenied) as raised:
        members.says("charlie", members.job(**change))
    assert said in str(raised.value)


def test_a_job_of_another_family_or_that_states_too_little_is_none(members: Members) -> None:
    terms = [{"column": name, "category": None, "low": 0.0, "high": 1.0} for name in FEATURES]
    job = members.job()
    linear = {"family": "logistic", "terms": terms, "bound": 1.0, "spread": 2.0}
    stated = {k: v for k, v in job.parameters["model"].items() if k in ("owner", "name", "version", "id")}
    other = dataclasses.replace(job, parameters={**job.parameters, "model": {**stated, **linear}})
    with pytest.raises(PolicyDenied, match="a model of the family logistic, and it is one of trees"):
        members.says("charlie", other)
    with pytest.raises(ParametersInvalid, match="'family' is missing"):
        members.says("charlie", dataclasses.replace(job, parameters={**job.parameters, "model": stated}))


def test_a_content_that_changed_or_a_model_that_was_withdrawn_ends_the_job(members: Members, tmp_path: Path) -> None:
    path = tmp_path / "models" / "risk" / "1.json"
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"strict":false', b'"strict":true '))
    assert path.read_bytes() != good
    with pytest.raises(ModelChanged, match="model risk@1"):
        members.says("charlie", members.job())
    path.write_bytes(good)
    assert members.says("charlie", members.job())
    members.add()
    assert members.says("charlie", members.job()), "an older version stays as it was offered"
    members.models.withdraw(members.asset, 9.0)
    with pytest.raises(PolicyDenied, match="offered: it was withdrawn"):
        members.says("charlie", members.job())


def test_predictions_go_to_the_rows_owner_or_to_whom_its_policy_names(members: Members) -> None:
    """Without noise, so a policy that names nobody gives them to nobody else, though it gives figures to all."""
    everybody = members.job(results=("bravo",))
    members.models.set_rules(members.asset, ModelRules(members=None, receivers=None))
    assert members.says("charlie", everybody) and members.says("alfa", members.job())
    with pytest.raises(PolicyDenied, match=r"bravo would receive predictions for single rows; the owner gives .* alfa"):
        members.says("alfa", everybody)
    members.policy = lambda policy: dataclasses.replace(policy, receivers=frozenset({"alfa", "bravo"}))
    assert members.says("alfa", everybody)
    with pytest.raises(PolicyDenied, match="charlie would receive"):
        members.says("alfa", members.job(results=("bravo", "charlie")))


@pytest.mark.parametrize("who", [("bravo", False), ("charlie", True)])
def test_a_rule_of_the_rows_owner_says_whose_people_may_predict(members: Members, who: tuple[str, bool]) -> None:
    allowed, denied = who
    rule = Rule(frozenset({"predict"}), members=frozenset({allowed}))
    members.policy = lambda policy: dataclasses.replace(policy, rules=(rule,))
    raised: AccordError | None = None
    try:
        members.says("alfa", members.job())
    except PolicyDenied as error:
        raised = error
    assert (raised is not None) == denied and ("predict by bravo" in str(raised)) == denied
