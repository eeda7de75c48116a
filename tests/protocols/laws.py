"""Do samples follow a law? Used by the tests of noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from protocols.gaussian import SumLaw
from protocols.law import Law

__all__ = ["p_value"]


def p_value(samples: np.ndarray[Any, Any], law: Law) -> float:
    """Chi-square of the samples against the exact law, rare values joined; a sum of tables in 200 bins of its ideal."""
    pmf = law.pmf()
    if pmf is not None:
        expected = np.array([n / (1 << pmf.bits) for n in pmf.numerators]) * samples.size
        counts = np.bincount(samples - pmf.low, minlength=len(expected))
        common = expected >= 20
        seen = np.append(counts[common], counts[~common].sum())
        due = np.append(expected[common], expected[~common].sum())
    else:
        assert isinstance(law, SumLaw)
        sigma = float(law.sigma)
        width = max(1, round(sigma / 40))
        edges = np.arange(-100, 101) * width  # bins of whole numbers: edge - 1/2 to next edge - 1/2
        cdf = np.array([0.0, *(0.5 * math.erfc(-(e - 0.5) / (sigma * math.sqrt(2))) for e in edges), 1.0])
        due = np.diff(cdf) * samples.size
        seen = np.bincount(np.searchsorted(edges, samples, side="right"), minlength=len(due))
        common = due >= 20
        seen, due = np.append(seen[common], seen[~common].sum()), np.append(due[common], due[~common].sum())
    if due[-1] < 5:  # too few to be a class by itself
        seen, due = np.append(seen[:-2], seen[-2:].sum()), np.append(due[:-2], due[-2:].sum())
    return float(stats.chi2.sf(((seen - due) ** 2 / due).sum(), len(due) - 1))
