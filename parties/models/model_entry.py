"""A model as an asset of one member: name, version, id, what is public of it, where it comes from, its rules. Pure.

The id is SHA-256 of a salt of 32 random bytes and of the content: it binds the owner to a content, and tells nobody who
guesses coefficients whether he is right, as a plain digest of a few numbers would.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from parties.errors import MessageInvalid, ModelUnfit, ParametersInvalid
from parties.models.fitted import FittedLogistic
from parties.models.model_facts import LogisticFacts, ModelFacts, TreeFacts, read_facts
from parties.models.model_rules import ModelRules
from parties.wire.message_form import Bytes32, Digest, Object, Strict, read_json
from parties.wire.model_messages import BroughtIn, FromJob, LineageForm, ModelName, RulesForm, Short, Version
from protocols.tree_models import TreeModel

__all__ = ["Asset", "Model", "facts_of", "id_of", "read_entry"]

Model = TreeModel | FittedLogistic
"""Secret: as its owner has it."""


class _Entry(Strict):
    format: Literal["accord model 1"]
    name: ModelName
    version: Version
    id: Digest
    salt: Bytes32
    family: Short
    facts: Object
    features: Annotated[list[Short], Field(min_length=1, max_length=1 << 16)]
    predicts: Short
    lineage: LineageForm
    rules: RulesForm
    kept: Annotated[float, Field(ge=0, le=1e11)]
    withdrawn: Annotated[float, Field(ge=0, le=1e11)] | None


@dataclass(frozen=True)
class Asset:
    """One version of a model.

    Attributes:
        name, version: versions of a name are 1, 2, ...; a content never changes.
        id, salt: see above; the salt is the owner's alone.
        facts: what is public of it.
        predicts: what it predicts, in words: "died", "fate = moved"; '' where nobody said.
        kept, withdrawn: Unix seconds; None: it is offered to those whom its rules name.
    """

    name: str
    version: int
    id: str
    salt: bytes
    facts: ModelFacts
    predicts: str
    lineage: FromJob | BroughtIn
    rules: ModelRules
    kept: float
    withdrawn: float | None = None

    def __repr__(self) -> str:
        return f"<Asset {self.title}, {self.facts.family}>"

    @property
    def title(self) -> str:
        """risk@2."""
        return f"{self.name}@{self.version}"

    def to_json(self) -> str:
        """As it is kept."""
        return _Entry(
            format="accord model 1",
            name=self.name,
            version=self.version,
            id=self.id,
            salt=self.salt.hex(),
            family=self.facts.family,
            facts=self.facts.fields,
            features=list(self.facts.features),
            predicts=self.predicts,
            lineage=self.lineage,
            rules=RulesForm(**self.rules.fields),
            kept=self.kept,
            withdrawn=self.withdrawn,
        ).model_dump_json(indent=1)


def id_of(salt: bytes, content: bytes) -> str:
    """Hex."""
    return hashlib.sha256(b"accord model content 1\0" + salt + content).hexdigest()


def read_entry(content: bytes, what: str) -> Asset:
    """What to_json wrote. Raises ModelUnfit for anything else: ``what`` is for its text."""
    try:
        said = read_json(_Entry, content)
        facts = read_facts("facts", said.family, said.facts, said.features)
    except (MessageInvalid, ParametersInvalid) as error:
        raise ModelUnfit(f"{what} is no entry of a model: {error}; `accord models add` makes one") from None
    return Asset(
        said.name,
        said.version,
        said.id,
        bytes.fromhex(said.salt),
        facts,
        said.predicts,
        said.lineage,
        rules_of(said.rules),
        said.kept,
        said.withdrawn,
    )


def rules_of(form: RulesForm) -> ModelRules:
    """As fields have them."""

    def those(names: list[str] | None) -> frozenset[str] | None:
        return None if names is None else frozenset(names)

    return ModelRules(
        members=those(form.members),
        purposes=those(form.purposes),
        answers=frozenset(form.answers),
        receivers=those(form.receivers),
        coefficients=form.coefficients,
    )


def facts_of(model: Model, features: tuple[str, ...], depth: int | None, trees: int | None) -> ModelFacts:
    """What will be public of a model.

    Args:
        features: of trees, columns of a row in the model's order; of a logistic regression its own, or none.
        depth, trees: of trees, a size to which they are padded; None: their own.

    Raises ModelUnfit, which says what differs.
    """
    if isinstance(model, FittedLogistic):
        if depth is not None or trees is not None:
            raise ModelUnfit("a logistic regression has no depth and no trees")
        if features and features != model.feature_names_in_:
            raise ModelUnfit(f"the model says itself which columns it takes: {', '.join(model.feature_names_in_)}")
        terms = [{"column": c.column, "category": c.category, "low": c.low, "high": c.high} for c in model.coefficients]
        fields: dict[str, Any] = {"terms": terms, "bound": model.bound, "spread": model.spread}
        family, features = LogisticFacts.family, model.feature_names_in_
    else:
        if len(features) != model.features or len(set(features)) != len(features):
            raise ModelUnfit(
                f"the model takes {model.features} columns, each of its own name: name them all, in its order"
            )
        own = {"depth": max(1, model.depth), "trees": max(1, len(model.trees))}
        asked = {"depth": own["depth"] if depth is None else depth, "trees": own["trees"] if trees is None else trees}
        for field, least in own.items():
            if asked[field] < least:
                raise ModelUnfit(f"the model's {field} is {least}: a public {field} is not below")
        fields, family = {**asked, "outputs": model.outputs, "link": model.link}, TreeFacts.family
    try:
        return read_facts("the model", family, fields, features)
    except ParametersInvalid as error:
        raise ModelUnfit(str(error)) from None
