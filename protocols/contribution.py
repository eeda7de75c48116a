"""How many rows one person may have in a total: cut at the owner, or inside the computation.

Together with bounds on values (own_rows.clip_rows, SecretArray.clip) this is what sensitivity_of(low, high, rows=...)
promises. Who has too many rows loses some of them; that they were cut is nobody's knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.shapes import concatenate
from mpc.sorting import sort_by
from protocols.exact import check_rows

__all__ = ["limit_rows", "own_first_rows"]


def own_first_rows(people: Any, rows: int, *, what: str = "people") -> npt.NDArray[np.bool_]:
    """Which own rows are among the first ``rows`` of their person. Plaintext, at the owner, before sharing.

    Args:
        people: an identifier for each row, (n,), none missing.
        rows: the most rows a person may have.
        what: name of the column, for errors.

    Gives a mask (n,): share ``values[mask]``. It bounds what a person has *at this owner*; one who is known to several
    owners has up to so many rows at each: use limit_rows, or count the owners in the sensitivity.
    """
    import pandas

    check_rows(rows)
    column = pandas.Series(people)
    if column.isna().any():
        raise WrongType(f"{what}: some are missing; drop those rows, or give each a number of its own")
    return np.asarray(column.groupby(column, sort=False).cumcount() < rows, dtype=np.bool_)


async def limit_rows(
    people: SecretArray, present: SecretArray | SecretBits, rows: int, columns: Sequence[SecretArray] = ()
) -> tuple[SecretArray, SecretArray, tuple[SecretArray, ...]]:
    """(people, present, columns), sorted by person, with ``present`` 0 from a person's ``rows``-th real row on.

    Args:
        people: secret integers (n,) that are equal just for equal people, |.| < 2^62.
        present: 1 for a real row, 0 for a filler, (n,).
        rows: the most rows of a person that count.
        columns: arrays whose first axis has n rows; they are carried along.

    1. Sort by person, real rows first; rows that are equal in both keep their order.       (sort_by)
    2. Now a row has ``rows`` real ones of its person before it just where the row that many places above is of the same
       person: then it no longer counts. Fillers do not count anyway.                       (one equality a row)

    Rounds: sort_by and 9. Leaks nothing.
    """
    check_rows(rows)
    await people
    await present
    if people.ndim != 1 or people.frac:
        raise ShapeMismatch(f"people of shape {people.shape}: one integer for each row")
    if present.shape != people.shape:
        raise ShapeMismatch(f"present of shape {present.shape}, people of shape {people.shape}: one for each row")
    real = present if isinstance(present, SecretBits) else present > 0
    (ordered, _), (counted, *carried) = sort_by([people, ~real], [real, *columns])
    if len(people) <= rows:
        return ordered, counted.to_array(), tuple(carried)
    over = ordered[rows:] == ordered[:-rows]
    kept = concatenate([counted[:rows], counted[rows:] & ~over])
    return ordered, kept.to_array(), tuple(carried)
