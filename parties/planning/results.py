"""Answers as people use them: pandas frames and fitted models, made of the JSON a kind of job answers with. Pure.

The bytes come from one's own node, which made them of what other members sent; so they are read as strictly as any
message.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field, StringConstraints

from parties.data.description import read_description
from parties.data.published import PublishedTable
from parties.errors import MessageInvalid, ModelMissing, PolicyDenied, TableInvalid
from parties.models.fitted import FittedLogistic
from parties.models.logistic_file import read_logistic
from parties.wire.message_form import Strict, read_json
from parties.wire.model_messages import ModelList, Offer
from parties.wire.people_messages import Consortium, JobList

__all__ = ["frame_of_jobs", "frame_of_models", "frame_of_tables", "model_of", "read_answer"]

_Name = Annotated[str, StringConstraints(max_length=256)]
_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Cost = Annotated[float, Field(ge=0)]
_MOST = 1 << 20


class _Figure(Strict):
    """A count, a sum or a mean of one group; numbers are None where it is not shown."""

    figure: Literal["count", "sum", "mean"]
    column: _Name | None
    group: str | int | bool | None
    shown: bool
    value: int | _Finite | None
    standard_error: int | _Finite | None
    low: int | _Finite | None
    high: int | _Finite | None

    @property
    def name(self) -> str:
        return self.figure if self.column is None else f"{self.figure}({self.column})"


class _Figures(Strict):
    """The answer of aggregate and of join."""

    by: _Name | None
    rows: Annotated[list[_Figure], Field(max_length=_MOST)]
    epsilon: _Cost
    delta: _Cost


class _Scored(Strict):
    """The answer of score."""

    answer: Literal["predict", "predict_proba", "decision_function"]
    predictions: list[int | _Finite] | list[list[int | _Finite]]


_Cell = bool | int | _Finite | str | None
_Row = Annotated[list[_Cell], Field(max_length=1024)]


class _Queried(Strict):
    """The answer of query: of each row its cells, the standard errors of their noise, and [low, high] of 95%."""

    columns: Annotated[list[_Name], Field(max_length=1024)]
    rows: Annotated[list[_Row], Field(max_length=_MOST)]
    errors: Annotated[list[Annotated[list[int | _Finite | None], Field(max_length=1024)]], Field(max_length=_MOST)]
    intervals: Annotated[
        list[
            Annotated[
                list[Annotated[list[int | _Finite], Field(min_length=2, max_length=2)] | None], Field(max_length=1024)
            ]
        ],
        Field(max_length=_MOST),
    ]
    epsilon: _Cost
    delta: _Cost


def read_answer(kind: str, content: bytes, job: str = "") -> Any:
    """What a job's answer is to its receiver.

    aggregate, join: a DataFrame, a row a group (one row without ``by``), columns "count", "sum(age)", "mean(age)", each
    with ".standard_error", ".low", ".high" (95%); ``shown`` is False, and the numbers are missing, where a group is
    below the minimum. query: a DataFrame with the columns of the SELECT, and of noised ones the same three beside;
    groups below the minimum are not in it. attrs: epsilon, delta, job, kind. train: a FittedLogistic. score: a
    DataFrame, a row a place of the table. Any other kind: what is in the JSON. Raises MessageInvalid.
    """
    made = _MADE.get(kind)
    if made is not None:
        return made(content, kind, job)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise MessageInvalid("the answer: no JSON that can be read") from None


def _figures(content: bytes, kind: str, job: str) -> pd.DataFrame:
    said = read_json(_Figures, content)
    groups = list(dict.fromkeys(row.group for row in said.rows))
    by_group: dict[Any, dict[str, Any]] = {group: {} for group in groups}
    shown: dict[Any, bool] = {}
    for row in said.rows:
        told = by_group[row.group]
        if row.name in told:
            raise MessageInvalid("rows: one figure of one group twice")
        told[row.name] = row.value
        for part in ("standard_error", "low", "high"):
            told[f"{row.name}.{part}"] = getattr(row, part)
        shown[row.group] = row.shown and shown.get(row.group, True)
    frame = pd.DataFrame(list(by_group.values()), index=_index(groups, said.by))
    frame["shown"] = [shown[group] for group in groups]
    frame.attrs.update(epsilon=said.epsilon, delta=said.delta, job=job, kind=kind)
    return frame


def _queried(content: bytes, kind: str, job: str) -> pd.DataFrame:
    said = read_json(_Queried, content)
    parts: list[Sequence[Sequence[Any]]] = [said.rows, said.errors, said.intervals]
    if any(len(part) != len(said.rows) or any(len(row) != len(said.columns) for row in part) for part in parts):
        raise MessageInvalid("rows: as many cells, errors and intervals as there are columns")
    columns: list[tuple[str, list[Any]]] = []
    for j, name in enumerate(said.columns):
        columns.append((name, [row[j] for row in said.rows]))
        errors, intervals = [row[j] for row in said.errors], [row[j] for row in said.intervals]
        if any(error is not None for error in errors):
            columns.append((f"{name}.standard_error", errors))
            ends = [(None, None) if one is None else one for one in intervals]
            columns += [(f"{name}.low", [low for low, _ in ends]), (f"{name}.high", [high for _, high in ends])]
    index = pd.RangeIndex(len(said.rows))
    frame = pd.DataFrame({j: pd.Series(values, index) for j, (_, values) in enumerate(columns)}, index)
    frame.columns = pd.Index([name for name, _ in columns])  # one name may be there twice
    frame.attrs.update(epsilon=said.epsilon, delta=said.delta, job=job, kind=kind)
    return frame


def _index(groups: list[Any], by: str | None) -> pd.Index[Any]:
    return pd.RangeIndex(len(groups)) if by is None else pd.Index(groups, name=by)


def _trained(content: bytes, kind: str, job: str) -> FittedLogistic:
    return read_logistic(content, job)


def _scored(content: bytes, kind: str, job: str) -> pd.DataFrame:
    said = read_json(_Scored, content)
    first = said.predictions[0] if said.predictions else 0
    if isinstance(first, list):
        if any(len(row) != len(first) for row in said.predictions if isinstance(row, list)):
            raise MessageInvalid("predictions: rows of several lengths")
        frame = pd.DataFrame(said.predictions, columns=[f"{said.answer}.{j}" for j in range(len(first))])
    else:
        frame = pd.DataFrame({said.answer: said.predictions})
    frame.attrs.update(job=job, kind=kind)
    return frame


_MADE: Mapping[str, Callable[[bytes, str, str], Any]] = {
    "aggregate": _figures,
    "join": _figures,
    "query": _queried,
    "train": _trained,
    "score": _scored,
}


def frame_of_jobs(jobs: JobList) -> pd.DataFrame:
    """A row a job, the latest first: its id is the index; times are in UTC."""
    names = ("job", "kind", "state", "proposer", "by", "proposed", "changed", "deadline", "error", "cause", "answer")
    frame = pd.DataFrame([{name: getattr(one, name) for name in names} for one in jobs.jobs], columns=list(names))
    for name in ("proposed", "changed"):
        frame[name] = pd.to_datetime(frame[name].astype(float), unit="s", utc=True)
    return frame.set_index("job")


_MODEL = ("model", "version", "own", "family", "size", "features", "predicts", "answers", "purposes", "lineage", "id")


def frame_of_models(models: ModelList) -> pd.DataFrame:
    """A row a version of a model that this member's people may score with; ``model`` is member.name, the index.

    ``lineage``: of this member's own; withdrawn ones are left out. attrs: ``errors`` by member, of nodes that could not
    be asked; ``strays``: files in this member's directory of models that are offered to nobody.
    """
    rows = [
        _model_row(models.member, one.offer, own=True, lineage=str(one.lineage))
        for one in models.own
        if one.withdrawn is None
    ]
    rows += [_model_row(member.member, one) for member in models.members for one in member.models]
    frame = pd.DataFrame(rows, columns=list(_MODEL)).set_index("model")
    frame.attrs["errors"] = {member.member: member.error for member in models.members if member.error}
    frame.attrs["strays"] = list(models.strays)
    return frame


def _model_row(member: str, offer: Offer, *, own: bool = False, lineage: str = "") -> dict[str, Any]:
    facts = offer.facts
    size = [f"{name} {facts[name]}" for name in ("trees", "depth", "outputs", "link") if name in facts]
    terms = facts.get("terms")
    if isinstance(terms, list):
        size.append(f"{len(terms)} terms")
    return {
        "model": f"{member}.{offer.name}",
        "version": offer.version,
        "own": own,
        "family": offer.family,
        "size": ", ".join(size),
        "features": tuple(offer.features),
        "predicts": offer.predicts,
        "answers": tuple(offer.answers),
        "purposes": None if offer.purposes is None else tuple(offer.purposes),
        "lineage": lineage,
        "id": offer.id,
    }


def model_of(models: ModelList, name: str) -> FittedLogistic:
    """The coefficients of member.name or member.name@version, which its owner gives away.

    Raises ModelMissing if it is not offered; PolicyDenied if its coefficients stay at its owner's.
    """
    wanted, _, version = name.partition("@")
    found = [
        one
        for member in models.members
        for one in member.models
        if f"{member.member}.{one.name}" == wanted and version in ("", str(one.version))
    ]
    if not found:
        raise ModelMissing(f"no member offers a model {name}; models() shows all that are offered")
    latest = max(found, key=lambda one: one.version)
    if latest.coefficients is None:
        raise PolicyDenied(f"model {name}: its owner keeps its coefficients: predictions can be asked for")
    return read_logistic(json.dumps(latest.coefficients))


_TABLE = ("table", "column", "kind", "uses", "low", "high", "categories", "capacity", "rows_a_person", "epsilon_a_job")


def frame_of_tables(consortium: Consortium) -> pd.DataFrame:
    """A row a published column; ``table`` is member.table, as jobs take it. attrs: ``errors`` by member, of nodes that
    could not be asked or tell what cannot be read."""
    rows, errors = [], {}
    for member in consortium.members:
        if member.error:
            errors[member.member] = member.error
        for table in member.tables:
            try:
                read = read_description(json.dumps(table.description).encode())
            except TableInvalid as error:
                errors[member.member] = str(error)
                continue
            rows.extend(_column_rows(member.member, read))
    frame = pd.DataFrame(rows, columns=list(_TABLE))
    frame.attrs["errors"] = errors
    return frame


def _column_rows(member: str, table: PublishedTable) -> list[dict[str, Any]]:
    whole = {
        "table": f"{member}.{table.name}",
        "capacity": table.capacity,
        "rows_a_person": table.rows_a_person,
        "epsilon_a_job": table.epsilon_a_job,
    }
    return [
        {
            **whole,
            "column": column.name,
            "kind": column.kind,
            "uses": tuple(sorted(column.uses)),
            "low": column.low,
            "high": column.high,
            "categories": column.categories,
        }
        for column in table.columns.values()
    ]
