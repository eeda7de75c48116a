"""Score: predictions of one member's model for another member's rows.

    {"model": {"owner": "alfa", "name": "risk", "version": 2, "id": "...", "family": "trees",
               "depth": 6, "trees": 100, "outputs": 1, "link": "sigmoid"},
     "features": ["age", "cost"], "answer": "predict_proba"}

or of the family "logistic", with its terms, bound and spread in place of depth, trees, outputs and link: then the rows'
owner prepares its rows by these public numbers exactly as training prepared them (row_bound.bounded_rows), and the
coefficients come in as shares. See model_facts.py. Whoever asks leaves out all but owner and name, or writes
"alfa.risk" or "alfa.risk@2" for the model: the node looks the rest up among what is offered (catalogue.py).

The model's owner computes; the rows' owner may or may not. Neither learns the other's: public are the model's size, to
which trees are padded, the features and how many rows there can be. Predictions leave without noise and are charged
nowhere (release.deliver): enough of them tell a model. So its owner's node decides before anything is sent, by the
model's own rules (model_rules.py), and so does the rows' owner's, by its policy.

Predictions go to the members the job names, if both owners let them: the rows' owner's policy gives what is of single
rows to that owner and to those whom its ``receivers`` names, one by one, and to nobody else even where it names none
(policies/policy.py); the model's rules give them to the rows' owner and to those its ``receivers`` names.

There is a prediction for each row up to the table's capacity, in the order in which its owner read the rows; those
behind its own are of rows of zeros, and mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.encoding import FRAC
from mpc.party import Party
from mpc.shapes import stack
from parties.errors import ParametersInvalid, TableUnfit
from parties.kinds.kind import (
    PRESENT,
    Kind,
    ModelAsk,
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
from parties.kinds.kind_rows import encode_columns, encoded, enter, own_column
from parties.kinds.parameters import check_known, check_tables, columns_asked, published, texts, whole
from parties.membership.charter import Charter
from parties.models.fitted import FittedLogistic
from parties.models.model_facts import LEAF_FRAC, LogisticFacts, ModelFacts, Term, TreeFacts, read_facts
from parties.models.model_rules import ANSWERS
from protocols.description import Description, Opened, Slot
from protocols.row_bound import bounded_rows
from protocols.sealed import seal_delivery
from protocols.shared_logistic import share_logistic
from protocols.tree_models import TreeModel
from protocols.trees import share_trees

__all__ = ["SCORE"]

_NAME = "score"
_NUMBERS = ("integer", "real", "date", "boolean")
_KINDS = (*_NUMBERS, "category")
_MODEL = ("owner", "name", "version", "id", "family")
_MOST_VERSION = 10**6


@dataclass(frozen=True)
class _Details:
    """Of the plan. ``owner``: of the model, its place among those who compute."""

    table: Owned
    facts: ModelFacts
    answer: str
    owner: int


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan, or ParametersInvalid, TableUnfit. Pure. What is asked of the model's owner is its model, by name."""
    check_known(_NAME, parameters, ("model", "features", "answer", "where"), ("model", "features"))
    check_tables(_NAME, tables, 1, 1)
    (table,) = tables
    answer = parameters.get("answer", "predict")
    if answer not in ANSWERS:
        raise ParametersInvalid(f"score: answer is one of {', '.join(ANSWERS)}")
    features = texts(_NAME, "features", parameters["features"])
    model = _read_model(parameters["model"], features, answer, charter)
    facts: ModelFacts = model.facts
    if isinstance(facts, LogisticFacts):
        _check_terms(table, facts.terms)
        columns = tuple((str(j), FRAC) for j in range(len(facts.terms)))
    else:
        for name in features:
            published(table, name, _KINDS, "a model")
        columns = tuple((name, FRAC) for name in features)
    if answer == "predict_proba" and facts.regressor:
        raise ParametersInvalid("score: predict_proba of a model whose link is identity: only classifiers have classes")
    shape = TableShape(table.facts.capacity, ((PRESENT, 0), *columns))
    uses = columns_asked([(name, "score") for name in features])
    ask = TableAsk(table.member, table.facts.name, uses, where=parameters.get("where"))
    description = Description("delivery", (_slot(answer, facts, table.facts.capacity),))
    owner = [member.name for member in charter.compute].index(model.owner)
    details = _Details(table, facts, answer, owner)
    return Plan(_NAME, (ask,), (shape,), (description,), details, model=model, family=facts.family)


