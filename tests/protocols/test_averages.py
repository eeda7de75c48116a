"""Quotients of totals by weights, which may be of any size."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from protocols.averages import real_ratio
from protocols.columns import read_on_grid
from tests.protocols.tables import on_rows

ULP = 2.0**-16


@pytest.mark.parametrize(("m", "bits"), [(3, (16, 16)), (3, (0, 0)), (3, (16, 0)), (3, (24, 40)), (5, (16, 20))])
def test_ratio_of_numbers_of_any_size(m: int, bits: tuple[int, int]) -> None:
    """Both up to the ends of their range, quotients up to 2^46; and 0 by 0."""
    f, g = bits
    r = np.random.default_rng([m, f, g])
    most = 2.0 ** (62 - max(f, g, 16)) * 0.999
    whole = np.minimum(2.0 ** r.uniform(-g, np.log2(most), 300), most)
    part = np.minimum(whole * 2.0 ** r.uniform(-18, 45.9, 300), most)
    part[:3], whole[:3] = [0, most, most], [0, most, 2.0**-g]
    x, y = [np.rint(v * 2.0**b).astype(np.int64) for v, b in ((part, f), (whole, g))]

    async def program(x: Any, y: Any, here: Any) -> Any:
        return await real_ratio(read_on_grid(x, f), read_on_grid(y, g))

    found = on_rows(m, program, x, y)
    t = (m - 1) // 2
    exact = np.array(
        [float(Fraction(int(a), 1 << f) / Fraction(int(b), 1 << g)) if b else 0 for a, b in zip(x, y, strict=True)]
    )
    read = y / 2.0**g * 2.0 ** (max(f, g, 16) - 16)
    steep = np.where(exact >= 2**24, ULP * exact / np.minimum(np.where(y, read, 1), 1), 0)
    good = exact < 2.0**46
    assert good.sum() > 200
    assert (np.abs(found - exact) <= 1.3 * ULP + (t + 1) * 2.0**-19 * exact + steep)[good].all()
