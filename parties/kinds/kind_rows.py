"""A table on its way in: an owner's rows as words, filled up to their capacity; then shares, whoever brought them.

The first column of every such table is 1 where there is a row and 0 where one is filled up, so how many rows an owner
has is not told. A program does not see whether a table came from a member that computes, or was dealt.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray
from mpc.encoding import FRAC, encode
from mpc.errors import AccordError
from mpc.exchange import deal
from mpc.party import Party
from mpc.shapes import concatenate
from parties.errors import RowsUnfit
from parties.kinds.dealing import load_dealt
from parties.kinds.kind import PRESENT, Owned, Plan, Rows, TableInput, TableShape, Work
from parties.kinds.parameters import bounds

__all__ = ["Encode", "bring_in", "encode_columns", "enter", "frac_of", "own_column", "own_words", "shape_of", "union"]

Words = npt.NDArray[np.uint64]
Encode = Callable[[Plan, int, Rows], Words]


def frac_of(kind: str) -> int:
    """Fractional bits of a column of this kind."""
    return FRAC if kind == "real" else 0


def shape_of(table: Owned, columns: Sequence[str]) -> TableShape:
    """Of these columns of a table, and the one that says which rows there are."""
    named = tuple((name, frac_of(table.facts.columns[name].kind)) for name in columns)
    return TableShape(table.facts.capacity, ((PRESENT, 0), *named))


def own_column(table: Owned, name: str, rows: Rows) -> npt.NDArray[Any]:
    """A column of numbers an owner read, or RowsUnfit if it is not what was published."""
    what = f"{table.name}, column {name}"
    if name not in rows:
        raise RowsUnfit(f"{what}: not among the columns that were read")
    column, values = table.facts.columns[name], np.asarray(rows[name])
    if values.ndim != 1 or values.dtype.kind not in ("iuf" if column.kind == "real" else "iu"):
        raise RowsUnfit(f"{what}: of dtype {values.dtype}, not what a column of kind {column.kind} is read as")
    low, high = bounds(column)
    if values.size and not (low <= values.min() and values.max() <= high):  # NaN too
        raise RowsUnfit(f"{what}: a value outside of the bounds published; a table is read with its values cut to them")
    return values


def encode_columns(table: Owned, shape: TableShape, rows: Rows) -> Words:
    """An owner's rows, or some of them, as words (columns, rows): a kind's ``encode``. Plaintext. Raises RowsUnfit."""
    columns = {name: own_column(table, name, rows) for name, _ in shape.columns if name != PRESENT}
    return encoded(shape, columns, rows, table.name)


def encoded(shape: TableShape, columns: Mapping[str, npt.NDArray[Any]], rows: Rows, what: str) -> Words:
    """Words (columns, rows) of a shape: a 1 for each row, then ``columns``, integers or reals.

    Raises RowsUnfit, that tells no value and no number of rows.
    """
    lengths = {len(column) for column in (*columns.values(), *rows.values())}
    if len(lengths) != 1:
        raise RowsUnfit(f"{what}: columns of several lengths, or none; without any, give ones under {PRESENT!r}")
    words = np.ones((len(shape.columns), lengths.pop()), np.uint64)
    for j, (name, frac) in enumerate(shape.columns[1:], 1):
        fits = False
        with contextlib.suppress(AccordError):
            words[j], _ = encode(columns[name], frac, what=f"{what}, column {name}")
            fits = True
        if not fits:  # outside of any except: what encode raises says where
            raise RowsUnfit(f"{what}, column {name}: not numbers within the range of the encoding")
    return words


async def enter(party: Party, work: Work, encode_rows: Encode) -> list[dict[str, SecretArray]]:
    """All tables of a job as secret columns. Every party calls it.

    Args:
        encode_rows: the kind's ``encode``, called at the owners.

    Rounds: 1. Sends: an owner m-t-1 elements a value; of tables that were dealt 32 bytes a component. Leaks nothing.
    Raises at an owner, before it sends anything: RowsUnfit; and of what was dealt: DealtInvalid, DealtDiffer.
    """
    return await bring_in(party, work, own_words(party, work, encode_rows))


def own_words(party: Party, work: Work, encode_rows: Encode) -> list[Words | None]:
    """This party's own tables as words (columns, capacity), None for those of others. Plaintext. RowsUnfit."""
    return [_own(party, work.plan, i, table, encode_rows) for i, table in enumerate(work.tables)]


async def bring_in(party: Party, work: Work, mine: Sequence[Words | None]) -> list[dict[str, SecretArray]]:
    """See enter; ``mine``: what own_words gave."""
    running = []
    come = [one for one in zip(work.plan.shapes, work.tables, mine, strict=True) if one[0].columns]
    for shape, table, words in come:
        make = functools.partial(_shared, party, shape, table, words)
        running.append(party.launch("table", make))
    found = []
    for (shape, *_), share in zip(come, running, strict=True):
        words = await share.result()
        columns = {name: SecretArray(party, words[:, j], frac) for j, (name, frac) in enumerate(shape.columns)}
        found.append(columns)
    return found


def _own(party: Party, plan: Plan, place: int, table: TableInput, encode_rows: Encode) -> Words | None:
    """This party's rows of one table as words; all of them before any is sent."""
    if table.owner != party.index or plan.asks[place].beside:
        return None
    if table.rows is None:
        ask = plan.asks[place]
        raise RowsUnfit(f"table {ask.table} of {ask.member}: its owner computes, but gave no rows")
    words = encode_rows(plan, place, table.rows)
    filled = np.zeros((len(words), plan.shapes[place].rows), np.uint64)
    if words.shape[1] > filled.shape[1]:
        ask = plan.asks[place]
        raise RowsUnfit(f"table {ask.table} of {ask.member}: more rows than its public capacity; publish a larger one")
    filled[:, : words.shape[1]] = words
    return filled


async def _shared(party: Party, shape: TableShape, table: TableInput, words: Words | None) -> Words:
    """Components (k, columns, rows)."""
    size = (len(shape.columns), shape.rows)
    if table.owner is None:
        return await load_dealt(party, table.dealt, table.context, size)
    return await deal(party, words, table.owner, size)


def union(tables: Sequence[Mapping[str, SecretArray]]) -> dict[str, SecretArray]:
    """Tables of the same columns under one another. Local."""
    first = tables[0]
    if len(tables) == 1:
        return dict(first)
    return {name: concatenate([table[name] for table in tables]) for name in first}
