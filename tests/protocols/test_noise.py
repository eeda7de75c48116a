"""The law of the noise: exact, sampled, and hidden from every party."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import protocols
from mpc import MemoryCluster, bits
from mpc.errors import OutOfRange
from mpc.exchange import public_share
from protocols import noise
from protocols.accounting import (
    DELTA_LIMIT,
    LaplaceLaw,
    delta_at,
    delta_bound,
    exact_pmf,
    grid_sensitivity,
    laplace_law,
    security_for,
)
from protocols.errors import EpsilonInvalid, GridOverflow, PrecisionTooLow, SensitivityInvalid
from protocols.mechanisms import DiscreteLaplace, bernoulli, discrete_laplace, sample

PARTIES = (3, 4, 5)
GRID = [(0.1, 1), (0.5, 1), (1.0, 1), (2.0, 1), (10.0, 1), (0.5, 7), (1.0, 40), (3.0, 100)]


def chosen(epsilon: float, sensitivity: int) -> LaplaceLaw:
    return laplace_law(epsilon, sensitivity, security_for(epsilon, 1))


def p_value(samples: np.ndarray[Any, Any], law: LaplaceLaw) -> float:
    """Chi-square of the samples against the exact law, rare values joined."""
    numerators, s = exact_pmf(law)
    expected = np.array([n / (1 << s) for n in numerators]) * samples.size
    counts = np.bincount(samples + law.reach, minlength=2 * law.reach + 1)
    common = expected >= 20
    seen = np.append(counts[common], counts[~common].sum())
    due = np.append(expected[common], expected[~common].sum())
    return float(stats.chi2.sf(((seen - due) ** 2 / due).sum(), len(due) - 1))


# -- coins -----------------------------------------------------------------------------------


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("precision", [1, 2, 3, 5, 8])
def test_coin_for_every_draw_and_every_threshold(m: int, precision: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the random bits given, each coin is [r + T >= 2^l]: exactly T of the 2^l draws."""
    draws = np.arange(1 << precision, dtype=np.uint64)
    thresholds = list(range(1 << precision))

    def all_draws(party: Any, shape: tuple[int, ...]) -> Any:
        planes = np.zeros((64, bits.plane_words(draws.size)), np.uint64)
        bits.to_planes(draws, planes)
        return public_share(party, np.tile(planes[:precision], (1, len(thresholds))).reshape(shape))

    monkeypatch.setattr(noise, "random_share", all_draws)

    async def program(party: Any) -> Any:
        return await party.reveal(bernoulli(party, thresholds, precision, (draws.size,)))

    coins = MemoryCluster(m).run(program)[0]
    assert np.array_equal(coins, draws[None, :] + np.array(thresholds, np.uint64)[:, None] >= 1 << precision)
    assert coins.sum(axis=1).tolist() == thresholds


@pytest.mark.parametrize("m", PARTIES)
def test_coins_are_fair_to_their_thresholds(m: int) -> None:
    thresholds, precision, n = [0, 1 << 38, 3 << 37, (1 << 40) - 1, 12345678901], 40, 20_000

    async def program(party: Any) -> Any:
        return await party.reveal(bernoulli(party, thresholds, precision, (n,)))

    coins = MemoryCluster(m, seed=m).run(program)[0]
    for row, t in zip(coins, thresholds, strict=True):
        p = t / (1 << precision)
        assert abs(row.sum() - n * p) <= 4.5 * math.sqrt(n * p * (1 - p)) + 1e-9 * n


def test_coins_keep_their_shape_and_cost_log_rounds() -> None:
    async def program(party: Any) -> Any:
        return (await bernoulli(party, [1 << 40, 5], 44, (3, 5))).shape

    cluster = MemoryCluster(3)
    assert cluster.run(program)[0] == (2, 3, 5)
    assert max(t.rounds for t in cluster.traffic) == 6


@pytest.mark.parametrize(("thresholds", "precision"), [([8], 3), ([-1], 3), ([0], 0), ([0], 513)])
def test_impossible_coins_are_refused(thresholds: list[int], precision: int) -> None:
    async def program(party: Any) -> None:
        bernoulli(party, thresholds, precision, (4,))

    with pytest.raises(OutOfRange):
        MemoryCluster(3).run(program)


