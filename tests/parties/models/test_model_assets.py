"""Models as assets: versions stay, ids bind, a file that changes under its entry is refused by name."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from parties.errors import FileExposed, FileMissing, ModelChanged, ModelMissing, ModelUnfit
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.model_assets import ModelAssets, read_model_file
from parties.models.model_entry import read_entry
from parties.models.model_rules import ModelRules
from parties.wire.model_messages import BroughtIn, FromJob
from protocols.tree_json import to_json
from protocols.tree_models import TreeModel, from_sklearn

BROUGHT = BroughtIn(by="eve", file="risk.json", sha256="b" * 64)
TRAINED = FromJob(
    job="1" * 32, plan="c" * 64, tables=["alfa.stays", "bravo.stays"], policies={"alfa": {"stays": "d" * 64}}
)
X = np.random.default_rng(1).normal(size=(60, 2))
Y = X[:, 0] > X[:, 1]


def trees(depth: int = 3) -> TreeModel:
    return from_sklearn(DecisionTreeClassifier(max_depth=depth, random_state=0).fit(X, Y))


def logistic(coefficient: float = 0.5) -> FittedLogistic:
    terms = [Coefficient("age", None, 0.0, 90.0, coefficient), Coefficient("ward", "n", 0.0, 1.0, -2.0)]
    told: dict[str, Any] = {"bound": 1.0, "spread": 2.0, "label": "fate", "positive": "died"}
    return FittedLogistic(terms, 0.25, **told, epsilon=1.5, delta=1e-6)


@pytest.fixture
def models(tmp_path: Path) -> ModelAssets:
    return ModelAssets(tmp_path / "models")


def test_a_new_content_under_a_name_is_a_new_version_and_the_old_ones_stay(models: ModelAssets, tmp_path: Path) -> None:
    assert models.all() == [] and models.strays() == []
    rules = ModelRules(members=frozenset({"bravo"}), purposes=frozenset({"care"}), receivers=None)
    made = [models.add(trees(depth), "risk", BROUGHT, 7.0, features=("a", "b"), rules=rules) for depth in (1, 3)]
    again = models.add(trees(3), "risk", BROUGHT, 8.0, features=("a", "b"))
    assert [asset.version for asset in models.all()] == [1, 2, 3] and models.all()[:2] == made
    assert len({asset.id for asset in models.all()}) == 3, "a salt each: equal contents have ids that do not tell"
    assert [models.load(asset).depth for asset in models.all()] == [1, 3, 3]  # type: ignore[union-attr]
    assert models.find("risk") == again and models.find("risk", 1) == made[0]
    assert made[1].rules == rules and again.rules == ModelRules()
    for path in (tmp_path / "models").rglob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ModelAssets(tmp_path / "models").all() == models.all()


def test_a_logistic_regression_is_kept_as_it_was_told(models: ModelAssets) -> None:
    model = logistic()
    content = model.to_json().encode()
    asset = models.add(content, "risk", TRAINED, 7.0)
    assert models.content(asset) == content and asset.predicts == "fate = died" and asset.lineage == TRAINED
    found = models.load(asset)
    assert isinstance(found, FittedLogistic) and found.coefficients == model.coefficients
    assert (found.bound, found.spread, found.positive_, found.epsilon_) == (1.0, 2.0, "died", 1.5)
    assert asset.facts.features == ("age", "ward") and "0.5" not in json.dumps(asset.facts.fields)
    assert read_entry(asset.to_json().encode(), "x") == asset
    assert models.add(model, "risk", BROUGHT, 8.0).version == 2


@pytest.mark.parametrize("harm", ["other", "cut", "grown", "gone", "swapped"])
def test_a_content_that_changed_under_its_entry_is_refused_by_name(
    models: ModelAssets, tmp_path: Path, harm: str
) -> None:
    asset = models.add(trees(1), "risk", BROUGHT, 7.0, features=("a", "b"))
    other = models.add(trees(3), "risk", BROUGHT, 7.0, features=("a", "b"))
    models.load(asset)
    path, whole = tmp_path / "models" / "risk" / "1.json", models.content(asset)
    before = path.stat()
    if harm == "gone":
        path.unlink()
    else:
        changed = {
            "other": whole[:-2] + b"}}", "cut": whole[:-1], "grown": whole + b" ", "swapped": models.content(other),
        }  # fmt: skip
        path.write_bytes(changed[harm])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # nobody goes by dates
    with pytest.raises(ModelChanged, match=r"model risk@1: .*1\.json"):
        models.load(asset)
    assert models.load(other)


def test_entries_changed_by_hand_are_refused(models: ModelAssets, tmp_path: Path) -> None:
    asset = models.add(trees(1), "risk", BROUGHT, 7.0, features=("a", "b"))
    path = tmp_path / "models" / "risk" / "1.entry.json"
    good = path.read_text()
    for bad in (
        "{", good.replace('"version": 1', '"version": 2'), good.replace('"depth": 1', '"depth": 0'),
        good.replace('"members": []', '"members": ["Bravo!"]'), good.replace('"predict"', '"everything"'),
    ):  # fmt: skip
        assert bad != good
        path.write_text(bad)
        with pytest.raises(ModelUnfit, match=r"1\.entry\.json"):
            models.find("risk")
    path.write_text(good.replace(asset.id, "0" * 64))
    with pytest.raises(ModelChanged):
        models.load(models.find("risk"))
    path.write_text(good)
    path.chmod(0o644)
    with pytest.raises(FileExposed):
        models.find("risk")


def test_names_and_versions_that_are_not_there(models: ModelAssets, tmp_path: Path) -> None:
    models.add(trees(1), "risk", BROUGHT, 7.0, features=("a", "b"))
    for name in ("other", "../risk", "", "/etc/passwd", "Risk"):
        with pytest.raises(ModelMissing):
            models.find(name)
    for name in ("../risk", "", "a/b", "x" * 65):
        with pytest.raises(ModelMissing):
            models.add(trees(1), name, BROUGHT, 7.0, features=("a", "b"))
    with pytest.raises(ModelMissing, match="version 2 is here; its versions are 1"):
        models.find("risk", 2)
    (tmp_path / "models" / "loose.json").write_text(to_json(trees(1)))
    assert models.strays() == ["loose.json"] and [asset.name for asset in models.all()] == ["risk"]


def test_withdrawn_a_model_stays_and_offered_again_it_is_back(models: ModelAssets) -> None:
    first = models.add(trees(1), "risk", BROUGHT, 7.0, features=("a", "b"))
    second = models.withdraw(models.add(trees(1), "risk", BROUGHT, 7.0, features=("a", "b")), 9.0)
    assert models.find("risk") == first and models.find("risk", 2) == second and second.withdrawn == 9.0
    again = models.set_rules(second, ModelRules(members=None))
    assert models.find("risk") == again and again.withdrawn is None and again.id == second.id
    models.withdraw(again, 9.0)
    models.withdraw(first, 9.0)
    with pytest.raises(ModelMissing):
        models.find("risk")


@pytest.mark.parametrize(
    ("model", "how", "text"),
    [
        (trees(3), {"features": ("a",)}, "takes 2 columns"),
        (trees(3), {"features": ("a", "a")}, "each of its own name"),
        (trees(3), {"features": ("a", "b"), "depth": 2}, "depth is 3"),
        (trees(3), {"features": ("a", "b"), "trees": 0}, "trees is 1"),
        (trees(3), {"features": ("a", "b"), "depth": 13}, "depth is a whole number"),
        (trees(3), {"features": ("a", "b"), "rules": ModelRules(coefficients=True)}, "no coefficients"),
        (logistic(), {"features": ("ward", "age")}, "says itself which columns"),
        (logistic(), {"depth": 3}, "no depth"),
        (logistic(), {"rules": ModelRules(members=frozenset({"Bravo!"}))}, r"rules of a model, members\.0"),
        (logistic(), {"rules": ModelRules(answers=frozenset({"all"}))}, r"rules of a model, answers\.0"),
        (logistic(1e9), {}, "score of 1048576 or more"),
        (b"{}", {}, "neither trees nor a logistic regression"),
        (b"\xff\x00", {}, "neither trees nor a logistic regression"),
    ],
)
def test_what_cannot_be_offered_is_not_kept(models: ModelAssets, model: Any, how: Any, text: str) -> None:
    with pytest.raises(ModelUnfit, match=text):
        models.add(model, "risk", BROUGHT, 7.0, **how)
    assert models.all() == []


def test_a_larger_public_size_hides_the_models_own(models: ModelAssets) -> None:
    asset = models.add(trees(2), "risk", BROUGHT, 7.0, features=("a", "b"), depth=5, trees=9)
    assert asset.facts.fields == {"depth": 5, "trees": 9, "outputs": 2, "link": "average"}


def test_files_of_all_libraries_are_read(tmp_path: Path) -> None:
    forest = from_sklearn(RandomForestClassifier(3, max_depth=2, random_state=0).fit(X, Y))
    (tmp_path / "forest.json").write_text(to_json(forest))
    (tmp_path / "linear.json").write_text(logistic().to_json())
    LGBMClassifier(n_estimators=2, verbose=-1).fit(X, Y).booster_.save_model(tmp_path / "light.txt")
    found = {path.stem: read_model_file(path) for path in tmp_path.iterdir()}
    read = found["forest"][0]
    assert isinstance(read, TreeModel) and len(read.trees) == 3
    assert isinstance(found["linear"][0], FittedLogistic) and isinstance(found["light"][0], TreeModel)
    assert all(len(digest) == 64 for _, digest in found.values())
    with pytest.raises(FileMissing):
        read_model_file(tmp_path / "none.json")
