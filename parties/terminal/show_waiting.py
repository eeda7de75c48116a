"""A job that waits for a person, on a terminal: what it asks, and what is new about that. Text, never markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from parties.wire.people_messages import Approval
from parties.wire.told_errors import printable

__all__ = ["show_waiting"]


def show_waiting(console: Console, one: Approval) -> None:
    """All of it."""
    asks: dict[str, Any] = dict(one.asks)
    console.print(Text(f"job {one.job}", style="bold"))
    console.print(Text(f"  waits because of {printable(one.why)}"))
    receivers = ", ".join(map(str, asks.get("receivers", [])))
    who = f"{asks.get('analyst') or 'somebody'} for {asks.get('purpose') or 'no stated purpose'}"
    console.print(Text(printable(f"  {asks.get('kind')} asked by {who}; the answer goes to {receivers}")))
    console.print(Text(printable(f"  spends epsilon {asks.get('epsilon')}, delta {asks.get('delta')}")))
    grid = Grid(box=None, padding=(0, 2, 0, 2), show_header=False)
    for name, value in one.parameters.items():
        grid.add_row(Text(printable(name)), Text(printable(str(value))))
    for table, said in dict(asks.get("tables", {})).items():
        for column, uses in said["columns"].items():
            grid.add_row(Text(printable(f"{table}.{column}")), Text(printable(", ".join(uses))))
    console.print(grid)
    if not one.before:
        console.print(Text("  nothing was approved here before"))
        return
    same = "the same as" if not one.differences else "compared with"
    console.print(Text(f"  {same} job {one.before}, which was approved", style="bold"))
    for line in one.differences:
        console.print(Text("    " + printable(line), style="yellow"))
