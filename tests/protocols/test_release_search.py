"""A choice that leaves: what disjoint blocks vote for, and score, against the same in the clear; what it is charged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.accounting import Event
from protocols.linear import Ridge
from protocols.mechanisms import DiscreteLaplace
from protocols.model_selection import GridSearchCV, KFold
from protocols.public_order import public_parts
from protocols.release_search import release_search
from protocols.sensitivity import Change
from tests.protocols.openings import frames_of, opened_in, refuses_before_sending, run
from tests.protocols.simple_models import PlainSlope, Slope

HUGE = DiscreteLaplace(128)
GRID = {"shrink": [-0.5, 0.6, 1.1]}
N = 96


async def closeness(model: Any, X: Any, y: Any, here: Any) -> Any:
    """Less the sum of absolute errors: a score that takes few rounds."""
    return -(here.to_array() @ abs(y - await model.predict(X)))


def search(scoring: Any = closeness, cv: Any = 2, **options: Any) -> GridSearchCV:
    return GridSearchCV(Slope(), GRID, scoring=scoring, cv=cv, **options)


def rows(seed: int = 0) -> tuple[Any, Any, Any]:
    r = np.random.default_rng(seed)
    x = np.round(r.normal(size=(N, 2)) * 256) / 256
    y = np.round((x @ [1.0, -2.0] + r.normal(size=N) * 2) * 256) / 256
    return x, y, r.random(N) < 0.85


def in_the_clear(x: Any, y: Any, here: Any, blocks: int) -> Any:
    """(blocks, candidates): mean closeness over the folds of each block."""
    table = []
    for part in public_parts(N, blocks, 0):
        scores = []
        for shrink in GRID["shrink"]:
            of_folds = []
            for train, held in KFold(2).split(len(part)):
                train, held = (part[f][here[part[f]]] for f in (train, held))
                model = PlainSlope(shrink).fit(x[train], y[train])
                of_folds.append(-np.abs(y[held] - model.predict(x[held])).sum())
            scores.append(np.mean(of_folds))
        table.append(scores)
    return np.array(table)


@pytest.mark.parametrize("m", (3, pytest.param(5, marks=pytest.mark.slow)))
def test_blocks_vote_and_score_as_in_the_clear(m: int) -> None:
    x, y, here = rows()
    expected = in_the_clear(x, y, here, 4)

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        votes = await release_search(party, search(), X, Y, HUGE, blocks=4, present=P)
        if m == 5:
            return votes, None, None
        scores = await release_search(
            party, search(refit=False), X, Y, HUGE, blocks=4, present=P, by="scores", bounds=(-20, -5)
        )
        return votes, scores, await party.reveal(votes.best_estimator.coef_)

    for votes, scores, coef in run(m, body, x, y, here):
        assert votes.released.values.tolist() == np.bincount(expected.argmax(axis=1), minlength=3).tolist()
        assert len(set(votes.released.values)) > 1 and votes.best_index == votes.released.values.argmax()
        assert votes.best_params == votes.params[votes.best_index] == {"shrink": GRID["shrink"][votes.best_index]}
        assert votes.released.events == (Event(HUGE, Change((1, 1), False), 3, 0),)
        assert votes.best_estimator.shrink == votes.best_params["shrink"]
        if m == 5:
            continue
        means = np.clip(expected, -20, -5).mean(axis=0)
        np.testing.assert_allclose(scores.released.values, means, atol=1.0)
        assert scores.best_index == means.argmax() and scores.best_estimator is None
        assert scores.released.sensitivity == 3 * 15 / 4
        model = PlainSlope(votes.best_params["shrink"]).fit(x[here], y[here])
        np.testing.assert_allclose(coef, model.coef_, atol=1e-3)


def spoiled(here: Any) -> tuple[Any, Any, Any, int]:
    """A table, and the place of a row that turns every model it is in round, where it is present."""
    x, y, _ = rows(5)
    row = 17
    x[row], y[row] = [-500.0, 500.0], 500.0
    return x, y, here, row


def test_one_row_moves_one_vote_but_any_number_of_cross_validated_hits() -> None:
    """Why noise for the row's own hit would not do: the row is held out once, and trained on everywhere else."""
    x, y, with_row, row = spoiled(np.ones(N, bool))
    without = with_row.copy()
    without[row] = False

    def hits(here: Any) -> int:
        found = 0
        for train, held in KFold(5).split(N):
            model = PlainSlope().fit(x[train][here[train]], y[train][here[train]])
            found += ((model.predict(x[held]) > 0) == (y[held] > 0))[here[held]].sum()
        return int(found)

    assert abs(hits(with_row) - hits(without)) > N // 3

    async def body(party: Any, X: Any, Y: Any, P: Any, Q: Any) -> Any:
        spec = search(refit=False)
        return [(await release_search(party, spec, X, Y, HUGE, blocks=6, present=p)).released.values for p in (P, Q)]

    votes = run(3, body, x, y, with_row, without)[0]
    assert votes[0].sum() == votes[1].sum() == 6
    assert 0 < np.abs(votes[0] - votes[1]).sum() <= 2


