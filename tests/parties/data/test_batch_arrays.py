"""Whatever an engine gives, numbers leave within their bounds, and nothing missing becomes a number."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from parties.data.batch_arrays import as_arrays
from parties.data.published import PublishedColumn
from parties.errors import ValueUnfit

WHOLE = PublishedColumn("x", "integer", low=0, high=9)
REAL = PublishedColumn("x", "real", low=0.0, high=0.5)
LISTED = PublishedColumn("x", "category", categories=("a", "b"))


@pytest.mark.parametrize(
    ("given", "column", "ends", "made"),
    [
        (pa.array([-1, 5, 10]), WHOLE, (0, 9), [0, 5, 9]),
        (pa.array([2**62], pa.int64()), WHOLE, (0, 2**62 - 1), [2**62 - 1]),
        (pa.array([-0.25, 0.25, 0.5000001]), REAL, (0.0, 0.5), [0.0, 0.25, 0.5]),
        (pa.array(["b", "a"]), LISTED, (0, 1), [1, 0]),
    ],
)
def test_within_the_bounds(given: Any, column: PublishedColumn, ends: tuple[float, float], made: list[float]) -> None:
    assert as_arrays(given, column, ends, "table t, column x").tolist() == made


@pytest.mark.parametrize(
    ("given", "column"),
    [(pa.array([1, None]), WHOLE), (pa.array([0.1, None]), REAL), (pa.array(["a", "SECRET"]), LISTED)],
)
def test_nothing_missing_passes(given: Any, column: PublishedColumn) -> None:
    with pytest.raises(ValueUnfit, match="table t, column x") as raised:
        as_arrays(given, column, (0, 9), "table t, column x")
    assert "SECRET" not in str(raised.value)
