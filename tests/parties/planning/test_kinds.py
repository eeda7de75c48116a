"""All kinds of jobs from end to end: three processes compute, a fourth that computed nothing opens the answer."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from mpc import LocalCluster
from mpc.errors import ProgramDiverged
from parties.disk.sealed_file import SealedFile
from parties.errors import KindUnknown, RowsUnfit, TableUnfit
from parties.kinds.checkpoints import Checkpoint, Checkpointing
from parties.kinds.kind import Outcome, TableInput, Work
from parties.planning.kinds import KINDS, answer_of, deal_rows, kind_of, table_context
from protocols.errors import ShareInvalid, SharesDisagree, SharesMissing
from protocols.tree_models import from_sklearn
from tests.parties.consortium import charter
from tests.parties.job_tables import column, inputs, owned, stay_rows, stays, table

KEY = bytes(32)


def through(cluster: LocalCluster, kind: str, works: Sequence[Work]) -> tuple[list[Outcome], list[list[Any]]]:
    """(outcomes, what each party said on its line)."""
    said: list[list[Any]] = [[] for _ in range(3)]
    talk = cluster.open(kind_of(kind).program, works, heard=lambda i, value: said[i].append(value))
    return talk.finish(timeout=60), said


def sent(outcomes: Sequence[Outcome]) -> dict[int, Sequence[bytes]]:
    return {i: outcome.shares for i, outcome in enumerate(outcomes)}


def dealt_to_disk(plan: Any, place: int, rows: Any, path: Path) -> list[TableInput]:
    """Each compute member's part of a table, as its node keeps it."""
    context = table_context("ab" * 32, place)
    files = [SealedFile(path / f"{place}-{i}", KEY, context) for i in range(3)]
    batches = ({name: values[low : low + 4] for name, values in rows.items()} for low in range(0, 40, 4))
    parts: list[list[bytes]] = [[] for _ in files]
    for j, piece in deal_rows(plan, place, batches, 3, 1, context):
        parts[j].append(piece)
    for file, pieces in zip(files, parts, strict=True):
        file.store(pieces)
    return [TableInput(None, dealt=file, context=context) for file in files]


def test_aggregate(cluster: LocalCluster, tmp_path: Path) -> None:
    asked = {"figures": ["count", {"mean": "cost"}], "by": "died", "epsilon": 80.0}
    plan = kind_of("aggregate").check(asked, owned(stays(), stays()), charter())
    rows = [stay_rows(30, 1), stay_rows(25, 2)]
    own = [TableInput(0, rows[0] if i == 0 else None) for i in range(3)]
    dealt = dealt_to_disk(plan, 1, rows[1], tmp_path)
    outcomes, _ = through(cluster, "aggregate", [Work(plan, pair) for pair in zip(own, dealt, strict=True)])
    answer = answer_of(plan, sent(outcomes), 3, 1)
    died = np.concatenate([part["died"] for part in rows])
    assert [row["value"] for row in answer["rows"][:2]] == [(died == 0).sum(), (died == 1).sum()]
    assert outcomes[0].facts["epsilon"] == plan.epsilon and outcomes[0].facts["standard_errors"][1] is None
    assert outcomes[0].facts["standard_errors"][0] == answer["rows"][0]["standard_error"]
    assert pickle.dumps(outcomes[0].facts)  # plain data

    assert answer_of(plan, {i: outcomes[i].shares for i in (2, 1)}, 3, 1) == answer
    with pytest.raises(SharesMissing):
        answer_of(plan, {1: outcomes[1].shares}, 3, 1)
    with pytest.raises(ShareInvalid, match="party 2: 1 shares, but the job has 2 answers"):
        answer_of(plan, {**sent(outcomes), 2: outcomes[2].shares[:1]}, 3, 1)
    lying = bytearray(outcomes[2].shares[0])
    lying[-1] ^= 1
    with pytest.raises(SharesDisagree):
        answer_of(plan, {**sent(outcomes), 2: (bytes(lying), outcomes[2].shares[1])}, 3, 1)


def test_join(cluster: LocalCluster) -> None:
    people = table(column("level", "boolean"), name="people")
    asked = {"figures": ["count", {"sum": "level"}], "epsilon": 80.0, "pad": {"epsilon": 4.0, "delta": 1e-3}}
    plan = kind_of("join").check(asked, owned(stays(), people), charter())
    rows = [stay_rows(30, 1), {"person": np.arange(40) * 25, "level": np.arange(40) % 2}]
    outcomes, _ = through(cluster, "join", inputs(kind_of("join"), plan, list(enumerate(rows)), 3, 1))
    common = np.isin(rows[1]["person"], rows[0]["person"])
    told = [row["value"] for row in answer_of(plan, sent(outcomes), 3, 1)["rows"]]
    assert told == [common.sum(), rows[1]["level"][common].sum()]


