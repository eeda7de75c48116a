"""Secret trees on secret rows, against the libraries that fitted them."""

from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from scipy.special import expit
from sklearn import ensemble, tree

from mpc import LocalCluster, MemoryCluster, Party
from mpc.errors import OutOfRange, ShapeMismatch, UnknownParty, WrongType
from mpc.party import current_scope
from protocols import tree_walk
from protocols.errors import ModelMismatch
from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_models import PlainTree, TreeModel, from_sklearn
from protocols.tree_padding import pad
from protocols.trees import MOST_DEPTH, SharedTrees, share_rows, share_trees
from tests.protocols.forests import (
    FRAC,
    Fitted,
    Reals,
    fitted_lightgbm,
    fitted_sklearn,
    fitted_xgboost,
    sklearn_models,
    softmaxed,
    trying,
    walk,
)
from tests.protocols.tables import each_m

LEAF = 24


def size_of(model: TreeModel, **more: Any) -> dict[str, Any]:
    """A public size with a level and a tree to spare."""
    kind = "regressor" if model.link == "identity" else "classifier"
    return {
        "depth": max(1, model.depth) + 1, "trees": len(model.trees) + 1, "features": model.features,
        "outputs": model.outputs, "kind": kind, "link": model.link, **more,
    }  # fmt: skip


def predicted(
    m: int | MemoryCluster, model: TreeModel, rows: Reals, *methods: str, flags: bool = True, **size: Any
) -> list[Any]:
    """What the methods give, opened; the model is party 0's, the rows are party 1's."""
    size = size_of(model, **size)

    async def program(party: Party) -> Any:
        shared = await share_trees(party, model if party.index == 0 else None, owner=0, **size)
        x, missing = await share_rows(party, rows if party.index == 1 else None, owner=1, frac=shared.frac)
        answers = [getattr(shared, name)(x, missing if flags else None) for name in methods]
        return [await party.reveal(a) for a in answers]

    cluster = m if isinstance(m, MemoryCluster) else MemoryCluster(m, seed=m)
    answers = cluster.run(program)
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    return answers[0]


def agrees(m: int, fitted: Fitted, missing: bool, n: int) -> None:
    """The sums are the padded model's to the last bit, so the library's; so are predictions and probabilities."""
    model = fitted.model
    rows = trying(model, m, n, missing)
    methods = ["decision_function", "predict"] + ["predict_proba"] * (model.link != "identity")
    sums, labels, *probabilities = predicted(m, model, rows, *methods, flags=missing)
    size = size_of(model)
    padded = pad(model, depth=size["depth"], trees=size["trees"], frac=FRAC, leaf_frac=LEAF)
    exact = walk(padded, rows, LEAF)
    np.testing.assert_array_equal(sums, exact if model.outputs > 1 else exact[:, 0])
    raw = fitted.raw(rows)
    np.testing.assert_allclose(exact, raw, rtol=1e-6, atol=(size["trees"] + 1) * 2.0**-LEAF / 2 + 1e-6)
    if model.link == "identity":
        np.testing.assert_allclose(labels, fitted.labels(rows), rtol=1e-6, atol=1e-5)
        return
    np.testing.assert_array_equal(labels, fitted.labels(rows))
    p = {"average": lambda: raw, "softmax": lambda: softmaxed(raw)}.get(
        model.link, lambda: expit(np.column_stack([-raw[:, 0], raw[:, 0]]))
    )()
    np.testing.assert_allclose(probabilities[0], p, rtol=0, atol=2.0**-13)


@each_m
@pytest.mark.parametrize("name", list(sklearn_models(0)))
def test_sklearn(name: str, m: int) -> None:
    missing = not name.startswith("boosting")
    agrees(m, fitted_sklearn(name, m, 3 if m == 4 else 2, 100, missing), missing, 21)


@each_m
@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob"])
def test_xgboost(objective: str, m: int, tmp_path: Path) -> None:
    agrees(m, fitted_xgboost(objective, m, 100, True, tmp_path), True, 21)


