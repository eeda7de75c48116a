"""One line of a kind a minute; the others are counted."""

from __future__ import annotations

import logging

import pytest

from parties.calls.quiet_log import QuietLog, place_of


def test_lines_are_counted_and_told_in_the_next(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    log = QuietLog(logging.getLogger("test"), lambda: now[0], every=60.0)
    with caplog.at_level(logging.DEBUG):
        for i in range(1000):
            log.note("refused", f"from {i}")
        log.note("another kind")
        now[0] = 60.0
        log.note("refused", "from x", logging.ERROR)
        now[0] = 120.0
        log.note("refused")
    assert [record.getMessage() for record in caplog.records] == [
        "refused: from 0",
        "another kind",
        "refused: from x (and 999 more since the last such line)",
        "refused",
    ]
    assert caplog.records[2].levelno == logging.ERROR


def test_kinds_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    log = QuietLog(logging.getLogger("test"), lambda: 0.0)
    for i in range(5000):
        log.note(f"kind {i}")
    assert len(caplog.records) <= 257
    assert len(log._kinds) <= 257


def test_a_place_is_a_class_and_a_line_without_the_text() -> None:
    try:
        raise ExceptionGroup("group", [_raised()])
    except ExceptionGroup as error:
        assert place_of(error).startswith("ValueError in _raised (test_quiet_log.py:")
    assert place_of(KeyError("a secret")) == "KeyError"


def _raised() -> ValueError:
    try:
        raise ValueError("a secret")
    except ValueError as error:
        return error
