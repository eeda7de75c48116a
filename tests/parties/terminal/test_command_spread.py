"""Parameters that stand for several options: what is typed arrives as one thing, as if each option stood there."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from parties.terminal.command_spread import spread


@dataclass(frozen=True)
class Inner:
    loud: Annotated[bool, typer.Option("--loud")] = False
    often: Annotated[int, typer.Option("--often")] = 1

    def __post_init__(self) -> None:
        if self.often < 0:
            raise typer.BadParameter("--often: 0 or more")


@dataclass(frozen=True)
class Outer:
    name: Annotated[str, typer.Option("--name")]
    inner: Inner = Inner()
    last: Annotated[str | None, typer.Option("--last")] = None


@dataclass(frozen=True)
class Narrower(Outer):
    name: Annotated[str, typer.Option("--called")] = "nobody"


HEARD: list[object] = []


def command(size: Annotated[int, typer.Argument()], twice: bool = False, *, outer: Outer) -> None:
    """Says what it heard."""
    HEARD.append((size, twice, outer))


def narrower(outer: Narrower) -> None:
    """Likewise."""
    HEARD.append(outer)


def typed(what: object, *words: str) -> int:
    app = typer.Typer()
    app.command()(spread(what))  # type: ignore[arg-type]
    HEARD.clear()
    return CliRunner().invoke(app, list(words)).exit_code


def test_options_stand_where_the_parameter_stood() -> None:
    made = inspect.signature(spread(command))
    assert list(made.parameters) == ["size", "twice", "name", "loud", "often", "last"]
    assert made.parameters["often"].default == 1 and made.parameters["name"].default is inspect.Parameter.empty
    assert spread(command).__doc__ == "Says what it heard."
    assert list(inspect.signature(spread(narrower)).parameters) == ["name", "loud", "often", "last"]


def test_what_is_typed_arrives_as_one_thing() -> None:
    assert typed(command, "7", "--name", "ann") == 0
    assert [(7, False, Outer("ann"))] == HEARD
    assert typed(command, "7", "--twice", "--often", "3", "--name", "ann", "--loud", "--last", "x") == 0
    assert [(7, True, Outer("ann", Inner(True, 3), "x"))] == HEARD
    assert typed(narrower, "--called", "bob") == 0 and [Narrower("bob")] == HEARD


@pytest.mark.parametrize(
    "words", [("7",), ("7", "--called", "x", "--name", "y"), ("7", "--name", "a", "--often", "-1")]
)
def test_what_is_lacking_unknown_or_refused_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert typed(command, *words) == 2 and HEARD == []