# -- the law ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_law_is_a_law(epsilon: float, sensitivity: int) -> None:
    law = chosen(epsilon, sensitivity)
    numerators, s = exact_pmf(law)
    assert sum(numerators) == 1 << s
    assert min(numerators) >= 0
    assert numerators == numerators[::-1]
    assert sum(n * (x - law.reach) ** 2 for x, n in enumerate(numerators)) == law.variance * (1 << s)
    for h in (0, 1, 3, law.reach - 1, law.reach):
        beyond = sum(n for x, n in enumerate(numerators) if abs(x - law.reach) > h)
        assert law.tail(h) == pytest.approx(beyond / (1 << s), rel=1e-9, abs=1e-300)
    half = law.half_width(0.95)
    assert law.tail(half) <= 0.05 < (law.tail(half - 1) if half else 1)


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_law_is_discrete_laplace(epsilon: float, sensitivity: int) -> None:
    law = chosen(epsilon, sensitivity)
    numerators, s = exact_pmf(law)
    alpha = math.exp(-epsilon / sensitivity)
    ideal = [(1 - alpha) / (1 + alpha) * alpha ** abs(x) for x in range(-law.reach, law.reach + 1)]
    gap = sum(abs(n / (1 << s) - q) for n, q in zip(numerators, ideal, strict=True)) / 2
    assert gap < 1e-12
    assert law.distance < Fraction(1, 1 << 40)
    assert 0.9999999 < law.standard_deviation / (math.sqrt(2 * alpha) / (1 - alpha)) < 1.0000001


@pytest.mark.parametrize(("epsilon", "sensitivity"), GRID)
def test_exact_delta_is_below_the_limit(epsilon: float, sensitivity: int) -> None:
    law = chosen(epsilon, sensitivity)
    worst = max(delta_at(law, epsilon, shift) for shift in {1, sensitivity // 2 or 1, sensitivity})
    assert 0 < worst <= delta_bound(law) <= DELTA_LIMIT


def test_delta_sees_noise_that_is_too_small() -> None:
    law = chosen(1.0, 1)
    assert delta_at(law, 0.9, 1) > Fraction(1, 100)
    assert delta_at(law, 1.0, 2) > Fraction(1, 100)
    assert delta_at(law, 2.0, 2) <= DELTA_LIMIT


def test_many_coordinates_take_finer_coins() -> None:
    few, many = DiscreteLaplace(1.0).law(5), DiscreteLaplace(1.0).law(5, 10**6)
    assert many.precision > few.precision
    assert delta_bound(many, 10**6) <= DELTA_LIMIT < delta_bound(few, 10**6)


def test_thresholds_are_the_same_for_equal_parameters_however_given() -> None:
    assert laplace_law(0.5, 3).bits == laplace_law(Fraction(1, 2), 3).bits
    assert laplace_law(1.0, 2).bits == laplace_law(2.0, 4).bits
    assert laplace_law(0.1, 1) != laplace_law(Fraction(1, 10), 1)  # the float is a little more than a tenth


def test_sensitivity_goes_to_the_grid_upwards() -> None:
    assert grid_sensitivity(1) == 1
    assert grid_sensitivity(0.1, 4) == 2
    assert grid_sensitivity(Fraction(1, 16), 4) == 1
    assert grid_sensitivity(1e-30) == 1


# -- samples ---------------------------------------------------------------------------------


def samples(m: int, law: LaplaceLaw, n: int, seed: int) -> Any:
    async def program(party: Any) -> Any:
        return await party.reveal(sample(party, law, (n,)))

    answers = MemoryCluster(m, seed=seed).run(program)
    assert all(np.array_equal(a, answers[0]) for a in answers)
    return answers[0]


@pytest.mark.parametrize(
    ("m", "epsilon", "sensitivity", "n"),
    [(3, 1.0, 1, 200_000), (3, 0.2, 3, 100_000), (3, 4.0, 1, 50_000), (4, 1.0, 1, 30_000), (5, 0.5, 1, 30_000)],
)
def test_samples_follow_the_exact_law(m: int, epsilon: float, sensitivity: int, n: int) -> None:
    law = chosen(epsilon, sensitivity)
    drawn = samples(m, law, n, seed=17)
    assert 0.001 < p_value(drawn, law) < 0.999
    assert abs(drawn.mean()) < 4.5 * law.standard_deviation / math.sqrt(n)
    assert drawn.std() / law.standard_deviation == pytest.approx(1, abs=5 * 1.2 / math.sqrt(n))


@pytest.mark.parametrize("wrong", [0, 1, 2, "nonzero"])
def test_one_wrong_coin_fails_the_chi_square(wrong: int | str) -> None:
    law = chosen(1.0, 1)
    changed = list(law.bits)
    nonzero = law.nonzero
    if wrong == "nonzero":
        nonzero = int(nonzero * 0.97)
    else:
        changed[int(wrong)] = int(changed[int(wrong)] * 0.75)
    spoiled = LaplaceLaw(law.epsilon, law.sensitivity, law.precision, tuple(changed), nonzero, law.distance)
    assert p_value(samples(3, spoiled, 200_000, seed=17), law) < 1e-4


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (0,), (2, 33)])
def test_shapes(m: int, shape: tuple[int, ...]) -> None:
    async def program(party: Any) -> Any:
        x = discrete_laplace(party, shape, 0.5, 2, frac=3)
        assert x.shape == shape
        return (await x).frac, await party.reveal(x)

    frac, values = MemoryCluster(m).run(program)[0]
    assert frac == 3
    assert values.shape == shape
    assert np.array_equal(values * 8, np.rint(values * 8))


