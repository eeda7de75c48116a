"""Parts of people: together they are all, each once, however small the memory of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from parties.data.table_parts import Parts
from parties.errors import SourceTooLarge


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    import ibis

    path = tmp_path_factory.mktemp("parts") / "t.parquet"
    pd.DataFrame({"p": [f"p{i % 100}" for i in range(300)] + [None] * 5}).to_parquet(path)
    return ibis.duckdb.connect().read_parquet(path)


@pytest.mark.parametrize("most", [1000, 60, 20])
def test_all_people_each_once(rows: Any, most: int) -> None:
    """An engine that holds so many people at once, or fails before it gives any."""
    asked = []

    def question(part: Any) -> Iterator[Any]:
        asked.append(part)
        if part.p.nunique().execute() > most:
            raise SourceTooLarge("table t: too little memory")
        yield from part.group_by("p").aggregate(n=part.count()).execute().itertuples(index=False, name=None)

    parts = Parts()
    found = [(p, n) for p, n in parts.ask(lambda part: part.of(rows, "p"), question) if isinstance(p, str)]
    assert sorted(found) == sorted((f"p{i}", 3) for i in range(100))
    assert (parts.bits == 0) == (most == 1000)
    before = len(asked)
    assert len(list(parts.ask(lambda part: part.of(rows, "p"), question))) == 101  # those of nobody too
    assert len(asked) - before == 1 << parts.bits  # it begins as finely as it ended


def test_what_fits_nowhere_and_what_stops_midway(rows: Any) -> None:
    def never(part: Any) -> Iterator[Any]:
        raise SourceTooLarge("table t: too little memory")
        yield

    with pytest.raises(SourceTooLarge):
        list(Parts().ask(lambda part: part.of(rows, "p"), never))

    def midway(part: Any) -> Iterator[Any]:
        yield 1
        if part is rows:
            raise SourceTooLarge("table t: too little memory")

    with pytest.raises(SourceTooLarge):  # asked anew, it would give the same rows twice
        list(Parts().ask(lambda part: part.of(rows, "p"), midway))
