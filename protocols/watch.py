"""The loss during a fit, by the door only: with noise, charged each time, to the result parties named.

    watch = LossWatch(DiscreteLaplace(0.1), to=0, every=5)
    model = await LogisticRegression(solver="sgd", max_iter=20, early_stopping=True).fit(X, y, watch=watch)
    [released.values for released in model.watched_]            # at party 0: after epochs 5, 10, 15, 20

Without a watch nothing of the loss is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from protocols.accounting import Event
from protocols.columns import constant
from protocols.exact import is_whole
from protocols.losses import most_log_loss
from protocols.means import mean_events, release_mean
from protocols.mechanisms import Mechanism
from protocols.minimum import MinimumGroup
from protocols.release import Released
from protocols.release_metrics import check_request
from protocols.stock import NoiseStock

__all__ = ["LossWatch"]


@dataclass(frozen=True)
class LossWatch:
    """Release the mean log loss of the rows held out after some of the steps of a fit (of release_log_loss).

    Weights do not count in it. What the noise hides is the rows *held out*: one row, whatever it holds, changes the
    total by -log(clip) at most. Rows fitted to act on the loss through the coefficients, for which no useful bound is
    known; as with every figure of a model that was fitted without noise, epsilon does not speak of them. So a policy
    that promises it to everybody in the table must not allow a watch.

    Attributes:
        mechanism: kind of noise, and what *each* release costs.
        to: the result parties.
        rows: most rows a person has.
        clip: the least probability counted, from 2^-16 to below 1/2; larger means less noise.
        every: after every so many steps, and after the last.
        minimum, stock: as for release_log_loss.
    """

    mechanism: Mechanism
    to: Sequence[int] | int
    rows: int = 1
    clip: float = 0.01
    every: int = 1
    minimum: MinimumGroup | None = None
    stock: NoiseStock | None = None

    def check(self, party: Party) -> None:
        """Refuse what would be refused later: what release_log_loss raises, and OutOfRange. Nothing is sent."""
        check_request(party, self.mechanism, self.to, self.rows, self.minimum)
        if self.minimum is not None and (self.minimum.counts is not None or self.minimum.epsilon is not None):
            raise OutOfRange("the minimum of a mean looks at the noised count it releases: MinimumGroup(size), no more")
        if self.stock is not None and not isinstance(self.stock, NoiseStock):
            raise WrongType(f"stock {self.stock!r}: what NoiseStock.open gives, not the store")
        if not is_whole(self.every) or self.every < 1:
            raise OutOfRange(f"every={self.every!r}: a positive integer, steps from one release to the next")
        self.events(1)

    def due(self, step: int, steps: int) -> bool:
        """Whether there is a release after this step, 1, 2, ..., of so many."""
        return step % self.every == 0 or step == steps

    def events(self, steps: int) -> tuple[Event, ...]:
        """What a fit of so many steps will be charged as: to reserve before it starts."""
        each = mean_events(self.mechanism, 0.0, most_log_loss(self.clip), frac=FRAC, rows=self.rows)
        return each * sum(self.due(step, steps) for step in range(1, steps + 1))

    async def release(self, party: Party, losses: SecretArray, here: SecretArray | None) -> Released:
        """Of rows' losses, (n,); ``here``: 0 or 1, those that count. Rounds: 12 and release_mean (m = 3). Sends: 62
        bytes a row and party. Leaks: the noised total and count, to the receivers."""
        most = most_log_loss(self.clip)
        cut = losses.clip(0, most)
        total = cut.sum() if here is None else here @ cut
        count = constant(losses, losses.shape[0], 0) if here is None else here.sum()
        return await release_mean(
            party, total, count, self.mechanism,
            low=0.0, high=most, to=self.to, rows=self.rows, minimum=self.minimum, stock=self.stock,
        )  # fmt: skip
