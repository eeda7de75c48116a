"""A client of real nodes: what they answer is what numpy makes of the rows, but for noise; who refuses says why."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import AccordError
from parties.cli import main
from parties.client import Client
from parties.data.published import PublishedColumn, PublishedTable
from parties.errors import JobRefused, ModelChanged, ModelMissing, NodeUnreachable, PolicyDenied, SqlUnbound
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ModelRules
from parties.node.store_snapshot import snapshot
from parties.proof.receipt import read_receipt
from parties.proof.receipt_verify import Pins, Verdict, verify_receipt
from parties.setup.software import software_digest
from parties.wire.model_messages import FromJob
from parties.wire.people_messages import JobProgress
from tests.parties.people_node import ANN, NODE
from tests.parties.real_jobs import eventually
from tests.parties.real_nodes import RealConsortium, made, running

pytestmark = pytest.mark.slow

ROWS = 4000
NAMES = ("alfa", "bravo", "charlie")


def rows(i: int) -> pd.DataFrame:
    random = np.random.default_rng(i)
    age = random.integers(18, 90, ROWS)
    ward = random.choice(["a", "b"], ROWS)
    odds = (age - 54) / 8 + np.where(ward == "b", 1.0, -1.0)
    died = random.random(ROWS) < 1 / (1 + np.exp(-odds))
    return pd.DataFrame({"id": np.arange(ROWS) + i * ROWS, "age": age, "ward": ward, "died": died})


def table(path: Path, i: int) -> PublishedTable:
    rows(i).to_csv(path, index=False)
    columns = (
        PublishedColumn("id", "key", frozenset({"join"}), profile="integer"),
        PublishedColumn("age", "integer", frozenset({"sum", "train", "filter", "score"}), low=18, high=90),
        PublishedColumn("ward", "category", frozenset({"group", "train", "score"}), categories=("a", "b")),
        PublishedColumn("died", "boolean", frozenset({"sum", "train"})),
    )
    return PublishedTable(
        "patients", str(path), "id", 1, 4096, {c.name: c for c in columns}, counts=True, epsilon_a_job=8.0
    )  # fmt: skip


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealConsortium]:
    directory = tmp_path_factory.mktemp("nodes")
    tables = {name: [table(directory / f"{name}.csv", i)] for i, name in enumerate(NAMES)}
    with running(made(directory, tables, people={"ann": ANN.public}, lanes=1)) as nodes:
        for _ in range(600):  # until all are there, and the lane is connected
            try:
                with Client(nodes["alfa"].url, ANN, NODE.public) as client:
                    status = client.status()
                if status.lanes and all(member.up for member in status.members):
                    break
            except NodeUnreachable:
                pass
            time.sleep(0.1)
        else:
            pytest.fail("\n".join(node.text() for node in nodes.nodes.values()))
        yield nodes


@pytest.fixture
def client(consortium: RealConsortium) -> Iterator[Client]:
    with Client(consortium["alfa"].url, ANN, NODE.public) as made_client:
        yield made_client


TABLES = [f"{name}.patients" for name in NAMES]
WHOLE = pd.concat([rows(i) for i in range(3)])


def test_a_query(client: Client) -> None:
    """SQL through real nodes: each reads the text itself, its policy is asked about the columns it uses."""
    text = "SELECT ward, COUNT(*) AS n, AVG(age) AS mean FROM patients WHERE age >= 30 GROUP BY ward ORDER BY ward"
    frame = client.query(text, epsilon=6.0, minimum=20, timeout=100)
    kept = WHOLE[WHOLE["age"] >= 30].groupby("ward")["age"]
    assert list(frame["ward"]) == ["a", "b"] and {"n", "mean", "mean.standard_error", "n.low"} <= set(frame.columns)
    for n, mean, told, average in zip(frame["n"], frame["mean"], kept.count(), kept.mean(), strict=True):
        assert n == pytest.approx(told, abs=60) and mean == pytest.approx(average, abs=1)
    with pytest.raises(PolicyDenied, match="died"):
        client.query("SELECT COUNT(*) FROM alfa.patients WHERE died", epsilon=1.0, timeout=100)
    with pytest.raises(SqlUnbound, match="patients"):
        client.query("SELECT COUNT(*) FROM patient", epsilon=1.0, timeout=100)


def test_a_card_before_a_query(client: Client, consortium: RealConsortium) -> None:
    """Every owner's verdict, what is left, what it takes: and nothing of it is asked for, kept or charged."""
    text = "SELECT ward, COUNT(*) AS n, AVG(age) AS mean FROM patients GROUP BY ward"
    jobs = len(client.jobs())
    card = client.cards.query(text, epsilon=6.0, minimum=20)
    assert card.allowed and card.epsilon == 6.0 and card.said.groups == 3 and card.said.minimum == 20
    assert card.said.tables == TABLES and [owner.member for owner in card.said.owners] == list(NAMES)
    (table,) = card.said.owners[0].tables
    assert table.columns["ward"] == ["group", "release"] and table.counts and table.left is not None
    again = client.cards.query(text, epsilon=6.0, minimum=20)
    assert again.said.owners[0].tables[0].left == table.left and len(client.jobs()) == jobs
    assert card.said.figures[0].name == "COUNT(*)" and 0.5 < (card.said.figures[0].error or 0) < 3
    assert 0.02 < card.seconds < 20 and 0 < card.megabytes < 100
    assert "alfa runs, on its own patients" in card.said.explained and "alfa.patients" in repr(card)
    denied = client.cards.count(["alfa.patients", "bravo.patients"], epsilon=1.0, by="died")
    assert denied.verdict == "denied"
    findings = [clause for owner in denied.said.owners for table in owner.tables for clause in table.clauses]
    assert {(one.clause, one.column) for one in findings if one.verdict == "denied"} >= {("rule", "died")}
    with pytest.raises(SqlUnbound):
        client.cards.query("SELECT COUNT(nobody) FROM patients", epsilon=1.0)


