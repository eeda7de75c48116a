"""What members ask about each other's logs: that one goes on, and what was shown of a job. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from parties.wire.message_form import Acceptance, Count, Digest, JobId, MemberName, Message, Strict

__all__ = [
    "MOST_DIGESTS", "MOST_JOBS", "AcceptanceQuery", "AcceptancesQuery", "Entries", "EntriesQuery", "KeptAcceptance",
    "KeptAcceptances",
]  # fmt: skip

MOST_DIGESTS = 500
"""Of entries, in one answer."""

MOST_JOBS = 200
"""In one question about acceptances."""


class Entries(Strict):
    """SHA-256 of the contents of entries of the answering member's log, in their order: all that were asked for."""

    digests: Annotated[list[Digest], Field(max_length=MOST_DIGESTS)]


class KeptAcceptances(Strict):
    """SHA-256 of all acceptances that the answering member keeps of each of these jobs (acceptance_watch.digest_of).

    Left out are jobs it does not know, and those that the sender has no part in.
    """

    digests: Annotated[dict[JobId, Digest], Field(max_length=MOST_JOBS)]


class AcceptancesQuery(Message[KeptAcceptances]):
    """What were you shown of these jobs?"""

    path = "/v1/log/acceptances"
    answers = KeptAcceptances
    about_job = False
    jobs: Annotated[list[JobId], Field(min_length=1, max_length=MOST_JOBS)]


class KeptAcceptance(Strict):
    """One that the answering member keeps; None: none, or the sender has no part in the job."""

    acceptance: Acceptance | None = None


class AcceptanceQuery(Message[KeptAcceptance]):
    """Which acceptance of this member were you shown?"""

    path = "/v1/job/acceptance"
    answers = KeptAcceptance
    member: MemberName


class EntriesQuery(Message[Entries]):
    """Show that your log goes on from one entry to another. To be refused: what it has not.

    Attributes:
        log: its name, see chain.Head.
        after, up_to: numbers of entries; those from the one after the first to the second, at most MOST_DIGESTS.
    """

    path = "/v1/log/entries"
    answers = Entries
    about_job = False
    log: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,16}:[0-9a-f]{64}$", max_length=81)]
    after: Count
    up_to: Count
