"""Train: logistic regression with differential privacy over the rows of several members' tables as if they were one.

    {"features": ["age", "cost", "ward"], "label": "died", "epsilon": 2.0, "delta": 1e-6, "max_iter": 20}

Each owner brings its rows to one scale by the public bounds of their columns, and to one greatest length
(row_bound.bounded_rows); a category becomes a column of 0 and 1 for each of its categories. Noise is on every step, so
the coefficients may leave; they are for rows prepared in this way, which the answer says how to do.

Neighbouring data: all rows of one person, in all the tables, as for aggregate; their places stay, as rows of zeros.

The coefficients always leave, with that noise, to the result members: no model is trained that stays shared. A table
whose policy does not let them leave (policy_terms.Models.opens without "coefficients") is trained on by nobody. What is
kept of the answer, and offered for scoring, is an asset of the member that received it (model_assets.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.encoding import FRAC
from mpc.party import Party
from mpc.scope import checksum, current_scope
from mpc.shapes import concatenate, stack
from parties.errors import ParametersInvalid, TableUnfit
from parties.kinds.checkpoints import Checkpointing, Checkpoints
from parties.kinds.kind import (
    PRESENT,
    Expected,
    Kind,
    Outcome,
    Owned,
    Plan,
    Rows,
    TableAsk,
    TableShape,
    Talk,
    Work,
    outcome_of,
)
from parties.kinds.kind_rows import bring_in, encoded, own_column, own_words, union
from parties.kinds.parameters import (
    bounds,
    check_known,
    check_same,
    check_tables,
    columns_asked,
    number,
    published,
    texts,
    whole,
)
from parties.membership.charter import Charter
from protocols.description import Description, Opened, Slot
from protocols.linear import FRAC_COEF
from protocols.private_logistic import PrivateLogisticRegression
from protocols.row_bound import bounded_rows
from protocols.sealed import seal_derived

__all__ = ["TRAIN", "Feature"]

_NAME = "train"
_MOST_TABLES = 64
_MOST_STEPS = 1 << 16
_MOST_FEATURES = 1000
_KINDS = ("integer", "real", "date", "boolean", "category")
_NUMBERS = ("bound", "alpha", "intercept_scaling", "learning_rate", "momentum")
_OPTIONS = (*_NUMBERS, "max_iter", "batch_size", "random_state", "average", "fit_intercept")
_LABEL = "label"


@dataclass(frozen=True)
class Feature:
    """One number of a row: a column's, or whether it is a category (its place).

    Attributes:
        low, high: what becomes the least and the greatest number.
    """

    column: str
    low: float
    high: float
    place: int | None = None
    category: Any = None


@dataclass(frozen=True)
class _Details:
    """Of the plan. ``label``: its column, and the place or number that is the second class."""

    tables: tuple[Owned, ...]
    features: tuple[Feature, ...]
    label: tuple[str, int]
    spread: float
    options: Mapping[str, Any]
    rows: int

    def model(self) -> PrivateLogisticRegression:
        """Not fitted yet."""
        return PrivateLogisticRegression(rows=self.rows, **self.options)

    @property
    def bound(self) -> float:
        """Greatest length of a row."""
        return float(self.options.get("bound", 1.0))

    @property
    def positive(self) -> str | int | None:
        """The category that is the second class; None of a label that is true or false."""
        name, place = self.label
        column = self.tables[0].facts.columns[name]
        return column.categories[place] if column.kind == "category" else None


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan, or ParametersInvalid, TableUnfit, and what PrivateLogisticRegression.plan raises. Pure."""
    needed = ("features", "label", "epsilon", "delta")
    check_known(_NAME, parameters, (*needed, *_OPTIONS, "spread", "positive", "where"), needed)
    check_tables(_NAME, tables, 1, _MOST_TABLES)
    names = texts(_NAME, "features", parameters["features"])
    features = tuple(f for name in names for f in _features(tables[0], name))
    label = _label(parameters, tables[0])
    if label[0] in names:
        raise ParametersInvalid(f"train: {label[0]} is the label, and so no feature")
    if len(features) > _MOST_FEATURES:
        raise ParametersInvalid(f"train: {len(features)} features, a category each; at most {_MOST_FEATURES}")
    check_same(tables, (*names, label[0]))
    places = sum(table.facts.capacity for table in tables)
    options = _options(parameters, places)
    spread = number(_NAME, parameters, "spread", 2.0)
    if not spread > 0:
        raise ParametersInvalid("train: spread is a number above 0")
    rows = sum(table.facts.rows_a_person for table in tables)
    details = _Details(tuple(tables), features, label, float(spread), options, rows)
    event = details.model().plan(places, len(features)).event
    uses = columns_asked([(name, "train") for name in (*names, label[0])])
    asks = tuple(TableAsk(t.member, t.facts.name, uses, where=parameters.get("where")) for t in tables)
    columns = ((PRESENT, 0), *((str(j), FRAC) for j in range(len(features))), (_LABEL, 0))
    shapes = tuple(TableShape(table.facts.capacity, columns) for table in tables)
    description = Description("derived", (Slot((len(features) + 1,), FRAC_COEF),), (event,))
    opens = frozenset({"coefficients"})
    text = repr((features, label, details.spread, sorted(options.items()), rows))
    return Plan(_NAME, asks, shapes, (description,), details, family="logistic", opens=opens, text=text)


