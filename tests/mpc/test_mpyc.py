"""The repairs of MPyC: errors arrive where a result is awaited, and its global object is the node that was adopted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from mpc import LocalCluster
from mpc._mpyc import asyncoro

# --- errors in shares ---------------------------------------------------------------------------------


def placeholder() -> Any:
    return asyncoro.SecureObject(asyncio.get_running_loop().create_future())


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_error_in_a_share_is_passed_on(when: str) -> None:
    """Stock MPyC raised it in a callback, where nobody sees it, and the share never came."""
    secret, source = placeholder(), asyncio.get_running_loop().create_future()
    if when == "before":
        source.set_exception(ZeroDivisionError("x"))
    secret.set_share(source)
    if when == "after":
        source.set_exception(ZeroDivisionError("x"))
    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            await secret.share


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_share_that_was_cancelled_is_cancelled(when: str) -> None:
    secret, source = placeholder(), asyncio.get_running_loop().create_future()
    if when == "before":
        source.cancel()
    secret.set_share(source)
    source.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert secret.share.cancelled()


async def test_a_share_that_came_and_one_that_comes() -> None:
    now, later = placeholder(), placeholder()
    source = asyncio.get_running_loop().create_future()
    now.set_share(5)
    later.set_share(source)
    source.set_result(6)
    assert (await now.share, await later.share) == (5, 6)


@pytest.mark.parametrize("bad", [0, 1, 2])
async def test_who_waits_for_several_shares_hears_of_the_one_that_failed(bad: int) -> None:
    secrets = [placeholder() for _ in range(3)]
    waiting = asyncoro._SharesTallier(asyncio.get_running_loop(), secrets)
    for i, secret in enumerate(secrets):
        if i == bad:
            secret.share.set_exception(ZeroDivisionError("x"))
        else:
            secret.share.set_result(i)
    async with asyncio.timeout(5):
        with pytest.raises(ZeroDivisionError):
            await waiting


async def test_several_shares_that_all_come() -> None:
    secrets = [placeholder() for _ in range(3)]
    waiting = asyncoro._SharesTallier(asyncio.get_running_loop(), secrets)
    for i in (2, 0, 1):
        secrets[i].share.set_result(i)
    assert await waiting == [0, 1, 2]


# --- the global object --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(parties=3) as cluster:
        yield cluster


async def as_mpyc_programs_do(party: Any) -> Any:
    from mpyc.runtime import mpc

    x = mpc.input(mpc.SecInt(32)(mpc.pid + 1))
    mpc.options.bit_length = 40
    return len(mpc.parties), int(await mpc.output(mpc.prod(x))), party.runtime.options.bit_length


def test_the_global_object_of_a_program_is_its_node(cluster: LocalCluster) -> None:
    """Otherwise every party computed alone, as the only one."""
    for _ in range(2):
        assert cluster.run(as_mpyc_programs_do) == [(3, 6, 40)] * 3


def test_who_had_the_global_object_before_there_was_a_node_has_the_node_now() -> None:
    code = """
import sys
sys.argv = ['program']
from mpyc.runtime import mpc
assert len(mpc.parties) == 1
import copy, importlib, pickle, types
ours = importlib.import_module('mpc._mpyc')  # mpc is MPyC's object here
assert len(mpc.parties) == 1  # importing us changes nothing
node = types.SimpleNamespace(parties=[0, 1, 2], pid=2)
ours.point_to(node)
assert (mpc.pid, mpc.parties) == (2, [0, 1, 2]) and ours.runtime.mpc is mpc
mpc.pid = 1
assert node.pid == 1 and not hasattr(mpc, 'nothing')
other = types.SimpleNamespace(pid=7)
ours.point_to(other)
assert mpc.pid == 7
assert pickle.loads(pickle.dumps(mpc)) is mpc is copy.deepcopy(mpc)
"""

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
