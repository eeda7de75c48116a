"""What people ask, in their words, as jobs: a kind, its parameters, tables. Pure; nothing is sent.

Tables are "member.table". Parameters that are None are left out, so that each kind's own defaults hold.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parties.errors import JobInvalid, MessageInvalid
from parties.wire.message_form import read_json
from parties.wire.people_messages import MOST_SUBMIT, Submit

__all__ = ["DEADLINE", "Question", "aggregate", "fit", "join", "query", "score", "submission"]

DEADLINE = 3600
"""Seconds a job may take, if nothing else is said."""


@dataclass(frozen=True)
class Question:
    """A job, but for who receives its answer and until when it may take.

    Attributes:
        results: who receives the answer, if nobody else is wished; None: the asking member.
    """

    kind: str
    parameters: Mapping[str, Any]
    tables: tuple[str, ...]
    results: tuple[str, ...] | None = None


def aggregate(tables: str | Sequence[str], figures: Any, more: Mapping[str, Any]) -> Question:
    """See kind_aggregate.py. ``figures``: see _figures."""
    return Question("aggregate", {"figures": _figures(figures), **_given(more)}, _names(tables))


def join(tables: Sequence[str], figures: Any, more: Mapping[str, Any]) -> Question:
    """See kind_join.py."""
    return Question("join", {"figures": _figures(figures), **_given(more)}, _names(tables))


def query(sql: str, more: Mapping[str, Any]) -> Question:
    """See kind_query.py. The tables are those its text names, which the node looks up."""
    return Question("query", {"sql": sql, **_given(more)}, ())


def fit(tables: str | Sequence[str], features: Sequence[str], label: str, more: Mapping[str, Any]) -> Question:
    """See kind_train.py."""
    return Question("train", {"features": _listed(features), "label": label, **_given(more)}, _names(tables))


def score(model: str | Mapping[str, Any], table: str, answer: str, more: Mapping[str, Any]) -> Question:
    """See kind_score.py. The rows' owner receives the answer, where nobody else is wished."""
    given = _given(more)
    if "features" in given:
        given["features"] = _listed(given["features"])
    parameters = {"model": model if isinstance(model, str) else dict(model), "answer": answer, **given}
    return Question("score", parameters, (table,), (str(table).partition(".")[0],))


def submission(
    kind: str,
    parameters: Mapping[str, Any],
    tables: Sequence[str],
    results: Sequence[str],
    deadline: int,
    on_loss: str,
    key: str | None,
    purpose: str = "",
    fresh: bool = False,
) -> Submit:
    """The message. Without a key one is drawn from the system's randomness. Raises JobInvalid, with the field."""
    asked = {
        "kind": kind,
        "parameters": parameters,
        "tables": [dict(zip(("member", "table"), _split(table), strict=True)) for table in tables],
        "results": list(results),
        "deadline": deadline,
        "on_loss": on_loss,
        "key": secrets.token_hex(16) if key is None else key,
        "purpose": purpose,
        "fresh": fresh,
    }
    try:
        content = json.dumps(asked, allow_nan=False, default=_plain).encode()
        if len(content) > MOST_SUBMIT:
            raise JobInvalid(f"parameters: the job has {len(content)} bytes, and {MOST_SUBMIT} are the most")
        return read_json(Submit, content)
    except MessageInvalid as error:
        raise JobInvalid(f"this is no job: {error}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise JobInvalid(f"parameters: not what JSON holds: {error}") from None


def _names(tables: str | Sequence[str]) -> tuple[str, ...]:
    return (tables,) if isinstance(tables, str) else tuple(tables)


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _split(table: Any) -> tuple[str, str]:
    member, dot, name = table.partition(".") if isinstance(table, str) else ("", "", "")
    if not dot or not member or not name:
        raise JobInvalid(
            f"table {table!r}: written member.table, such as bank-a.accounts; tables() shows all there are"
        )
    return member, name


def _given(more: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if value is not None}


def _figures(figures: Any) -> list[Any]:
    """Figures as jobs have them: "count", {"mean": "age"}. Also ("mean", "age"); and as pandas' agg takes them, by
    column: {"age": "mean", "cost": ["sum", "mean"]}."""
    if isinstance(figures, str):
        return [figures]
    if isinstance(figures, Mapping):
        return [{what: column} for column, whats in figures.items() for what in _listed(whats)]
    return [{one[0]: one[1]} if isinstance(one, tuple) and len(one) == 2 else one for one in figures]


def _plain(value: Any) -> Any:
    """numpy's numbers, tuples of theirs, and dates, as JSON has them."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is nothing that a job's parameters can hold")
