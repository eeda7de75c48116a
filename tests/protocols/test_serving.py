"""A session in memory: answers are scikit-learn's, refusals end nothing, and only the receiver learns anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression as PlainLogistic
from sklearn.linear_model import Ridge as PlainRidge
from sklearn.preprocessing import StandardScaler as PlainScaler

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, ProgramDiverged, ShapeMismatch, UnknownParty, WrongType
from mpc.pages import turn_page
from mpc.transport import Frame
from protocols.errors import NotFitted, RequestRefused, RowsRefused
from protocols.inquiry import Answer, Book, Request, Terms
from protocols.linear import Ridge
from protocols.logistic import LogisticRegression
from protocols.preprocessing import StandardScaler
from protocols.served import RowRules, Served, served
from protocols.serving import serve
from protocols.tree_models import TreeModel, from_sklearn
from protocols.trees import share_trees

R = np.random.default_rng(3)
X = np.rint(R.normal(0, 1, (60, 4)) * 65536) / 65536
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64)
GAPS = np.where(R.random(X.shape) < 0.2, np.nan, X)
CLASSES = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, Y)
VALUES = RandomForestRegressor(3, max_depth=3, random_state=0).fit(GAPS, X[:, 0] * 3)

Load = Callable[[Party], Any]
ALL = {"predict": 2, "predict_proba": 2, "decision_function": 2}


def trees(model: Any, missing: bool = False) -> Load:
    plain: TreeModel = from_sklearn(model)
    size: dict[str, Any] = {
        "depth": plain.depth, "trees": len(plain.trees), "features": 4, "outputs": plain.outputs, "link": plain.link,
        "kind": "regressor" if plain.link == "identity" else "classifier",
    }  # fmt: skip

    async def load(party: Party) -> Served:
        mine = plain if party.index == 0 else None
        return served(await share_trees(party, mine, owner=0, **size), missing=missing)

    return load


def fitted(make: Callable[[], Any], scaled: bool = False) -> Load:
    async def load(party: Party) -> Served:
        rows, target = await party.input(X, owner=0), await party.input(Y, owner=1)
        scaler = await StandardScaler().fit(rows) if scaled else None
        model = await make().fit(rows if scaler is None else await scaler.transform(rows), target)
        return served(model, scaler=scaler)

    return load


def asked(
    cluster: int | MemoryCluster, load: Load, terms: Terms, *requests: Request, at: Any = None, **options: Any
) -> list[tuple[list[Answer], int]]:
    """At every party its answers, and the rows let in. ``at(party, request)`` alters what one party is told."""

    async def source(party: Party) -> AsyncIterator[Request]:
        for r in requests:
            own = r if party.index == r.owner else Request(r.number, r.kind, r.rows, r.owner)
            yield own if at is None else at(party, own)

    async def program(party: Party) -> Any:
        answers: list[Answer] = []
        rows = await serve(party, await load(party), terms, source(party), answers.append, **options)
        return sorted(answers, key=lambda a: a.number), rows

    world = cluster if isinstance(cluster, MemoryCluster) else MemoryCluster(cluster, seed=cluster)
    return world.run(program)


def question(number: int, kind: Any, values: Any, owner: int = 1) -> Request:
    return Request(number, kind, len(values), owner, values)


# -- answers


@pytest.mark.parametrize("m", (3, 5))
def test_trees_answer_as_scikit_learn_on_every_row(m: int) -> None:
    kinds = ("predict", "predict_proba", "predict")
    rows = (X[:7], X[7:27], X[27:28])
    requests = [question(k + 1, kind, x) for k, (kind, x) in enumerate(zip(kinds, rows, strict=True))]
    answers = asked(m, trees(CLASSES), Terms((1,), {"predict": 2, "predict_proba": 0}), *requests)
    got = {i: [a.values for a in found] for i, (found, _) in enumerate(answers)}
    np.testing.assert_array_equal(got[2][0], CLASSES.predict(X[:7]))
    np.testing.assert_allclose(got[0][1], CLASSES.predict_proba(X[7:27]), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(got[2][2], CLASSES.predict(X[27:28]))
    received = {(i, k) for i, values in got.items() for k, v in enumerate(values) if v is not None}
    assert received == {(2, 0), (0, 1), (2, 2)}
    assert all(rows == 28 and not any(a.error for a in found) for found, rows in answers)


def test_missing_values_where_the_model_takes_them() -> None:
    answers = asked(3, trees(VALUES, missing=True), Terms((1,), {"predict": 1}), question(1, "predict", GAPS))
    np.testing.assert_allclose(answers[1][0][0].values, VALUES.predict(GAPS), rtol=0, atol=1e-6)


def test_a_regression_behind_a_scaler_single_rows_too() -> None:
    scaler = PlainScaler().fit(X)
    plain = PlainLogistic(tol=1e-9).fit(scaler.transform(X), Y)
    requests = [question(1, "predict_proba", X[:1]), question(2, "predict", X), question(3, "decision_function", X[:9])]
    found = asked(3, fitted(lambda: LogisticRegression(max_iter=6), scaled=True), Terms((1,), ALL), *requests)[2][0]
    z = scaler.transform(X)
    np.testing.assert_allclose(found[0].values, plain.predict_proba(z[:1]), rtol=0, atol=2e-3)
    clear = np.abs(plain.decision_function(z)) > 0.02
    assert clear.sum() > 50
    np.testing.assert_array_equal(found[1].values[clear], plain.predict(z)[clear])
    np.testing.assert_allclose(found[2].values, plain.decision_function(z[:9]), rtol=0, atol=0.01)


def test_a_linear_model_has_only_predict() -> None:
    found = asked(3, fitted(Ridge), Terms((0,), {"predict": 0}), question(1, "predict", X, owner=0))[0][0]
    np.testing.assert_allclose(found[0].values, PlainRidge().fit(X, Y).predict(X), rtol=0, atol=2e-3)
    with pytest.raises(WrongType, match="this model answers predict"):
        asked(3, fitted(Ridge), Terms((0,), {"predict_proba": 0}))


def test_many_at_once_and_over_several_pages() -> None:
    requests = [question(k + 1, "predict", X[k : k + 2]) for k in range(20)]
    for at_once, page in ((1, 4096), (4, 3), (20, 7)):
        terms = Terms((1,), {"predict": 2}, at_once=at_once)
        answers = asked(3, trees(CLASSES), terms, *requests, page=page)[2][0]
        assert [a.number for a in answers] == list(range(1, 21))
        for k, a in enumerate(answers):
            np.testing.assert_array_equal(a.values, CLASSES.predict(X[k : k + 2]))


def test_streams_get_new_keys_after_so_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the record of used labels would grow for as long as a session lasts."""
    turned: list[int] = []

    async def counted(party: Party) -> None:
        turned.append(party.index)
        await turn_page(party)

    monkeypatch.setattr("protocols.serving.turn_page", counted)
    requests = [question(k + 1, "predict", X[k : k + 1]) for k in range(7)]
    asked(3, trees(CLASSES), Terms((1,), {"predict": 2}), *requests, page=3)
    assert sorted(turned) == [0, 0, 1, 1, 2, 2]


