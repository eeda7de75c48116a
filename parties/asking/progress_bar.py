"""A bar on a terminal, of a job that takes longer than a moment. Where there is no terminal, nothing is written."""

from __future__ import annotations

import threading
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from parties.wire.people_messages import JobProgress
from parties.wire.told_errors import printable

__all__ = ["ProgressBar"]

_DELAY = 1.0  # seconds
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class ProgressBar:
    """Use it in a ``with``, and call it with each line of progress.

    Args:
        title: of the job.
        console: where to draw; default stderr.
        delay: seconds before it appears; what is over by then leaves no trace.
    """

    def __init__(self, title: str, console: Console | None = None, delay: float = _DELAY) -> None:
        self._console = Console(stderr=True) if console is None else console
        self._title = title
        self._lock = threading.Lock()
        self._timer = threading.Timer(delay, self._appear)
        self._timer.daemon = True
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last: JobProgress | None = None

    def __enter__(self) -> ProgressBar:
        if self._console.is_terminal:
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, line: JobProgress) -> None:
        with self._lock:
            self._last = line
            self._show()

    def _appear(self) -> None:
        with self._lock:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[more]}", markup=False),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task(self._title, total=None, more="")
            self._bar.start()
            self._show()

    def _show(self) -> None:
        bar, task, line = self._bar, self._task, self._last
        if bar is None or task is None or line is None:
            return
        said = printable(line.operation).replace("\n", " ") or line.state.lower()
        more = f"{line.rounds:,} rounds, {_bytes(line.sent)}" if line.rounds else ""
        if line.fraction is not None:
            bar.update(task, total=1.0, completed=line.fraction)
        bar.update(task, description=said, more=more)


def _bytes(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