def test_every_draw_is_fresh_and_chunks_are_too() -> None:
    async def program(party: Any) -> Any:
        x = discrete_laplace(party, (40_000,), 0.01, 1)
        y = discrete_laplace(party, (40_000,), 0.01, 1)
        return await party.reveal(x), await party.reveal(y)

    x, y = MemoryCluster(3).run(program)[0]
    for a, b in ((x, y), (x[:16384], x[16384:32768])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


def test_cost() -> None:
    async def program(party: Any) -> Any:
        await sample(party, laplace_law(1.0, 1, 42), (10_000,))
        return party.transport.traffic.copy()

    for traffic in MemoryCluster(3).run(program):
        assert traffic.rounds == 9
        assert traffic.bytes_sent / 10_000 < 150


# -- what a party sees ---------------------------------------------------------------------------


def _planes(frame: Any, n: int, words_each: int) -> Any:
    """The bits of a frame by sample: rows are bit planes of n samples."""
    words = np.frombuffer(frame.payload, np.uint64)
    if words.size == words_each * n:  # bit injection: a word for each of the bits of each sample
        by_bit = np.unpackbits(words.reshape(words_each, n, 1).view(np.uint8), axis=2, bitorder="little")
        return by_bit.transpose(0, 2, 1).reshape(-1, n)
    return np.unpackbits(words.view(np.uint8), bitorder="little").reshape(-1, n)


def _largest_z(view: Any, targets: list[Any]) -> float:
    """Of all bits seen: the strongest sign that one is not uniform, or goes with something about the noise."""
    n = view.shape[1]
    centred = 2.0 * view - 1
    strongest = np.abs(centred.sum(axis=1)).max() / math.sqrt(n)
    for t in targets:
        z = centred @ (t - t.mean()) / (t.std() * math.sqrt(n))
        strongest = max(strongest, np.abs(z).max())
    return float(strongest)


def test_no_party_sees_anything_of_the_noise() -> None:
    """Every bit a party receives or holds of 20,480 samples is uniform and independent of sign, zero and parity.

    Which party deals at which step follows from the labels, and those from the number of the cluster's run. So each
    run here is the first one of a new cluster with other keys: all runs have the same dealers, a party's frames of all
    runs match one to one, and the three views together are those of all the roles.
    3 views of about 1,600 bits, 4 tests each: 5.7 standard errors have a chance of 2 in 10,000 overall.
    """
    n, runs, law = 512, 40, chosen(1.0, 1)
    words_each = len(law.bits) + 2

    async def program(party: Any) -> Any:
        x = await sample(party, law, (n,))
        share = x.share.sum(axis=0, dtype=np.uint64)  # what a party can compute of the sum of all components
        own = np.concatenate([_planes_of(c) for c in (*x.share, share)])
        return own, party.transport.traffic.frames_received, await party.reveal(x)

    def _planes_of(words: Any) -> Any:
        return np.unpackbits(np.ascontiguousarray(words).reshape(n, 1).view(np.uint8), axis=1, bitorder="little").T

    views: list[list[Any]] = [[], [], []]
    opened = []
    flow: list[Any] = []
    for seed in range(runs):
        cluster = MemoryCluster(3, seed=1000 + seed, keep=True)
        answers = cluster.run(program)
        opened.append(answers[0][2])
        for i, (own, received, _) in enumerate(answers):
            frames = [f for f in cluster.log if f.receiver == i][:received]
            frames.sort(key=lambda f: (f.depth, f.sender, f.label))
            places = [(f.depth, f.sender, f.label, len(f.payload)) for f in frames]
            flow = [*flow, places] if seed == 0 else flow
            assert places == flow[i]  # else bits of different meaning would be put together
            views[i].append(np.concatenate([own, *(_planes(f, n, words_each) for f in frames)]))
    x = np.concatenate(opened)
    targets = [(x > 0).astype(float), (x == 0).astype(float), (x & 1).astype(float)]
    for parts in views:
        view = np.concatenate(parts, axis=1)
        assert _largest_z(view, targets) < 5.7
        leak = np.where(np.arange(x.size) % 8 == 0, x > 0, view[0])  # a planted leak: the sign, in an eighth of them
        assert _largest_z(np.vstack([view, leak]), targets) > 5.7


def test_message_sizes_depend_on_public_parameters_only() -> None:
    async def program(party: Any) -> None:
        await discrete_laplace(party, (100,), 1.0, 1)

    def sizes(seed: int) -> list[Any]:
        cluster = MemoryCluster(3, seed=seed, keep=True)
        cluster.run(program)
        return sorted((f.sender, f.receiver, f.label, len(f.payload)) for f in cluster.log)

    assert sizes(1) == sizes(2)


def test_protocols_never_use_numpys_randomness() -> None:
    for path in Path(protocols.__path__[0]).glob("*.py"):
        text = path.read_text()
        assert "np.random" not in text and "import random" not in text, path.name


# -- bad parameters ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epsilon", "sensitivity", "fault"),
    [
        (0.0, 1, EpsilonInvalid),
        (-1.0, 1, EpsilonInvalid),
        (math.nan, 1, EpsilonInvalid),
        (math.inf, 1, EpsilonInvalid),
        (1000.0, 1, EpsilonInvalid),
        (True, 1, EpsilonInvalid),
        ("1", 1, EpsilonInvalid),
        (1.0, 0, SensitivityInvalid),
        (1.0, -3, SensitivityInvalid),
        (1.0, 1.5, SensitivityInvalid),
        (1.0, True, SensitivityInvalid),
        (1e-6, 1 << 40, GridOverflow),
        (1e-300, 1, GridOverflow),
        (1.0, 1 << 100, GridOverflow),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_sent(epsilon: Any, sensitivity: Any, fault: type) -> None:
    async def program(party: Any) -> None:
        discrete_laplace(party, (3,), epsilon, sensitivity)

    cluster = MemoryCluster(3)
    with pytest.raises(fault):
        cluster.run(program)
    assert all(t.frames_sent == 0 for t in cluster.traffic)


def test_too_coarse_coins_are_refused() -> None:
    async def program(party: Any) -> None:
        discrete_laplace(party, (10,), 1.0, 1, lambda_=30)

    with pytest.raises(PrecisionTooLow, match="larger lambda"):
        MemoryCluster(3).run(program)


@pytest.mark.parametrize("epsilon", [0.0, -2.0, math.nan, "much"])
def test_a_mechanism_needs_an_epsilon(epsilon: Any) -> None:
    with pytest.raises(EpsilonInvalid):
        DiscreteLaplace(epsilon)


@pytest.mark.parametrize("sensitivity", [0, -1, math.nan, math.inf, "1", True])
def test_a_grid_needs_a_sensitivity(sensitivity: Any) -> None:
    with pytest.raises(SensitivityInvalid):
        grid_sensitivity(sensitivity)
