"""The minimum group size: whether a group is shown is decided by a noisy count, inside the computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import LIMIT
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.shapes import broadcast_to
from protocols.accounting import Event, check_event
from protocols.errors import EpsilonInvalid
from protocols.exact import is_whole
from protocols.mechanisms import DiscreteLaplace
from protocols.sensitivity import grid_change

__all__ = ["Gate", "MinimumGroup", "check_minimum"]


@dataclass(frozen=True)
class MinimumGroup:
    """Groups whose *noisy* number of rows is below ``size`` are not released.

    Attributes:
        size: the smallest noisy count that is shown.
        counts: secret number of rows of each group, of the figures' last axis. None: the figures themselves
            are counts, or, with two axes, their first row is; then the threshold looks at the noised figure that is
            released anyway and costs nothing.
        epsilon: for the noise on ``counts``; unused without.
        sensitivity: the most by which one person changes all ``counts`` together; unused without. 1 for a person with
            one row, more for one with several; 2 for one who may change groups.
    """

    size: int
    counts: SecretArray | None = None
    epsilon: float | None = None
    sensitivity: int = 1


def check_minimum(minimum: Any) -> None:
    """WrongType unless it is None or a MinimumGroup."""
    if minimum is None:
        return
    if not isinstance(minimum, MinimumGroup):
        raise WrongType(f"minimum {minimum!r}: must be a MinimumGroup(size), such as MinimumGroup(20)")
    if minimum.counts is not None and not isinstance(minimum.counts, SecretArray):
        raise WrongType(f"counts of a minimum group size: a SecretArray, not {type(minimum.counts).__name__}")


@dataclass(frozen=True)
class Gate:
    """A MinimumGroup that fits its figures, and the event of the noise on its own counts, if it has any."""

    size: int
    shape: tuple[int, ...]
    counts: SecretArray | None
    event: Event | None

    @classmethod
    def of(cls, minimum: MinimumGroup, figures: SecretArray) -> Gate:
        """Checks sizes, shapes and epsilon."""
        if not is_whole(minimum.size) or not 1 <= minimum.size < LIMIT:
            raise OutOfRange(f"minimum group size {minimum.size!r}: a positive whole number, below 2^62")
        if minimum.counts is None:
            if figures.ndim not in (1, 2) or figures.frac:
                raise ShapeMismatch(
                    "a minimum group size without counts needs figures that are integer counts, (groups,), or have "
                    f"them as first row, (rows, groups); these have shape {figures.shape}: give counts="
                )
            return cls(minimum.size, figures.shape, None, None)
        if minimum.counts.frac or minimum.counts.shape != figures.shape[-1:]:
            raise ShapeMismatch(
                f"counts of shape {minimum.counts.shape}, figures of shape {figures.shape}: one integer count for "
                "each group, on the figures' last axis"
            )
        if minimum.epsilon is None:
            raise EpsilonInvalid("a minimum group size with counts of its own: give epsilon, for the noise on them")
        mechanism = DiscreteLaplace(minimum.epsilon)
        size = max(1, minimum.counts.size)
        event = check_event(Event(mechanism, grid_change(minimum.sensitivity, 0, size), size))
        return cls(minimum.size, figures.shape, minimum.counts, event)

    def flags(self, noised: SecretArray) -> SecretBits:
        """[the noisy count is at least the size], for each figure; ``noised`` are the noised counts, or figures."""
        counts = noised if noised.ndim == 1 or self.counts is not None else noised[0]
        return broadcast_to(counts, self.shape) >= self.size
