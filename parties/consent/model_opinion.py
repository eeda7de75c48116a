"""What this node says to a job that scores with a model of this member's. Blocks: its files are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from parties.errors import ModelMissing, PolicyDenied
from parties.jobs.job import Job
from parties.kinds.kind import Plan
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ModelAsked, check_model
from parties.policies.policy import verdict_of
from parties.policies.policy_terms import TABLE, Finding, Verdict

__all__ = ["ModelOpinion", "model_opinion"]


@dataclass(frozen=True)
class ModelOpinion:
    """What the rules of one model say to a job.

    Attributes:
        model: its name and version, risk@2.
        id, rules: of its content, and the digest of its rules; '' if there is none.
        answer: what is asked of it.
        findings: what every clause says.
    """

    model: str
    id: str
    rules: str
    answer: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Of all clauses."""
        return verdict_of(self.findings)

    @property
    def told(self) -> dict[str, Any]:
        """For the log."""
        return {"model": self.model, "id": self.id, "rules": self.rules, "answer": self.answer}

    def check(self) -> None:
        """PolicyDenied where a clause denies: with the clause, and the way out."""
        denied = [finding for finding in self.findings if finding.verdict is Verdict.DENIED]
        if denied:
            said = [f"model {self.model}, {one.clause}: {one.text}; {one.remedy}" for one in denied[:5]]
            raise PolicyDenied("; also ".join(said))


def model_opinion(models: ModelAssets, job: Job, plan: Plan, proposer: str) -> ModelOpinion | None:
    """Of the model that the job would score with; None where it scores with none.

    Args:
        models: of the member whose model it is.
        proposer: name of the member whose people ask.

    Raises ModelChanged for a content that is not what was added; ModelUnfit for an entry changed by hand.
    """
    ask = plan.model
    if ask is None:
        return None
    title = f"{ask.name}@{ask.version}"
    try:
        asset = models.find(ask.name, ask.version)
    except ModelMissing:
        asset = None
    if asset is None or asset.withdrawn is not None:
        why = "there is no such version" if asset is None else "it was withdrawn"
        missing = Finding("offered", TABLE, Verdict.DENIED, why, "`accord models` lists what is offered")
        return ModelOpinion(title, "", "", ask.answer, (missing,))
    asked = ModelAsked(proposer, job.purpose, plan.asks[0].member, frozenset(job.results))
    findings = check_model(asset.rules, asset.facts, asset.id, ask, asked)
    if verdict_of(findings) is Verdict.ALLOWED:
        models.content(asset)
    return ModelOpinion(title, asset.id, asset.rules.digest, ask.answer, findings)