def test_what_it_is_charged() -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> Any:
        async def told(scoring: Any, **options: Any) -> Any:
            spec, half = search(scoring, refit=False), DiscreteLaplace(0.5)
            return (await release_search(party, spec, X, Y, half, blocks=2, present=P, **options)).released

        return [
            await told(scoring, **options)
            for scoring, options in (
                (closeness, {}), (closeness, {"rows": 2}), (closeness, {"by": "scores", "bounds": (-1, 1), "rows": 2}),
                ("r2", {"by": "scores"}),
            )
        ]  # fmt: skip

    votes, *others = run(3, body, x, y, here)[0]
    assert [r.epsilon for r in (votes, *others)] == [0.5] * 4
    assert [r.sensitivity for r in (votes, *others)] == [2, 4, 3 * 2 * 2 / 2, 3 / 2]
    assert votes.standard_error == pytest.approx(2 * 2**0.5 / 0.5, rel=0.01)


def test_nothing_is_opened_but_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, here = rows()

    async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
        await release_search(party, search(), X, Y, DiscreteLaplace(1.0), blocks=2, present=P)

    assert opened_in(monkeypatch, body, x, y, here)[1] == ["(3,)"]
    monkeypatch.undo()
    assert frames_of(body, x, y, here) == frames_of(body, x * 0, y[::-1], ~here)


def test_what_is_refused_before_anything_is_sent() -> None:
    x, y, here = rows()

    def told(spec: Any = None, mechanism: Any = HUGE, rows: int = 1, **options: Any) -> Any:
        async def body(party: Any, X: Any, Y: Any, P: Any) -> None:
            given: Any = {"blocks": 4, "present": P, **options}
            await release_search(party, spec or search(), X, Y, mechanism, rows=rows, **given)

        return body

    one = GridSearchCV(Slope(), {"shrink": [1.0]}, scoring=closeness)
    for body, error, match in (
        (told(Slope()), WrongType, "GridSearchCV"),
        (told(one), OutOfRange, "single candidate"),
        (told(by="best"), OutOfRange, '"votes" or "scores"'),
        (told(search("neg_mean_squared_error"), by="scores"), OutOfRange, "bounds"),
        (told(by="scores", bounds=(1, 0)), OutOfRange, "bounds"),
        (told(blocks=N), OutOfRange, "2 parts of 1 rows"),
        (told(blocks=1), OutOfRange, "1 parts"),
        (told(search(cv=30)), OutOfRange, "30 parts of 24 rows"),
        (told(rows=0), OutOfRange, "rows a person"),
        (told(mechanism=0.5), WrongType, "mechanism"),
        (told(GridSearchCV(Ridge(), {"alpha": [1.0, -1.0]})), OutOfRange, "alpha"),
        (told(present=here), WrongType, "present"),
    ):
        refuses_before_sending(body, error, match, x, y, here)

    async def short(party: Any, X: Any, Y: Any, P: Any) -> None:
        await release_search(party, search(), X, Y[:9], HUGE, blocks=4)

    refuses_before_sending(short, ShapeMismatch, "beside 96 rows", x, y, here)
