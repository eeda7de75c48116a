"""Answers and lists on a terminal. What others wrote is text, never markup."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from parties.models.fitted import FittedLogistic
from parties.wire.people_messages import NodeStatus
from parties.wire.told_errors import printable

__all__ = ["show_frame", "show_result", "show_status"]

_MOST_ROWS = 1000


def show_result(console: Console, result: Any) -> None:
    """What read_answer gave."""
    if isinstance(result, pd.DataFrame):
        show_frame(console, result)
        if "epsilon" in result.attrs:
            console.print(f"epsilon {result.attrs['epsilon']:g}, delta {result.attrs['delta']:g}")
    elif isinstance(result, FittedLogistic):
        frame = pd.DataFrame({"coefficient": [*result.coef_[0], *result.intercept_]}, [*result.terms_, "(intercept)"])
        show_frame(console, frame)
        console.print(f"epsilon {result.epsilon_:g}, delta {result.delta_:g}")
    else:
        console.print(Text(printable(json.dumps(result, indent=1, ensure_ascii=False))))


def show_frame(console: Console, frame: pd.DataFrame) -> None:
    """A table of at most a thousand rows; how many there are more is said."""
    grid = Grid()
    named = not isinstance(frame.index, pd.RangeIndex)
    if named:  # whole, to be copied: ids, groups
        least = min(40, max((len(_cell(value)) for value in frame.index[:_MOST_ROWS]), default=1))
        grid.add_column(Text(printable(str(frame.index.name or ""))), no_wrap=True, min_width=least)
    for heading in frame.columns:
        grid.add_column(Text(printable(str(heading))))
    for index, row in zip(frame.index[:_MOST_ROWS], frame.head(_MOST_ROWS).itertuples(index=False), strict=True):
        grid.add_row(*(Text(_cell(value)) for value in ([index, *row] if named else row)))
    console.print(grid)
    if len(frame) > _MOST_ROWS:
        console.print(f"and {len(frame) - _MOST_ROWS} rows more: --json has them all")


def show_status(console: Console, status: NodeStatus) -> None:
    """A node's, and the other members'."""
    console.print(Text(printable(f"member {status.member} of {status.consortium!r}, charter version {status.version}")))
    started = datetime.datetime.fromtimestamp(status.started, datetime.UTC)
    console.print(f"release {printable(status.release)}, up since {started:%Y-%m-%d %H:%M:%S} UTC")
    console.print(f"{status.lanes} lanes connected, {status.open_jobs} jobs open")
    for member in status.members:
        state = "up" if member.up else f"down: {member.cause or 'not heard yet'}"
        console.print(Text(printable(f"  {member.member}: {state}")))
    for fork in status.forked:
        at = datetime.datetime.fromtimestamp(fork.found, datetime.UTC)
        one, other = fork.entries
        console.print(
            f"  {fork.member}: its log does not go on: entries {one} and {other} that it showed are not of one "
            f"log (found {at:%Y-%m-%d %H:%M:%S} UTC); ask its operators, and what the other members see"
        )


def _cell(value: Any) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, tuple):
        return printable(", ".join(map(str, value)))
    return printable(str(value))
