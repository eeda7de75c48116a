"""An owner's rows in a join: read, checked, encoded, fillers among them. Plaintext; nothing is sent here.

An error here ends the computation for everybody and may be shown to others, so none carries a value, a number of rows
or a place: it names the party, the column and the way out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import permutation
from mpc.encoding import as_array, encode
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.party import Party
from mpc.permutation import Index
from protocols.errors import CapacityExceeded, ColumnUnfit, TableChanged
from protocols.keys import aggregate_rows, check_unique, digests
from protocols.own_rows import check_bounds
from protocols.sources import Column, Source

__all__ = ["OwnRows", "read", "rows_in"]

Words = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, repr=False)
class OwnRows:
    """A party's own rows as the protocols take them, fillers among them. Plaintext.

    Attributes:
        tags: (n, 2) digests of keys that are distinct; a missing key, a filler, or (with ``many``) a repeat has a
            random one, equal to no other.
        words: (n, columns) the values, in the order of ``source``.
        real: (n,) whether it is a row and no filler.
        source: with ``many``: (n,) which of ``tags`` each row has, equal ones neighbours. Else None: row i has tag i.
        spare: the tags of the fillers that were asked for beyond the rows.
    """

    tags: Words
    words: Words
    real: Bools
    source: Index | None
    spare: Index

    def shuffled(self, party: Party, label: bytes) -> OwnRows:
        """The same with tags and rows in a random order that only this party knows; ``spare`` keeps the old places."""
        n = len(self.tags)
        p = permutation.draw(party.prss.private, label, n)
        if self.source is None:
            return replace(self, tags=rows_in(self.tags, p), words=rows_in(self.words, p), real=self.real[p])
        source = permutation.inverse(p)[self.source]
        order = np.argsort(source, kind="stable").astype(np.int32)
        return OwnRows(rows_in(self.tags, p), rows_in(self.words, order), self.real[order], source[order], self.spare)


def rows_in(x: Words, p: Index) -> Words:
    """x[p]."""
    out = np.empty((p.size, x.shape[1]), x.dtype)
    if x.shape[1]:
        permutation.gather(x, p, out)
    return out


def read(source: Source, mine: Any, salt: bytes, extra: int, uniform: Callable[[int], Words]) -> OwnRows:
    """The owner's rows, checked and encoded, with ``extra`` fillers.

    Args:
        mine: a DataFrame, or a mapping from column names to arrays.
        salt: of the digests, the same at all owners.
        uniform: so many words that nobody else knows, for the tags that shall match nothing.

    Raises: ColumnUnfit (no such column, a length of its own), KeyInvalid, DuplicateKeys, OutOfRange (missing, infinite,
    outside the bounds), WrongType, CapacityExceeded, TableChanged.
    """
    what = f"the table of party {source.owner}"
    columns = {name: _column(mine, name, what) for name in (*source.key, *source.columns)}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise ColumnUnfit(f"{what}: columns {list(columns)} differ in length")
    keys = [columns[name] for name in source.key]
    key = f"key {', '.join(map(repr, source.key))} of party {source.owner}"
    tags, missing = digests(keys, list(source.key.values()), salt, what=key)
    values = {name: columns[name] for name in source.columns}
    if source.distinct:
        (tags, missing), values = _combined(tags, missing, values, source, what)
    elif not source.many:
        check_unique(tags, missing, what=key)
    n = len(tags)
    capacity = n if source.rows is None else source.rows
    if n > capacity:
        raise CapacityExceeded(f"{what}: more rows than the capacity of {capacity}; agree on a larger one")
    words = np.zeros((capacity + extra, len(source.columns)), np.uint64)
    for c, (name, column) in enumerate(source.columns.items()):
        words[:n, c] = _encoded(values[name], column, f"column {name!r} of party {source.owner}")
    for name, before in columns.items():
        if not _same(before, _column(mine, name, what)):
            raise TableChanged(f"{what}: column {name!r} changed while it was read; join a copy that stands still")
    total = capacity + extra
    random = uniform(2 * total).reshape(total, 2)
    real = np.arange(total) < n
    if not source.many:
        np.copyto(random[:n], tags, where=~missing[:, None])
        return OwnRows(random, words, real, None, np.arange(capacity, total, dtype=np.int32))
    return _grouped(random, tags, np.flatnonzero(~missing), words, real, extra)


def _combined(
    tags: Words, missing: Bools, values: dict[str, Any], source: Source, what: str
) -> tuple[tuple[Words, Bools], Any]:
    """One row a key; see keys.aggregate_rows."""
    import pandas

    how = {name: column.combine for name, column in source.columns.items() if column.combine is not None}
    return aggregate_rows((tags, missing), pandas.DataFrame(values, index=range(len(tags))), how, what=what)


def _grouped(random: Words, tags: Words, known: npt.NDArray[np.intp], words: Words, real: Bools, extra: int) -> OwnRows:
    """Rows sorted so that equal keys are neighbours; each key once among the tags."""
    pairs = np.ascontiguousarray(tags[known]).view([("a", np.uint64), ("b", np.uint64)]).reshape(-1)
    distinct, which = np.unique(pairs, return_inverse=True)
    source = np.full(len(real), -1, np.int32)
    source[known] = which
    random[: len(distinct)] = distinct.view(np.uint64).reshape(-1, 2)
    others = np.flatnonzero(source < 0)
    source[others] = len(distinct) + np.arange(others.size)
    order = np.argsort(source, kind="stable").astype(np.int32)
    spare = source[len(real) - extra :].copy()
    return OwnRows(random, rows_in(words, order), real[order], source[order], spare)


def _column(mine: Any, name: str, what: str) -> Any:
    if mine is None:
        raise WrongType(f"{what}: none given by its owner; a table without rows says it has none")
    try:
        column = mine[name]
    except (KeyError, IndexError, TypeError, ValueError):
        raise ColumnUnfit(f"{what}: no column {name!r}; give a DataFrame or a mapping with the names agreed") from None
    copy = getattr(column, "copy", None)
    if not hasattr(column, "__len__") or isinstance(column, (str, bytes)) or getattr(column, "ndim", 1) == 0:
        raise WrongType(f"{what}: column {name!r} is no array or list")
    return copy() if callable(copy) else list(column)


def _whole(reals: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole floats, what pandas makes of integers once one was missing, as integers; those beyond 2^53 stay floats."""
    return reals.astype(np.int64) if np.all(np.abs(reals) <= float(1 << 53)) else reals


