"""The command line: what a person types first."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.cli import main
from tests.scripts import run_script


def test_check_computes_over_real_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "TLS 1.3 yes" in out
    assert out.rstrip().endswith("ready")


def test_unknown_command_says_which_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["chekc"])
    assert stop.value.code == 2
    assert "check" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("accord ")


def test_commands_do_not_wait_for_what_only_a_node_needs(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from parties.cli import main\n"
        "main([])\n"
        "heavy = 'numba', 'mpyc', 'mpc.arrays', 'pandas', 'duckdb', 'ibis', 'scipy', 'fastapi'\n"
        "print('loaded:', [name for name in heavy if name in sys.modules])\n"
    )
    done = run_script("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: accord") and done.stdout.endswith("loaded: []\n")
