"""One-hot bits, and sums by group over them, on words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, bits
from mpc.arrays import SecretArray, SecretBits
from mpc.decompose import to_bits
from mpc.grouping import spread, sums
from mpc.minterms import Layout, marks, minterms, plan


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 64, 100, 1000, 1 << 16])
@pytest.mark.parametrize("width", [1, 5])
def test_a_plan_holds_all_numbers_and_is_cheaper_than_a_matrix(size: int, width: int) -> None:
    layout = plan(size, width)
    assert layout.rows * layout.columns >= size > (layout.rows - 1) * layout.columns
    assert 2**layout.bits > size
    assert layout.rows * width + layout.columns <= size + width
    if layout.split:
        assert layout.columns & (layout.columns - 1) == 0


@pytest.mark.parametrize("m", (3, 4, 5))
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_minterms_are_one_hot(m: int, count: int) -> None:
    values = np.arange(70) % (1 << count)

    async def program(party: Any) -> Any:
        x = await party.input(values, 0)
        planes = await minterms(party, await to_bits(party, x.share, count))
        return [await party.reveal(SecretBits(party, planes[:, c], (70,))) for c in range(planes.shape[1])]

    found = MemoryCluster(m, seed=m).run(program)[0]
    assert np.array_equal(np.array(found).T, values[:, None] == np.arange(1 << count))


@pytest.mark.parametrize("m", (3, 4, 5))
@pytest.mark.parametrize("layout", [Layout(10, 3, 4, True), Layout(10, 3, 4, False), Layout(10, 1, 10, False)])
def test_marks_of_rows_and_columns(m: int, layout: Layout) -> None:
    values, here = np.concatenate([np.arange(-1, 11), [15]]), np.arange(13) % 5 != 2

    async def program(party: Any) -> Any:
        x, h = await party.input(values, 0), await (party.input(here.astype(int), 1) != 0)
        planes = await to_bits(party, x.share, layout.bits)
        return [
            await party.reveal(SecretBits.packed(party, np.stack([[bits.unpack(p, 13) for p in c] for c in part])))
            for part in await marks(party, planes, h.words, layout)
        ]

    row, column = MemoryCluster(m, seed=m).run(program)[0]
    known = here & (values >= 0) & (values < (layout.rows * layout.columns if layout.split else 10))
    assert np.array_equal(row.T, known[:, None] & (values[:, None] // layout.columns == np.arange(layout.rows)))
    expected = values[:, None] % layout.columns == np.arange(layout.columns - 1)
    assert np.array_equal(column.T[known], expected[known])


@pytest.mark.parametrize("m", (3, 4, 5))
@pytest.mark.parametrize("size", [1, 5, 40])
def test_spread_brings_each_row_its_groups_value(m: int, size: int) -> None:
    r = np.random.default_rng(size)
    codes, values = r.integers(-1, size, 65), r.integers(-(1 << 61), 1 << 61, size)

    async def program(party: Any) -> Any:
        x, v = await party.input(codes, 0), await party.input(values, 1)
        planes = await to_bits(party, x.share, size.bit_length())
        return await party.reveal(SecretArray(party, await spread(party, planes, None, v.share, 65)))

    found = MemoryCluster(m, seed=m).run(program)[0]
    assert found.tolist() == np.where(codes < 0, 0, values[codes]).tolist()


def test_messages_depend_on_sizes_only() -> None:
    async def program(party: Any, codes: Any) -> Any:
        x = await party.input(codes, 0)
        planes = await to_bits(party, x.share, 4)
        await sums(party, planes, None, x.share[:, None], 9)
        return party.transport.traffic.bytes_sent, party.transport.traffic.frames_sent

    logs = [MemoryCluster(3, seed=s).run(program, [np.full(500, s % 9)] * 3) for s in (1, 2, 12)]
    # which party deals to which follows from labels, the sum over parties does not
    assert len({sum(sent for sent, _ in log) for log in logs}) == 1
    assert len({sum(frames for _, frames in log) for log in logs}) == 1
