"""Texts of SQL, as every owner's node reads and plans them: words, signs and whole brackets moved and exchanged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from mpc.errors import AccordError
from parties.data.row_query import RowQuery
from parties.kinds.kind import Owned, Plan
from parties.sql.explain import explain
from parties.sql.kind_query import QUERY
from parties.sql.plan import tables_of
from tests.fuzz.mutations import mutate_text
from tests.fuzz.target import Target
from tests.parties.consortium import charter, member
from tests.parties.sql.queries import HAND
from tests.parties.sql.query_tables import published

__all__ = ["sql_targets"]

_TABLES = (
    ("alfa", "stays"), ("bravo", "stays"), ("charlie", "stays"), ("alfa", "visits"), ("bravo", "visits"),
    ("bravo", "people"), ("charlie", "sales"),
)  # fmt: skip
_CATALOGUE = tuple(Owned(who, published(name, Path("x"), who)) for who, name in _TABLES)
_CHARTER = charter(*(member(i) for i in range(3)))
_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|\w+|\s+|[^\w\s]")
_WORDS_AND_SIGNS = """
    SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT JOIN LEFT USING ON AND OR NOT IN EXISTS UNION ALL DISTINCT AS WITH
    CASE WHEN THEN ELSE END NULL TRUE IS BETWEEN LIKE COUNT SUM AVG MIN MAX MEDIAN OVER PARTITION LATERAL VALUES DATE
    INTERVAL CAST COALESCE NULLIF FLOOR ABS person age cost score died ward seen minutes price reason level income
    rate born alfa bravo stays visits people sales ( ) , . * + - / % = < > 0 1 -1 0.5 1e300 '' 'x' "?0" "#0" @ ~ ^
    99999999999999999999
"""
_WORDS = tuple(_WORDS_AND_SIGNS.split())
_SQL = ('"?0"', "(SELECT person FROM alfa.visits)", "person IN (SELECT person FROM alfa.stays)", "(" * 90, ")" * 90)


def mutate_sql(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """One to four changes."""
    if not random.getrandbits(3):
        return mutate_text(random, seed, others)
    tokens = _TOKEN.findall(seed.decode())
    for _ in range(random.choice((1, 1, 2, 4))):
        at, what = random.randrange(len(tokens) + 1), random.getrandbits(3)
        if what == 0:
            del tokens[at : at + random.choice((1, 1, 2, 6))]
        elif what == 1:
            tokens[at:at] = tokens[at : at + random.choice((1, 3, 12))]
        elif what == 2:
            tokens.insert(at, f" {random.choice(_WORDS)} ")
        elif what == 3:
            tokens[at : at + 1] = [f" {random.choice((*_WORDS, *_SQL))} "]
        elif what == 4 and len(tokens) > 1:
            other = random.randrange(len(tokens))
            mine = at % len(tokens)
            tokens[mine], tokens[other] = tokens[other], tokens[mine]
        else:  # a part within brackets in place of another one, or of a word
            first, last = _brackets(random, tokens) or (at, at + 1)
            donor = _TOKEN.findall(random.choice(others).decode())
            part = _brackets(random, donor) or (0, len(donor))
            tokens[first:last] = donor[part[0] : part[1]]
        tokens = tokens[:6000]
        if not tokens:
            return b""
    return "".join(tokens).encode()


def _brackets(random: Random, tokens: Sequence[str]) -> tuple[int, int] | None:
    """Where a balanced part begins and ends."""
    opening = [i for i, token in enumerate(tokens) if token == "("]
    if not opening:
        return None
    first, depth = random.choice(opening), 0
    for i in range(first, len(tokens)):
        depth += (tokens[i] == "(") - (tokens[i] == ")")
        if not depth:
            return first, i + 1
    return None


def plan(data: bytes) -> Plan:
    """What every node makes of a text; all that is read is stated."""
    text = data.decode("utf-8", "surrogatepass") if b"\xed" in data else data.decode("utf-8", "replace")
    named = {(one.member, one.facts.name): one for one in _CATALOGUE}
    asked: dict[str, object] = {"sql": text, "epsilon": 1.0, "minimum": 2}
    if re.search(r"\bjoin\b", text, re.IGNORECASE):
        asked["show_matches"] = True
    found = QUERY.check(asked, [named[pair] for pair in tables_of(text, _CATALOGUE)], _CHARTER)
    assert explain(found) and found.digest and found.epsilon > 0
    for ask in found.asks:
        if ask.query is not None:
            _check_stated(found, ask.member, ask.table, ask.query)
    return found


def _check_stated(found: Plan, member: str, table: str, query: RowQuery) -> None:
    uses = next(ask.uses for ask in found.asks if (ask.member, ask.table) == (member, table))
    assert set(query.columns) <= set(uses), (table, query.columns, uses)
    for one in query.among:
        _check_stated(found, member, one.table, one.query)


def _run(data: bytes) -> None:
    try:
        plan(data)
    except UnicodeDecodeError:  # no JSON has such a text
        return


def sql_targets() -> list[Target]:
    """One."""
    seeds = tuple(text.encode() for text in HAND)
    return [Target("sql", seeds, mutate_sql, _run, (AccordError,), 60, (64 << 20, 4000))]
