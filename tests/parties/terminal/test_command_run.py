"""How commands end: with a status whatever happens, and one line about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from parties.errors import FileMissing, PolicyDenied
from parties.terminal.command_output import Output
from parties.terminal.command_run import ask, run, told
from parties.terminal.exit_status import ExitStatus
from tests.scripts import ROOT


def raising(error: BaseException) -> ExitStatus:
    def command() -> None:
        raise error

    return told("charter show", command)()


def test_an_error_is_a_line_with_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    error = PolicyDenied("table t: no\x1b[2J\nway")
    error.add_note("job 1")
    assert raising(error) is ExitStatus.REFUSED
    out, err = capsys.readouterr()
    assert out == "" and err == "accord charter show: PolicyDenied: table t: no\\x1b[2J\\nway\n  job 1\n"


def test_a_disk_and_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(OSError(28, "No space left on device")) is ExitStatus.FILE_FAULT
    assert "accord charter show: OSError: [Errno 28] No space" in capsys.readouterr().err
    assert raising(KeyboardInterrupt()) is ExitStatus.INTERRUPTED
    assert "interrupted" in capsys.readouterr().err
    with pytest.raises(ZeroDivisionError):
        raising(ZeroDivisionError())


def test_none_is_good_and_a_status_stays() -> None:
    assert told("x", lambda: None)() is ExitStatus.GOOD
    assert told("x", lambda: ExitStatus.FAILED)() is ExitStatus.FAILED


def test_trios_groups_are_taken_apart() -> None:
    async def two(*errors: BaseException) -> None:
        async def fail(error: BaseException) -> None:
            raise error

        async with trio.open_nursery() as nursery:
            for error in errors:
                nursery.start_soon(fail, error)

    with pytest.raises(FileMissing):
        run(lambda: two(FileMissing("a"), FileMissing("b")))
    with pytest.raises(KeyboardInterrupt):
        run(lambda: two(KeyboardInterrupt()))
    with pytest.raises(BaseExceptionGroup):
        run(lambda: two(FileMissing("a"), ZeroDivisionError()))


def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for typed, answer in (("y", True), (" YES ", True), ("", False), ("no", False)):
        monkeypatch.setattr("builtins.input", lambda *_, typed=typed: typed)
        assert ask("Good?", Output()) is answer
        assert ask("Good?", Output(json=True)) is answer
    out, err = capsys.readouterr()
    assert out == "" and err.count("Good? [y/N] ") == 4  # with --json the question is no part of the answer


def test_whoever_reads_may_stop_reading(tmp_path: Path) -> None:
    program = "import sys\nfrom parties.cli import main\nsys.exit(main(['tables', '--home', sys.argv[1]]))\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait() == ExitStatus.PIPE_CLOSED and said == ""
