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


def test_unknown_command_says_which_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("accord: WrongUsage: No such command 'chekc'. Did you mean 'check'?")


def test_wrong_usage_is_a_line_that_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words, path, text in (
        (["ask"], "accord ask", "KIND"),
        (["ask", "aggregate"], "accord ask", "--parameters"),
        (["ask", "aggregate", "-p", "{}", "--on-loss", "hope"], "accord ask", "hope"),
        (["charter"], "accord charter", "command"),
        (["charter", "sing"], "accord charter", "Did you mean 'sign'?"),
        (["charter", "sign", "--no"], "accord charter sign", "--no"),
        (["jobs", "--most", "x"], "accord jobs", "--most"),
        (["--verbose"], "accord", "--verbose"),
    ):
        assert main(words) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1
        assert said.err.startswith(f"{path}: WrongUsage: ") and text in said.err and f"`{path} --help`" in said.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("--version", "-V"):
        assert main([option]) == 0
        assert capsys.readouterr().out.startswith("accord ")


_HEAVY = "numba", "mpyc", "mpc.arrays", "numpy", "pandas", "duckdb", "ibis", "scipy", "fastapi", "dp_accounting", "trio"


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ([], {}),
        (["--help"], {}),
        (["publish", "--help"], {}),
        (["charter", "sign", "--help"], {}),
        (["chekc"], {}),
        ([], {"_ACCORD_COMPLETE": "source_bash"}),
        ([], {"_ACCORD_COMPLETE": "complete_bash", "COMP_WORDS": "accord pub", "COMP_CWORD": "1"}),
        ([], {"_ACCORD_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "accord ask --"}),
    ],
)
def test_help_and_completion_do_not_wait_for_what_only_a_node_needs(
    words: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    program = (
        "import os, sys\n"
        f"os.environ.update({environment!r})\n"
        "from parties.cli import main\n"
        f"main({words!r})\n"
        f"print('loaded:', [name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = run_script("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("loaded: []\n")


def test_the_process_ends_with_the_status(tmp_path: Path) -> None:
    home = str(tmp_path / "none")
    for words, status in ((["tables", "--home", home], 0), (["charter", "show", "--home", home], 2), (["x"], 2)):
        assert run_script("-m", "parties.cli", *words, cwd=tmp_path).returncode == status
