"""A plan card on a terminal. What others wrote is text, never markup."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from parties.asking import card_words as words
from parties.wire.quote_messages import ModelView, OwnerView, PlanCard, TableView
from parties.wire.told_errors import printable

__all__ = ["show_card"]

_STYLES = {"allowed": "green", "ask": "yellow", "denied": "red"}
_MOST_FIGURES = 20


def show_card(console: Console, card: PlanCard, *, explain: bool = False) -> None:
    """All of it. ``explain``: what each owner runs and what runs on shares, too."""
    console.print(Text.assemble(
        ("plan card ", "bold"), f"{card.kind} of {printable(', '.join(card.tables))}: ",
        (f"{card.verdict}: {words.verdict(card)}", _STYLES[card.verdict]),
    ))  # fmt: skip
    for line in words.question(card):
        console.print(Text("  " + printable(line)))
    console.print(Text(printable(words.asks(card))))
    for owner in card.owners:
        _show_owner(console, owner)
    if card.replays:
        console.print(Text(f"answered before, by job {card.replays}: given again, and nothing is spent"))
    afresh = "asked afresh it " if card.replays else ""
    console.print(Text(f"{afresh}spends epsilon {words.amount(card.epsilon)}, delta {card.delta:.3g}"))
    if card.figures:
        _show_figures(console, card)
    for leak in card.leaks:
        console.print(Text(f"learned on the way by {printable(leak)}", style="yellow"))
    console.print(Text(words.cost(card)))
    if explain and card.explained:
        console.print(Text("how it runs", style="bold"))
        for line in card.explained.splitlines():
            console.print(Text("  " + printable(line)))


def _show_owner(console: Console, owner: OwnerView) -> None:
    if owner.error:
        console.print(Text.assemble((f"{owner.member} does not say: ", "red"), printable(owner.error)))
    for table in owner.tables:
        console.print(Text.assemble(
            (f"{owner.member}.{table.table}: ", "bold"), (table.verdict, _STYLES[table.verdict])
        ))  # fmt: skip
        grid = Grid(box=None, padding=(0, 2, 0, 2), show_header=False)
        for name, uses in words.columns(table):
            grid.add_row(Text(printable(name)), Text(uses))
        for name, rest in words.lefts(table):
            grid.add_row(Text(f"left, {name}"), Text(rest))
        _show_clauses(console, table, grid)
    for model in owner.models:
        console.print(Text.assemble(
            (f"model {owner.member}.{printable(model.model)}: ", "bold"), (model.verdict, _STYLES[model.verdict])
        ))  # fmt: skip
        _show_clauses(console, model, Grid(box=None, padding=(0, 2, 0, 2), show_header=False))


def _show_clauses(console: Console, asked: TableView | ModelView, grid: Grid) -> None:
    """A grid, with a row more; below it what objects."""
    passed = words.passed(asked)
    if passed:
        grid.add_row(Text("allowed by"), Text(passed))
    console.print(grid)
    for clause in words.objections(asked):
        of = f" of {printable(clause.column)}" if clause.column else ""
        console.print(Text.assemble(
            "  ", (f"{clause.verdict} by {clause.clause}{of}: ", _STYLES[clause.verdict]),
            printable(clause.text), *([f"; {printable(clause.remedy)}"] if clause.remedy else []),
        ))  # fmt: skip


def _show_figures(console: Console, card: PlanCard) -> None:
    console.print(Text(f"tells, {words.errors(card)}:"))
    grid = Grid(box=None, padding=(0, 2, 0, 2), show_header=False)
    for one in card.figures[:_MOST_FIGURES]:
        grid.add_row(Text(printable(one.name)), Text(words.figure(one)))
    console.print(grid)
    if len(card.figures) > _MOST_FIGURES:
        console.print(Text(f"  and {len(card.figures) - _MOST_FIGURES} more: --json has them all"))
