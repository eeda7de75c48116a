"""What many releases cost together: privacy loss distributions of the noise as sampled, composed. Pure.

By Google's dp-accounting (Koskela and Honkela 2020; Gopi, Lee, Wutschitz 2021; Doroshenko et al. 2022), fed with the
probabilities of the samplers. Its estimate is pessimistic: not below the truth but for rounding in floats, about 1e-12.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from dp_accounting.pld import privacy_loss_distribution as pld

from protocols.accounting import Event
from protocols.calibration import Family
from protocols.exact import check_delta, check_epsilon
from protocols.laplace import LaplaceLaw
from protocols.law import Law, Pmf

__all__ = ["composed_delta", "composed_epsilon"]

_LISTED = 1 << 12
_LUMPS = 1 << 11
_POINTS = 1 << 20
_LAMBDA = 60  # of the smoothing (calibration.py)


def composed_epsilon(events: Iterable[Event], delta: float) -> float:
    """The least epsilon (to about one part in 1,000, from above) at which all the releases together keep this delta.

    Infinite if there is none: where finite precision alone costs more. 0 for no events. Raises DeltaInvalid.
    """
    check_delta(delta)
    counted = Counter(events)
    if not counted:
        return 0.0
    whole, off = _composed(counted)
    epsilon = float(whole.get_epsilon_for_delta(delta))
    for _ in range(8):  # what finite precision adds depends on epsilon, so a few steps to the fixed point
        left = delta - (1 + math.exp(min(epsilon, 700.0))) * off
        if left <= 0:
            return math.inf
        larger = float(whole.get_epsilon_for_delta(left))
        if larger <= epsilon * (1 + 1e-12):
            return epsilon
        epsilon = larger * (1 + 1e-9)
    return math.inf


def composed_delta(events: Iterable[Event], epsilon: float) -> float:
    """The least delta (from above) that all the releases together keep at this epsilon. Raises EpsilonInvalid."""
    check_epsilon(epsilon)
    counted = Counter(events)
    if not counted:
        return 0.0
    whole, off = _composed(counted)
    return min(1.0, float(whole.get_delta_for_epsilon(epsilon)) + (1 + math.exp(epsilon)) * off)


def _composed(counted: Counter[Event]) -> tuple[Any, float]:
    """(loss distribution of all together, distance of all the noise from what that is of)."""
    interval = _interval(counted)
    whole: Any = None
    off = 0.0
    for event, times in counted.items():
        for one, columns in _parts(event, interval):
            many = one.self_compose(times * columns)
            whole = many if whole is None else whole.compose(many)
        off += times * _unlisted(event)
    return whole, off


def _interval(counted: Counter[Event]) -> float:
    """Steps of the loss: the smallest epsilon over 2,000, but not more than about a million steps in all.

    A hair above it: so the loss of a pure mechanism is a whole number of steps, and finite precision does not push it
    to the next one.
    """
    epsilons = [(float(e.promise[0]), n) for e, n in counted.items()]
    total = sum(epsilon * n for epsilon, n in epsilons)
    return min(1e-2, max(min(epsilon for epsilon, _ in epsilons) / 2000 * (1 + 1e-9), total / _POINTS))


# -- one release -------------------------------------------------------------------------------


def _parts(event: Event, interval: float) -> list[tuple[Any, int]]:
    """(loss distribution, how often) whose composition is that of the release, or dominates it."""
    law, change = event.law, event.change
    if not change.spread and _is_listed(law):
        pmf = law.pmf()
        assert pmf is not None
        return [(_of_pmf(pmf, shift, interval), n) for shift, n in Counter(change.columns).items()]
    if isinstance(law, LaplaceLaw):
        scale = law.sensitivity / law.epsilon
        if change.spread:  # any pure mechanism is dominated by randomised response (Kairouz, Oh, Viswanath 2015)
            return [(_of_lumps(scale, change.l1, 1, interval), 1)]
        return [(_of_lumps(scale, shift, _LUMPS, interval), n) for shift, n in Counter(change.columns).items()]
    family: Family = event.mechanism.family  # type: ignore[attr-defined]
    sigma = event.mechanism.sigma_steps(change, event.coordinates, event.frac)  # type: ignore[attr-defined]
    variance = family.variance(sigma, _LAMBDA)
    ratio = math.sqrt(change.l2_squared / variance) * (1 + 1e-12)
    return [(pld.from_gaussian_mechanism(1.0, sensitivity=ratio, value_discretization_interval=interval), 1)]


def _is_listed(law: Law) -> bool:
    pmf = law.pmf()
    return pmf is not None and len(pmf.numerators) <= _LISTED


def _unlisted(event: Event) -> float:
    """Distance of the release's noise from the law its loss distribution is of; 0 where that is the law itself."""
    if not event.change.spread and _is_listed(event.law):
        return 0.0
    off = event.distance
    if not isinstance(event.law, LaplaceLaw):
        off += event.mechanism.family.smoothing(event.coordinates, _LAMBDA)  # type: ignore[attr-defined]
    return float(off)


def _of_pmf(pmf: Pmf, shift: int, interval: float) -> Any:
    """Of X against X + shift, every value listed."""
    unit = pmf.bits * math.log(2)
    logs = {pmf.low + i: math.log(n) - unit for i, n in enumerate(pmf.numerators) if n}
    shifted = {x + shift: p for x, p in logs.items()}
    return pld.from_two_probability_mass_functions(
        logs, shifted, value_discretization_interval=interval, symmetric=pmf.numerators == pmf.numerators[::-1]
    )


def _of_lumps(scale: Fraction, shift: int, lumps: int, interval: float) -> Any:
    """Of ideal discrete Laplace noise against itself shifted, values joined.

    The likelihood ratio is the same for all x <= 0, and for all x >= shift, so these are two outcomes and the values
    between one each. Where these are too many, the grid is made coarser by a factor g, and the shift rounded up to it:
    noise on the fine grid is noise on the coarse one and an independent remainder (memorylessness), so the coarse one
    tells at least as much.
    """
    coarse = -(-shift // lumps)
    steps = -(-shift // coarse)
    rate = float(coarse / scale)
    if lumps == 1:
        rate, steps = float(shift / scale), 1
    below = -math.log1p(math.exp(-rate))  # log P(X <= 0)
    point = math.log(math.tanh(rate / 2))  # log P(X = 0) = log (1 - alpha) / (1 + alpha)
    here = {0: below, steps: below - rate * steps}
    there = {0: below - rate * steps, steps: below}
    for x in range(1, steps):
        here[x] = point - rate * x
        there[x] = point - rate * (steps - x)
    return pld.from_two_probability_mass_functions(here, there, value_discretization_interval=interval)
