"""Jobs that wait for a person, as people are told of them: each beside the job most like it that was approved."""

from __future__ import annotations

from typing import Any

from parties.consent.approval_difference import nearest
from parties.consent.approvals import Waiting
from parties.running.job_store import JobStore
from parties.wire.people_messages import Approval, Approvals

__all__ = ["waiting_jobs"]

_MOST_LINE = 2000


def waiting_jobs(store: JobStore) -> Approvals:
    """All that wait, the oldest first. Blocks."""
    approved = [(one.job, _asked(store, one)) for one in store.approvals.approved()]
    return Approvals(waiting=[_view(store, one, approved) for one in store.approvals.waiting()])


def _view(store: JobStore, one: Waiting, approved: list[tuple[str, dict[str, Any]]]) -> Approval:
    asked = _asked(store, one)
    found = nearest(asked, approved)
    before, lines = found or ("", [])
    return Approval(
        job=one.job,
        since=one.since,
        why=one.why,
        asks=one.told,
        parameters=asked["parameters"],
        before=before,
        differences=[line[:_MOST_LINE] for line in lines],
    )


def _asked(store: JobStore, one: Waiting) -> dict[str, Any]:
    return {**one.told, "parameters": dict(store.get(one.job).job.parameters)}