def test_a_receipt(client: Client, consortium: RealConsortium) -> None:
    """Of an answer of real nodes, at both who receive it."""
    asked = {"sql": "SELECT ward, COUNT(*) AS n FROM patients GROUP BY ward ORDER BY ward", "epsilon": 1.0}
    handle = client.submit("query", asked, TABLES, ["alfa", "charlie"])
    handle.result(timeout=100)
    with Client(consortium["charlie"].url, ANN, consortium["charlie"].identity.public) as other:
        other.job(handle.id).result(timeout=100)
        receipts = [handle.receipt(), other.job(handle.id).receipt()]
    pins = Pins(consortium.charter.digest)
    for content in receipts:
        found = verify_receipt(read_receipt(content), software_digest(), pins, handle.answer())
        assert found.verdict is Verdict.GOOD and found.answer == handle.answer(), found.checks
        assert found.facts is not None and (found.facts.analyst, found.facts.parameters) == ("ann", asked)
    apart = read_receipt(handle.receipt(without_result=True))
    assert verify_receipt(apart, software_digest()).answer is None and apart.given.answer is None
    bravo = consortium["bravo"]
    with Client(bravo.url, ANN, bravo.identity.public) as other, pytest.raises(JobRefused, match="alfa, charlie"):
        other.job(handle.id).receipt()


def test_figures(client: Client) -> None:
    lines: list[JobProgress] = []
    frame = client.aggregate(TABLES, ["count", {"mean": "age"}], by="ward", epsilon=8.0, progress=lines.append)
    truth = WHOLE.groupby("ward")["age"].agg(["size", "mean"])
    assert (frame["count"] - truth["size"]).abs().max() < 60
    assert (frame["mean(age)"] - truth["mean"]).abs().max() < 2
    assert lines[-1].state == "RELEASED"
    old = client.count(TABLES, where={"column": "age", "is": ">=", "value": 65}, epsilon=8.0)
    assert abs(old["count"].item() - (WHOLE["age"] >= 65).sum()) < 60
    assert old.attrs["job"] in client.jobs().index
    assert len(client.tables()) == 12


def test_a_model_that_predicts_offline(client: Client) -> None:
    model = client.fit(
        TABLES, ["age", "ward"], "died", epsilon=8.0, delta=1e-6, options={"max_iter": 10, "learning_rate": 4.0}
    )
    client.close()
    accuracy = model.score(WHOLE, WHOLE["died"])
    assert accuracy > 0.75
    assert model.terms_ == ("age", "ward=a", "ward=b")


