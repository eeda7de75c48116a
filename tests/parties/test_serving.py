"""A session on a LocalCluster: real processes. Answers are scikit-learn's; what goes wrong is named, nothing hangs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression as PlainLogistic

from mpc import LocalCluster
from mpc.errors import OutOfRange, PartyFailed, PeerLost, ShapeMismatch, UnknownParty, UsageError, WrongType
from parties.serving import LocalSession, RequestTimedOut, SessionOver
from protocols.errors import ModelMismatch, ModelUnsupported, RequestRefused
from tests.parties import made_models as models

R = np.random.default_rng(3)
X = np.rint(R.normal(0, 1, (80, 4)) * 65536) / 65536
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(np.int64)
FOREST = RandomForestClassifier(5, max_depth=3, random_state=0).fit(X, Y)
CLUSTER = {"heartbeat": 0.05}
OPENED: dict[str, Any] = {"model_owner": 0, "owner": 1, "to": 2}


@pytest.fixture
def session(cluster: LocalCluster) -> Iterator[LocalSession]:
    with LocalSession.of_trees(cluster, FOREST, timeout=30.0, **OPENED) as session:
        yield session


def test_trees_of_one_party_answer_the_caller_on_every_row(session: LocalSession) -> None:
    np.testing.assert_array_equal(session.predict(X), FOREST.predict(X))
    np.testing.assert_allclose(session.predict_proba(X), FOREST.predict_proba(X), rtol=0, atol=1e-6)
    for k in range(5):
        np.testing.assert_array_equal(session.predict(X[k : k + 1]), FOREST.predict(X[k : k + 1]))
    assert "0 questions" in repr(session) and session.rules.features == 4


def test_a_model_fitted_in_the_session_and_two_sessions_on_one_cluster(cluster: LocalCluster) -> None:
    plain = PlainLogistic(tol=1e-9).fit(X, Y)
    for to in ({"predict_proba": 1}, {"predict_proba": 0, "predict": 2}):
        with LocalSession(cluster, models.fit, [X, Y, None], owner=2, to=to) as session:
            np.testing.assert_allclose(session.predict_proba(X), plain.predict_proba(X), rtol=0, atol=2e-3)
            if "predict" not in to:
                with pytest.raises(RequestRefused, match="opened for predict_proba"):
                    session.predict(X)
        assert "over" in repr(session)
    assert len(cluster.processes) == 3


def test_several_threads_and_requests_without_waiting(session: LocalSession) -> None:
    wrong: list[int] = []

    def ask(k: int) -> None:
        for lo in range(k, 40, 4):
            if session.predict(X[lo : lo + 2]).tolist() != FOREST.predict(X[lo : lo + 2]).tolist():
                wrong.append(lo)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    futures = [session.submit("predict", X[k : k + 1]) for k in range(70)]
    mixed = [session.submit(kind, X[k : k + 3]) for k in range(10) for kind in ("predict", "predict_proba")]
    assert [int(f.result(30)[0]) for f in futures] == FOREST.predict(X[:70]).tolist()
    for k in range(10):
        np.testing.assert_array_equal(mixed[2 * k].result(30), FOREST.predict(X[k : k + 3]))
        np.testing.assert_allclose(mixed[2 * k + 1].result(30), FOREST.predict_proba(X[k : k + 3]), rtol=0, atol=1e-6)
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (X[:, :3], ShapeMismatch), (X[0], ShapeMismatch), (X[:0], ShapeMismatch), (np.full((1, 4), np.nan), OutOfRange),
        (np.full((1, 4), -np.inf), OutOfRange), ([["a"] * 4], WrongType), (np.full((1, 4), 2.0**47), OutOfRange),
    ],
)  # fmt: skip
def test_wrong_rows_are_refused_before_anything_is_sent(
    session: LocalSession, rows: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        session.predict(rows)
    assert session._batches is not None and session._batches._asked == 0 and "0 questions" in repr(session)
    np.testing.assert_array_equal(session.predict(X[:2]), FOREST.predict(X[:2]))


def test_terms_hold(cluster: LocalCluster) -> None:
    with LocalSession.of_trees(cluster, FOREST, most_rows=3, allowance=4, **OPENED) as session:
        with pytest.raises(RequestRefused, match="in parts"):
            session.predict(X[:4])
        session.predict(X[:3])
        with pytest.raises(RequestRefused, match="1 of the 4"):
            session.predict(X[:2])
        session.predict(X[:1])


def test_idle_for_longer_than_a_stall_takes_to_be_told(session: LocalSession) -> None:
    with pytest.raises(TimeoutError):
        session._talk.outcome.result(1.0)  # twenty heartbeats
    np.testing.assert_array_equal(session.predict(X[:2]), FOREST.predict(X[:2]))


def test_a_party_that_dies_is_named_and_later_requests_are_refused(cluster: LocalCluster) -> None:
    session = LocalSession(cluster, models.slow, owner=1, to=2)
    waiting = [session.submit("predict", X[:1]) for _ in range(3)]
    os.kill(cluster.processes[2], signal.SIGKILL)
    for future in waiting:
        with pytest.raises(PeerLost, match="party 2 was killed"):
            future.result(5.0)
    with pytest.raises(SessionOver, match="party 2 was killed") as over:
        session.predict(X[:1])
    assert isinstance(over.value.__cause__, PeerLost)
    session.close()
    cluster.start()
    with LocalSession.of_trees(cluster, FOREST, **OPENED) as another:
        assert another.predict(X[:1]).tolist() == FOREST.predict(X[:1]).tolist()


def test_what_waits_is_answered_when_the_session_closes(cluster: LocalCluster) -> None:
    session = LocalSession.of_trees(cluster, FOREST, **OPENED)
    futures = [session.submit("predict", X[k : k + 1]) for k in range(20)]
    session.close()
    assert [int(f.result(0)[0]) for f in futures] == FOREST.predict(X[:20]).tolist()
    with pytest.raises(SessionOver, match="closed"):
        session.predict(X[:1])
    session.close()


def test_an_answer_that_does_not_come(cluster: LocalCluster) -> None:
    session = LocalSession(cluster, models.slow, owner=1, to=2)
    with pytest.raises(RequestTimedOut, match=r"within 0\.1 s"):
        session.predict(X[:1], timeout=0.1)
    waiting = session.submit("predict", X[:1])
    session.close(0.1)
    with pytest.raises(SessionOver, match="closed before"):
        waiting.result(5.0)
    assert len(cluster.processes) == 3


def test_a_callback_of_an_answer_may_ask_but_not_wait(session: LocalSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs in the thread that hears answers, which would wait for itself."""
    found: Future[list[Any]] = Future()
    asked = threading.Event()
    assert session._batches is not None
    back = session._batches.back
    monkeypatch.setattr(session._batches, "back", lambda number: (asked.wait(20.0), back(number))[1])

    def answered(first: Future[Any]) -> None:
        told: list[Any] = [session.submit("predict", X[1:2])]
        for wait in (lambda: session.predict(X[:1], timeout=5.0), lambda: session.close(5.0)):
            try:
                wait()
            except Exception as error:
                told.append(error)
        found.set_result(told)

    session.submit("predict", X[:1]).add_done_callback(answered)
    asked.set()
    another, *errors = found.result(20.0)
    assert [type(error) for error in errors] == [UsageError] * 2 and "another thread" in str(errors[0])
    assert another.result(20.0).tolist() == FOREST.predict(X[1:2]).tolist()
    assert session.predict(X[:1]).tolist() == FOREST.predict(X[:1]).tolist()


