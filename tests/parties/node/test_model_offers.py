"""What members offer each other: to whom it is offered and to nobody else; jobs that name a model get all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trio
from sklearn.tree import DecisionTreeClassifier

from parties.errors import (
    JobRefused,
    ModelChanged,
    ModelMissing,
    NotReleased,
    ParametersInvalid,
    PeerUnreachable,
    PolicyDenied,
)
from parties.membership.charter import Member
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.kind_score import SCORE
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ModelRules
from parties.node.model_offers import ModelOffers
from parties.planning.job_plans import Plans
from parties.planning.results import frame_of_models, model_of
from parties.wire.model_messages import BroughtIn, ModelList, Offers
from protocols.tree_models import from_sklearn
from tests.parties.consortium import NAMES, charter
from tests.parties.job_tables import owned, stays
from tests.parties.made_jobs import job

CHARTER = charter()
BROUGHT = BroughtIn(by="eve", file="risk.json", sha256="b" * 64)
X = np.random.default_rng(1).normal(size=(60, 2))
TREES = from_sklearn(DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, X[:, 0] > X[:, 1]))
LINEAR = FittedLogistic(
    [Coefficient("age", None, -3.0, 90.0, 1.5)], 0.25, bound=1.0, spread=2.0, label="died", epsilon=1.0, delta=1e-6
)


class Nodes:
    """Alfa, bravo and charlie, who reach each other in memory; a silent one does not answer."""

    def __init__(self, directory: Path) -> None:
        self.silent: set[str] = set()
        self.assets = {name: ModelAssets(directory / name) for name in NAMES[:3]}
        self.of = {name: self._node(member) for name, member in zip(NAMES[:3], CHARTER.members, strict=True)}

    def _node(self, me: Member) -> ModelOffers:
        async def inline(call: Callable[..., Any], *values: Any) -> Any:
            return call(*values)

        def client(other: Member) -> Any:
            async def models(within: float) -> Offers:
                if other.name in self.silent:
                    raise PeerUnreachable(other.name, "away")
                return await self.of[other.name].to(me)

            return SimpleNamespace(models=models)

        async def get(job_id: str) -> Any:
            return self.records[job_id]

        store = SimpleNamespace(answers=SimpleNamespace(answer=lambda id_: None))
        board: Any = SimpleNamespace(
            me=me, charter=CHARTER, aside=inline, disk=inline, get=get, store=store, clock=lambda: 9.0
        )
        members: Any = SimpleNamespace(client=client)
        self.records: dict[str, Any] = {}
        return ModelOffers(board, members, Plans(lambda: (CHARTER,)), self.assets[me.name])

    def all(self, who: str) -> ModelList:
        return trio.run(self.of[who].all)

    def completed(self, parameters: Mapping[str, Any], before: Any = None, who: str = "alfa") -> Mapping[str, Any]:
        return trio.run(self.of[who].completed, parameters, before)


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    found = Nodes(tmp_path)
    for _ in range(2):
        found.assets["bravo"].add(
            TREES, "risk", BROUGHT, 7.0, features=("age", "cost"), rules=ModelRules(members=frozenset({"alfa"}))
        )
    found.assets["charlie"].add(LINEAR, "stay", BROUGHT, 7.0, rules=ModelRules(members=None, coefficients=True))
    return found


def test_a_model_is_offered_to_whom_its_rules_name_and_to_nobody_else(nodes: Nodes) -> None:
    seen = {who: {m.member: [f"{o.name}@{o.version}" for o in m.models] for m in nodes.all(who).members}
            for who in NAMES[:3]}  # fmt: skip
    assert seen == {
        "alfa": {"bravo": ["risk@1", "risk@2"], "charlie": ["stay@1"]},
        "bravo": {"alfa": [], "charlie": ["stay@1"]},
        "charlie": {"alfa": [], "bravo": []},
    }
    assert [one.offer.name for one in nodes.all("bravo").own] == ["risk", "risk"]
    nodes.assets["bravo"].withdraw(nodes.assets["bravo"].find("risk"), 9.0)
    [bravo, _] = nodes.all("alfa").members
    assert [one.version for one in bravo.models] == [1]
    assert [one.withdrawn for one in nodes.all("bravo").own] == [None, 9.0]


def test_nothing_secret_is_in_an_offer_but_coefficients_that_may_leave(nodes: Nodes) -> None:
    def said(who: str) -> str:
        return nodes.all(who).model_dump_json()

    [asset] = nodes.assets["charlie"].all()
    for who in NAMES[:3]:
        for one in (*nodes.assets["bravo"].all(), asset):
            assert one.salt.hex() not in said(who)
    assert "threshold" not in said("alfa") and "threshold" not in said("bravo")
    assert "1.5" in said("alfa") and "1.5" not in said("charlie")
    assert model_of(nodes.all("alfa"), "charlie.stay").coef_.tolist() == [[1.5]]
    nodes.assets["charlie"].set_rules(asset, ModelRules(members=None))
    assert "1.5" not in said("alfa")
    with pytest.raises(PolicyDenied, match="its owner keeps its coefficients"):
        model_of(nodes.all("alfa"), "charlie.stay@1")
    with pytest.raises(ModelMissing):
        model_of(nodes.all("alfa"), "charlie.stay@2")


def test_who_is_silent_is_named_and_the_others_are_there(nodes: Nodes) -> None:
    nodes.silent.add("bravo")
    bravo, charlie = nodes.all("alfa").members
    assert bravo.error == "member bravo: away" and not bravo.models and charlie.models
    frame = frame_of_models(nodes.all("alfa"))
    assert list(frame.index) == ["charlie.stay"] and frame.attrs["errors"] == {"bravo": "member bravo: away"}
    assert frame["size"].tolist() == ["1 terms"] and frame["features"].tolist() == [("age",)]


@pytest.mark.parametrize("model", ["bravo.risk", "bravo.risk@2", {"owner": "bravo", "name": "risk"}])
def test_a_job_that_names_a_model_gets_all_that_is_public_of_it(nodes: Nodes, model: Any) -> None:
    found = nodes.completed({"model": model, "answer": "predict", "where": None})
    assert found["features"] == ["age", "cost"]
    plan = SCORE.check(found, owned(stays()), CHARTER)
    asset = nodes.assets["bravo"].find("risk")
    assert plan.model is not None and (plan.model.version, plan.model.id) == (2, asset.id)
    assert plan.model.facts == asset.facts
    assert nodes.completed(found) == found, "what is all there is left as it is"


def test_what_is_stated_is_not_overruled(nodes: Nodes) -> None:
    found = nodes.completed({"model": {"owner": "bravo", "name": "risk", "version": 1, "depth": 9}, "features": ["x"]})
    assert (found["model"]["version"], found["model"]["depth"], found["features"]) == (1, 9, ["x"])
    assert found["model"]["id"] == nodes.assets["bravo"].find("risk", 1).id
    assert nodes.completed({"figures": ["count"]}) == {"figures": ["count"]}


def test_a_job_that_is_here_keeps_its_model_whatever_is_offered_since(nodes: Nodes) -> None:
    asked = {"model": "bravo.risk", "answer": "predict"}
    before = nodes.completed(asked)
    nodes.assets["bravo"].add(
        TREES, "risk", BROUGHT, 7.0, features=("age", "cost"), rules=ModelRules(members=frozenset({"alfa"}))
    )
    assert nodes.completed(asked)["model"]["version"] == 3
    assert nodes.completed(asked, job(parameters=before)) == before


@pytest.mark.parametrize(
    ("model", "error", "text"),
    [
        ("risk", ParametersInvalid, "written member.model"),
        ("bravo.risk@0", ParametersInvalid, "written member.model"),
        (7, ParametersInvalid, "an object with owner and name"),
        ("bravo.other", ModelMissing, "it offers: bravo.risk@1, bravo.risk@2"),
        ("bravo.risk@3", ModelMissing, "no model bravo.risk@3"),
        ("echo.risk", JobRefused, "echo is no member"),
        ({"owner": ["bravo"], "name": "risk"}, ParametersInvalid, "an object with owner and name"),
        ({"name": "risk"}, ParametersInvalid, "an object with owner and name"),
    ],
)
def test_models_that_are_not_there_are_named(nodes: Nodes, model: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        nodes.completed({"model": model})


def test_a_model_whose_content_changed_is_given_to_nobody(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "charlie" / "stay" / "1.json").write_text("{}")
    with pytest.raises(ModelChanged, match="stay@1"):
        trio.run(nodes.of["charlie"].to, CHARTER.members[0])


def test_what_cannot_be_kept(nodes: Nodes) -> None:
    count, train = job(results=("alfa",)), job(kind="train", results=("alfa",))
    others = job(kind="train", results=("bravo",))
    nodes.records = {
        name: SimpleNamespace(job=one, state=SimpleNamespace(value="RUNNING"))
        for name, one in (("count", count), ("train", train), ("others", others))
    }
    for name, error, text in (
        ("count", JobRefused, "a count gives no model"),
        ("others", JobRefused, "its answer is for bravo, not for alfa"),
        ("train", NotReleased, "it is RUNNING"),
    ):
        with pytest.raises(error, match=text):
            trio.run(nodes.of["alfa"].keep, name, "risk")
