"""A query's text, parsed: bounded before it is looked at, and every refusal says which clause, where. Pure.

The dialect is DuckDB's. Before the parser sees a text its tokens are counted, with how deep they are nested; after it
the tree is measured, so whatever walks it stays shallow.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.tokenizer_core import TokenType

from mpc.errors import AccordError
from parties.errors import SqlInvalid, SqlUnbound, SqlUnsupported

__all__ = ["DIALECT", "MOST_BYTES", "Node", "Sql", "close_to", "read_sql"]

DIALECT = "duckdb"
MOST_BYTES = 16 << 10

Node = Any
"""A node of the parser's tree, exp.Expression."""

_MOST_TOKENS = 6000
_DEEPEST_TOKENS = 24
_MOST_PREFIXES = 8
_DEEPEST = 60
_MOST_NODES = 12_000
_MOST_SHOWN = 80
_EXPLAIN = re.compile(r"\s*EXPLAIN\b", re.IGNORECASE)
_FIRST = {TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN}
_PREFIXES = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE}
_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END}


@dataclass(frozen=True)
class Sql:
    """A text and its tree.

    Attributes:
        text: as it was given.
        tree: exp.Select or exp.Union.
        explains: whether EXPLAIN stands before it.
    """

    text: str
    tree: Node
    explains: bool

    def unsupported(self, node: Node, why: str, instead: str = "") -> SqlUnsupported:
        """What cannot run: the clause, why, and the nearest thing that can."""
        return SqlUnsupported(self._said(node, f"{why}; {instead}" if instead else why))

    def unbound(self, node: Node, why: str, name: str, known: Iterable[str]) -> SqlUnbound:
        """A name nobody publishes, with those that come close."""
        return SqlUnbound(self._said(node, f"{why}; {close_to(name, known)}"))

    def _said(self, node: Node, why: str) -> str:
        start = _start(node)
        before = self.text[:start]
        line, column = before.count("\n") + 1, start - (before.rfind("\n") + 1) + 1
        return f"sql, line {line}, column {column}, {_shown(node)}: {why}"


def without_brackets(sql: Sql, node: Node) -> Node:
    """What stands within brackets that say nothing else. SqlUnsupported for LIMIT and the like behind them."""
    while isinstance(node, exp.Subquery) and not node.alias:
        for name, value in node.args.items():
            if value and name not in ("this", "alias"):
                raise sql.unsupported(node, f"{name.strip('_').upper()} behind brackets", "leave that out")
        node = node.this
    return node


def close_to(name: str, known: Iterable[str]) -> str:
    """Names like it, or some of those there are."""
    listed = sorted(set(known))
    near = difflib.get_close_matches(name[:64], listed[:4096], 3, 0.6)
    if near:
        return f"is it {' or '.join(near)}?"
    more = ", ..." if len(listed) > 8 else ""
    return f"there are {', '.join(listed[:8])}{more}" if listed else "there is none"


def read_sql(text: Any) -> Sql:
    """The one query in a text, EXPLAIN before it or not. Raises SqlInvalid, SqlUnsupported."""
    if not isinstance(text, str):
        raise SqlInvalid("sql: a text is needed")
    try:
        size = len(text[: MOST_BYTES + 1].encode())
    except UnicodeEncodeError:
        raise SqlInvalid("sql: a text with half a character in it (a lone surrogate)") from None
    if size > MOST_BYTES:
        raise SqlInvalid(f"sql: a text of more than {MOST_BYTES >> 10} KiB")
    said = _EXPLAIN.match(text)
    given = text if said is None else " " * said.end() + text[said.end() :]  # places of words stay
    tokens = _tokens(given)
    if not tokens:
        raise SqlInvalid("sql: an empty text; SELECT ... FROM ... is a query")
    first = tokens[0]
    if first.token_type not in _FIRST:
        line = text[: first.start].count("\n") + 1
        raise SqlUnsupported(
            f"sql, line {line}, {first.text[:_MOST_SHOWN]}: no query; only SELECT ... FROM ... runs, "
            "and EXPLAIN before it"
        )
    tree = _parsed(given)
    _check_size(tree)
    found = Sql(text, tree, said is not None)
    if not isinstance(tree, (exp.Select, exp.SetOperation)):
        raise found.unsupported(tree, "no query", "only SELECT ... FROM ... runs, and EXPLAIN before it")
    return found


