"""Errors come back as what they were, whatever a node says."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import AccordError, OutOfRange, PartyFailed, PeerLost
from parties import errors
from parties.errors import JobFailed, NodeFailed, PeerRefusedUs, PeerUnreachable, PolicyDenied
from parties.wire.told_errors import KNOWN, printable, told_error
from protocols.errors import KeyInvalid as RowKeyInvalid

JOB, URL = "ab" * 16, "https://127.0.0.1:8600"

SAMPLES = [
    OutOfRange("column age: 3"),
    PeerLost(2, "party 2 died"),
    PeerUnreachable("bravo", "no connection"),
    PeerRefusedUs("bravo", "CharterOutdated", "old: very"),
    PartyFailed(1, "ValueError", "no"),
    RowKeyInvalid("a key"),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
def test_a_known_error_is_of_its_class_with_its_text(sample: AccordError) -> None:
    error = told_error(URL, type(sample).__name__, str(sample), JOB)
    assert type(error) is type(sample)
    assert str(error) == str(sample)
    assert JOB in error.__notes__[0] and URL in error.__notes__[0]
    for name in ("member", "text", "index", "kind", "error", "reason"):
        assert getattr(error, name, None) == getattr(sample, name, None)


@given(st.sampled_from(sorted(KNOWN)), st.text())
def test_every_known_name_with_any_text_is_an_error_that_tells_it(name: str, text: str) -> None:
    error = told_error(URL, name, text, JOB)
    assert type(error) in (KNOWN[name], JobFailed)
    assert printable(text) in str(error)
    assert repr(error)


@given(st.text().filter(lambda name: name not in KNOWN), st.text())
def test_any_other_name_is_told_as_it_is(name: str, text: str) -> None:
    error = told_error(URL, name, text, JOB)
    assert type(error) is JobFailed and (error.job, error.error, error.reason) == (
        JOB,
        printable(name),
        printable(text),
    )
    assert type(told_error(URL, name, text)) is NodeFailed


@pytest.mark.parametrize(
    "name", ["NodeUnproven", "JobFailed", "StillRunning", "KeyboardInterrupt", "UsageError.mro", "Any"]
)
def test_names_a_node_may_not_use(name: str) -> None:
    assert name not in KNOWN


@pytest.mark.parametrize(
    ("name", "before"),
    [("JobRefused", ""), ("JobAborted", ""), ("PeerRefusedUs", "member bravo: JobRefused: ")],
)
def test_who_refused_a_job_is_told_with_its_reason(name: str, before: str) -> None:
    error = told_error(URL, name, f"{before}bravo refuses: PolicyDenied: table stays: 2 at most", JOB)
    assert type(error) is PolicyDenied and str(error) == "bravo refuses: table stays: 2 at most"
    other = told_error(URL, name, f"{before}bravo refuses: Whim: no", JOB)
    assert type(other) is KNOWN.get(name, JobFailed) and "Whim: no" in str(other)
    assert type(told_error(URL, "OutOfRange", "bravo refuses: PolicyDenied: x", JOB)) is OutOfRange


def test_no_error_of_ours_is_missing() -> None:
    own = {"NodeCallFailed", "NodeAnswerInvalid", "NodeFailed", "NodeTimedOut", "NodeUnproven", "NodeUnreachable"}
    assert set(errors.__all__) - set(KNOWN) == own | {"JobFailed", "StillRunning"}


@given(st.text())
def test_nothing_moves_the_cursor(text: str) -> None:
    assert all(c.isprintable() or c == "\n" for c in printable(text))
    assert not text.isprintable() or printable(text) == text


@pytest.mark.parametrize(
    "error",
    [
        JobFailed(JOB, "Expired", "late"), NodeFailed(URL, "InternalFault", "see its log"),
        errors.NodeUnreachable(URL, "gone"), errors.StillRunning(JOB, 3.0),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_errors_are_pickled(error: AccordError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and str(again) == str(error) and vars(again) == vars(error)