# -- refusals


WRONG = [
    (Request(1, "predict", 1, 1), "numbers rise"),
    (Request(9, "predict_proba", 1, 1), "opened for predict"),
    (Request(9, "guess", 1, 1), "opened for predict"),  # type: ignore[arg-type]
    (Request(9, "predict", 1, 2), "rows of party 2"),
    (Request(9, "predict", 0, 1), "0 rows"),
    (Request(9, "predict", 21, 1), "in parts"),
    (Request(9, "predict", 2.5, 1), "2.5 rows"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("wrong", "text"), WRONG)
def test_a_wrong_header_is_refused_alike_everywhere_and_nothing_is_lost(wrong: Request, text: str) -> None:
    terms = Terms((1,), {"predict": 2}, most_rows=20)
    before, after = question(1, "predict", X[:3]), question(10, "predict", X[3:5])
    for found, rows in asked(3, trees(CLASSES), terms, before, wrong, after):
        errors = [a.error for a in found if a.error is not None]
        assert len(found) == 3 and len(errors) == 1 and type(errors[0]) is RequestRefused and text in str(errors[0])
        assert rows == 5
        if found[-1].values is not None:
            np.testing.assert_array_equal(found[-1].values, CLASSES.predict(X[3:5]))


BAD_ROWS = [
    (np.full((1, 4), np.nan), "NaN"), (np.full((1, 4), np.inf), "infinity"), (np.full((1, 4), 2.0**50), "2^46"),
    (X[:2], "shape"), (X[:1, :3], "shape"), (None, "None"), ([["a", "b", "c", "d"]], "not numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "text"), BAD_ROWS)
def test_rows_their_owner_refuses_are_never_shared_and_the_reason_stays_there(values: Any, text: str) -> None:
    requests = [Request(1, "predict", 1, 1, values), question(2, "predict", X[:3])]
    answers = asked(3, trees(CLASSES), Terms((1,), {"predict": 2}), *requests)
    for i, (found, _) in enumerate(answers):
        assert type(found[0].error) is RowsRefused and "party 1 refused its rows of request 1" in str(found[0].error)
        assert (text in str(found[0].error)) == (i == 1)
    np.testing.assert_array_equal(answers[2][0][1].values, CLASSES.predict(X[:3]))


def test_the_allowance_is_of_all_requests_together() -> None:
    terms = Terms((1,), {"predict": 2}, allowance=5)
    requests = [question(k + 1, "predict", X[:n]) for k, n in enumerate((3, 3, 2, 1))]
    found, rows = asked(3, trees(CLASSES), terms, *requests)[2]
    assert [a.error is None for a in found] == [True, False, True, False] and rows == 5
    assert "2 of the 5 allowed are left" in str(found[1].error)


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        (Terms((3,), {"predict": 0}), UnknownParty),
        (Terms((1,), {"predict": -1}), UnknownParty),
        (Terms((), {"predict": 0}), OutOfRange),
        (Terms((1,), {}), OutOfRange),
        (Terms((1,), {"predict": 0}, most_rows=0), OutOfRange),
        (Terms((1,), {"predict": 0}, allowance=0), OutOfRange),
        (Terms((1,), {"predict": 0}, at_once=True), OutOfRange),
    ],
)
def test_terms_that_cannot_be_kept(terms: Terms, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked(3, trees(CLASSES), terms)


@pytest.mark.parametrize(
    "other",
    [
        lambda r: Request(r.number + 1, r.kind, r.rows, r.owner, r.values),
        lambda r: Request(r.number, "decision_function", r.rows, r.owner, r.values),
        lambda r: Request(r.number, r.kind, r.rows, 0, X[:2]),
    ],
)
def test_parties_told_different_requests_find_out(other: Callable[[Request], Request]) -> None:
    def at(party: Party, request: Request) -> Request:
        return other(request) if party.index == 2 else request

    with pytest.raises(ProgramDiverged):
        asked(3, trees(CLASSES), Terms((0, 1), ALL), question(1, "predict", X[:2]), at=at)


def test_parties_with_different_terms_find_out() -> None:
    async def program(party: Party) -> None:
        async def source() -> AsyncIterator[Request]:
            yield Request(1, "predict", 2, 1, X[:2])

        terms = Terms((1,), {"predict": 2}, allowance=9 + party.index)
        await serve(party, await trees(CLASSES)(party), terms, source(), lambda answer: None)

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3, seed=1).run(program)


def test_what_is_no_model() -> None:
    for wrong, error in ((object(), WrongType), (Ridge(), NotFitted)):
        with pytest.raises(error):
            served(wrong)

    async def program(party: Party) -> None:
        forest = await trees(CLASSES)(party)
        with pytest.raises(WrongType, match="before trees"):
            served(forest._model, scaler=StandardScaler())
        ridge = await fitted(Ridge)(party)
        with pytest.raises(WrongType, match="missing"):
            served(ridge._model, missing=True)
        with pytest.raises(NotFitted, match="StandardScaler"):
            served(ridge._model, scaler=StandardScaler())
        narrow = await StandardScaler().fit(await party.input(X[:, :3], owner=0))
        with pytest.raises(ShapeMismatch, match="3 columns before a model of 4"):
            served(ridge._model, scaler=narrow)

    MemoryCluster(3, seed=1).run(program)


# -- privacy


def test_sizes_and_places_of_messages_do_not_depend_on_rows_or_answers() -> None:
    def sizes(rows: Any) -> list[tuple[int, int, int]]:
        seen: list[tuple[int, int, int]] = []

        def tap(frame: Frame) -> list[Frame]:
            seen.append((frame.sender, frame.receiver, len(frame.payload)))
            return [frame]

        asked(
            MemoryCluster(3, seed=1, tap=tap), trees(CLASSES), Terms((1,), {"predict": 2}), question(1, "predict", rows)
        )
        return sorted(seen)

    assert sizes(X[:5]) == sizes(X[5:10]) == sizes(np.zeros((5, 4)))


def test_an_answer_is_sent_to_its_receiver_alone() -> None:
    """The receiver gets one message more than it gets as one of the others: t elements a row."""

    def received(receiver: int) -> list[tuple[int, int]]:
        cluster = MemoryCluster(3, seed=1, keep=True)
        asked(cluster, trees(CLASSES), Terms((1,), {"predict": receiver}), question(1, "predict", X[:5]))
        inbox = [[len(f.payload) for f in cluster.log if f.receiver == i] for i in range(3)]
        return [(len(sizes), sum(sizes)) for sizes in inbox]

    by_receiver = [received(r) for r in range(3)]
    for i in range(3):
        count, size = by_receiver[(i + 1) % 3][i]
        assert by_receiver[(i + 2) % 3][i] == (count, size)
        assert by_receiver[i][i] == (count + 1, size + 5 * 8)


# -- the parts


def test_rows_are_read_as_arrays_lists_and_integers() -> None:
    rules = RowRules(2, 16, True, ("predict",))
    for given in (np.array([[1, 2]]), [[1.0, 2.0]], np.array([[1, 2]], np.float32), np.array([[True, 2]])):
        values, gone = rules.read(given)
        assert values.tolist() == [[1.0, 2.0]] and gone.tolist() == [[0, 0]]
    values, gone = rules.read([[np.nan, 2.0]])
    assert values.tolist() == [[0.0, 2.0]] and gone.tolist() == [[1, 0]]
    original = np.array([[np.nan, 2.0]])
    rules.read(original)
    assert np.isnan(original[0, 0])


def test_the_book_charges_what_it_lets_in() -> None:
    book = Book(Terms((1,), {"predict": 2}, allowance=4))
    book.enter(Request(1, "predict", 3, 1))
    with pytest.raises(RequestRefused, match="1 of the 4"):
        book.enter(Request(2, "predict", 2, 1))
    book.enter(Request(3, "predict", 1, 1))
    assert book.rows == 4


def test_a_kind_that_is_no_text_is_refused_by_name() -> None:
    book = Book(Terms((1,), {"predict": 2}))
    for number, kind in enumerate((["predict"], {}, None, 1), 1):
        with pytest.raises(RequestRefused, match="opened for predict"):
            book.enter(Request(number, kind, 1, 1))  # type: ignore[arg-type]
