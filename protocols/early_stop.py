"""Early stopping on a loss that nobody sees: when it would have stopped is secret, and all steps are taken.

A public random share of the rows is held out. After each step their log loss is worked out; the coefficients with the
least are kept by a secret choice, and once the loss has not improved for a number of steps nothing is chosen any more.
So the same is sent whatever the rows. What is kept is what scikit-learn's MLPClassifier keeps, on the loss:
``early_stopping``, ``validation_fraction``, ``n_iter_no_change``, ``tol``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.party import Operation
from mpc.quotients import rescale
from mpc.shapes import concatenate, stack
from protocols.columns import all_set, as_numbers, constant, read_on_grid
from protocols.errors import TooFewRows
from protocols.exact import as_exact, is_whole
from protocols.public_order import Order, public_order
from protocols.score_losses import row_losses

__all__ = ["EarlyStop", "HeldOut", "Patience", "Sample", "how_many", "split"]

_LONGEST = 1024


@dataclass(frozen=True)
class Patience:
    """When to stop: public.

    Attributes:
        share: of the rows that is held out, rounded up to a row.
        steps: so many in a row without an improvement are the last.
        tol: the least fall of the mean loss, below that of the best step before, that is one.
    """

    share: float
    steps: int
    tol: float

    def check(self) -> None:
        """OutOfRange for what makes no sense."""
        if as_exact(self.share) is None or not 0 < self.share < 1:
            raise OutOfRange(f"validation_fraction={self.share!r}: between 0 and 1")
        if not is_whole(self.steps) or not 1 <= self.steps <= _LONGEST:
            raise OutOfRange(f"n_iter_no_change={self.steps!r}: an integer from 1 to {_LONGEST}")
        if as_exact(self.tol) is None or not 0 <= self.tol <= 1024:
            raise OutOfRange(f"tol={self.tol!r}: from 0 to 1024 with early_stopping, in units of the log loss")


def how_many(n: int, share: float) -> int:
    """How many of n rows are held out; TooFewRows unless 2 are left to fit to."""
    held = math.ceil(share * n)
    if n - held < 2:
        raise TooFewRows(f"{n} rows, {held} of them held out: at least 2 must be left to fit to")
    return held


def split(n: int, share: float, seed: int) -> tuple[Order, Order]:
    """(rows to fit to, rows held out), each rising: drawn from the public seed alone, so they tell nothing of the rows.

    Not stratified, as scikit-learn's is: labels are secret. Raises as how_many.
    """
    held = how_many(n, share)
    order = public_order(seed, 0, n, "rows held out")
    return np.sort(order[held:]), np.sort(order[:held])


@dataclass(frozen=True)
class Sample:
    """Rows as they come: X (n, d), y (n,) or (n, K), and what estimator.row_weights gives."""

    X: SecretArray
    y: SecretArray
    here: SecretArray | None
    weights: SecretArray | None

    @property
    def counts(self) -> SecretArray | None:
        """What each row counts; None: alike."""
        return self.here if self.weights is None else self.weights

    async def split(self, share: float, seed: int) -> tuple[Sample, Sample]:
        """(rows to fit to, rows held out). Local."""
        fitted, held = split(self.X.shape[0], share, seed)
        return await self._taken(fitted), await self._taken(held)

    async def _taken(self, order: Order) -> Sample:
        here, weights = [None if x is None else await x[order] for x in (self.here, self.weights)]
        return Sample(await self.X[order], await self.y[order], here, weights)


@dataclass(frozen=True)
class HeldOut:
    """Rows that are not fitted to, scaled as those that are.

    Attributes:
        z: (n, d), 16 bits. y: (n,), integers 0 or 1, or (n, K).
        counts: what each row counts, (n,), or None for ones.
        here: (n,), 0 or 1, which rows there are; None: all.
    """

    z: SecretArray
    y: SecretArray
    counts: SecretArray | None
    here: SecretArray | None

    def losses(self, beta: SecretArray) -> SecretArray:
        """Of each row, (n,); see row_losses."""
        return row_losses(self.z, self.y, beta)


@dataclass(frozen=True)
class _State:
    """Everything secret.

    Attributes:
        best: words: the least total so far, the step it is of, and its coefficients.
        least: by how much a total must fall, ().
        idle: whether the last step, the last 2, ... brought nothing, (steps,). stopped: (1,).
    """

    best: SecretArray
    least: SecretArray
    idle: SecretBits
    stopped: SecretBits


class EarlyStop:
    """The coefficients to keep of a descent's steps. The start is step 0, so a warm start can only gain.

    It works beside the next steps, whose rounds it shares: only after the last one it adds 10 to 30 (m = 3).

    Args:
        rows: whose loss decides. Range: their mean loss, by ``counts``, below 2^16.
        beta: the start, (d,) or (d, K), settled.
        patience: when to stop.
    """

    def __init__(self, rows: HeldOut, beta: SecretArray, patience: Patience) -> None:
        self.rows, self.patience, self.party = rows, patience, beta.party
        self._shape, self._frac = beta.shape, beta.frac
        losses = rows.losses(beta)
        self._last: Operation[_State] = self.party.launch("held out", lambda: self._start(losses, beta))

    def look(self, step: int, beta: SecretArray, losses: SecretArray) -> None:
        """Take in the coefficients after a step, 1, 2, ..., and what each row held out loses by them.

        Returns at once. Rounds, after row_losses: 8, with ``counts`` 10 (m = 3). Sends: 8 bytes a coefficient and
        party, and 0.6 KB, with ``counts`` 2.3. Leaks nothing.

        1. The total loss; is it less than the best, and is it so by tol?           (0, with counts 2 rounds; 6)
        2. Were there too many steps in a row that brought nothing?                 (1 round)
        3. If it is the least and there were not before: keep it.                   (1 + 2 + 1 rounds)
        """
        before = self._last
        self._last = self.party.launch("held out", lambda: self._step(before, step, beta, losses))

    async def kept(self) -> tuple[SecretArray, SecretArray]:
        """(coefficients of the least loss before it stopped, the step they are of: an integer, ())."""
        best = (await self._last.result()).best
        return await read_on_grid(best[2:], self._frac).reshape(self._shape), await best[1]

    async def _start(self, losses: SecretArray, beta: SecretArray) -> _State:
        rows = constant(losses, losses.shape[0], 0) if self.rows.counts is None else self.rows.counts.sum()
        none = ~all_set(constant(beta, np.zeros(self.patience.steps), 0))
        least = rescale(rows * self.patience.tol, FRAC)
        return _State(await self._words(await self._total(losses), 0, beta), await least, await none, await none[:1])

    async def _total(self, losses: SecretArray) -> SecretArray:
        return await rescale(losses.sum() if self.rows.counts is None else self.rows.counts @ losses, FRAC)

    async def _words(self, total: SecretArray, step: int, beta: SecretArray) -> SecretArray:
        parts = [read_on_grid(total, 0).reshape(1), constant(beta, [step], 0), read_on_grid(beta, 0).reshape(-1)]
        return await concatenate(parts)  # type: ignore[no-any-return]

    async def _step(self, before: Operation[_State], step: int, beta: SecretArray, losses: SecretArray) -> _State:
        total = await self._total(losses)
        words = await self._words(total, step, beta)
        last = await before.result()
        change = total - read_on_grid(last.best[0], FRAC)
        below = await (stack([change, -change - last.least]) < 0)
        keep, nothing = below[:1] & ~last.stopped, below[1:]
        idle = await concatenate([nothing, last.idle[:-1] & nothing])
        stopped = last.stopped | idle[-1:]
        best = await (last.best + as_numbers(keep) * (words - last.best))
        return _State(best, last.least, idle, await stopped)
