"""Calibration by public bins on shared rows, against scikit-learn on the rows that are present."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.calibration import calibration_curve as plain_curve

from mpc import MemoryCluster
from mpc.errors import OutOfRange, ShapeMismatch
from protocols.calibration_bins import calibration_curve
from tests.protocols.tables import each_m, on_rows

ULP = 2.0**-16


@each_m
@pytest.mark.parametrize("n", [0, 1, 63])
@pytest.mark.parametrize("bins", [1, 4, 5])
def test_bins_are_scikit_learns(m: int, n: int, bins: int) -> None:
    """Probabilities on the edges, too: quarters."""
    r = np.random.default_rng([m, n])
    y, p, here = r.integers(0, 2, n), r.integers(0, 17, n) / 16, r.integers(0, 3, n) > 0
    p[0 : n // 2] = np.round(p[0 : n // 2] * 4) / 4

    async def program(y: Any, p: Any, here: Any) -> Any:
        found = await calibration_curve(y, p, n_bins=bins, present=here)
        return found.counts, found.positives, found.predicted, await found.observed_mean(), await found.predicted_mean()

    counts, positives, predicted, observed, mean = on_rows(m, program, y, p, present=here)
    y, p = y[here], p[here]
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], p)
    assert counts.tolist() == np.bincount(place, minlength=bins).tolist()
    assert positives.tolist() == np.bincount(place, y, bins).tolist()
    assert predicted.tolist() == np.bincount(place, p, bins).tolist()
    empty = counts == 0
    assert not observed[empty].any() and not mean[empty].any()
    if len(y):
        exact = plain_curve(y, p, n_bins=bins)
        assert np.allclose([observed[~empty], mean[~empty]], exact, rtol=0, atol=ULP)


@each_m
def test_what_is_no_probability_adds_at_most_one(m: int) -> None:
    async def program(y: Any, p: Any, here: Any) -> Any:
        found = await calibration_curve(y, p, n_bins=2)
        return found.counts, found.predicted

    counts, predicted = on_rows(m, program, np.array([1, 5, 0]), np.array([-3.0, 2.0**44, 0.25]))
    assert (counts.tolist(), predicted.tolist()) == ([2, 1], [0.25, 1])


def test_bad_input_is_refused_before_anything_is_sent() -> None:
    async def program(party: Any) -> Any:
        y, short = await party.input(np.arange(3), 0), await party.input(np.arange(2), 1)
        sent = party.transport.traffic.bytes_sent
        with pytest.raises(ShapeMismatch, match="y_prob"):
            await calibration_curve(y, short)
        for k in (0, 2.0, True, (1 << 16) + 1):
            with pytest.raises(OutOfRange, match="n_bins"):
                await calibration_curve(y, y, n_bins=k)  # type: ignore[arg-type]
        assert party.transport.traffic.bytes_sent == sent

    MemoryCluster(3, seed=0).run(program)
