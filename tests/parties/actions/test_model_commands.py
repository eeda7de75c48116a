"""``accord fit``, ``predict`` and ``models``, as a person types them: against a node over real TLS, and in a home."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from parties.cli import main
from parties.keys.fingerprints import show_public_key
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.model_assets import ModelAssets
from parties.setup.home import Home
from parties.wire.people_messages import JobProgress, Submit
from protocols.tree_json import to_json
from protocols.tree_models import from_sklearn
from tests.parties.people_node import ANN, MODELS, NODE, OWN, Memory, PeopleNode, people_node

TRAINED = FittedLogistic(
    [Coefficient("age", None, 18.0, 90.0, 1.5), Coefficient("ward", "b", 0.0, 1.0, -0.75)],
    0.25, bound=1.0, spread=2.0, label="died", epsilon=2.0, delta=1e-6,
)  # fmt: skip
SCORED = {"answer": "predict_proba", "predictions": [[0.25, 0.75], [0.5, 0.5]]}
FIT = ["fit", "-t", "alfa.patients", "-t", "bravo.patients", "--feature", "age", "--feature", "ward",
       "--label", "died", "--epsilon", "2", "--delta", "1e-6"]  # fmt: skip


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PeopleNode]:
    """A node that answers every job at once, as Ann's environment names it."""
    home = tmp_path / "ann"
    monkeypatch.setenv("ACCORD_HOME", str(home))
    home.mkdir(mode=0o700)
    ANN.save(home / "identity.key")
    lines = [JobProgress(state="RUNNING"), JobProgress(state="RELEASED", answer=True)]
    with people_node(Memory(lines=lines, content=TRAINED.to_json().encode())) as node:
        monkeypatch.setenv("ACCORD_URL", node.url)
        monkeypatch.setenv("ACCORD_NODE", show_public_key(NODE.public))
        yield node


def asked(node: PeopleNode) -> Submit:
    [(_, one)] = node.memory.keys.values()
    return one


Captured = pytest.CaptureFixture[str]


def test_fit_prints_coefficients_and_says_what_was_asked(at: PeopleNode, capsys: Captured) -> None:
    more = ["--positive", "3", "--option", "max_iter=10", "--option", "average=true", "--purpose", "care",
            "--where", '{"column": "age", "is": ">=", "value": 65}', "--result", "bravo", "--key", "k"]  # fmt: skip
    assert main([*FIT, *more]) == 0
    out, err = capsys.readouterr()
    assert "ward=b" in out and "-0.75" in out and "(intercept)" in out and "epsilon 2" in out and err == ""
    one = asked(at)
    assert one.parameters == {
        "features": ["age", "ward"], "label": "died", "epsilon": 2.0, "delta": 1e-6, "positive": 3, "max_iter": 10,
        "average": True, "where": {"column": "age", "is": ">=", "value": 65},
    }  # fmt: skip
    assert [f"{t.member}.{t.table}" for t in one.tables] == ["alfa.patients", "bravo.patients"]
    assert (one.kind, one.results, one.purpose, one.key) == ("train", ["bravo"], "care", "k")