@each_m
@pytest.mark.parametrize("objective", ["regression", "binary", "multiclass"])
def test_lightgbm(objective: str, m: int, tmp_path: Path) -> None:
    agrees(m, fitted_lightgbm(objective, m, 100, True, tmp_path), True, 21)


@each_m
@pytest.mark.parametrize("n", [0, 1, 2, 64, 130])
def test_numbers_of_rows(n: int, m: int) -> None:
    model = _random_model(4, 3, 1)
    rows = np.rint(np.random.default_rng(n).normal(0, 1, (n, 3)) * 2.0**FRAC) / 2.0**FRAC
    (sums,) = predicted(m, model, rows, "predict", depth=4, trees=3)
    exact = walk(pad(model, depth=4, trees=3, frac=FRAC, leaf_frac=LEAF), rows, LEAF)
    np.testing.assert_array_equal(sums, exact[:, 0])


def _random_model(depth: int, trees: int, outputs: int, features: int = 3) -> TreeModel:
    """Full trees."""
    r = np.random.default_rng([depth, trees, outputs])
    nodes, count = (1 << depth) - 1, (2 << depth) - 1
    inner = np.arange(count) < nodes
    made = [
        PlainTree(
            np.where(inner, r.integers(0, features, count), -1),
            r.normal(0, 1, count),
            2 * np.arange(count) + 1,
            2 * np.arange(count) + 2,
            r.random(count) < 0.5,
            r.normal(0, 1, (count, outputs)),
        )
        for _ in range(trees)
    ]
    link = "identity" if outputs == 1 else "softmax"
    return TreeModel(tuple(made), features, r.normal(0, 1, outputs), link, strict=True, float32=False)


