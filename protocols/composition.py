"""What many releases cost together: privacy loss distributions of the noise as sampled, composed. Pure.

By Google's dp-accounting (Koskela and Honkela 2020; Gopi, Lee, Wutschitz 2021; Doroshenko et al. 2022), fed with the
probabilities of the samplers. Its estimate is pessimistic: not below the truth but for rounding in floats, about 1e-12.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from dp_accounting.pld import privacy_loss_distribution as pld
from dp_accounting.pld.common import DifferentialPrivacyParameters

from protocols.accounting import Event, Promise
from protocols.calibration import LAMBDAS, Family
from protocols.divergence import gaussian_delta, hockey_stick
from protocols.exact import check_delta, check_epsilon, exp_above, round_up
from protocols.laplace import LaplaceLaw
from protocols.law import Pmf

__all__ = ["composed_delta", "composed_epsilon"]

_LISTED = 1 << 12
_LUMPS = 1 << 11
_POINTS = 1 << 20


def composed_epsilon(events: Iterable[Event | Promise], delta: float) -> float:
    """The least epsilon (to about one part in 1,000, from above) at which all the releases together keep this delta.

    Not above the sum of what they promise, where their deltas sum up to no more than this one. Infinite if there is
    none: where finite precision alone costs more. 0 for no events. Raises DeltaInvalid.
    """
    most = check_delta(delta)
    counted = Counter(events)
    if not counted:
        return 0.0
    epsilon, deltas = _summed(counted)
    simple = round_up(epsilon) if deltas <= most else math.inf
    return min(simple, _least_epsilon(frozenset(counted.items()), delta))


@functools.lru_cache(64)  # one question is put again and again: by each limit, and while a person is waited for
def _least_epsilon(counted: frozenset[tuple[Event | Promise, int]], delta: float) -> float:
    return min(float(whole.get_epsilon_for_delta(delta)) for whole in _composed(Counter(dict(counted))))


def composed_delta(events: Iterable[Event | Promise], epsilon: float) -> float:
    """The least delta (from above) that all the releases together keep at this epsilon. Raises EpsilonInvalid."""
    exact = check_epsilon(epsilon)
    counted = Counter(events)
    if not counted:
        return 0.0
    epsilons, delta = _summed(counted)
    simple = round_up(delta) if epsilons <= exact else 1.0
    return min([simple, *(float(whole.get_delta_for_epsilon(epsilon)) for whole in _composed(counted))])


def _summed(counted: Counter[Event | Promise]) -> tuple[Fraction, Fraction]:
    """(epsilon, delta) by simple composition, exact."""
    epsilon = sum((times * event.promise[0] for event, times in counted.items()), Fraction(0))
    return epsilon, sum((times * max(e.promise[1], e.delta) for e, times in counted.items()), Fraction(0))


def _composed(counted: Counter[Event | Promise]) -> Iterator[Any]:
    """Loss distributions that dominate that of all together.

    Where noise is accounted as a continuous Gaussian's, smoothed, there is one for each lambda of the smoothing
    (calibration.py): the larger, the smaller that one's variance and the distance from it.
    """
    interval = _interval(counted)
    smoothed = {event: times for event, times in counted.items() if _is_smoothed(event)}
    parts = [(_account(event, None, interval), times) for event, times in counted.items() if event not in smoothed]
    for lambda_ in LAMBDAS if smoothed else LAMBDAS[:1]:
        more = [(_account(event, lambda_, interval), times) for event, times in smoothed.items()]
        yield _together([*parts, *more], interval)


def _together(accounts: list[tuple[_Account, int]], interval: float) -> Any:
    told = float(sum(account.told * times for account, times in accounts)) * (1 + 1e-12)
    whole = _disclosure(0.0, min(1.0, told), interval)
    for account, times in accounts:
        for one, columns in account.parts:
            whole = whole.compose(one.self_compose(times * columns))
    return whole


def _interval(counted: Counter[Event | Promise]) -> float:
    """Steps of the loss: the smallest epsilon over 2,000, but not more than about a million steps in all.

    A hair above it: so the loss of a pure mechanism is a whole number of steps, and finite precision does not push it
    to the next one.
    """
    epsilons = [(float(e.promise[0]), n) for e, n in counted.items()]
    total = sum(epsilon * n for epsilon, n in epsilons)
    return min(1e-2, max(min(epsilon for epsilon, _ in epsilons) / 2000 * (1 + 1e-9), total / _POINTS))


# -- one release -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Account:
    """What dominates one release: ``parts`` (loss distribution, how often), and everything told with chance ``told``.

    The parts are those of an ideal mechanism (P, Q); with what is sampled, at a distance D from it, no event at any
    epsilon is worth more than H(P, Q) + (1 + e^epsilon) D. That grows with epsilon; of composed releases it would make
    nonsense. Instead let the mechanism tell everything with chance c, which makes H + (1 - H) c of H. It is enough that

        c = (G + (1 + e^a) D) / (1 - G),  G = H(P, Q) at a, for any a > 0:

    - |epsilon| <= a: what gives away (a, G) gives away no more than randomised response that tells all with chance G
      (Kairouz, Oh, Viswanath 2015): 1 - H >= (1 - G) (1 + e^epsilon) / (1 + e^a), so (1 - H) c >= (1 + e^epsilon) D.
    - epsilon > a: what is sampled gives away no more than at a, which is at most G + (1 + e^a) D <= c.
    - epsilon < -a: by H(P, Q) at epsilon = 1 - e^epsilon + e^epsilon H(Q, P) at -epsilon, from the case before.
    """

    parts: list[tuple[Any, int]]
    told: Fraction


def _account(event: Event | Promise, lambda_: int | None, interval: float) -> _Account:
    """lambda: of the smoothing, where there is one."""
    if isinstance(event, Promise):
        return _Account([(_disclosure(event.epsilon, event.within, interval), 1)], Fraction(0))
    law, change, start = event.law, event.change, event.promise[0]
    if _is_listed(event):
        pmf = law.pmf()
        assert pmf is not None
        shifts = Counter(change.columns)
        told = sum((n * _told_by_smaller(pmf, shift, law.distance, start) for shift, n in shifts.items()), Fraction(0))
        return _Account([(_of_pmf(pmf, shift, interval), n) for shift, n in shifts.items()], told)
    if isinstance(law, LaplaceLaw):
        scale = law.sensitivity / law.epsilon
        told = (1 + exp_above(start * (1 + Fraction(2, _LUMPS)))) * event.distance  # pure, but for shifts rounded up
        if change.spread:  # any pure mechanism is dominated by randomised response
            return _Account([(_of_lumps(scale, change.l1, 1, interval), 1)], told)
        shifts = Counter(change.columns)
        return _Account([(_of_lumps(scale, shift, _LUMPS, interval), n) for shift, n in shifts.items()], told)
    return _of_gaussian(event, lambda_, interval)


def _of_gaussian(event: Event, lambda_: int | None, interval: float) -> _Account:
    """By the continuous mechanism it is like; where sigma is too small for one, by no more than its promise."""
    family: Family = event.mechanism.family  # type: ignore[attr-defined]
    sigma = event.mechanism.sigma_steps(event.change, event.coordinates, event.frac)  # type: ignore[attr-defined]
    epsilon, delta = event.promise
    variance = sigma * sigma if lambda_ is None else family.variance(sigma, lambda_)
    if variance > 0:
        ratio = event.change.l2_squared / variance
        away = event.distance + (0 if lambda_ is None else family.smoothing(event.coordinates, lambda_))
        told = _told(lambda a: gaussian_delta(a, ratio), away, epsilon)
        if told < 1:
            root = math.sqrt(ratio) * (1 + 1e-12)
            loss = pld.from_gaussian_mechanism(1.0, sensitivity=root, value_discretization_interval=interval)
            return _Account([(loss, 1)], told)
    loss = _disclosure(round_up(epsilon), round_up(max(delta, event.delta)), interval)
    return _Account([(loss, 1)], Fraction(0))


def _told(given: Callable[[Fraction], Fraction], distance: Fraction, start: Fraction) -> Fraction:
    """The least c of _Account over some a, G = given(a); at most 1."""
    least = Fraction(1)
    for factor in (1, Fraction(5, 4), Fraction(3, 2), 2, 3, 4):
        a = min(start * factor, Fraction(128))
        g = given(a)
        if g < 1:
            least = min(least, (g + (1 + exp_above(a)) * distance) / (1 - g))
    return least


def _told_by_smaller(pmf: Pmf, shift: int, distance: Fraction, start: Fraction) -> Fraction:
    """The largest change is worst for the ideal law; a smaller one is off by its distance, there and back."""
    if shift == 1 or not distance:
        return Fraction(0)
    return _told(lambda a: hockey_stick(pmf, a, shift), 2 * distance, start)


def _is_listed(event: Event) -> bool:
    """Whether it is accounted by all the values of its law: of Laplace noise with many, some are joined."""
    pmf = None if event.change.spread else event.law.pmf()
    return pmf is not None and (not isinstance(event.law, LaplaceLaw) or len(pmf.numerators) <= _LISTED)


def _is_smoothed(event: Event | Promise) -> bool:
    if isinstance(event, Promise):
        return False
    family: Family | None = getattr(event.mechanism, "family", None)
    return family is not None and family.smoothed and not _is_listed(event)


def _disclosure(epsilon: float, delta: float, interval: float) -> Any:
    """Randomised response that tells all with chance delta: it dominates whatever keeps (epsilon, delta)."""
    promise = DifferentialPrivacyParameters(epsilon, delta)
    return pld.from_privacy_parameters(promise, value_discretization_interval=interval)


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
