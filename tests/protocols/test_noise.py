"""Samples of each law: as the law says, and hidden from every party."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import protocols
from mpc import MemoryCluster
from mpc.errors import ProgramDiverged
from protocols.binomial import BinomialLaw, binomial_law
from protocols.errors import EpsilonInvalid, GridOverflow, PrecisionTooLow, SensitivityInvalid
from protocols.gaussian import discrete_gaussian_law, rounded_gaussian_law
from protocols.laplace import LaplaceLaw, laplace_law
from protocols.law import Law
from protocols.mechanisms import DiscreteLaplace, security_for
from protocols.noise import discrete_laplace, sample
from protocols.sensitivity import grid_sensitivity
from protocols.table import TableLaw
from tests.protocols.laws import p_value

PARTIES = (3, 4, 5)


def chosen(epsilon: float, sensitivity: int) -> LaplaceLaw:
    return laplace_law(epsilon, sensitivity, security_for(epsilon, 1))


# -- samples ---------------------------------------------------------------------------------


LAWS: dict[str, Law] = {
    "laplace 1": chosen(1.0, 1),
    "laplace 0.2": chosen(0.2, 3),
    "laplace 4": chosen(4.0, 1),
    "binomial": binomial_law(1.0, 1e-6, 1),
    "discrete gaussian": discrete_gaussian_law(4.5),
    "discrete gaussian, a sum": discrete_gaussian_law(100.0),
    "discrete gaussian, a sum of sums": discrete_gaussian_law(1e5),
    "rounded gaussian": rounded_gaussian_law(3.0),
}
MILLION = 1_000_000


def samples(m: int, law: Law, n: int, seed: int) -> Any:
    async def program(party: Any) -> Any:
        return await party.reveal(sample(party, law, (n,)), to=[0])

    return MemoryCluster(m, seed=seed).run(program)[0]


def check_samples(m: int, law: Law, n: int, seed: int) -> None:
    """Chi-square, mean and standard deviation; seeds are fixed, so each holds or not once and for all."""
    drawn = samples(m, law, n, seed)
    assert 0.001 < p_value(drawn, law) < 0.999
    assert abs(drawn.mean()) < 4 * law.standard_deviation / math.sqrt(n)
    assert drawn.std() / law.standard_deviation == pytest.approx(1, abs=4 * 1.2 / math.sqrt(n))


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_a_million_samples_follow_the_exact_law(name: str) -> None:
    check_samples(3, LAWS[name], MILLION, seed=17)


@pytest.mark.parametrize("name", LAWS)
def test_many_samples_follow_the_exact_law(name: str) -> None:
    check_samples(3, LAWS[name], MILLION // 8, seed=18)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("m", [4, pytest.param(5, marks=pytest.mark.slow)])
def test_samples_of_more_parties_follow_it_too(m: int, name: str) -> None:
    check_samples(m, LAWS[name], 30_000, seed=17)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["laplace 1", "binomial", "discrete gaussian", "rounded gaussian"])
def test_a_million_samples_of_five_parties(name: str) -> None:
    check_samples(5, LAWS[name], MILLION, seed=23)


@pytest.mark.parametrize("m", [3, pytest.param(5, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
@pytest.mark.parametrize(("name", "central"), [("laplace 1", None), ("discrete gaussian", 4.5)])
def test_utility_is_that_of_a_trusted_curator(m: int, name: str, central: float | None) -> None:
    """Standard deviation of what is drawn over that of the mechanism with one curator, within 0.3%."""
    alpha = math.exp(-1.0)
    ideal = central or math.sqrt(2 * alpha) / (1 - alpha)
    law = LAWS[name]
    assert 0.9999 < law.standard_deviation / ideal < 1.0001
    assert 0.997 < samples(m, law, 2 * MILLION, seed=5).std() / ideal < 1.003


def _spoiled(law: Law, wrong: int) -> Law:
    """The law with one probability wrong."""
    if isinstance(law, LaplaceLaw):
        changed = list(law.bits)
        nonzero = law.nonzero
        if wrong < 0:
            nonzero = int(nonzero * 0.97)
        else:
            changed[wrong] = int(changed[wrong] * 0.9)
        return LaplaceLaw(law.epsilon, law.sensitivity, law.precision, tuple(changed), nonzero, law.distance)
    if isinstance(law, TableLaw):
        level = list(law.thresholds[wrong])
        middle = (len(level) - 1) // 2  # the prefix of -1: much goes through it
        level[middle] = int(level[middle] * 0.9)
        thresholds = (*law.thresholds[:wrong], tuple(level), *law.thresholds[wrong + 1 :])
        return TableLaw(law.low, law.precision, thresholds, law.distance)
    assert isinstance(law, BinomialLaw)
    return BinomialLaw(law.flips - 2)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("laplace 1", w) for w in (-1, 0, 1, 2)),
        *(("discrete gaussian", w) for w in (0, 2, 4, 6)),
        *(("rounded gaussian", w) for w in (1, 3, 5)),
        ("binomial", 0),
    ],
)
def test_one_wrong_probability_fails_the_chi_square(name: str, wrong: int) -> None:
    law = LAWS[name]
    assert p_value(samples(3, _spoiled(law, wrong), 400_000, seed=17), law) < 1e-4


@pytest.mark.parametrize("m", PARTIES)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (0,), (2, 33)])
@pytest.mark.parametrize("name", ["laplace 0.2", "binomial", "discrete gaussian", "discrete gaussian, a sum"])
def test_shapes(m: int, name: str, shape: tuple[int, ...]) -> None:
    async def program(party: Any) -> Any:
        x = sample(party, LAWS[name], shape, frac=3)
        assert x.shape == shape
        return (await x).frac, await party.reveal(x)

    frac, values = MemoryCluster(m).run(program)[0]
    assert frac == 3
    assert values.shape == shape
    assert np.array_equal(values * 8, np.rint(values * 8))
    assert np.abs(values * 8).max(initial=0) <= LAWS[name].reach


@pytest.mark.parametrize("name", ["laplace 0.2", "binomial", "discrete gaussian, a sum"])
def test_every_draw_is_fresh_and_chunks_are_too(name: str) -> None:
    async def program(party: Any) -> Any:
        x, y = sample(party, LAWS[name], (40_000,)), sample(party, LAWS[name], (40_000,))
        return await party.reveal(x), await party.reveal(y)

    x, y = MemoryCluster(3).run(program)[0]
    for a, b in ((x, y), (x[:16384], x[16384:32768]), (x[:-1], x[1:])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.03


@pytest.mark.parametrize(
    ("name", "rounds", "most"),
    [("laplace 1", 9, 75), ("binomial", 10, 40), ("discrete gaussian", 55, 140), ("discrete gaussian, a sum", 63, 330)],
)
def test_cost(name: str, rounds: int, most: float) -> None:
    async def program(party: Any) -> Any:
        await sample(party, LAWS[name], (10_000,))
        return party.transport.traffic.copy()

    for traffic in MemoryCluster(3).run(program):
        assert traffic.rounds == rounds
        assert traffic.bytes_sent / 10_000 < most


def test_parties_that_found_different_laws_are_told() -> None:
    async def program(party: Any) -> Any:
        law = LAWS["laplace 1"] if party.index else _spoiled(LAWS["laplace 1"], 0)
        return await party.reveal(sample(party, law, (3,)))

    with pytest.raises(ProgramDiverged):
        MemoryCluster(3).run(program)


# -- what a party sees ---------------------------------------------------------------------------


def _planes(frame: Any, n: int, words_each: int) -> Any:
    """The bits of a frame by sample: rows are bit planes of n samples."""
    words = np.frombuffer(frame.payload, np.uint64)
    if words.size in (words_each * n, n):  # words dealt for each of the bits of each sample, and those exchanged
        by_bit = np.unpackbits(words.reshape(-1, n, 1).view(np.uint8), axis=2, bitorder="little")
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


@pytest.mark.parametrize(
    ("law", "words_each"),
    [
        (chosen(1.0, 1), len(chosen(1.0, 1).bits) + 2),
        (BinomialLaw(12), 7),
        (discrete_gaussian_law(0.7), discrete_gaussian_law(0.7).size),  # type: ignore[union-attr]
    ],
    ids=["laplace", "binomial", "table"],
)
def test_no_party_sees_anything_of_the_noise(law: Law, words_each: int) -> None:
    """Every bit a party receives or holds of 20,480 samples is uniform and independent of sign, zero and parity.

    Which party deals at which step follows from the labels, and those from the number of the cluster's run. So each
    run here is the first one of a new cluster with other keys: all runs have the same dealers, a party's frames of all
    runs match one to one, and the three views together are those of all the roles.
    3 views of about 1,600 bits, 4 tests each: 5.7 standard errors have a chance of 2 in 10,000 overall.
    """
    n, runs = 512, 40

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