@pytest.mark.parametrize("by", [None, "ward"])
def test_a_join_goes_on_from_the_joined_table(cluster: LocalCluster, by: str | None) -> None:
    people = table(column("level", "integer", low=0, high=1), name="people")
    asked = {"figures": ["count", {"sum": "level"}], "by": by, "epsilon": 80.0, "show_matches": True}
    kind = kind_of("join")
    plan = kind.check(asked, owned(stays(), people), charter())
    rows = [stay_rows(30, 1), {"person": np.arange(40) * 25, "level": np.arange(40) % 2}]
    no_rows = [{name: column[:0] for name, column in part.items()} for part in rows]

    def joined(run: str, given: Any, resume: Any) -> tuple[list[Any], list[list[Checkpoint]]]:
        extra = [Checkpointing(KEY, "job", run, resume=None if resume is None else resume[i]) for i in range(3)]
        outcomes, said = through(cluster, "join", inputs(kind, plan, list(enumerate(given)), 3, 1, extra))
        return [row["value"] for row in answer_of(plan, sent(outcomes), 3, 1)["rows"]], said

    told, kept = joined("1", rows, None)
    assert sum(told[: len(told) // 2]) == np.isin(rows[1]["person"], rows[0]["person"]).sum() > 0
    again, later = joined("2", no_rows, [of_one[-1].data for of_one in kept])
    assert again == told and later == [[], [], []]  # the rows are not even looked at
    assert [c.step for c in kept[0]] == [1]


def test_score(cluster: LocalCluster) -> None:
    rows = stay_rows(30, 1)
    X = np.stack([rows["age"], rows["cost"]], axis=1)
    fitted = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, rows["died"])
    plain = from_sklearn(fitted)
    named = {"owner": "bravo", "name": "risk", "version": 1, "id": "0" * 64, "family": "trees"}
    size = {**named, "depth": plain.depth, "trees": 3, "outputs": 2, "link": "average"}
    plan = kind_of("score").check({"model": size, "features": ["age", "cost"]}, owned(stays()), charter())
    works = inputs(kind_of("score"), plan, [(0, rows)], 3, 1, [None, plain, None])
    outcomes, _ = through(cluster, "score", works)
    assert answer_of(plan, sent(outcomes), 3, 1)["predictions"][:30] == fitted.predict(X).tolist()


def test_train_and_go_on_after_a_member_was_lost(cluster: LocalCluster) -> None:
    kind = kind_of("train")
    asked = {"features": ["age", "cost"], "label": "died", "epsilon": 8.0, "delta": 1e-5, "max_iter": 4}
    plan = kind.check(asked, owned(stays(), stays()), charter())
    given = [(0, stay_rows(30, 1)), (None, stay_rows(25, 2))]

    def trained(run: str, resume: Any) -> tuple[dict[str, Any], list[list[Checkpoint]]]:
        extra = [Checkpointing(KEY, "job", run, resume=None if resume is None else resume[i]) for i in range(3)]
        outcomes, said = through(cluster, "train", inputs(kind, plan, given, 3, 1, extra))
        return answer_of(plan, sent(outcomes), 3, 1), said

    answer, kept = trained("1", None)
    again, later = trained("2", [of_one[1].data for of_one in kept])
    assert [c.step for c in kept[0]] == [1, 2, 3] and [c.step for c in later[0]] == [3]
    for a, b in zip(answer["coefficients"], again["coefficients"], strict=True):
        assert a["coefficient"] == pytest.approx(b["coefficient"], abs=1e-4)
    anew, _ = trained("3", None)
    assert abs(anew["intercept"] - answer["intercept"]) > 1e-3


def test_an_owner_whose_rows_are_not_as_published_ends_the_job_by_name(cluster: LocalCluster) -> None:
    plan = kind_of("aggregate").check({"figures": [{"sum": "age"}], "epsilon": 1.0}, owned(stays()), charter())
    rows = {**stay_rows(5, 1), "age": np.full(5, 4711)}
    with pytest.raises(RowsUnfit, match="table stays of alfa, column age: a value outside") as raised:
        through(cluster, "aggregate", inputs(kind_of("aggregate"), plan, [(0, rows)], 3, 1))
    assert "4711" not in str(raised.value)


def test_members_whose_plans_differ_compute_nothing(cluster: LocalCluster) -> None:
    asked = {"figures": ["count"], "epsilon": 1.0}
    plans = [kind_of("aggregate").check(asked, owned(stays(capacity=c)), charter()) for c in (9, 9, 8)]
    own = TableInput(0, {"": np.ones(3, np.int64)})
    with pytest.raises(ProgramDiverged):
        through(cluster, "aggregate", [Work(plan, (own if i == 0 else TableInput(0),)) for i, plan in enumerate(plans)])


def test_a_join_takes_no_dealt_tables() -> None:
    asked = {"figures": ["count"], "epsilon": 1.0, "show_matches": True}
    plan = kind_of("join").check(asked, owned(stays(), stays()), charter())
    with pytest.raises(TableUnfit, match="table stays of bravo: a join takes tables of members who compute"):
        deal_rows(plan, 1, [], 3, 1, b"")


def test_kinds_are_found_by_name() -> None:
    assert list(KINDS) == [kind.name for kind in KINDS.values()] == ["aggregate", "join", "query", "score", "train"]
    with pytest.raises(KindUnknown, match="'median': this node knows aggregate, join, query, score, train"):
        kind_of("median")
