"""SecretArray to MPyC's types and back, over real nodes: exact at the edges, and MPyC computing between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, MemoryCluster
from mpc.errors import OutOfRange, UsageError, WrongType
from mpc.mpyc_types import from_mpyc, to_mpyc
from tests.scripts import ROOT, run_script

EDGES = np.array([[0, 1, -1, 2**62 - 1], [1 - 2**62, 2**16, -(2**16) - 1, 12345678901234]])


@pytest.fixture(scope="module", params=[3, 5])
def cluster(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    with LocalCluster(parties=request.param) as cluster:
        yield cluster


def run(cluster: LocalCluster, program: Any, values: Any) -> list[Any]:
    return cluster.run(program, [values] + [None] * (cluster.m - 1), timeout=60)


def test_integers_there_and_back(cluster: LocalCluster) -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate([EDGES.ravel(), rng.integers(-(2**62) + 1, 2**62, 200)])

    async def program(party: Any, mine: Any) -> Any:
        x = party.input(mine, owner=0)
        there = await to_mpyc(x, party.runtime.SecInt(64))
        back = from_mpyc(party, there)
        return await party.runtime.output(there), await party.reveal(back), await party.reveal(x != back)

    for there, back, differs in run(cluster, program, values):
        assert [int(v) for v in there] == values.tolist()
        assert back.tolist() == values.tolist()
        assert not differs.any()


def test_mpyc_computes_in_between(cluster: LocalCluster) -> None:
    values = np.array([[1, -2, 3], [40000, 5, -60000]])

    async def program(party: Any, mine: Any) -> Any:
        x = await to_mpyc(party.input(mine, owner=0), party.runtime.SecInt(40))
        y = from_mpyc(party, x * x - 7)
        return await party.reveal(y * 2), await party.reveal((y < 0).sum())

    for doubled, negative in run(cluster, program, values):
        assert doubled.tolist() == (2 * (values * values - 7)).tolist()
        assert int(negative) == int((values * values < 7).sum())


def test_fixed_point(cluster: LocalCluster) -> None:
    values = np.array([0.0, 1.5, -2.25, 1000.0625, -30000.5])

    async def program(party: Any, mine: Any) -> Any:
        x = party.input(mine, owner=0)
        finer = await to_mpyc(x, party.runtime.SecFxp(64, 20))
        coarser = await to_mpyc(x, party.runtime.SecFxp(48, 10))
        back = await from_mpyc(party, finer)
        revealed = await party.reveal(back)
        return await party.runtime.output(finer), await party.runtime.output(coarser), revealed, back.frac

    for finer, coarser, back, frac in run(cluster, program, values):
        assert finer.tolist() == values.tolist() == back.tolist()
        assert np.abs(coarser - values).max() <= 3 * 2**-10
        assert frac == 20


def test_fields_lists_and_single_numbers(cluster: LocalCluster) -> None:
    async def program(party: Any, mine: Any) -> Any:
        runtime = party.runtime
        residues = await to_mpyc(party.input(mine, owner=0), runtime.SecFld(10007))
        secint = runtime.SecInt(16)
        ordered = runtime.sorted(runtime.input([secint(v) for v in (5, -3, 9)], senders=0))
        whole, one = from_mpyc(party, ordered), from_mpyc(party, ordered[0])
        fixed = from_mpyc(party, runtime.SecFxp(32, 8)(-1.5))
        opened = await runtime.output(residues)
        return opened.value.tolist(), *[await party.reveal(x) for x in (whole, one, fixed)]

    for residues, whole, one, fixed in run(cluster, program, EDGES):
        assert [[int(v) for v in row] for row in residues] == (EDGES % 10007).tolist()
        assert (whole.tolist(), int(one), float(fixed)) == ([-3, 5, 9], -3, -1.5)


def test_empty_and_scalar(cluster: LocalCluster) -> None:
    async def program(party: Any, mine: Any) -> Any:
        secint = party.runtime.SecInt(32)
        shapes = []
        for x in (party.input(mine, owner=0), party.input(7, owner=0).reshape(())):
            back = from_mpyc(party, await to_mpyc(x, secint))
            shapes.append(np.asarray(await party.reveal(back)).tolist())
        return shapes

    assert run(cluster, program, np.zeros(0, np.int64)) == [[[], 7]] * cluster.m


def test_wrong_types_are_refused(cluster: LocalCluster) -> None:
    async def fraction(party: Any) -> None:
        await to_mpyc(party.input(0.5, owner=0), party.runtime.SecInt(32))

    async def binary_field(party: Any) -> None:
        await to_mpyc(party.input(1, owner=0), party.runtime.SecFld(2**8))

    async def field_back(party: Any) -> None:
        from_mpyc(party, party.runtime.SecFld(10007)(5))

    for program in (fraction, binary_field, field_back):
        with pytest.raises(WrongType):
            cluster.run(program)


def test_in_memory_there_is_no_mpyc() -> None:
    async def program(party: Any) -> None:
        assert party.runtime is None
        from_mpyc(party, 5)

    with pytest.raises(UsageError, match="LocalCluster"):
        MemoryCluster().run(program)


def test_too_many_components_are_refused() -> None:
    async def program(party: Any) -> None:
        party.runtime = object()

        class SecType:
            class field:  # noqa: N801
                modulus = 101

        await to_mpyc(party.input(1, owner=0), SecType)

    with pytest.raises(OutOfRange, match="at most 7"):
        MemoryCluster(parties=9).run(program)


def test_the_example_runs() -> None:
    done = run_script("-m", "examples.mpyc_types", cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    sales = np.array([[12, 15, 9, 20, 31], [3, 8, 2, 11, 9], [40, 38, 41, 55, 60]]).sum(axis=0)
    lines = dict(line.split(": ") for line in done.stdout.splitlines())
    assert int(lines["median price"]) == 310
    assert lines["turnover"] == str(sales * 310)
    expected = np.abs(sales - sales.mean()).max() / sales.mean()
    assert abs(float(lines["largest deviation from the mean"]) - expected) < 1e-3