def _tokens(text: str) -> Sequence[Any]:
    tokens: list[Any] = _guarded(text, lambda: list(sqlglot.tokenize(text, read=DIALECT)))
    if len(tokens) > _MOST_TOKENS:
        raise SqlInvalid(f"sql: more than {_MOST_TOKENS} words and signs")
    depth = prefixes = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        prefixes = prefixes + 1 if token.token_type in _PREFIXES else 0
        if depth > _DEEPEST_TOKENS or prefixes > _MOST_PREFIXES:
            line = text[: token.start].count("\n") + 1
            raise SqlInvalid(
                f"sql, line {line}: nested more than {_DEEPEST_TOKENS} deep; a derived table says it shorter"
            )
    return tokens


def _parsed(text: str) -> Node:
    trees = [tree for tree in _guarded(text, lambda: sqlglot.parse(text, read=DIALECT)) if tree is not None]
    if len(trees) != 1:
        raise SqlInvalid(f"sql: {len(trees)} statements; one query a job")
    return trees[0]


def _guarded(text: str, made: Any) -> Any:
    """The parser's result, or SqlInvalid: whatever an unlikely text does to it is a fault of the text."""
    try:
        return made()
    except SqlglotError as error:
        raise SqlInvalid(_syntax(text, error)) from None
    except (AccordError, MemoryError):
        raise
    except Exception as error:
        raise SqlInvalid(f"sql: the parser ends in {type(error).__name__}; write it more plainly") from None


def _syntax(text: str, error: SqlglotError) -> str:
    faults = getattr(error, "errors", None) or [{}]
    line, context = faults[0].get("line"), str(faults[0].get("highlight") or "")[:_MOST_SHOWN]
    what = str(faults[0].get("description") or "a text that cannot be read, as of a quote that is not closed")
    what = what.split("<Token", maxsplit=1)[0].split(". Line", maxsplit=1)[0].strip()[:200]
    if line is None:
        return f"sql: {what}"
    column = faults[0].get("col")
    near = f", at {context!r}" if context else ""
    return f"sql, line {line}, column {column}{near}: {what}"


def _check_size(tree: Node) -> None:
    """And that no part is missing. Without recursion. A chain of one connector is one level, however long."""
    waiting, total = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        total += 1
        if total > _MOST_NODES or depth > _DEEPEST:
            raise SqlInvalid(f"sql: more than {_MOST_NODES} parts, or nested more than {_DEEPEST} deep")
        for name, needed in node.arg_types.items():  # the parser lets some operators do without an operand
            if needed and node.args.get(name) is None:
                raise SqlInvalid(f"sql: {type(node).__name__.upper()} lacks what stands behind or before it")
        for child in node.iter_expressions():
            chained = isinstance(node, (exp.And, exp.Or, exp.Union)) and type(child) is type(node)
            waiting.append((child, depth if chained else depth + 1))


def _start(node: Node) -> int:
    """Where the first of its words that has a place stands; else of what it is in."""
    at: Node = node
    while at is not None:
        starts = [part.meta["start"] for part in at.walk() if "start" in part.meta]
        if starts:
            return int(min(starts))
        at = at.parent
    return 0


def _shown(node: Node) -> str:
    """The clause as it is written in one line, shortened; a name is enough of what cannot be written."""
    try:
        text = " ".join(node.sql(dialect=DIALECT, comments=False, unsupported_level=ErrorLevel.IGNORE).split())
    except Exception:
        text = type(node).__name__
    return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 3] + "..."
