"""What members, and a member's people, are told of models: fields and bounds. Pure.

A model is offered by a name and a version; everything here is public to whom it is offered. What is not in it: its
content, and the salt of its id.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from parties.wire.message_form import Digest, JobId, MemberName, Object, Purpose, Strict, Text

__all__ = [
    "MOST_KEEP", "BroughtIn", "FromJob", "Keep", "LineageForm", "MemberModels", "ModelList", "ModelName", "Offer",
    "Offers", "OwnModel", "RulesForm", "Short", "Version",
]  # fmt: skip

MOST_KEEP = 1 << 12
"""Bytes of a Keep."""

ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?$", max_length=64)]
Version = Annotated[int, Field(ge=1, le=10**6)]
Short = Annotated[str, StringConstraints(max_length=256)]
_Answer = Literal["predict", "predict_proba", "decision_function"]
_Members = Annotated[list[MemberName], Field(max_length=1000)]
_Purposes = Annotated[list[Purpose], Field(max_length=100)]
_UnixTime = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]


class FromJob(Strict):
    """Where a model comes from that this consortium trained.

    Attributes:
        job, plan: the train job's id, and the digest of its plan, as all members signed it.
        tables: member.table of each.
        policies: digests of the policies by which each member decided, by member and table.
    """

    source: Literal["job"] = "job"
    job: JobId
    plan: Digest
    tables: Annotated[list[Short], Field(max_length=1000)]
    policies: Annotated[dict[MemberName, dict[Short, Digest]], Field(max_length=1000)]

    def __str__(self) -> str:
        return f"job {self.job} on {', '.join(self.tables)}"


class BroughtIn(Strict):
    """Where a model comes from that was not trained here.

    Attributes:
        by: who says to have brought it.
        file, sha256: its name there, and its digest as it was then.
    """

    source: Literal["brought in"] = "brought in"
    by: Short
    file: Short
    sha256: Digest

    def __str__(self) -> str:
        return f"brought in by {self.by} as {self.file}"


LineageForm = Annotated[FromJob | BroughtIn, Field(discriminator="source")]


class RulesForm(Strict):
    """model_rules.ModelRules."""

    members: _Members | None
    purposes: _Purposes | None
    answers: Annotated[list[_Answer], Field(max_length=3)]
    receivers: _Members | None
    coefficients: bool


class Offer(Strict):
    """One version of a model, as whoever may score with it sees it.

    Attributes:
        id: see model_entry.py.
        family, facts, features: what is public of it, as jobs state it (model_facts.py).
        predicts: in words; '' where nobody said.
        answers, purposes: what may be asked of it, and for what (None: for any).
        coefficients: a logistic regression, where its owner gives it away (logistic_file.py).
    """

    name: ModelName
    version: Version
    id: Digest
    family: Short
    facts: Object
    features: Annotated[list[Short], Field(min_length=1, max_length=1 << 16)]
    predicts: Short = ""
    answers: Annotated[list[_Answer], Field(max_length=3)]
    purposes: _Purposes | None
    coefficients: Object | None = None


class Offers(Strict):
    """All that a member offers to the member that asks."""

    models: Annotated[list[Offer], Field(max_length=10_000)]


class MemberModels(Strict):
    """What one member offers; ``error`` if its node could not be asked."""

    member: MemberName
    models: Annotated[list[Offer], Field(max_length=10_000)]
    error: Text = ""


class OwnModel(Strict):
    """One of this member's own.

    Attributes:
        offer: as it is offered, by its rules; its coefficients are not in it.
        kept, withdrawn: Unix seconds; None: it was not withdrawn.
    """

    offer: Offer
    lineage: LineageForm
    rules: RulesForm
    kept: _UnixTime
    withdrawn: _UnixTime | None


class ModelList(Strict):
    """This member's models, and what the others offer to it.

    Attributes:
        strays: files in this member's directory of models that nobody added, and that are offered to nobody.
    """

    member: MemberName
    own: Annotated[list[OwnModel], Field(max_length=10_000)]
    strays: Annotated[list[Short], Field(max_length=10_000)]
    members: Annotated[list[MemberModels], Field(max_length=1000)]


class Keep(Strict):
    """Keep the answer of a released train job as a model of this member's.

    Attributes:
        name: of the model; its next version, if there is one of this name.
    """

    job: JobId
    name: ModelName