def test_fit_keeps_what_came_under_a_name(at: PeopleNode, capsys: Captured) -> None:
    assert main([*FIT, "--name", "risk"]) == 0
    assert "kept as risk@1, offered to nobody else yet" in capsys.readouterr().out
    assert main([*FIT, "--name", "risk", "--key", "other", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["answer"] == json.loads(TRAINED.to_json()) and said["model"]["offer"]["name"] == "risk"
    heard = [body for what, _, body in at.memory.heard if what == "keep_model"]
    assert [(one.job, one.name) for one in heard] == [(f"{n:032x}", "risk") for n in (1, 2)]


@pytest.mark.parametrize(
    "words",
    [
        [*FIT, "--option", "max_iter"],
        [*FIT, "--option", "=3"],
        [*FIT, "--option", "epsilon=9"],
        [*FIT, "--where", "{"],
        [*FIT, "--name", "risk", "--no-wait"],
        ["predict", "bravo.risk", "alfa.patients", "-o", "x.csv", "--no-wait"],
        ["predict", "bravo.risk", "alfa.patients", "--answer", "explain"],
        ["models", "keep", "x", "risk"],
        ["models", "keep", "0" * 32, "No Name"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    at: PeopleNode, capsys: Captured, words: list[str]
) -> None:
    assert main(words) == 2
    assert at.memory.heard == [] and capsys.readouterr().out == ""


def test_predict_leaves_size_and_columns_to_the_node(at: PeopleNode, capsys: Captured, tmp_path: Path) -> None:
    at.memory.content = json.dumps(SCORED).encode()
    file = tmp_path / "risk.csv"
    words = ["predict", "bravo.risk@2", "alfa.patients", "--answer", "predict_proba"]
    assert main([*words, "-o", str(file), "--key", "k"]) == 0
    out = capsys.readouterr().out
    assert f"2 rows are in {file}" in out and "0.75" not in out
    frame = pd.read_csv(file)
    assert frame.to_numpy().tolist() == SCORED["predictions"]
    assert list(frame.columns) == ["predict_proba.0", "predict_proba.1"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    one = asked(at)
    assert (one.kind, one.results) == ("score", ["alfa"])
    assert one.parameters == {"model": "bravo.risk@2", "answer": "predict_proba"}
    assert main([*words, "--key", "k"]) == 0
    assert "0.75" in capsys.readouterr().out
    assert main([*words, "-o", str(file), "--json", "--key", "k"]) == 0
    assert json.loads(capsys.readouterr().out) == {"job": f"{1:032x}", "answer": SCORED, "file": str(file)}


def test_models_lists_those_of_here_and_those_offered(at: PeopleNode, capsys: Captured) -> None:
    for words in (["models"], ["models", "list"]):
        assert main(words) == 0
        out, err = capsys.readouterr()
        for part in ("alfa.mine", "bravo.risk", "bravo.stay", "trees 10, depth 3", "job " + "1" * 32, "age, cost"):
            assert part in out
        assert "mine@1 is offered to nobody else" in out
        assert "loose.json lies in models/" in err and "of charlie nothing is here: is down" in err
    for words in (["models", "--json"], ["models", "list", "--json"]):
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out) == json.loads(MODELS.model_dump_json())


def test_models_shows_one_that_is_offered(at: PeopleNode, capsys: Captured) -> None:
    assert main(["models", "show", "bravo.stay"]) == 0
    out = capsys.readouterr().out
    assert "died" in out and "(intercept)" in out and "0.25" in out
    assert main(["models", "show", "bravo.risk@2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["owner"], said["version"], said["coefficients"]) == ("bravo", 2, None)
    assert main(["models", "show", "bravo.risk@1"]) == 2
    assert "ModelMissing" in capsys.readouterr().err


def test_models_keep(at: PeopleNode, capsys: Captured) -> None:
    main([*FIT, "--no-wait"])
    job = capsys.readouterr().out.strip()
    assert main(["models", "keep", job, "risk", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["offer"]["name"] == "risk" and said["lineage"] == json.loads(OWN.lineage.model_dump_json())
    assert main(["models", "keep", "0" * 32, "risk"]) == 2
    assert "JobUnknown" in capsys.readouterr().err


# -- in a home -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    place = Home(tmp_path / "node")
    place.make()
    monkeypatch.setenv("ACCORD_HOME", str(place.directory))
    return place


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    X = np.random.default_rng(1).normal(size=(60, 2))
    model = from_sklearn(DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, X[:, 0] > X[:, 1]))
    (tmp_path / "trees.json").write_text(to_json(model))
    (tmp_path / "linear.json").write_text(TRAINED.to_json())
    return {name: str(tmp_path / f"{name}.json") for name in ("trees", "linear")}


def told(capsys: Captured, *words: str, status: int = 0) -> Any:
    assert main(["models", *words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def test_a_model_is_added_offered_shown_and_withdrawn(home: Home, files: dict[str, str], capsys: Captured) -> None:
    columns = ["--feature", "age", "--feature", "cost"]
    added = told(capsys, "add", files["trees"], "--name", "risk", *columns, "--depth", "5", "--predicts", "died")
    assert added["offer"]["facts"] == {"depth": 5, "trees": 1, "outputs": 2, "link": "average"}
    assert added["rules"] == {
        "members": [], "purposes": None, "answers": ["predict"], "receivers": [], "coefficients": False,
    }  # fmt: skip
    assert added["lineage"]["source"] == "brought in" and added["lineage"]["file"] == "trees.json"
    offered = told(
        capsys, "offer", "risk", "--may-score", "bravo", "--may-score", "alfa", "--purpose", "care",
        "--answer", "predict_proba", "--receiver", "delta",
    )  # fmt: skip
    assert offered["rules"] == {
        "members": ["alfa", "bravo"], "purposes": ["care"], "answers": ["predict_proba"], "receivers": ["delta"],
        "coefficients": False,
    }  # fmt: skip
    assert offered["offer"]["id"] == added["offer"]["id"]
    second = told(capsys, "add", files["trees"], "--name", "risk", *columns, "--everybody")
    assert second["offer"]["version"] == 2 and second["rules"]["members"] is None
    assert told(capsys, "show", "risk")["offer"]["version"] == 2
    assert told(capsys, "show", "risk@1") == offered
    [gone] = told(capsys, "withdraw", "risk@2")
    assert gone["withdrawn"] > 0 and told(capsys, "show", "risk")["offer"]["version"] == 1
    assert len(told(capsys, "withdraw", "risk")) == 1
    assert main(["models", "show", "risk"]) == 2 and "ModelMissing" in capsys.readouterr().err
    assert main(["models", "offer", "risk@2"]) == 0
    assert "risk@2, trees on age, cost: nobody but this member may score with it, by predict" in capsys.readouterr().out


def test_a_logistic_regression_names_its_columns_and_shows_its_coefficients(
    home: Home, files: dict[str, str], capsys: Captured
) -> None:
    added = told(capsys, "add", files["linear"], "--name", "stay", "--everybody", "--give-coefficients")
    assert added["offer"]["features"] == ["age", "ward"] and added["offer"]["predicts"] == "died"
    assert "coefficients" in told(capsys, "show", "stay")
    assert main(["models", "show", "stay"]) == 0
    out = capsys.readouterr().out
    assert "ward=b" in out and "-0.75" in out and "salt" not in out
    (home.models / "stay" / "1.json").write_text(TRAINED.to_json() + " ")
    assert main(["models", "show", "stay"]) == 1
    assert "ModelChanged: model stay@1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "TREES", "--name", "risk"], 2, "takes 2 columns"),
        (["add", "TREES", "--name", "Risk", "--feature", "a", "--feature", "b"], 2, "a model's name"),
        (["add", "none.json", "--name", "risk"], 5, "FileMissing"),
        (["add", "LINEAR", "--name", "risk", "--may-score", "Bravo!"], 2, "rules of a model, members.0"),
        (["add", "LINEAR", "--name", "risk", "--everybody", "--may-score", "bravo"], 2, "give one of them"),
        (
            ["add", "TREES", "--name", "r", "--feature", "a", "--feature", "b", "--give-coefficients"],
            2,
            "on shares only",
        ),
        (["offer", "risk"], 2, "ModelMissing"),
        (["withdraw", "risk@x"], 2, "written NAME or NAME@VERSION"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_kept(
    home: Home, files: dict[str, str], capsys: Captured, words: list[str], status: int, said: str
) -> None:
    typed = [files.get(word.lower(), word) if word in ("TREES", "LINEAR") else word for word in words]
    assert main(["models", *typed]) == status
    out, err = capsys.readouterr()
    assert said in err and out == "" and ModelAssets(home.models).all() == []
