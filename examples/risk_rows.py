"""Rows of the examples of models: in the open at their owner, and three owners' rows as one secret table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from examples.risk import Plan, Rows
from mpc.encoding import FRAC
from mpc.party import Party
from protocols.aggregate import pool
from protocols.columns import constant

__all__ = ["OWNERS", "Plain", "capacity_for", "matrix", "places", "pool_rows", "together"]

OWNERS = (0, 1, 2)


@dataclass(frozen=True, repr=False)
class Plain:
    """Rows in the open, as the model takes them.

    Attributes:
        numbers: (n, d), cut to bounds agreed beforehand; NaN where missing.
        codes: (n, c), the place of each category in the plan's list.
        outcome: (n,), 0 or 1.
    """

    numbers: npt.NDArray[np.float64]
    codes: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.outcome)


def matrix(plan: Plan, numbers: npt.NDArray[np.float64], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The columns of the model in the open, as OneHotEncoder makes them in the computation; (n, columns)."""
    marks = [codes[:, [j]] == np.arange(1, len(names)) for j, (_, names) in enumerate(plan.categories)]
    return np.concatenate([numbers, *marks], axis=1).astype(np.float64)


def capacity_for(rows: int, step: int) -> int:
    """Rows each of three owners fills up to, of so many in all."""
    return -(-rows // (len(OWNERS) * step)) * step


async def pool_rows(party: Party, plan: Plan, mine: Plain) -> Rows:
    """The rows of three owners under each other, filled up to the plan's capacity each; how many each has stays secret.

    What is missing goes as 0, and beside it whether it is missing. Rounds, bytes, leaks: pool.
    """
    d, c = len(plan.numbers), len(plan.categories)
    gone = np.isnan(mine.numbers)
    here = np.ones((len(mine), 1), np.int64)
    flags = np.concatenate([here, mine.outcome[:, None], mine.codes, gone.astype(np.int64)], axis=1)
    whole = await pool(party, flags, OWNERS, capacity=plan.capacity, tail=(2 + c + d,))
    reals = await pool(party, np.nan_to_num(mine.numbers), OWNERS, capacity=plan.capacity, tail=(d,), frac=FRAC)
    return Rows(
        numbers=reals,
        missing=whole[:, 2 + c :] if plan.imputed else None,
        codes=whole[:, 2 : 2 + c] if c else None,
        outcome=whole[:, 1],
        present=whole[:, 0],
        place=constant(reals, np.arange(len(OWNERS) * plan.capacity), 0),
    )


# -- in the demonstration only -----------------------------------------------------------------


def together(parts: Sequence[Plain]) -> Plain:
    """Everybody's rows in one table."""
    return Plain(*(np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])))


def places(parts: Sequence[Plain], capacity: int) -> npt.NDArray[np.int64]:
    """Where pool_rows puts the rows of that table."""
    return np.concatenate([k * capacity + np.arange(len(part)) for k, part in enumerate(parts)])
