"""The command line: what a person types first."""

from __future__ import annotations

import pytest

from parties.cli import main


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