def test_an_interrupt_while_a_request_goes_out_ends_the_session(
    cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some parties have the request then: what is asked next would not be the same question everywhere."""
    session = LocalSession(cluster, models.slow, owner=1, to=2, timeout=10.0, at_once=4)
    waiting, say = session.submit("predict", X[:1]), session._talk.say

    def interrupted(i: int, value: Any) -> None:
        if i == 1:
            raise KeyboardInterrupt
        say(i, value)

    with monkeypatch.context() as patched:
        patched.setattr(session._talk, "say", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.predict(X[:1])
    with pytest.raises(SessionOver, match="closed"):
        session.predict(X[:1])
    with pytest.raises(SessionOver, match="closed before"):
        waiting.result(10.0)
    session.close()
    assert len(cluster.processes) == 3
    with LocalSession.of_trees(cluster, FOREST, **OPENED) as another:
        assert another.predict(X[:1]).tolist() == FOREST.predict(X[:1]).tolist()


def test_a_model_that_cannot_be_loaded(cluster: LocalCluster) -> None:
    with pytest.raises(PartyFailed, match="no model here"):
        LocalSession(cluster, models.fails, owner=1, to=2)
    with pytest.raises(RequestTimedOut, match="not loaded"):
        LocalSession(cluster, models.sleeps, owner=1, to=2, loading=0.1)
    with pytest.raises(UnknownParty):
        LocalSession.of_trees(cluster, FOREST, model_owner=0, owner=3, to=2)
    with pytest.raises(WrongType, match="predict_proba"):
        LocalSession(cluster, models.slow, owner=1, to={"predict_proba": 0})
    with pytest.raises(ModelMismatch, match="depth=1"):
        LocalSession.of_trees(cluster, FOREST, depth=1, **OPENED)
    with pytest.raises(ModelUnsupported):
        LocalSession.of_trees(cluster, PlainLogistic(), **OPENED)
    with LocalSession.of_trees(cluster, FOREST, **OPENED) as session:
        with pytest.raises(UsageError, match="runs a program already"):
            LocalSession.of_trees(cluster, FOREST, **OPENED)
        assert session.predict(X[:3]).tolist() == FOREST.predict(X[:3]).tolist()