def _read_model(said: Any, features: Sequence[str], answer: str, charter: Charter) -> ModelAsk:
    what = "score: model"
    if not isinstance(said, Mapping):
        raise ParametersInvalid(f"{what} has {', '.join(_MODEL)} and what is public of it; the node looks these up")
    for field in _MODEL:
        if said.get(field) is None:
            raise ParametersInvalid(f"{what}: parameter {field!r} is missing")
    names = [member.name for member in charter.compute]
    if said["owner"] not in names:
        raise ParametersInvalid(f"{what}: owner is one of the members who compute: {', '.join(names)}")
    if not isinstance(said["name"], str) or not 1 <= len(said["name"]) <= 64:
        raise ParametersInvalid(f"{what}: name is the one under which its owner offers it")
    version = whole(what, said, "version", 1, _MOST_VERSION)
    if not isinstance(said["id"], str) or len(said["id"]) != 64:
        raise ParametersInvalid(f"{what}: id is the one its owner offers it with, 64 hex digits")
    facts = read_facts(what, said["family"], {k: v for k, v in said.items() if k not in _MODEL}, features)
    return ModelAsk(said["owner"], said["name"], version, said["id"], answer, facts)


def _check_terms(table: Owned, terms: Sequence[Term]) -> None:
    """TableUnfit unless the rows can be prepared: numbers are numbers, and there is a term for every category."""
    for name in dict.fromkeys(term.column for term in terms):
        known = [term.category for term in terms if term.column == name]
        numbers = known == [None]
        column = published(table, name, _NUMBERS if numbers else ("category",), "this term of the model")
        if numbers:
            continue
        strange = [c for c in column.categories if not any(type(c) is type(k) and c == k for k in known)]
        if strange:
            raise TableUnfit(
                f"{table.name}, column {name}: the model knows no category {', '.join(map(str, strange[:5]))}; it was "
                f"made for {', '.join(map(str, known[:20]))}"
            )


def _slot(answer: str, facts: ModelFacts, n: int) -> Slot:
    """What the answer will be."""
    if isinstance(facts, LogisticFacts):
        return {"predict": Slot((n,)), "predict_proba": Slot((n, 2), FRAC)}.get(answer, Slot((n,), FRAC))
    if answer == "predict_proba":
        classes = 2 if facts.link == "sigmoid" else facts.outputs
        return Slot((n, classes), LEAF_FRAC if facts.link == "average" else FRAC)
    if answer == "predict" and not facts.regressor:
        return Slot((n,))
    return Slot((n,) if facts.outputs == 1 else (n, facts.outputs), LEAF_FRAC)


def encode(plan: Plan, place: int, rows: Rows) -> npt.NDArray[np.uint64]:
    """An owner's rows as words, for a logistic regression as training prepared them. Plaintext. Raises RowsUnfit."""
    details: _Details = plan.details
    table, shape = details.table, plan.shapes[place]
    if isinstance(details.facts, TreeFacts):
        return encode_columns(table, shape, rows)
    terms = details.facts.terms
    raw = {name: own_column(table, name, rows) for name in details.facts.features}
    made = [_term(table, term, raw[term.column]) for term in terms]
    low, high = [term.low for term in terms], [term.high for term in terms]
    X = bounded_rows(np.stack(made, axis=1), low, high, bound=details.facts.bound, spread=details.facts.spread)
    return encoded(shape, {str(j): X[:, j] for j in range(X.shape[1])}, rows, table.name)


def _term(table: Owned, term: Term, column: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """A category is told by its place among those published."""
    if term.category is None:
        return np.asarray(column, np.float64)
    names = table.facts.columns[term.column].categories
    place = next((i for i, c in enumerate(names) if type(c) is type(term.category) and c == term.category), -1)
    return np.asarray(column == place, np.float64)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs. ``work.extra``: at the model's owner its TreeModel or FittedLogistic, else None.

    Rounds: 2, and those of the model. Leaks nothing. Raises at the model's owner ModelMismatch, ModelUnsupported,
    OutOfRange, ShapeMismatch.
    """
    work.plan.agree()
    details: _Details = work.plan.details
    party.report("score: the model and the rows come in")
    mine = work.extra if party.index == details.owner else None
    model = await _shared(party, details, mine)
    (table,) = await enter(party, work, encode)
    X = await stack([table[name] for name, _ in work.plan.shapes[0].columns[1:]], axis=1)
    party.report("score: predictions")
    found = await getattr(model, details.answer)(X)
    party.report("score: done")
    return await outcome_of(work.plan, [await seal_delivery(party, found)])


async def _shared(party: Party, details: _Details, mine: TreeModel | FittedLogistic | None) -> Any:
    """The model, of its public size."""
    facts = details.facts
    if isinstance(facts, TreeFacts):
        trees = mine if isinstance(mine, TreeModel) else None
        return await share_trees(party, trees, owner=details.owner, **facts.size)
    secret = (mine.coef_[0], float(mine.intercept_[0])) if isinstance(mine, FittedLogistic) else None
    return await share_logistic(party, secret, owner=details.owner, features=len(facts.terms), bound=facts.bound)


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """The predictions, a list of as many as the table's capacity; of a classifier "predict" gives places of classes."""
    (values,) = opened
    return {"answer": plan.details.answer, "predictions": np.asarray(values).tolist()}


SCORE = Kind(_NAME, check, encode, program, answer, free=True)
