"""A fit that may stop and go on: its state after a public step, and who keeps it.

A fit that takes a ``keeper`` asks it where to begin, and tells it of its state after each epoch. The state is shares;
where they are kept, and under which key, is not known here.

Goes on to the *same* result: a fit that goes on has the state, the noise of all steps to come and the public order of
rows of the one that stopped, so in exact arithmetic, on the same rows, it ends with the same numbers. Products are
rounded at random by their shares, though, which are drawn anew; so each rounding may come out one step of its grid
higher or lower, as it may between any two runs of one fit.

A fit that goes on is a new run, with streams and labels of its own: nothing that masked something is used twice. What
it is charged is what the fit is charged, once, as long as one of the runs only is let out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mpc.arrays import SecretArray

__all__ = ["Keeper", "State"]


@dataclass(frozen=True)
class State:
    """What a fit has after some steps.

    Attributes:
        step: how many are done.
        arrays: what it goes on with, by name.
    """

    step: int
    arrays: Mapping[str, SecretArray]


class Keeper(Protocol):
    """Where states are kept. All parties of a run begin at one and the same step, of one and the same earlier run."""

    def begin(self) -> State | None:
        """Where to go on from; None: at the beginning. The arrays are of this run's party."""
        ...

    def due(self, epoch: int) -> bool:
        """Whether the state after this epoch, 1, 2, ..., is to be kept. Public, equal at all parties."""
        ...

    def keep(self, state: State) -> None:
        """Keep a state, whose arrays are settled."""
        ...