def _same(a: Any, b: Any) -> bool:
    """Equal in every row; what is missing in both is equal."""
    import pandas

    return len(a) == len(b) and pandas.Series(a).equals(pandas.Series(b))


def _encoded(values: Any, column: Column, what: str) -> Words:
    """OutOfRange or WrongType, that carry no value and no place."""
    if not len(values):
        return np.zeros(0, np.uint64)  # an empty list or column of pandas has any type
    try:
        array = as_array(values, what)
        if not column.frac and array.dtype.kind == "f" and np.all(np.rint(array) == array):
            array = _whole(array)
        words, _ = encode(array, column.frac, what=what)
    except OutOfRange:
        raise OutOfRange(
            f"{what}: a value is missing, infinite or too large; clip_rows with bounds and missing= makes them fit"
        ) from None
    except WrongType:
        raise WrongType(
            f"{what}: not numbers, or some are missing, or reals where the column has no fractional bits (frac=16); "
            "clip_rows and encode_codes make numbers"
        ) from None
    if words.ndim != 1:
        raise ShapeMismatch(f"{what}: {words.ndim} dimensions, one is needed")
    if column.low is not None:
        signed, (least, most) = words.view(np.int64), _on_grid(column)
        if signed.size and not least <= int(signed.min()) <= int(signed.max()) <= most:
            raise OutOfRange(
                f"{what}: a value outside {column.low!r} to {column.high!r}; clip_rows with these bounds makes them fit"
            )
    return words


def _on_grid(column: Column) -> tuple[int, int]:
    """The bounds as words: of integers those within, of reals rounded as values are."""
    low, high = check_bounds(column.low, column.high)
    if not column.frac:
        return math.ceil(low), math.floor(high)
    return round(low * (1 << column.frac)), round(high * (1 << column.frac))
