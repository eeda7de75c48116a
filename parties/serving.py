"""A model that stays shared among the processes of a LocalCluster, and answers whoever calls: notebooks, scripts.

    with LocalCluster() as cluster, LocalSession.of_trees(cluster, forest, model_owner=0, owner=1, to=2) as session:
        session.predict(rows)

One user owns all the parties here, so nothing is hidden from the caller, who hands in rows for their owner and gets
what the receiver got. Among nodes the same protocol is protocols.serving.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

import numpy as np

from mpc.cluster import LocalCluster
from mpc.conversation import ConversationOver
from mpc.encoding import FRAC
from mpc.errors import AccordError, UsageError
from mpc.options import seconds
from mpc.outcomes import RunTimedOut
from mpc.party import Party
from parties.local.answering import answer_calls, load_trees
from parties.local.batching import Batches, Question
from protocols.inquiry import Answer, Kind, Terms
from protocols.served import RowRules
from protocols.tree_models import TreeModel, from_sklearn

__all__ = ["LocalSession", "RequestTimedOut", "SessionOver"]

_MOST_WAITING = 1024
Load = Callable[[Party, Any], Awaitable[Any]]


class SessionOver(UsageError):
    """The session is closed, or has failed: what it failed with is the ``__cause__``. Open another one."""


class RequestTimedOut(AccordError, TimeoutError):
    """An answer was not there in time. The session goes on, and drops the answer when it comes."""


class LocalSession:
    """A session on a cluster, which runs nothing else meanwhile. A context manager; all methods from any thread.

    Args:
        cluster: started.
        load: ``await load(party, inputs[party.index])`` at every party gives the model: what served.served takes, or
            what it gives. It may share a model or fit one. It travels as a program of LocalCluster.run does.
        inputs: one for each party; None: None for each.
        owner: the party whose rows are predicted.
        to: the party that receives every kind of answer, or for each kind allowed the party that does.
        most_rows, allowance, at_once: see inquiry.Terms.
        timeout: seconds an answer may take, where the call does not say otherwise.
        loading: seconds ``load`` may take; None: as long as it takes.

    Raises what LocalCluster.run raises for ``load``, what Terms.check raises, RequestTimedOut if loading took too long.

    Attributes:
        rules: which rows the model takes.
        terms: as agreed.
        seconds: the last answer took at its receiver, without what the way there and back adds.
    """

    rules: RowRules
    terms: Terms
    seconds: float = 0.0

    def __init__(
        self,
        cluster: LocalCluster,
        load: Load,
        inputs: Sequence[Any] | None = None,
        *,
        owner: int,
        to: int | Mapping[Kind, int],
        most_rows: int = 1 << 14,
        allowance: int | None = None,
        at_once: int = 2,
        timeout: float = 60.0,
        loading: float | None = None,
    ) -> None:
        self._timeout = seconds("timeout", timeout)
        self._parties = range(cluster.m)
        self._owner = owner
        self._order = threading.Lock()
        self._room = threading.BoundedSemaphore(_MOST_WAITING)
        self._closed = False
        self._batches: Batches | None = None
        self._ready: dict[int, tuple[RowRules, Terms]] = {}
        self._open: Future[None] = Future()
        opened = owner, dict(to) if isinstance(to, Mapping) else to, most_rows, allowance, at_once
        mine = [None] * cluster.m if inputs is None else list(inputs)
        self._talk = cluster.open(answer_calls, [(load, x, opened) for x in mine], heard=self._heard)
        self._talk.outcome.add_done_callback(self._over)
        try:
            self._open.result(None if loading is None else seconds("loading", loading))
        except TimeoutError:
            self._talk.close()
            raise RequestTimedOut(f"the model was not loaded within {loading:g} s") from None
        except BaseException:
            self._talk.close()
            raise
        self.rules, self.terms = self._ready[0]
        self._batches = Batches(self.terms, owner)

    @classmethod
    def of_trees(
        cls,
        cluster: LocalCluster,
        model: Any,
        *,
        model_owner: int,
        missing: bool = False,
        depth: int | None = None,
        trees: int | None = None,
        frac: int = FRAC,
        **options: Any,
    ) -> LocalSession:
        """A session of trees that one party has.

        Args:
            model: a fitted model of scikit-learn, or a TreeModel (tree_files reads XGBoost's and LightGBM's files).
            model_owner: whose it is.
            missing: whether rows may have missing values (NaN).
            depth, trees: public size it is padded to; by default its own.
            frac: fractional bits of the rows.
            options: see LocalSession; ``owner`` and ``to`` are needed.

        Of a classifier ``predict`` gives numbers of classes, from 0, in the order of the library's ``classes_``.
        Raises ModelUnsupported, ModelMismatch and what LocalSession raises.
        """
        plain = model if isinstance(model, TreeModel) else from_sklearn(model)
        size = {
            "owner": model_owner,
            "depth": max(1, plain.depth) if depth is None else depth,
            "trees": max(1, len(plain.trees)) if trees is None else trees,
            "features": plain.features, "outputs": plain.outputs, "link": plain.link, "frac": frac,
            "kind": "regressor" if plain.link == "identity" else "classifier",
        }  # fmt: skip
        inputs = [plain if i == model_owner else None for i in range(cluster.m)]
        return cls(cluster, functools.partial(load_trees, size, missing), inputs, **options)

    def __repr__(self) -> str:
        state = (
            "over" if self._closed or self._talk.outcome.done() else f"{len(self._batches or ())} questions under way"
        )
        return f"<LocalSession: {state}>"

    def predict(self, X: Any, *, timeout: float | None = None) -> Any:
        """What the model predicts, (n,). See :meth:`ask`."""
        return self.ask("predict", X, timeout=timeout)

    def predict_proba(self, X: Any, *, timeout: float | None = None) -> Any:
        """Probabilities (n, classes). See :meth:`ask`."""
        return self.ask("predict_proba", X, timeout=timeout)

    def decision_function(self, X: Any, *, timeout: float | None = None) -> Any:
        """Scores, (n,) or (n, outputs). See :meth:`ask`."""
        return self.ask("decision_function", X, timeout=timeout)

    def ask(self, kind: Kind, X: Any, *, timeout: float | None = None) -> Any:
        """Wait for the answer to rows (n, features), an array of numbers. Other requests run meanwhile.

        Raises WrongType, ShapeMismatch, OutOfRange for the rows, RequestRefused by the terms: before anything is sent,
        and the session goes on. RequestTimedOut, after which it goes on too. PeerLost or whatever ended the session
        while the request was under way; SessionOver if it was over before. KeyboardInterrupt while rows go out ends the
        session, as some parties may lack them; while an answer is waited for, it does not. UsageError in a callback of
        an answer's future, which runs in the thread that hears answers.
        """
        self._talk.check_caller()
        limit = self._timeout if timeout is None else seconds("timeout", timeout)
        answer = self.submit(kind, X, timeout=limit)
        try:
            return answer.result(limit)
        except TimeoutError:
            if answer.done():
                raise
            raise RequestTimedOut(f"no answer to this {kind} within {limit:g} s; the session goes on") from None

    def submit(self, kind: Kind, X: Any, *, timeout: float | None = None) -> Future[Any]:
        """As :meth:`ask`, but gives a future at once.

        While ``at_once`` requests are out, questions wait, and those of one kind go out together as one request (256
        rows at most), which is how many single rows a second are answered. Waits for room where 1,024 questions are
        under way, so many seconds; then RequestTimedOut.
        """
        reals, gone = self.rules.read(X)
        reals[gone == 1] = np.nan
        if not self._room.acquire(timeout=self._timeout if timeout is None else seconds("timeout", timeout)):
            raise RequestTimedOut(f"{_MOST_WAITING} questions are under way, and none was answered in time")
        question = Question(kind, reals, Future())
        question.answer.set_running_or_notify_cancel()  # it cannot be cancelled: the parties work on it
        try:
            with self._order:
                self._take(question)
        except BaseException:
            self._room.release()
            raise
        question.answer.add_done_callback(lambda _: self._room.release())
        return question.answer

    def _take(self, question: Question) -> None:
        if self._talk.outcome.done():
            error = self._talk.outcome.exception()
            why = "it is closed" if error is None or self._closed else f"{type(error).__name__}: {error}"
            raise SessionOver(f"this session has ended, {why}: open another one") from error
        if self._closed:
            raise SessionOver("this session is closed: open another one")
        assert self._batches is not None
        self._batches.ask(question)
        self._send()

    def _send(self, *, hurry: bool = False) -> None:
        """Whatever may go out. If the conversation has ended meanwhile, _over follows."""
        while self._batches is not None and (r := self._batches.next(hurry=hurry)) is not None:
            try:
                for i in self._parties:
                    self._talk.say(i, (r.number, r.kind, r.rows, r.owner, r.values if i == r.owner else None))
            except ConversationOver:
                continue
            except BaseException:  # KeyboardInterrupt: some parties may have the request, and others not
                self._closed = True
                threading.Thread(target=self._talk.close, name="accord session's end", daemon=True).start()
                raise

    def close(self, timeout: float = 60.0) -> None:
        """Let what is under way be answered, then end the session; the cluster is free again.

        Requests not answered after so many seconds end in SessionOver. Does nothing the second time. Raises nothing of
        the parties': who waited for an answer was told. UsageError in a callback of an answer's future.

        A session that is dropped without it keeps its cluster busy, until that is closed.
        """
        self._talk.check_caller()
        limit = seconds("timeout", timeout, or_zero=True)
        with self._order:
            self._closed = True
            self._send(hurry=True)
        with contextlib.suppress(AccordError):
            self._talk.finish(limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close(60.0 if kind is None else 0.0)

    # -- in the conversation's thread --

    def _heard(self, i: int, value: Any) -> None:
        if not isinstance(value, Answer):
            self._ready[i] = value
            if len(self._ready) == len(self._parties):
                self._open.set_result(None)
            return
        assert self._batches is not None
        with self._order:
            answered = self._batches.back(value.number)
            self._send()
        self.seconds, at = value.seconds, 0
        for question in answered:
            if value.error is not None:
                question.answer.set_exception(value.error)
            else:
                question.answer.set_result(value.values[at : at + len(question.rows)])
            at += len(question.rows)

    def _over(self, outcome: Future[list[Any]]) -> None:
        error = outcome.exception()
        if not self._open.done():
            self._open.set_exception(error or SessionOver("the session ended before the model was loaded"))
        if error is None or isinstance(error, RunTimedOut):
            error = SessionOver("the session was closed before this request was answered")
        with self._order:
            dropped = [] if self._batches is None else self._batches.drop()
        for question in dropped:
            question.answer.set_exception(error)