def test_a_trained_model_is_kept_offered_and_scores_others_rows_on_shares(
    client: Client, consortium: RealConsortium
) -> None:
    """From a fit to predictions: its lineage is the job's, its rules decide, what comes is what its owner would say."""
    fitted = client.fit(
        TABLES, ["age", "ward"], "died", epsilon=8.0, delta=1e-6, options={"max_iter": 8, "learning_rate": 4.0}
    )
    kept = client.keep_model(fitted.job, "risk")
    assert kept == client.keep_model(fitted.job, "risk"), "asked twice, kept once"
    assert isinstance(kept.lineage, FromJob) and kept.lineage.job == fitted.job and kept.lineage.tables == TABLES
    assert {member: list(one) for member, one in kept.lineage.policies.items()} == {n: ["patients"] for n in NAMES}
    assert client.models()["lineage"]["alfa.risk"].startswith(f"job {fitted.job}")
    with pytest.raises(JobRefused, match="gives no model"):
        client.keep_model(client.count(TABLES, epsilon=1.0).attrs["job"], "risk")
    with Client(consortium["bravo"].url, ANN, consortium["bravo"].identity.public) as bravo:
        with pytest.raises(ModelMissing, match=r"alfa offers no model alfa\.risk to bravo"):
            bravo.predict("alfa.risk", "bravo.patients")
        assets = ModelAssets(consortium["alfa"].home.models)
        rules = ModelRules(members=frozenset({"bravo"}), answers=frozenset({"predict", "predict_proba"}))
        assets.set_rules(assets.find("risk"), rules)
        assert "alfa.risk" in bravo.models().index
        card = bravo.cards.decision_function("alfa.risk", "bravo.patients")
        assert card.verdict == "denied" and "its decision_function would leave" in repr(card)
        assert bravo.cards.predict_proba("alfa.risk", "bravo.patients").verdict == "allowed"
        got = bravo.predict_proba("alfa.risk", "bravo.patients", timeout=100)
        np.testing.assert_allclose(got[:ROWS], fitted.predict_proba(rows(1)), rtol=0, atol=1.2e-4)
        with pytest.raises(PolicyDenied, match="answer: its decision_function would leave"):
            bravo.decision_function("alfa.risk", "bravo.patients", timeout=100)
        with pytest.raises(PolicyDenied, match="alfa would receive predictions for single rows"):
            bravo.predict("alfa.risk", "bravo.patients", results=["alfa", "bravo"], timeout=100)
        path = consortium["alfa"].home.models / "risk" / "1.json"
        good = path.read_bytes()
        path.write_bytes(good.replace(b"0.", b"1.", 1))
        with pytest.raises(ModelChanged, match="model risk@1"):
            bravo.predict("alfa.risk", "bravo.patients", timeout=100)
        path.write_bytes(good)
        assert bravo.predict("alfa.risk", "bravo.patients", timeout=100)["predict"].isin([0, 1]).all()


def test_refusals_are_of_their_class(client: Client) -> None:
    with pytest.raises(PolicyDenied, match="patients"):
        client.count(TABLES, epsilon=16.0)
    with pytest.raises(JobRefused, match="nothing"):
        client.count("bravo.nothing", epsilon=1.0)
    with pytest.raises(AccordError, match="height"):
        client.mean(TABLES, "height", epsilon=1.0)


def test_an_answer_for_others_only(client: Client, consortium: RealConsortium) -> None:
    handle = client.submit("aggregate", {"figures": ["count"], "epsilon": 1.0}, TABLES, ["bravo"])
    with pytest.raises(JobRefused, match="bravo"):
        handle.result()
    with Client(consortium["bravo"].url, ANN, consortium["bravo"].identity.public) as other:
        assert other.job(handle.id).result()["count"].item() > 11_000


def test_who_computed_what_while_the_nodes_run(
    client: Client, consortium: RealConsortium, capsys: pytest.CaptureFixture[str]
) -> None:
    """Log, ledger and heads of every node, read beside it; and no honest member's log is thought to be forked."""
    for _ in range(2):
        client.count(TABLES, epsilon=1.0)

    def said(name: str, *words: str) -> Any:
        assert main([*words, "--json", "--home", str(consortium[name].home.directory)]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    for name in NAMES:
        checked = said(name, "audit", "verify")
        assert checked["own_heads"] > 1 and checked["others"] == [other for other in NAMES if other != name]
        entries = said(name, "audit", "show", "--who", "ann", "--table", "patients", "--most", "1000")["entries"]
        (told,) = [one for one in entries if one["what"] == "accepted"][-1]["tables"].values()
        assert told["counts"] and "left" in told
        (people,) = said(name, "ledger")["populations"]
        (spent,) = people["tables"]
        assert spent["ever"]["spent"] >= 2.0 and [one["analyst"] for one in spent["analysts"]] == ["ann"]
        whats = [one["what"] for one in said(name, "audit", "show", "--most", "100000")["entries"]]
        assert whats[:3] == ["software", "charter", "policy"] and "forked" not in whats
        node = consortium[name]
        eventually(functools.partial(watched, node.home.jobs), 30, "all heads were checked", node.text)
    assert client.status().forked == []


def watched(store: Path) -> bool:
    """Whether this node compared all it was shown: of each other member one head is kept, and it was checked."""
    with snapshot(store) as file:
        return file.read("SELECT checked FROM head") == [(1,), (1,)] and not file.read("SELECT * FROM to_compare")
