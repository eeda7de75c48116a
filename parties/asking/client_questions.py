"""What both clients can be asked by name. A method makes a job of it, submits it and gives its result."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from parties.asking import questions
from parties.asking.questions import Question
from parties.wire.people_messages import JobProgress

__all__ = ["How", "Questions"]

F = TypeVar("F")
M = TypeVar("M")
Tables = str | Sequence[str]


class How(TypedDict, total=False):
    """What every method also takes: results, deadline, on_loss, key, purpose, fresh as ``submit``; timeout and progress
    as ``result``."""

    results: Sequence[str]
    deadline: int
    on_loss: str
    key: str
    purpose: str
    fresh: bool
    timeout: float | None
    progress: bool | Callable[[JobProgress], None]


class Questions(Generic[F, M]):
    """Methods that give a DataFrame, or a fitted model.

    Args of most:
        tables: "member.table", one or several; several of the same columns count as if they were one.
        by: a column with categories, or of true and false; a row of the answer for each group.
        where: which rows count, as row_filter.py has it: {"column": "age", "is": ">=", "value": 18}.
        epsilon: how much all figures together may tell of a person; without a delta the noise is Laplace's, with one
            Gaussian.
        minimum: groups with fewer rows, by the noised count, are not shown.
        how: see How.
    Columns of the answer: see results.read_answer.
    """

    @abstractmethod
    def _ask(self, question: Question, how: Mapping[str, Any]) -> Any:
        """Submit it, and give its result."""

    def count(
        self,
        tables: Tables,
        *,
        epsilon: float,
        by: str | None = None,
        where: Mapping[str, Any] | None = None,
        delta: float | None = None,
        minimum: int | None = None,
        **how: Unpack[How],
    ) -> F:
        """How many rows there are."""
        return self.aggregate(
            tables, ["count"], epsilon=epsilon, by=by, where=where, delta=delta, minimum=minimum, **how
        )

    def sum(
        self,
        tables: Tables,
        column: str,
        *,
        epsilon: float,
        by: str | None = None,
        where: Mapping[str, Any] | None = None,
        delta: float | None = None,
        minimum: int | None = None,
        **how: Unpack[How],
    ) -> F:
        """The sum of a column."""
        figures = [{"sum": column}]
        return self.aggregate(tables, figures, epsilon=epsilon, by=by, where=where, delta=delta, minimum=minimum, **how)

    def mean(
        self,
        tables: Tables,
        column: str,
        *,
        epsilon: float,
        by: str | None = None,
        where: Mapping[str, Any] | None = None,
        delta: float | None = None,
        minimum: int | None = None,
        **how: Unpack[How],
    ) -> F:
        """The mean of a column."""
        figures = [{"mean": column}]
        return self.aggregate(tables, figures, epsilon=epsilon, by=by, where=where, delta=delta, minimum=minimum, **how)

    def aggregate(
        self,
        tables: Tables,
        figures: Any,
        *,
        epsilon: float,
        by: str | None = None,
        where: Mapping[str, Any] | None = None,
        delta: float | None = None,
        minimum: int | None = None,
        **how: Unpack[How],
    ) -> F:
        """Several figures at once: "count", {"sum": column}, {"mean": column}; or as pandas' agg takes them, by column:
        {"age": "mean", "cost": ["sum", "mean"]}."""
        more = {"epsilon": epsilon, "by": by, "where": where, "delta": delta, "minimum": minimum}
        found: F = self._ask(questions.aggregate(tables, figures, more), how)
        return found

    def join(
        self,
        tables: Sequence[str],
        figures: Any = "count",
        *,
        epsilon: float,
        by: str | None = None,
        where: Mapping[str, Mapping[str, Any]] | None = None,
        delta: float | None = None,
        minimum: int | None = None,
        pad: Mapping[str, float] | None = None,
        show_matches: bool | None = None,
        **how: Unpack[How],
    ) -> F:
        """Figures over people who are in all of two or three members' tables.

        ``where``: a filter by member. ``pad``: {"epsilon": ..., "delta": ...}, hides how many match, or
        ``show_matches``: that may be seen; see kind_join.py.
        """
        more = {
            "epsilon": epsilon, "by": by, "where": where, "delta": delta, "minimum": minimum, "pad": pad,
            "show_matches": show_matches,
        }  # fmt: skip
        found: F = self._ask(questions.join(tables, figures, more), how)
        return found

    def query(
        self,
        sql: str,
        *,
        epsilon: float,
        delta: float | None = None,
        minimum: int | None = None,
        pad: Mapping[str, float] | None = None,
        show_matches: bool | None = None,
        **how: Unpack[How],
    ) -> F:
        """SQL: SELECT of figures over ``member.table``, or over all members' tables of a name; see kind_query.py.

        A column of the answer for each item of the SELECT; of a figure also ".standard_error" of its noise, ".low" and
        ".high" (95%). ``minimum``, ``pad`` and ``show_matches`` as for join. Raises SqlInvalid, SqlUnbound and
        SqlUnsupported, with the place in the text, and the nearest thing that can be asked.
        """
        more = {"epsilon": epsilon, "delta": delta, "minimum": minimum, "pad": pad, "show_matches": show_matches}
        found: F = self._ask(questions.query(sql, more), how)
        return found

    def fit(
        self,
        tables: Tables,
        features: Sequence[str],
        label: str,
        *,
        epsilon: float,
        delta: float,
        positive: Any = None,
        where: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **how: Unpack[How],
    ) -> M:
        """Logistic regression with differential privacy.

        ``label``: a column of true and false; or of categories, of which ``positive`` is told from all others.
        ``options``: max_iter, batch_size, learning_rate and others of kind_train.py.
        """
        more = {**(options or {}), "epsilon": epsilon, "delta": delta, "positive": positive, "where": where}
        found: M = self._ask(questions.fit(tables, features, label, more), how)
        return found

    def predict(
        self,
        model: str | Mapping[str, Any],
        table: str,
        features: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        **how: Unpack[How],
    ) -> F:
        """Predictions of a member's model for the rows of a table; ``models`` lists those that are offered.

        ``model``: "member.name", of which the latest version is taken, or "member.name@2"; its size and the columns it
        takes are looked up. Or all of it, as kind_score.py has it, with ``features``. The rows' owner receives the
        answer, or the ``results`` that both owners allow. A row for each place up to the table's capacity, in the order
        its owner read it; of a classifier, places of classes.
        """
        return self._score(model, table, "predict", features, where, how)

    def predict_proba(
        self,
        model: str | Mapping[str, Any],
        table: str,
        features: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        **how: Unpack[How],
    ) -> F:
        """As predict: the probability of each class."""
        return self._score(model, table, "predict_proba", features, where, how)

    def decision_function(
        self,
        model: str | Mapping[str, Any],
        table: str,
        features: Sequence[str] | None = None,
        *,
        where: Mapping[str, Any] | None = None,
        **how: Unpack[How],
    ) -> F:
        """As predict: the score, by which classes are told apart."""
        return self._score(model, table, "decision_function", features, where, how)

    def _score(self, model: Any, table: str, answer: str, features: Any, where: Any, how: Mapping[str, Any]) -> F:
        found: F = self._ask(questions.score(model, table, answer, {"features": features, "where": where}), how)
        return found
