"""A published table joined: what the engine gives is what the protocols take, in memory among three parties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from parties.data.published_join import join_source
from parties.data.tables import Reading, open_table
from parties.errors import NotPublished, TableInvalid
from protocols.source_rows import read
from tests.parties.tabular import expected, frame, gathered, save, table


@pytest.mark.parametrize("by_person", [False, True])
def test_rows_read_are_rows_joined(by_person: bool, tmp_path: Path) -> None:
    published = table(save(frame(4, 80), tmp_path / "t.csv"), rows_a_person=3, capacity=100)
    columns = ("age", "cost", "dead")
    source = join_source(published, 0, ["id"], columns, by_person=by_person)
    assert source.many == (not by_person) and source.rows == 100
    assert source.columns["age"].high == (300 if by_person else 100) and source.columns["cost"].frac == FRAC
    with open_table(published) as opened:
        rows = gathered(list(opened.read(Reading(("id", *columns), by_person=by_person), rows=16)))

    def random(n: int) -> Any:
        return np.random.default_rng(1).integers(0, 2**64, n, np.uint64)

    own = read(source, rows, b"s" * 16, 0, random)
    assert own.real.sum() == len(rows) and len(own.tags) == 100
    ages = own.words[own.real, 0].view(np.int64)
    assert sorted(ages) == sorted(rows["age"])
    people = expected(frame(4, 80))["id"].nunique()
    assert (own.source is None) == by_person
    if own.source is not None:
        assert len(np.unique(own.source[own.real])) == people


def test_what_is_no_source() -> None:
    published = table("t.csv")
    for key, columns, by_person, error in (
        (["id"], ["height"], False, NotPublished),
        (["age"], ["cost"], False, TableInvalid),
        (["age"], ["cost"], True, OutOfRange),
    ):
        with pytest.raises(error):
            join_source(published, 0, key, columns, by_person=by_person)
