"""Score: predictions of one member's model of trees for another member's rows; the rows' owner alone receives them.

    {"model": {"owner": "alfa", "name": "risk", "depth": 6, "trees": 100, "outputs": 1, "link": "sigmoid"},
     "features": ["age", "cost"], "answer": "predict_proba"}

The model's owner computes; the rows' owner may or may not. Neither learns the other's: public are the model's size, to
which it is padded, the features and how many rows there can be. Predictions leave without noise and are charged nowhere
(release.deliver): enough of them tell a model, so how many a member may ask for is for its owner to say.

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
from parties.charter import Charter
from parties.errors import ParametersInvalid
from parties.kind import (
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
from parties.kind_rows import encode_columns, enter
from parties.parameters import check_known, check_tables, columns_asked, published, texts, whole
from protocols.description import Description, Opened, Slot
from protocols.sealed import seal_delivery
from protocols.tree_models import LINKS
from protocols.trees import MOST_DEPTH, MOST_WORDS, share_trees

__all__ = ["SCORE"]

_NAME = "score"
_ANSWERS = ("predict", "predict_proba", "decision_function")
_KINDS = ("integer", "real", "date", "boolean", "category")
_LEAF_FRAC = 24
_MODEL = ("owner", "name", "depth", "trees", "outputs", "link")


@dataclass(frozen=True)
class _Details:
    """Of the plan."""

    table: Owned
    features: tuple[str, ...]
    answer: str
    owner: int
    size: Mapping[str, Any]


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan, or ParametersInvalid, TableUnfit. Pure. What is asked of the model's owner is its model, by name."""
    check_known(_NAME, parameters, ("model", "features", "answer", "where"), ("model", "features"))
    check_tables(_NAME, tables, 1, 1)
    (table,) = tables
    features = texts(_NAME, "features", parameters["features"])
    for name in features:
        published(table, name, _KINDS, "a model")
    answer = parameters.get("answer", "predict")
    if answer not in _ANSWERS:
        raise ParametersInvalid(f"score: answer is one of {', '.join(_ANSWERS)}")
    owner, size = _read_model(parameters["model"], len(features), charter)
    if answer == "predict_proba" and size["kind"] == "regressor":
        raise ParametersInvalid("score: predict_proba of a model whose link is identity: only classifiers have classes")
    shape = TableShape(table.facts.capacity, ((PRESENT, 0), *((name, FRAC) for name in features)))
    ask = TableAsk(
        table.member, table.facts.name, columns_asked([(f, "score") for f in features]), where=parameters.get("where")
    )
    description = Description("delivery", (_slot(answer, size, table.facts.capacity),))
    details = _Details(table, features, answer, owner, size)
    model = ModelAsk(parameters["model"]["owner"], parameters["model"]["name"], size)
    return Plan(
        _NAME,
        (ask,),
        (shape,),
        (description,),
        details,
        receivers=(table.member,),
        model=model,
        family="trees",
        text=repr((features, answer, owner, sorted(size.items()))),
    )


def _read_model(model: Any, features: int, charter: Charter) -> tuple[int, dict[str, Any]]:
    if not isinstance(model, Mapping):
        raise ParametersInvalid(f"score: model has {', '.join(_MODEL)}")
    what = "score: model"
    check_known(what, model, _MODEL, _MODEL)
    names = [member.name for member in charter.compute]
    if model["owner"] not in names:
        raise ParametersInvalid(f"{what}: owner is one of the members who compute: {', '.join(names)}")
    if not isinstance(model["name"], str) or not 1 <= len(model["name"]) <= 64:
        raise ParametersInvalid(f"{what}: name is the one under which its owner offers it")
    depth, trees = whole(what, model, "depth", 1, MOST_DEPTH), whole(what, model, "trees", 1, MOST_WORDS)
    outputs, link = whole(what, model, "outputs", 1, 1 << 10), model["link"]
    if link not in LINKS or (link in ("identity", "sigmoid") and outputs != 1) or (link == "softmax" and outputs < 2):
        raise ParametersInvalid(f"{what}: link is one of {', '.join(LINKS)}; outputs is 1 for identity and sigmoid")
    if trees * (1 << depth) * (features + outputs) > MOST_WORDS:
        raise ParametersInvalid(f"{what}: trees * 2^depth * (features + outputs) is above {MOST_WORDS}")
    kind = "regressor" if link == "identity" else "classifier"
    size = {"depth": depth, "trees": trees, "features": features, "outputs": outputs, "link": link, "kind": kind}
    return names.index(model["owner"]), {**size, "frac": FRAC, "leaf_frac": _LEAF_FRAC}


def _slot(answer: str, size: Mapping[str, Any], n: int) -> Slot:
    """What the answer will be."""
    if answer == "predict_proba":
        classes = 2 if size["link"] == "sigmoid" else size["outputs"]
        return Slot((n, classes), _LEAF_FRAC if size["link"] == "average" else FRAC)
    if answer == "predict" and size["kind"] == "classifier":
        return Slot((n,))
    return Slot((n,) if size["outputs"] == 1 else (n, size["outputs"]), _LEAF_FRAC)


def encode(plan: Plan, place: int, rows: Rows) -> npt.NDArray[np.uint64]:
    """An owner's rows as words. Plaintext. Raises RowsUnfit."""
    return encode_columns(plan.details.table, plan.shapes[place], rows)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs. ``work.extra``: at the model's owner its TreeModel, else None.

    Rounds: 2, and those of the model. Leaks nothing. Raises at the model's owner ModelMismatch, ModelUnsupported.
    """
    work.plan.agree()
    details: _Details = work.plan.details
    party.report("score: the model and the rows come in")
    mine = work.extra if party.index == details.owner else None
    model = await share_trees(party, mine, owner=details.owner, **details.size)
    (table,) = await enter(party, work, encode)
    X = await stack([table[name] for name in details.features], axis=1)
    party.report("score: predictions")
    found = await getattr(model, details.answer)(X)
    party.report("score: done")
    return await outcome_of(work.plan, [await seal_delivery(party, found)])


def answer(plan: Plan, opened: Sequence[Opened]) -> dict[str, Any]:
    """The predictions, a list of as many as the table's capacity; of a classifier "predict" gives places of classes."""
    (values,) = opened
    return {"answer": plan.details.answer, "predictions": np.asarray(values).tolist()}


SCORE = Kind(_NAME, check, encode, program, answer)