def _features(table: Owned, name: str) -> list[Feature]:
    column = published(table, name, _KINDS, "training")
    if column.kind == "category":
        return [Feature(name, 0.0, 1.0, place, category) for place, category in enumerate(column.categories)]
    low, high = bounds(column)
    if low == high:
        raise TableUnfit(f"{table.name}, column {name}: its bounds leave one value, so it is no feature; leave it out")
    return [Feature(name, float(low), float(high))]


def _label(parameters: Mapping[str, Any], table: Owned) -> tuple[str, int]:
    name, positive = parameters["label"], parameters.get("positive")
    if not isinstance(name, str):
        raise ParametersInvalid("train: label is the name of a column")
    column = published(table, name, ("boolean", "category"), "a label")
    if column.kind == "boolean":
        if positive is not None:
            raise ParametersInvalid(f"train: positive is for a label of categories; {name} is true or false")
        return name, 1
    places = [i for i, c in enumerate(column.categories) if type(c) is type(positive) and c == positive]
    if not places:
        raise ParametersInvalid(f"train: positive is the category of {name} that is to be told from all others")
    return name, places[0]


def _options(parameters: Mapping[str, Any], places: int) -> dict[str, Any]:
    """Of the model, those given; a training of more steps than anybody waits for is refused."""
    options = {name: number(_NAME, parameters, name) for name in ("epsilon", "delta", *_NUMBERS)}
    for name, most in (("max_iter", _MOST_STEPS), ("batch_size", 1 << 29)):
        options[name] = whole(_NAME, parameters, name, 1, most)
    options["random_state"] = whole(_NAME, parameters, "random_state", 0, 1 << 62)
    for name in ("average", "fit_intercept"):
        options[name] = parameters.get(name)
        if not isinstance(options[name], (bool, type(None))):
            raise ParametersInvalid(f"train: {name} is true or false")
    found = {name: value for name, value in options.items() if value is not None}
    steps = -(-places // found.get("batch_size", places)) * found.get("max_iter", 20)
    if steps > _MOST_STEPS:
        raise ParametersInvalid(f"train: {steps} steps; at most {_MOST_STEPS}: fewer epochs, or larger batches")
    return found


def encode(plan: Plan, place: int, rows: Rows) -> npt.NDArray[np.uint64]:
    """An owner's rows as words. Plaintext. Raises RowsUnfit."""
    details: _Details = plan.details
    table, features = details.tables[place], details.features
    raw = {name: own_column(table, name, rows) for name in dict.fromkeys(f.column for f in features)}
    matrix = [raw[f.column] if f.place is None else raw[f.column] == f.place for f in features]
    X = bounded_rows(
        np.stack([np.asarray(column, np.float64) for column in matrix], axis=1),
        [f.low for f in features],
        [f.high for f in features],
        bound=details.bound,
        spread=details.spread,
    )
    name, positive = details.label
    columns = {str(j): X[:, j] for j in range(X.shape[1])}
    columns[_LABEL] = (own_column(table, name, rows) == positive).astype(np.int64)
    return encoded(plan.shapes[place], columns, rows, table.name)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs. ``work.extra``: a Checkpointing, or None. Reports epochs. Leaks nothing.

    1. All tables come in.                                                                  (1 round)
    2. The fit, with noise on every step; states are kept (checkpoints.py).                 (about 20 rounds a step)
    3. Each party's share of the coefficients.                                              (1 round)
    """
    work.plan.agree()
    details: _Details = work.plan.details
    mine = own_words(party, work, encode)
    keeper = None
    if work.extra is not None:
        told: Checkpointing = work.extra
        keeper = Checkpoints(party, told, line, _digest(mine))
        begun = keeper.begin()
        current_scope().note(checksum(f"goes on from {None if begun is None else (keeper.came_from, begun.step)}"))
    party.report("train: the tables come in")
    table = union(await bring_in(party, work, mine))
    X = await stack([table[str(j)] for j in range(len(details.features))], axis=1)
    model = await details.model().fit(X, table[_LABEL], present=table[PRESENT], keeper=keeper)
    party.report("train: done")
    found = await concatenate([model.coef_.reshape(-1), model.intercept_.reshape(1)])
    facts = {"noise_multiplier": model.noise_multiplier_, "epochs": model.n_iter_}
    return await outcome_of(work.plan, [await seal_derived(party, found, model.events_)], facts)


def _digest(mine: Sequence[npt.NDArray[np.uint64] | None]) -> bytes:
    """Of this party's own rows."""
    hashed = hashlib.sha256(b"accord own rows 1\0")
    for words in mine:
        hashed.update(b"-" if words is None else np.ascontiguousarray(words).tobytes())
    return hashed.digest()


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """Coefficients, and how a row is prepared for them: row_bound.bounded_rows of its features within their bounds."""
    details: _Details = plan.details
    values = np.asarray(opened[0])
    coefficients = [
        {"column": f.column, "category": f.category, "low": f.low, "high": f.high, "coefficient": float(value)}
        for f, value in zip(details.features, values[:-1], strict=True)
    ]
    return {
        "coefficients": coefficients,
        "intercept": float(values[-1]),
        "bound": details.bound,
        "spread": details.spread,
        "label": details.label[0],
        "positive": details.positive,
        "epsilon": plan.epsilon,
        "delta": plan.delta,
    }


def expects(plan: Plan) -> list[Expected]:
    """Coefficients: noise is on every step, so how far off they are depends on the rows. Pure."""
    details: _Details = plan.details
    names = [f.column if f.category is None else f"{f.column} = {f.category}" for f in details.features]
    return [Expected(f"coefficient of {name}", None) for name in names] + [Expected("intercept", None)]


TRAIN = Kind(_NAME, check, encode, program, answer, keeps=True, expects=expects)
