"""With which status a command of ``accord`` ends, so that a script knows what to do next. All of it is in this file."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

from mpc import errors as engine
from parties import errors as ours

__all__ = ["STATUSES", "ExitStatus", "status_of"]


class ExitStatus(IntEnum):
    """A process's exit status. ``meaning`` is what the help says of it."""

    GOOD = 0
    FAILED = 1
    WRONG_USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    FILE_FAULT = 5
    NOT_OVER = 6
    NOT_GENUINE = 7
    INTERRUPTED = 130
    PIPE_CLOSED = 141

    @property
    def meaning(self) -> str:
        """A few words."""
        return _MEANINGS[self]


_MEANINGS = MappingProxyType(
    {
        ExitStatus.GOOD: "done",
        ExitStatus.FAILED: "the job or the operation failed",
        ExitStatus.WRONG_USAGE: "wrong usage: an option, a name or a value to be put right",
        ExitStatus.REFUSED: "refused by a rule: a policy, a consent, a charter",
        ExitStatus.UNREACHABLE: "a node or another member cannot be reached",
        ExitStatus.FILE_FAULT: "a file, a disk or a table's source has to be put right",
        ExitStatus.NOT_OVER: "a job is not over yet, and goes on",
        ExitStatus.NOT_GENUINE: "what was to be verified is not so: something was changed, left out or not signed",
        ExitStatus.INTERRUPTED: "interrupted by Ctrl-C",
        ExitStatus.PIPE_CLOSED: "whoever read the output closed it",
    }
)

STATUSES: Mapping[type[BaseException], ExitStatus] = MappingProxyType(
    {
        engine.AccordError: ExitStatus.FAILED,
        engine.UsageError: ExitStatus.WRONG_USAGE,
        OSError: ExitStatus.FILE_FAULT,
        ConnectionError: ExitStatus.UNREACHABLE,
        TimeoutError: ExitStatus.UNREACHABLE,
        # a program, or what somebody dealt to it, was at fault: nobody typed anything wrong
        engine.ProgramDiverged: ExitStatus.FAILED,
        ours.DealtInvalid: ExitStatus.FAILED,
        ours.MessageInvalid: ExitStatus.FAILED,
        # what was named is not there
        ours.JobUnknown: ExitStatus.WRONG_USAGE,
        ours.JobConflict: ExitStatus.WRONG_USAGE,
        # a rule
        ours.CharterNotInForce: ExitStatus.REFUSED,
        ours.JobRefused: ExitStatus.REFUSED,
        ours.PeerRefused: ExitStatus.REFUSED,
        ours.PeerRefusedUs: ExitStatus.REFUSED,
        ours.TooManyJobs: ExitStatus.REFUSED,
        ours.BoundsMissing: ExitStatus.REFUSED,
        ours.NotPublished: ExitStatus.REFUSED,
        ours.BudgetExhausted: ExitStatus.REFUSED,
        ours.PolicyDenied: ExitStatus.REFUSED,
        ours.PolicyMissing: ExitStatus.REFUSED,
        # the network, and who is at its other end
        engine.PeerLost: ExitStatus.UNREACHABLE,
        engine.PeerMissing: ExitStatus.UNREACHABLE,
        ours.FounderUnreachable: ExitStatus.UNREACHABLE,
        ours.MeetingBroken: ExitStatus.UNREACHABLE,
        ours.MemberLost: ExitStatus.UNREACHABLE,
        ours.NodeCallFailed: ExitStatus.UNREACHABLE,
        ours.PeerCallFailed: ExitStatus.UNREACHABLE,
        ours.NodeAnswerInvalid: ExitStatus.FAILED,
        ours.NodeFailed: ExitStatus.FAILED,
        ours.PeerAnswerInvalid: ExitStatus.FAILED,
        # files, and what a table is read from
        engine.CredentialsUnusable: ExitStatus.FILE_FAULT,
        ours.CharterDamaged: ExitStatus.FILE_FAULT,
        ours.CheckpointInvalid: ExitStatus.FILE_FAULT,
        ours.FileUnusable: ExitStatus.FILE_FAULT,
        ours.IdentityDamaged: ExitStatus.FILE_FAULT,
        ours.SourceUnreachable: ExitStatus.FILE_FAULT,
        ours.SourceUnreadable: ExitStatus.FILE_FAULT,
        ours.StoreFailed: ExitStatus.FILE_FAULT,
        ours.TableMissing: ExitStatus.FILE_FAULT,
        # a log or a ledger
        ours.LogBroken: ExitStatus.NOT_GENUINE,
        ours.ReceiptUnreadable: ExitStatus.FILE_FAULT,
        # time
        ours.StillRunning: ExitStatus.NOT_OVER,
    }
)
"""An error has the status of the nearest class of its own that is here: a new class needs a line only if its parent's
status does not fit."""


def status_of(error: BaseException) -> ExitStatus:
    """The status a command ends with for this error; FAILED for one that nobody foresaw."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), ExitStatus.FAILED)
