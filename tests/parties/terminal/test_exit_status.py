"""Exit statuses: every error has one, and the nearest class decides."""

from __future__ import annotations

import pytest

import protocols.errors
from mpc import errors as engine
from parties import errors as ours
from parties.terminal.exit_status import STATUSES, ExitStatus, status_of


def test_numbers_that_scripts_know_stay() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "GOOD": 0, "FAILED": 1, "WRONG_USAGE": 2, "REFUSED": 3, "UNREACHABLE": 4, "FILE_FAULT": 5, "NOT_OVER": 6,
        "NOT_GENUINE": 7, "INTERRUPTED": 130, "PIPE_CLOSED": 141,
    }  # fmt: skip
    assert len({status.meaning for status in ExitStatus}) == len(ExitStatus)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (engine.AccordError(""), ExitStatus.FAILED),
        (engine.PartyFailed(1, "ValueError"), ExitStatus.FAILED),
        (ours.JobFailed("0" * 32, "Odd", ""), ExitStatus.FAILED),
        (ours.MessageInvalid(), ExitStatus.FAILED),
        (engine.OutOfRange(), ExitStatus.WRONG_USAGE),
        (protocols.errors.ColumnUnfit(), ExitStatus.WRONG_USAGE),
        (ours.JobInvalid(), ExitStatus.WRONG_USAGE),
        (ours.PassphraseNeeded(), ExitStatus.WRONG_USAGE),
        (ours.JobUnknown(), ExitStatus.WRONG_USAGE),
        (ours.PolicyDenied("x"), ExitStatus.REFUSED),
        (ours.LogBroken("x"), ExitStatus.NOT_GENUINE),
        (ours.NotAMember(), ExitStatus.REFUSED),
        (ours.PeerRefusedUs("alfa", "CharterOutdated", ""), ExitStatus.REFUSED),
        (engine.PeerSilent(1, ""), ExitStatus.UNREACHABLE),
        (ours.NodeTimedOut("https://a:1", ""), ExitStatus.UNREACHABLE),
        (ours.NodeFailed("https://a:1", "Odd", ""), ExitStatus.FAILED),
        (ours.MeetingBroken(), ExitStatus.UNREACHABLE),
        (ours.FileExposed(), ExitStatus.FILE_FAULT),
        (ours.IdentityMissing(), ExitStatus.FILE_FAULT),
        (ours.SourceTooLarge(), ExitStatus.FILE_FAULT),
        (ours.ReceiptUnreadable(), ExitStatus.FILE_FAULT),
        (PermissionError(13, ""), ExitStatus.FILE_FAULT),
        (ours.StillRunning("0" * 32, 1.0), ExitStatus.NOT_OVER),
        (RuntimeError(), ExitStatus.FAILED),
    ],
)
def test_the_nearest_class_decides(error: BaseException, status: ExitStatus) -> None:
    assert status_of(error) is status


def test_no_line_says_what_its_parent_says_already() -> None:
    for kind, status in STATUSES.items():
        parents = [STATUSES[parent] for parent in kind.__mro__[1:] if parent in STATUSES]
        assert not parents or parents[0] is not status, kind
