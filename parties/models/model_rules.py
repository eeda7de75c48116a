"""May a job score with that model? Its owner's rules, clause by clause, as policies/policy.py for a table. Pure.

A model without rules is for its owner's own people, who predict for rows whose owner's policy lets them: nobody else
may score with it, and its answers are classes and numbers, no probabilities. What the model's owner allows decides for
the model alone; whether rows may be predicted, and who receives what is predicted, their owner's policy decides too.

Answers leave without noise. d + 1 scores or probabilities of rows somebody chose tell all d coefficients of a logistic
regression; thresholds of trees take more. So members who may score by "predict_proba" or "decision_function" may as
well be thought to have the model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from parties.disk.chain import canonical
from parties.kinds.kind import ModelAsk
from parties.models.model_facts import ModelFacts
from parties.policies.policy_terms import TABLE, Finding, Verdict

__all__ = ["ANSWERS", "ModelAsked", "ModelRules", "check_model", "may_see"]

ANSWERS = ("predict", "predict_proba", "decision_function")


@dataclass(frozen=True)
class ModelRules:
    """Who may score with a model, and whether its coefficients may leave.

    Attributes:
        members: whose people may, beside the owner's; None: every member's.
        purposes: for what; None: for any.
        answers: of ANSWERS.
        receivers: members that may receive predictions, beside the rows' owner; None: every member.
        coefficients: whether this node gives a logistic regression's coefficients to members who may score with it.
    """

    members: frozenset[str] | None = frozenset()
    purposes: frozenset[str] | None = None
    answers: frozenset[str] = frozenset({"predict"})
    receivers: frozenset[str] | None = frozenset()
    coefficients: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """For JSON; equal for equal rules."""
        sets = {"members": self.members, "purposes": self.purposes, "receivers": self.receivers}
        listed = {name: None if one is None else sorted(one) for name, one in sets.items()}
        return {**listed, "answers": sorted(self.answers), "coefficients": self.coefficients}

    @property
    def digest(self) -> str:
        """SHA-256 of the fields, hex: what the log tells."""
        return hashlib.sha256(b"accord model rules 1\0" + canonical(self.fields)).hexdigest()


@dataclass(frozen=True)
class ModelAsked:
    """What a job asks of a model.

    Attributes:
        member: whose people ask. purpose: what for; '' if nothing is said.
        rows_owner: whose rows are predicted.
        receivers: who would receive predictions.
    """

    member: str
    purpose: str
    rows_owner: str
    receivers: frozenset[str]


def may_see(rules: ModelRules, owner: str, member: str) -> bool:
    """Whether a member hears of the model at all."""
    return rules.members is None or member == owner or member in rules.members


def check_model(
    rules: ModelRules, facts: ModelFacts, digest: str, ask: ModelAsk, asked: ModelAsked
) -> tuple[Finding, ...]:
    """What every clause says of a job; all of them, in this order.

    1. content    the model is the one whose id the job states
    2. size       of the family and the public size that the job states, and on the columns it states
    3. member     this member's people may score with it, for this purpose
    4. answer     it may be asked for this
    5. receivers  everybody who would receive predictions may

    Args:
        facts, digest: of the version that the job names, as this node offers it.
    """
    return (*_content(facts, digest, ask), *_member(rules, ask, asked), *_answer(rules, ask), *_receivers(rules, asked))


def _content(facts: ModelFacts, digest: str, ask: ModelAsk) -> Iterator[Finding]:
    remedy = "`accord models` lists it as it is offered: leave id and size out, and the node looks them up"
    yield _finding("content", ask.id == digest, f"version {ask.version} with the id {ask.id[:16]}...", remedy)
    if ask.facts.family != facts.family:
        text = f"a model of the family {ask.facts.family}, and it is one of {facts.family}"
        yield _finding("size", False, text, remedy)
        return
    if ask.facts.features != facts.features:
        text = f"on the columns {', '.join(ask.facts.features)}, and it takes {', '.join(facts.features)}"
        yield _finding("size", False, text, remedy)
    stated = facts.fields
    differ = [name for name, value in ask.facts.fields.items() if value != stated[name]]
    text = f"another {', '.join(differ)} than it has" if differ else "of the public size it has"
    yield _finding("size", not differ, text, remedy)


def _member(rules: ModelRules, ask: ModelAsk, asked: ModelAsked) -> Iterator[Finding]:
    good = may_see(rules, ask.owner, asked.member)
    who = sorted((rules.members or frozenset()) | {ask.owner})
    yield _finding("member", good, f"scoring by {asked.member}", f"it is offered to {', '.join(who)}")
    good = rules.purposes is None or asked.purpose in rules.purposes
    purpose = f"scoring for {asked.purpose}" if asked.purpose else "scoring without a purpose"
    yield _finding("purpose", good, purpose, f"it is for {_listed(rules.purposes)}")


def _answer(rules: ModelRules, ask: ModelAsk) -> Iterator[Finding]:
    text, remedy = f"its {ask.answer} would leave", f"what may be asked for: {_listed(rules.answers)}"
    yield _finding("answer", ask.answer in rules.answers, text, remedy)


def _receivers(rules: ModelRules, asked: ModelAsked) -> Iterator[Finding]:
    if not asked.receivers:
        yield _finding("receivers", False, "nobody would receive the predictions", "name a result member")
    for name in sorted(asked.receivers):
        good = rules.receivers is None or name == asked.rows_owner or name in rules.receivers
        may = {asked.rows_owner, *(rules.receivers or ())}
        remedy = f"predictions of it go to {', '.join(sorted(may))}"
        yield _finding("receivers", good, f"{name} would receive the predictions", remedy)


def _listed(names: Sequence[str] | frozenset[str] | None) -> str:
    return ", ".join(sorted(names or ())) or "nothing"


def _finding(clause: str, good: bool, text: str, remedy: str) -> Finding:
    return Finding(clause, TABLE, Verdict.ALLOWED if good else Verdict.DENIED, text, "" if good else remedy)
