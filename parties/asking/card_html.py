"""A plan card in a notebook: one piece of HTML without scripts. What others wrote is escaped. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from parties.asking import card_words as words
from parties.wire.quote_messages import ModelView, OwnerView, PlanCard, TableView
from parties.wire.told_errors import printable

__all__ = ["html_of"]

_COLOURS = {"allowed": "#1a7f37", "ask": "#9a6700", "denied": "#cf222e"}


def html_of(card: PlanCard) -> str:
    """All of it; what most people do not need is folded."""
    question = "\n".join(words.question(card))
    parts = [
        f"<div><b>plan card</b> {_safe(card.kind)} of {_safe(', '.join(card.tables))}: "
        f"{_verdict(card.verdict)}, {words.verdict(card)}</div>",
        f"<pre>{_safe(question)}</pre>",
        f"<div>{_safe(words.asks(card))}</div>",
        *map(_owner, card.owners),
        f"<div>spends &epsilon; {words.amount(card.epsilon)}, &delta; {card.delta:.3g}</div>",
        f"<div>{_safe(words.cost(card))}</div>",
    ]
    if card.replays:
        parts.append(f"<div>answered before, by job {card.replays}: given again, and nothing is spent</div>")
    if card.figures:
        rows = ((one.name, words.figure(one)) for one in card.figures)
        parts.append(_table(("figure", words.errors(card)), rows))
    parts += [f"<div>learned on the way by {_safe(leak)}</div>" for leak in card.leaks]
    if card.explained:
        parts.append(f"<details><summary>how it runs</summary><pre>{_safe(card.explained)}</pre></details>")
    return "<div>" + "".join(parts) + "</div>"


def _owner(owner: OwnerView) -> str:
    if owner.error:
        return f"<div>{_safe(owner.member)} does not say: {_safe(owner.error)}</div>"
    tables = [_of_table(owner.member, table) for table in owner.tables]
    return "".join(tables + [_of_model(owner.member, model) for model in owner.models])


def _of_model(member: str, model: ModelView) -> str:
    head = f"<div><b>model {_safe(member)}.{_safe(model.model)}</b> {_verdict(model.verdict)}</div>"
    return head + _clauses(model, "every clause of its rules")


def _of_table(member: str, table: TableView) -> str:
    parts = [
        f"<div><b>{_safe(member)}.{_safe(table.table)}</b> {_verdict(table.verdict)}</div>",
        _table(("column", "used for"), words.columns(table)),
        _table(("left after it", "epsilon"), words.lefts(table)) if table.left is not None else "",
        _clauses(table, "every clause of its policy"),
    ]
    return "".join(parts)


def _clauses(asked: TableView | ModelView, what: str) -> str:
    """Those that object; folded, all of them."""
    objections, parts = words.objections(asked), []
    if objections:
        parts.append(
            _table(
                ("clause", "column", "verdict", "looked at", "way out"),
                ((one.clause, one.column, one.verdict, one.text, one.remedy) for one in objections),
            )
        )
    every = _table(
        ("clause", "column", "verdict", "looked at"),
        ((one.clause, one.column, one.verdict, one.text) for one in asked.clauses),
    )
    parts.append(f"<details><summary>{what}</summary>{every}</details>")
    return "".join(parts)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{_safe(cell)}</th>' for cell in head)}</tr>{body}</table>"


def _verdict(verdict: str) -> str:
    return f'<b style="color:{_COLOURS[verdict]}">{verdict}</b>'


def _safe(text: str) -> str:
    """Escaped, each character one that can be printed; lines stay."""
    return "\n".join(escape(printable(line)) for line in text.split("\n"))
