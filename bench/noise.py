"""What noise costs, over real processes and TLS: one sample, many, and from stock; and what it is worth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.timing import Timing, cost, timed
from mpc import LocalCluster, Party
from protocols.accounting import Event, check_event
from protocols.mechanisms import Binomial, DiscreteGaussian, DiscreteLaplace, Mechanism, RoundedGaussian
from protocols.noise import sample
from protocols.sensitivity import Change
from protocols.stock import MemoryStore, NoiseStock

__all__ = ["BATCH", "JOBS", "Figure", "measure", "sampled"]

BATCH = 100_000


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ``how``: drawn cold, as a batch, or from stock. ``utility``: the standard deviation over that of a trusted curator.
    ``utility_partial``: the same where every party adds a part of the noise, big enough for t parties that know theirs.
    """

    op: str
    how: str
    parties: int
    size: int
    seconds: float
    ns_per_element: float
    bytes_per_party: float
    rounds: int
    standard_deviation: float
    utility: float
    utility_partial: float


@dataclass(frozen=True)
class Job:
    """A mechanism for counts that a person changes by one, and the spread a trusted curator would add for it."""

    mechanism: Mechanism
    central: float


def _laplace(epsilon: float) -> Job:
    alpha = math.exp(-epsilon)
    return Job(DiscreteLaplace(epsilon), math.sqrt(2 * alpha) / (1 - alpha))


JOBS: dict[str, Job] = {
    "discrete Laplace, epsilon 1": _laplace(1.0),
    "discrete Laplace, epsilon 0.1": _laplace(0.1),
    "binomial, epsilon 1": Job(Binomial(1.0, 1e-6), math.sqrt(20)),
    "discrete Gaussian, sigma 10": Job(DiscreteGaussian(sigma=10.0, delta=1e-6), 10.0),
    "discrete Gaussian, sigma 1000": Job(DiscreteGaussian(sigma=1000.0, delta=1e-6), 1000.0),
    "rounded Gaussian, sigma 10": Job(RoundedGaussian(sigma=10.0, delta=1e-6), math.sqrt(100 + 1 / 12)),
}


async def _timed(party: Party, job: tuple[str, int, str, int]) -> tuple[Timing, float]:
    """Also the standard deviation."""
    name, size, how, repeats = job
    stock = await NoiseStock.open(party, MemoryStore())
    event = check_event(Event(JOBS[name].mechanism, Change((1,), False), size))
    if how == "stock":
        await stock.fill(event.law, size * (repeats + 1))

    async def work(i: int) -> None:
        if how == "stock":
            await stock.take(event.law, (size,))
            return
        law = event.law
        if how == "cold" and isinstance(JOBS[name].mechanism, DiscreteLaplace):  # a law never asked for before
            mechanism = DiscreteLaplace(JOBS[name].mechanism.epsilon * (1 - 1e-6 * (i + 1)))  # type: ignore[attr-defined]
            law = check_event(Event(mechanism, Change((1,), False), size)).law
        await sample(party, law, (size,))

    return (await timed(party, repeats + 1, work))[0], event.law.standard_deviation


def measure(parties: int, repeats: int, tell: Callable[[str], None], rtt: float = 0.0) -> list[dict[str, Any]]:
    """Figures for every job: one sample cold, a batch, and both from stock; medians over repetitions.

    A repetition takes as long as its slowest party. With ``cold`` the law is found anew each time, too.
    """
    figures = []
    t = (parties - 1) // 2
    for name, job in JOBS.items():
        for how, size in (("cold", 1), ("batch", BATCH), ("stock", 1), ("stock", BATCH)):
            tell(f"{name}, {how}, {size:,}")
            with LocalCluster(parties=parties, rtt=rtt) as cluster:
                answers = cluster.run(_timed, [(name, size, how, repeats)] * parties)
            taken, spread = cost([timing for timing, _ in answers]), answers[0][1]
            figures.append(
                Figure(
                    op=name,
                    how=how,
                    parties=parties,
                    size=size,
                    seconds=taken.seconds,
                    ns_per_element=taken.seconds / size * 1e9,
                    bytes_per_party=taken.bytes_per_party / size,
                    rounds=taken.rounds,
                    standard_deviation=spread,
                    utility=spread / job.central,
                    utility_partial=math.sqrt(parties / (parties - t)),
                )
            )
    return [asdict(f) for f in figures]


async def _drawn(party: Party, job: tuple[str, int]) -> Any:
    name, size = job
    event = Event(JOBS[name].mechanism, Change((1,), False), size)
    return await party.reveal(sample(party, event.law, (size,)), to=[0])


def sampled(name: str, size: int, parties: int = 3) -> Any:
    """Samples of a job, opened: for the picture only."""
    with LocalCluster(parties=parties) as cluster:
        return np.asarray(cluster.run(_drawn, [(name, size)] * parties)[0])