@pytest.mark.parametrize("outputs", [1, 2, 9])
@pytest.mark.parametrize("depth", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("trees", [1, 3, 64])
def test_sizes_of_models(trees: int, depth: int, outputs: int) -> None:
    """Leaves put into the ring one by one and in two halves, words full and not."""
    model = _random_model(depth, trees, outputs)
    rows = np.random.default_rng(0).normal(0, 1, (70, 3)).round(3)
    rows[::5, 1] = np.nan
    (sums,) = predicted(3, model, rows, "decision_function", depth=depth, trees=trees)
    on_grid = np.rint(rows * 2.0**FRAC) / 2.0**FRAC
    exact = walk(pad(model, depth=depth, trees=trees, frac=FRAC, leaf_frac=LEAF), on_grid, LEAF)
    np.testing.assert_array_equal(sums.reshape(exact.shape), exact)


@each_m
def test_many_chunks(m: int) -> None:
    model = _random_model(7, 20 if m == 3 else 8, 1)
    n = 3 * tree_walk._CHUNK // (127 * len(model.trees)) + 5 if m == 3 else 40
    rows = np.rint(np.random.default_rng(0).normal(0, 1, (n, 3)) * 2.0**FRAC) / 2.0**FRAC
    (sums,) = predicted(m, model, rows, "predict", flags=False, depth=7, trees=len(model.trees))
    exact = walk(pad(model, depth=7, trees=len(model.trees), frac=FRAC, leaf_frac=LEAF), rows, LEAF)
    np.testing.assert_array_equal(sums, exact[:, 0])


def test_memory_does_not_grow_with_nodes_times_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times the rows take little more than they take themselves."""
    monkeypatch.setattr(tree_walk, "_CHUNK", 1 << 14)
    model = _random_model(6, 10, 1)
    at_once = (1 << 14) // 630
    peaks = []
    for chunks in (4, 40):
        tracemalloc.start()
        try:
            predicted(3, model, np.zeros((chunks * at_once, 3)), "predict", flags=False, depth=6, trees=10)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[1] < 1.7 * peaks[0]


def test_extremes_of_the_range() -> None:
    """The largest numbers, thresholds at them, and missing values beside them."""
    most = (1 << 62) - 1
    rows = np.array([[most], [-most], [0], [most - 1], [1 - most]])
    for threshold in (0.0, 2.0**61, -(2.0**61), 2.0**62 - 512, -(2.0**62) + 512, np.inf, -np.inf):
        for missing_left in (False, True):
            tree = PlainTree(
                np.array([0, -1, -1]), np.array([threshold, 0, 0]), np.array([1, 1, 1]), np.array([2, 2, 2]),
                np.array([missing_left] * 3), np.array([[0.0], [1.0], [2.0]]),
            )  # fmt: skip
            model = TreeModel((tree,), 1, np.zeros(1), "identity", strict=False, float32=False)

            async def program(party: Party, model: TreeModel = model) -> Any:
                shared = await share_trees(
                    party, model, owner=0, depth=1, trees=1, features=1, kind="regressor", frac=0, leaf_frac=0
                )
                x = await party.input(rows, owner=1)
                zero = await party.input(np.zeros((1, 1), int), owner=1)
                one = await party.input(np.ones((1, 1), int), owner=1)
                return await party.reveal(shared.predict(x)), await party.reveal(shared.predict(zero, one))

            found, gone = MemoryCluster(3, seed=1).run(program)[0]
            assert found.tolist() == [1 if int(x) <= threshold else 2 for x in rows[:, 0]]
            assert gone.tolist() == [1 if missing_left else 2]


def test_a_sum_of_exactly_zero_is_the_class_the_library_says(tmp_path: Path) -> None:
    x, y = np.ones((40, 2)), np.arange(40) % 2  # nothing to split, both classes alike
    boosters = [
        ensemble.GradientBoostingClassifier(n_estimators=1),
        ensemble.HistGradientBoostingClassifier(max_iter=1),
    ]
    found = [(from_sklearn(b.fit(x, y)), b.predict(x[:3])) for b in boosters]
    gradient = xgboost.XGBClassifier(n_estimators=1, base_score=0.5, n_jobs=1).fit(x, y)
    gradient.save_model(tmp_path / "model.json")
    found.append((from_xgboost(tmp_path / "model.json"), gradient.predict(x[:3])))
    light = lightgbm.LGBMClassifier(n_estimators=1, verbose=-1, n_jobs=1).fit(x, y)
    light.booster_.save_model(tmp_path / "model.txt")
    found.append((from_lightgbm(tmp_path / "model.txt"), light.predict(x[:3])))
    for model, expected in found:
        sums, labels = predicted(3, model, x[:3], "decision_function", "predict")
        assert sums.tolist() == [0.0] * 3
        assert labels.tolist() == expected.tolist()


@each_m
def test_a_classifier_of_one_class_predicts_it(m: int) -> None:
    x = np.arange(8.0).reshape(4, 2)
    for model in (tree.DecisionTreeClassifier(), ensemble.RandomForestClassifier(2, random_state=0)):
        fitted = model.fit(x, np.full(4, 7))
        number, p = predicted(m, from_sklearn(fitted), x, "predict", "predict_proba")
        assert fitted.classes_[number].tolist() == fitted.predict(x).tolist()
        assert p.tolist() == fitted.predict_proba(x).tolist()


@pytest.mark.parametrize("classes", [[7], [3, -1], [-(2**61) + 1, 2**61 - 1], [10, 20, -30]])
def test_labels_of_the_classes(classes: list[int]) -> None:
    """As classes_ is sorted, and as it is not; of two and more classes, and one."""
    r = np.random.default_rng(len(classes))
    x, y = r.normal(0, 1, (90, 3)), r.integers(0, len(classes), 90)
    rows = np.rint(x * 2.0**FRAC) / 2.0**FRAC
    for model in (tree.DecisionTreeClassifier(max_depth=3), ensemble.HistGradientBoostingClassifier(max_iter=2)):
        if len(classes) == 1 and model.__class__.__name__.startswith("Hist"):
            continue
        loaded = from_sklearn(model.fit(x, y))

        async def program(party: Party, loaded: TreeModel = loaded) -> Any:
            shared = await share_trees(party, loaded, owner=0, **size_of(loaded))
            secret = await party.input(rows, owner=1)
            for bad in (classes[:-1], [*classes, 5], [0.5] * len(classes), [2**61] * len(classes), ["a"], 5):
                with pytest.raises(OutOfRange, match="labels"):
                    shared.predict(secret, labels=bad)
            return await party.reveal(shared.predict(secret, labels=np.array(classes)))

        found = MemoryCluster(3, seed=1).run(program)[0]
        assert found.tolist() == np.array(classes)[model.predict(rows)].tolist()


def test_rounds_and_bytes_do_not_depend_on_the_model_or_rows() -> None:
    """A stump and full trees, zeros and missing values: the same messages. A row takes thirteen rounds at depth 6."""
    logs = []
    for model, value in (
        (_random_model(6, 5, 1), 3.0),
        (_random_model(1, 1, 1), 0.0),
        (_random_model(3, 2, 1), np.nan),
    ):

        async def program(party: Party, model: TreeModel = model, value: float = value) -> Any:
            shared = await share_trees(
                party, model if party.index == 2 else None, owner=2, depth=6, trees=5, features=3, kind="regressor"
            )
            x, missing = await share_rows(party, np.full((1, 3), value) if party.index == 1 else None, owner=1)
            depth, sent = current_scope().depth, party.transport.traffic.bytes_sent
            await shared.predict(x, missing)
            return depth, current_scope().depth, party.transport.traffic.bytes_sent - sent

        logs.append(MemoryCluster(3, seed=1).run(program))
    assert logs[0] == logs[1] == logs[2]
    before, after, _ = zip(*logs[0], strict=True)
    assert max(after) - max(before) == 13


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_rounds_are_few_whatever_the_depth(depth: int) -> None:
    async def program(party: Party) -> Any:
        model = _random_model(depth, 2, 1) if party.index == 2 else None
        shared = await share_trees(party, model, owner=2, depth=depth, trees=2, features=3, kind="regressor")
        x, missing = await share_rows(party, np.ones((1, 3)) if party.index == 1 else None, owner=1)
        before = current_scope().depth
        await shared.predict(x, missing)
        return before, current_scope().depth

    before, after = zip(*MemoryCluster(3, seed=1).run(program), strict=True)
    assert max(after) - max(before) <= 10 + math.ceil(math.log2(depth))


def test_bits_say_what_is_missing_and_coarser_rows_are_taken() -> None:
    model = _random_model(3, 2, 1)
    rows = np.array([[1, -2, 0], [0, 0, 1], [3, 0, -1]])
    gone = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])

    async def program(party: Party) -> Any:
        shared = await share_trees(party, model, owner=0, **size_of(model))
        x, flags = await party.input(rows, owner=1), await party.input(gone, owner=1)
        return await party.reveal(shared.predict(x, flags != 0)), await party.reveal(shared.predict(x, flags))

    found, same = MemoryCluster(3, seed=1).run(program)[0]
    exact = walk(pad(model, depth=4, trees=3, frac=FRAC, leaf_frac=LEAF), np.where(gone, np.nan, rows), LEAF)
    assert found.tolist() == same.tolist() == exact[:, 0].tolist()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"depth": 0}, OutOfRange, "depth"),
        ({"depth": MOST_DEPTH + 1}, OutOfRange, "depth"),
        ({"trees": 1.5}, OutOfRange, "trees"),
        ({"trees": 1 << 20, "features": 1 << 10}, OutOfRange, "in parts"),
        ({"depth": 2}, ModelMismatch, "3 deep"),
        ({"trees": 1}, ModelMismatch, "2 trees"),
        ({"features": 4}, ModelMismatch, "3 features"),
        ({"kind": "classifier", "link": None}, ModelMismatch, "sigmoid"),
        ({"kind": "both"}, WrongType, "kind"),
        ({"link": "sigmoid"}, WrongType, "link"),
        ({"outputs": 2}, OutOfRange, "outputs"),
        ({"owner": 3}, UnknownParty, "owner"),
        ({"frac": 41}, OutOfRange, "fractional bits"),
    ],
)
def test_sizes_that_are_refused(change: dict[str, Any], error: type[Exception], text: str) -> None:
    model = _random_model(3, 2, 1)
    sent = []

    async def program(party: Party) -> None:
        try:
            await share_trees(party, model, **{"owner": party.index, **size_of(model), **change})
        finally:
            sent.append(party.transport.traffic.bytes_sent)

    with pytest.raises(error, match=text):
        MemoryCluster(3, seed=1).run(program)
    assert sent[0] == 0


def test_rows_that_are_refused() -> None:
    model = _random_model(3, 2, 1)

    async def program(party: Party) -> None:
        shared: SharedTrees = await share_trees(party, model, owner=0, **size_of(model))
        rows = await party.input(np.zeros((4, 3)), owner=1)
        for given, gone, error in (
            (np.zeros((4, 3)), None, WrongType),
            (rows, np.zeros((4, 3)), WrongType),
            (rows, rows, WrongType),
            (rows[:, :2], None, ShapeMismatch),
            (rows[0], None, ShapeMismatch),
            (rows, await party.input(np.zeros((3, 3), int), owner=1), ShapeMismatch),
            (await party.input(np.zeros((4, 3)), owner=1, frac=20), None, WrongType),
        ):
            with pytest.raises(error):
                shared.predict(given, gone)
        with pytest.raises(WrongType, match="regressor"):
            shared.predict_proba(rows)
        with pytest.raises(WrongType, match="regressor"):
            shared.predict(rows, labels=[0, 1])

    MemoryCluster(3, seed=1).run(program)
    with pytest.raises(WrongType, match="at its owner"):
        MemoryCluster(3, seed=1).run(lambda party: share_trees(party, None, owner=0, **size_of(model)))
    with pytest.raises(ShapeMismatch):
        MemoryCluster(3, seed=1).run(lambda party: share_rows(party, np.zeros(3), owner=0))
    for bad in (np.array([[1 + 2j]]), np.array([["2020"]], "datetime64[Y]"), np.array([["1"]])):
        with pytest.raises(WrongType, match="rows"):
            MemoryCluster(3, seed=1).run(lambda party, bad=bad: share_rows(party, bad, owner=0))


def test_whole_rows_are_shared_exactly() -> None:
    rows = np.array([[2**53 + 1, -(2**62) + 1]])

    async def program(party: Party) -> Any:
        x, missing = await share_rows(party, rows, owner=0, frac=0)
        return await party.reveal(x), await party.reveal(missing)

    found, gone = MemoryCluster(3, seed=1).run(program)[0]
    assert found.tolist() == rows.tolist()
    assert gone.tolist() == [[0, 0]]


def test_several_predictions_at_once_share_rounds() -> None:
    model = _random_model(4, 3, 1)

    async def program(party: Party) -> Any:
        shared = await share_trees(party, model, owner=0, depth=4, trees=3, features=3, kind="regressor")
        rows = [await party.input(np.full((5, 3), v), owner=1) for v in (0.25, -1.5)]
        depth = current_scope().depth
        found = [shared.predict(x) for x in rows]
        for f in found:
            await f
        return depth, current_scope().depth, [await party.reveal(f) for f in found]

    answers = MemoryCluster(3, seed=1).run(program)
    before, after, each = zip(*answers, strict=True)
    assert max(after) - max(before) == 12
    padded = pad(model, depth=4, trees=3, frac=FRAC, leaf_frac=LEAF)
    for values, v in zip(each[0], (0.25, -1.5), strict=True):
        np.testing.assert_array_equal(values, walk(padded, np.full((5, 3), v), LEAF)[:, 0])


async def _on_cluster(party: Party, given: Any) -> Any:
    model, rows = given
    shared = await share_trees(party, model, owner=0, depth=6, trees=8, features=6, outputs=1, link="sigmoid")
    x, missing = await share_rows(party, rows, owner=1)
    return await party.reveal(shared.predict(x, missing)), await party.reveal(shared.decision_function(x, missing))


def test_processes(tmp_path: Path) -> None:
    fitted = fitted_xgboost("binary:logistic", 1, 150, True, tmp_path)
    rows = trying(fitted.model, 1, 50, True)
    with LocalCluster(parties=3) as cluster:
        answers = cluster.run(_on_cluster, [(fitted.model, None), (None, rows), (None, None)])
    labels, sums = answers[2]
    np.testing.assert_array_equal(labels, fitted.labels(rows))
    np.testing.assert_allclose(sums, fitted.raw(rows)[:, 0], rtol=1e-6, atol=1e-6)
