"""The bar: what it shows, and that it shows nothing where nobody would see it."""

from __future__ import annotations

import io
import threading

from rich.console import Console

from parties.asking.progress_bar import ProgressBar
from parties.wire.people_messages import JobProgress

LINE = JobProgress(state="RUNNING", operation="[red]totals[/red]\x1b[2J", rounds=1200, sent=5 << 20, fraction=0.4)


def drawn(terminal: bool, delay: float) -> str:
    file = io.StringIO()
    bar = ProgressBar("job", Console(file=file, force_terminal=terminal, width=120), delay)
    with bar:
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and delay == 0:
                thread.join()
        bar(LINE)
    return file.getvalue()


def test_it_tells_what_is_done_and_nothing_in_it_is_markup() -> None:
    text = drawn(True, 0.0)
    assert "[red]totals[/red]\\x1b[2J" in text
    assert "40%" in text and "1,200 rounds, 5.0 MiB" in text


def test_what_is_over_soon_leaves_no_trace() -> None:
    assert drawn(True, 3600.0) == ""
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


def test_where_there_is_no_terminal_nothing_is_written() -> None:
    assert drawn(False, 0.0) == ""
