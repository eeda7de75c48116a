"""What is public of a model that is offered for scoring: its family, its size, and the columns of a row it takes. Pure.

    {"depth": 6, "trees": 100, "outputs": 1, "link": "sigmoid"}                                 family "trees"
    {"terms": [{"column": "age", "category": null, "low": 18.0, "high": 90.0}, ...],
     "bound": 1.0, "spread": 2.0}                                                               family "logistic"

Everybody who takes part in a job that predicts has these, states them in the job, and so shares a model of that size on
rows prepared in that way. The owner's node compares them with what it offers (model_rules.py). Thresholds, leaves and
coefficients are no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpc.encoding import FRAC
from mpc.errors import AccordError
from parties.errors import ParametersInvalid
from parties.kinds.parameters import check_known, number, whole
from protocols.row_bound import RowBound
from protocols.tree_models import LINKS
from protocols.trees import MOST_DEPTH, MOST_WORDS

__all__ = ["FAMILIES", "LogisticFacts", "ModelFacts", "Term", "TreeFacts", "read_facts"]

LEAF_FRAC = 24
_MOST_OUTPUTS = 1 << 10
_MOST_TERMS = 1000
_MOST_TEXT = 256


@dataclass(frozen=True)
class TreeFacts:
    """Trees: the size to which they are padded, so at least their own.

    Attributes:
        features: columns of a row, in the model's order.
    """

    features: tuple[str, ...]
    depth: int
    trees: int
    outputs: int
    link: str
    family = "trees"

    @property
    def regressor(self) -> bool:
        """Whether it tells numbers and no classes."""
        return self.link == "identity"

    @property
    def size(self) -> dict[str, Any]:
        """As protocols.trees.share_trees takes it."""
        kind = "regressor" if self.regressor else "classifier"
        own = {"depth": self.depth, "trees": self.trees, "outputs": self.outputs, "link": self.link, "kind": kind}
        return {**own, "features": len(self.features), "frac": FRAC, "leaf_frac": LEAF_FRAC}

    @property
    def fields(self) -> dict[str, Any]:
        """As a job states it."""
        return {"depth": self.depth, "trees": self.trees, "outputs": self.outputs, "link": self.link}


@dataclass(frozen=True)
class Term:
    """One number of a row: a column's between its public bounds, or whether it is a category."""

    column: str
    category: str | int | None
    low: float
    high: float

    @property
    def name(self) -> str:
        """For people."""
        return self.column if self.category is None else f"{self.column}={self.category}"


@dataclass(frozen=True)
class LogisticFacts:
    """Logistic regression: which numbers it takes of a row, and how a row is made of them (row_bound.bounded_rows)."""

    terms: tuple[Term, ...]
    bound: float
    spread: float
    family = "logistic"
    regressor = False

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of a row, in the order in which the terms name them."""
        return tuple(dict.fromkeys(term.column for term in self.terms))

    @property
    def fields(self) -> dict[str, Any]:
        """As a job states it."""
        terms = [{"column": t.column, "category": t.category, "low": t.low, "high": t.high} for t in self.terms]
        return {"terms": terms, "bound": self.bound, "spread": self.spread}


ModelFacts = TreeFacts | LogisticFacts

FAMILIES: Mapping[str, tuple[str, ...]] = {
    "trees": ("depth", "trees", "outputs", "link"),
    "logistic": ("terms", "bound", "spread"),
}
"""Fields of each."""


def read_facts(what: str, family: Any, fields: Mapping[str, Any], features: Sequence[str]) -> ModelFacts:
    """What a job, a member or a file says of a model. Raises ParametersInvalid, with the field.

    Args:
        what: for messages.
        fields: those of the family, and no others.
        features: columns of a row.
    """
    known = FAMILIES.get(family) if isinstance(family, str) else None
    if known is None:
        raise ParametersInvalid(f"{what}: family is one of {', '.join(FAMILIES)}")
    check_known(what, fields, known, known)
    if family == "trees":
        return _read_trees(what, fields, tuple(features))
    found = _read_logistic(what, fields)
    if found.features != tuple(features):
        raise ParametersInvalid(f"{what}: features are the columns of its terms: {', '.join(found.features)}")
    return found


def _read_trees(what: str, fields: Mapping[str, Any], features: tuple[str, ...]) -> TreeFacts:
    depth, trees = whole(what, fields, "depth", 1, MOST_DEPTH), whole(what, fields, "trees", 1, MOST_WORDS)
    outputs, link = whole(what, fields, "outputs", 1, _MOST_OUTPUTS), fields["link"]
    if link not in LINKS or (link in ("identity", "sigmoid") and outputs != 1) or (link == "softmax" and outputs < 2):
        raise ParametersInvalid(f"{what}: link is one of {', '.join(LINKS)}; outputs is 1 for identity and sigmoid")
    if trees * (1 << depth) * (len(features) + outputs) > MOST_WORDS:
        raise ParametersInvalid(f"{what}: trees * 2^depth * (features + outputs) is above {MOST_WORDS}")
    return TreeFacts(features, depth, trees, outputs, link)


def _read_logistic(what: str, fields: Mapping[str, Any]) -> LogisticFacts:
    said = fields["terms"]
    if not isinstance(said, (list, tuple)) or not 1 <= len(said) <= _MOST_TERMS:
        raise ParametersInvalid(f"{what}: terms is a list of 1 to {_MOST_TERMS}")
    terms = tuple(_read_term(f"{what}, terms", one) for one in said)
    if len({(t.column, type(t.category), t.category) for t in terms}) != len(terms):
        raise ParametersInvalid(f"{what}: terms are each there once")
    kinds: dict[str, set[bool]] = {}
    for term in terms:
        kinds.setdefault(term.column, set()).add(term.category is None)
    if any(len(kind) > 1 for kind in kinds.values()):
        raise ParametersInvalid(f"{what}: a column's terms are all of categories, or it has one")
    bound, spread = float(number(what, fields, "bound")), float(number(what, fields, "spread"))
    try:
        RowBound.of(bound, 0, len(terms))
    except AccordError as error:
        raise ParametersInvalid(f"{what}: {error}") from None
    if not spread > 0:
        raise ParametersInvalid(f"{what}: spread is a number above 0")
    return LogisticFacts(terms, bound, spread)


def _read_term(what: str, said: Any) -> Term:
    names = ("column", "category", "low", "high")
    if not isinstance(said, Mapping):
        raise ParametersInvalid(f"{what}: each has {', '.join(names)}")
    check_known(what, said, names, ("column", "low", "high"))
    column, category = said["column"], said.get("category")
    if not isinstance(column, str) or not 1 <= len(column) <= _MOST_TEXT:
        raise ParametersInvalid(f"{what}: column is the name of one")
    text = isinstance(category, str) and len(category) <= _MOST_TEXT
    if not (category is None or text or (isinstance(category, int) and not isinstance(category, bool))):
        raise ParametersInvalid(f"{what}: category is a text or a whole number, or null: the column's number is taken")
    low, high = float(number(what, said, "low")), float(number(what, said, "high"))
    if not low < high:
        raise ParametersInvalid(f"{what}: low is below high")
    return Term(column, category, low, high)
