"""The questions of ``accord publish``: each with a proposal, and what there is in the rows, for this member's eyes.

How it asks is an argument, so it runs without a terminal. Nothing is written or sent here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from parties.data.published import KINDS
from parties.data.table_source import OpenSource
from parties.publishing.proposals import Proposal, people_in, propose
from parties.publishing.publish_draft import Draft

__all__ = ["Ask", "interview"]

Ask = Callable[[str, str], str]
"""(question, proposal) -> the answer; the proposal if there was none."""

_USES = "count,sum,group,filter,join"


def interview(draft: Draft, source: OpenSource, ask: Ask) -> Draft:
    """The draft with what was answered; what it says already is not asked. ``source``: opened with ``typed=True``.

    1. Who is a person, how many rows of one count, how many rows there may be.
    2. Each column: its kind and bounds, or - to leave it out; what a missing value counts as.
    3. What jobs may do, and who may receive.
    """
    proposals, rows = propose(source)
    named = {proposal.name: proposal for proposal in proposals}
    person = draft.person or ask(f"Column that tells people apart, of {', '.join(named)}", people_in(proposals))
    capacity = draft.capacity or _whole(ask, f"Rows there may be at most ({rows} now)", 1 << max(rows, 1).bit_length())
    most = draft.rows_a_person
    if most == 1:
        most = _whole(ask, "Rows of one person that count at most", 1)
    said = {text.partition("=")[0] for text in (*draft.columns, *draft.categories)}
    columns, categories, missing = list(draft.columns), list(draft.categories), list(draft.missing)
    ruled = {text.partition("=")[0] for text in missing}
    for proposal in proposals:
        if proposal.name in said:
            continue
        proposed = proposal.spec or "-"
        if proposal.name == person and not proposed.startswith("key:"):
            proposed = "key:text"
        spec = ask(f"{proposal.name} (seen: {proposal.seen}); kind and bounds, or - not to publish it", proposed)
        if spec == "-":
            continue
        if spec == "category":
            listed = ",".join(proposal.categories)
            listed = ask(f"{proposal.name}: all categories there are, also those none of your rows has", listed)
            categories.append(f"{proposal.name}={listed}")
        else:
            columns.append(f"{proposal.name}={spec}")
        if not spec.startswith("key:") and proposal.name not in ruled:
            missing += _missing(proposal, spec, ask)
    allow = draft.allow or ask("What jobs may do", _USES).split(",")
    receivers = ",".join(draft.results_to) if draft.results_to else ask("Who may receive answers", "all")
    return replace(
        draft,
        person=person,
        capacity=capacity,
        rows_a_person=most,
        columns=columns,
        categories=categories,
        missing=missing,
        allow=[use.strip() for use in allow if use.strip()],
        results_to=None if receivers == "all" else [name.strip() for name in receivers.split(",")],
    )


def _missing(proposal: Proposal, spec: str, ask: Ask) -> list[str]:
    """A rule is asked for even if nothing is missing now: a job that fails by it would tell that something is."""
    seen = "some are" if proposal.missing else "none is now"
    answer = ask(f"{proposal.name}: what a missing value counts as ({seen}), or - for an error", _stand_in(spec))
    return [] if answer == "-" else [f"{proposal.name}={answer}"]


def _stand_in(spec: str) -> str:
    """0 within the bounds, false; nothing for dates and categories: there a rule is a choice."""
    kind, *ends = spec.split(":")
    if kind == "boolean":
        return "false"
    try:
        low, high = (float(end) for end in ends)
    except ValueError:
        return "-"
    return "0" if kind in KINDS and low <= 0 <= high else "-"


def _whole(ask: Ask, question: str, proposed: int) -> int:
    answer = ask(question, str(proposed))
    while not (answer.isascii() and answer.isdigit() and len(answer) < 12):
        answer = ask(f"{question}: a whole number", str(proposed))
    return int(answer)
