"""The help of every command: whole, in plain text or in boxes, and with examples that can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.main import get_command

from parties.cli import app, main
from parties.data.published import USES
from parties.terminal.command_app import Panel
from parties.terminal.exit_status import ExitStatus

SCREEN = 55  # lines: a terminal of a laptop
WIDTH = 80


def commands() -> Iterator[tuple[str, Any]]:
    """All that do something, by their words."""
    for name, command in get_command(app()).commands.items():  # type: ignore[attr-defined]
        for below, one in getattr(command, "commands", {"": command}).items():
            yield f"{name} {below}".strip(), one


COMMANDS = dict(commands())


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


def boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(WIDTH))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_is_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"Usage: accord {name}")
    for part in ("\nExamples\n", "\nExit status\n  0   done\n", "  2   ", "  130 "):
        assert part in said
    assert len(COMMANDS[name].help.split("\n\n")) > 1, "what it does, in a line, and then when and where"
    assert ("\nWith --json\n" in said) == ("--json" in said) == (name != "serve")
    assert "\x1b" not in said and "[bold]" not in said


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_is_one_line_where_there_is_no_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*name.split(), "--help"])
    lines = capsys.readouterr().out.splitlines()
    context = typer.Context(COMMANDS[name])
    for param in COMMANDS[name].get_params(context):
        assert param.help, f"{name}: what is {param.name}?"
        assert any(param.opts[0] in line and " ".join(param.help.split()) in line for line in lines) or any(
            " ".join(param.help.split()) in line for line in lines
        ), param.name


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_in_it_is_taken_for_markup(name: str) -> None:
    context = typer.Context(COMMANDS[name])
    for text in (COMMANDS[name].help, *(param.help for param in COMMANDS[name].get_params(context))):
        assert Text.from_markup(text).plain == text


@pytest.mark.parametrize("name", COMMANDS)
def test_in_boxes_it_says_the_same(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes(monkeypatch)
    assert main([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert "╭" in said and "Examples" in said and "Exit status" in said
    monkeypatch.setenv("NO_COLOR", "1")
    assert main([*name.split(), "--help"]) == 0
    said = capsys.readouterr().out
    assert "╭" not in said and "\x1b" not in said and "\nExamples\n" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_typed(name: str) -> None:
    """Their commands and options exist: the parser takes them. What a shell does around them is left out."""
    examples = Text.from_markup(COMMANDS[name].epilog).plain.partition("Examples")[2].partition("\n\n")[0]
    lines = [line for line in examples.replace("\\\n", " ").splitlines() if not line.strip().startswith("#")]
    found = [part for line in lines for part in re.split(r"[|;]|\$\(", _unquoted(line)) if "accord " in part]
    assert any(part.split("accord ", 1)[1].startswith(name) for part in found)
    for part in found:
        typed = part[part.index("accord ") + len("accord ") :].split("<")[0].split(" > ")[0].rstrip(") ")
        command, words = _resolved(shlex.split(typed.replace("\0", "'")))
        with command.make_context("accord", words):  # raises for an option that is not there, or one that is lacking
            pass


def _unquoted(line: str) -> str:
    """The line with quoted texts made harmless, so that it can be cut at pipes."""
    return re.sub(r"'[^']*'", lambda quoted: "\0" + re.sub(r"[|;$<>]", "_", quoted[0][1:-1]) + "\0", line)


def _resolved(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = get_command(app())
    while hasattr(command, "commands"):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def test_all_commands_fit_a_screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    boxes(monkeypatch)
    assert main([]) == 0
    said = Text.from_ansi(capsys.readouterr().out).plain
    lines = said.splitlines()
    assert len(lines) <= SCREEN and max(map(len, lines)) <= WIDTH
    for panel in Panel:
        assert f"─ {panel} ─" in said
    for name, command in get_command(app()).commands.items():  # type: ignore[attr-defined]
        first = command.help.splitlines()[0]
        assert re.search(rf"│ {name} +{re.escape(first)} +│", said), f"{name}: a line of its own, not two"


def test_all_commands_by_panel_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: accord ")
    for panel in Panel:
        assert f"\n{panel}:\n" in said
    for name, command in get_command(app()).commands.items():  # type: ignore[attr-defined]
        assert re.search(rf"^  {name} +{re.escape(command.help.splitlines()[0])}$", said, re.MULTILINE)
    assert main(["charter", "-h"]) == 0
    assert re.search(r"^  sign +Sign a proposal", capsys.readouterr().out, re.MULTILINE)


def test_every_status_a_page_names_has_its_number() -> None:
    for name, command in COMMANDS.items():
        lines = Text.from_markup(command.epilog).plain.partition("Exit status\n")[2].splitlines()
        numbers = [int(line[:6]) for line in lines]
        assert numbers == sorted(set(numbers)) and set(numbers) <= {int(status) for status in ExitStatus}, name


def test_uses_are_all_in_the_help_of_publish() -> None:
    [allow] = [param for param in COMMANDS["publish"].params if param.name == "allow"]
    assert set(re.findall(r"[a-z]+", allow.help)) >= set(USES)
