"""What the package gives by its own name, and when it loads it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mpc
from tests.scripts import run_script


def test_names_are_those_of_their_modules() -> None:
    assert {name for name in mpc.__all__ if getattr(mpc, name, None) is None} == set()
    assert mpc.where is mpc.relations.where and mpc.SecretArray is mpc.arrays.SecretArray
    assert mpc.shuffle.__name__ == "mpc.shuffle"
    assert set(mpc.__all__) <= set(dir(mpc))


@pytest.mark.parametrize("name", ["Secrets", "__wrapped__"])
def test_a_name_that_is_not_there(name: str) -> None:
    with pytest.raises(AttributeError, match="no attribute"):
        getattr(mpc, name)


@pytest.mark.parametrize("first", ["shapes", "operands", "relations", "numpy_habits"])
def test_a_module_may_come_first_though_arrays_need_it(first: str, tmp_path: Path) -> None:
    program = (
        f"import mpc.{first}\n"
        "from mpc import MemoryCluster\n"
        "async def program(party, mine):\n"
        "    x = party.input(mine, owner=0)\n"
        "    return int(await party.reveal((x * x + 1).sum()))\n"
        "print(MemoryCluster(3).run(program, [[1, 2], None, None])[0])\n"
    )
    done = run_script("-c", program, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "7\n"), done.stderr
