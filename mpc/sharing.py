"""Which party holds which component, and who does what with it. Pure combinatorics and plain arrays.

Replicated secret sharing for m parties, t of which may collude (t < m/2): a secret is the sum (or XOR) of
C(m, t) *components*, one for each set A of m - t *holders*. Any t parties miss exactly the component of
the set of all others, so they know nothing; any t + 1 parties hold everything together.

Party i's *target* is the component of the cyclic window {i, i+1, ..., i+m-t-1}: whatever party i has to
share, it masks and puts there. For m = 3 this is the scheme of Araki et al. 2016: party i holds the
components of {i, i+1} and {i-1, i}, and sends to party i + 1.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mpc.errors import ThresholdTooLarge, TooFewParties, TooManyParties, WrongType

__all__ = ["Holders", "Layout", "ResharePlan", "check_components", "default_threshold", "reconstruct", "split"]

Holders = tuple[int, ...]
Words = npt.NDArray[np.uint64]


def default_threshold(m: int) -> int:
    """The largest t with t < m/2."""
    return (m - 1) // 2


_MOST_COMPONENTS = 126  # C(9, 4)


def check_components(m: int, t: int) -> None:
    """TooManyParties if C(m, t) > 126: 9 parties at the largest threshold, for t = 2 up to 16, for t = 1 up to 126."""
    if t > 0 and (m > _MOST_COMPONENTS or math.comb(m, t) > _MOST_COMPONENTS):
        raise TooManyParties(
            f"{m} parties of which {t} may collude: every secret would have C({m}, {t}) components, more than "
            f"{_MOST_COMPONENTS}; let 3 or 5 of them compute and the others give inputs through these"
        )


def _whole(t: object) -> int:
    try:
        if not isinstance(t, bool):
            return operator.index(t)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise WrongType(f"threshold={t!r}: a whole number, or None for the most an honest majority allows")


@dataclass(frozen=True)
class ResharePlan:
    """How ``dealers``, who each know a summand, turn it into a sharing (see exchange.reshare).

    Attributes:
        dealers: the parties with a summand.
        source: for each component, the dealer whose masked summand it becomes, or None.
        random: for each component that no dealer targets but some dealer holds: the dealer that
            subtracts it from its summand.
    """

    dealers: tuple[int, ...]
    source: dict[Holders, int]
    random: dict[Holders, int]


class Layout:
    """The fixed tables for (m, t).

    Raises TooFewParties for m < 3, ThresholdTooLarge unless 1 <= t < m/2, TooManyParties for C(m, t) > 126, WrongType
    for a t that is no whole number.
    """

    def __init__(self, m: int, t: int | None = None) -> None:
        if m < 3:
            raise TooFewParties(f"{m} parties: an honest majority needs 3 or more")
        self.m = m
        self.t = default_threshold(m) if t is None else _whole(t)
        if not self.t >= 1 or not 2 * self.t < m:
            raise ThresholdTooLarge(
                f"threshold {self.t} with {m} parties: 1 <= t < m/2 is needed, at most {default_threshold(m)}"
            )
        check_components(m, self.t)
        size = m - self.t
        self.components: tuple[Holders, ...] = tuple(itertools.combinations(range(m), size))
        self.target: tuple[Holders, ...] = tuple(tuple(sorted((i + j) % m for j in range(size))) for i in range(m))
        self.held: tuple[tuple[Holders, ...], ...] = tuple(self._held(i) for i in range(m))
        self.slot: tuple[dict[Holders, int], ...] = tuple({a: s for s, a in enumerate(held)} for held in self.held)
        self.k = len(self.held[0])
        self.multipliers: tuple[int, ...] = tuple(range(2 * self.t + 1))

    def _held(self, i: int) -> tuple[Holders, ...]:
        """Own target first, then the target of the party before, then the rest."""
        first = [self.target[i], self.target[(i - 1) % self.m]]
        return (*first, *(a for a in self.components if i in a and a not in first))

    @functools.cached_property
    def product_table(self) -> tuple[npt.NDArray[np.bool_], ...]:
        """For each party the k x k table of products x_A * y_B (by slots) that are its to add up.

        Every pair of components is assigned to exactly one multiplier that holds both; loads are balanced.
        """
        tables = [np.zeros((self.k, self.k), np.bool_) for _ in range(self.m)]
        load = [0] * self.m
        pairs = list(itertools.product(self.components, repeat=2))
        # the pairs with least choice first, so that the balance can still be mended by the others
        choices = {(a, b): [i for i in self.multipliers if i in a and i in b] for a, b in pairs}
        for (a, b), able in sorted(choices.items(), key=lambda item: len(item[1])):
            owner = next((i for i in able if a == b == self.target[i]), None) if self.m == 3 else None
            party = owner if owner is not None else min(able, key=lambda i: (load[i], i))
            tables[party][self.slot[party][a], self.slot[party][b]] = True
            load[party] += 1
        return tuple(tables)

    @functools.cached_property
    def reveal_plan(self) -> tuple[dict[int, tuple[Holders, ...]], ...]:
        """For each receiver: which of the t next parties sends the sum of which components it misses."""
        plans = []
        for r in range(self.m):
            senders = [(r + 1 + j) % self.m for j in range(self.t)]
            plan: dict[int, list[Holders]] = {s: [] for s in senders}
            for a in self.components:
                if r not in a:
                    plan[next(s for s in senders if s in a)].append(a)
            plans.append({s: tuple(c) for s, c in plan.items()})
        return tuple(plans)

    @functools.cache  # noqa: B019 - a Layout lives as long as its process, and plans are few
    def reshare_plan(self, dealers: tuple[int, ...]) -> ResharePlan:
        """Plan for these dealers."""
        source = {self.target[d]: d for d in dealers}
        random = {
            a: next(d for d in dealers if d in a)
            for a in self.components
            if a not in source and any(d in a for d in dealers)
        }
        return ResharePlan(dealers, source, random)

    @functools.cached_property
    def summands(self) -> tuple[tuple[int, tuple[Holders, ...]], ...]:
        """Every component assigned to one of parties 0..t that holds it: (party, its components).

        Party 0 knows the sum of all it holds, party 1 the sum of what is left, and so on. The last party's
        summand is a single component, which is therefore known to all its holders.
        """
        left = list(self.components)
        out = []
        for d in range(self.t + 1):
            mine = tuple(a for a in left if d in a)
            left = [a for a in left if d not in a]
            out.append((d, mine))
        return tuple(out)


def split(layout: Layout, secret: Words, randomness: list[Words], *, boolean: bool = False) -> dict[Holders, Words]:
    """Components of ``secret`` from C(m, t) - 1 random arrays of its shape; the last one makes up the rest.

    For tests and for oracles; the protocols share without any party ever holding all components.
    """
    rest = secret.astype(np.uint64, copy=True)
    out: dict[Holders, Words] = {}
    for a, r in zip(layout.components, randomness, strict=False):
        out[a] = r
        rest = rest ^ r if boolean else rest - r
    out[layout.components[-1]] = rest
    return out


def reconstruct(layout: Layout, shares: dict[int, Words], *, boolean: bool = False) -> Words:
    """The secret from the shares (k, *shape) of some parties.

    Raises ValueError when these parties do not hold all components together, or disagree on one.
    """
    seen: dict[Holders, Words] = {}
    for i, share in shares.items():
        for slot, a in enumerate(layout.held[i]):
            if a in seen and not np.array_equal(seen[a], share[slot]):
                raise ValueError(f"parties disagree on component {a}")
            seen[a] = share[slot]
    if len(seen) != len(layout.components):
        raise ValueError(f"these {len(shares)} parties hold {len(seen)} of {len(layout.components)} components")
    total = functools.reduce(np.bitwise_xor if boolean else np.add, seen.values())
    return np.asarray(total, dtype=np.uint64)
