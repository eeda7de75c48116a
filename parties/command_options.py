"""What many commands of a node have in common: where it is, how its key opens, how errors and questions are told."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import trio
import typer

from mpc.errors import AccordError
from parties.errors import PassphraseWrong
from parties.home import Home
from parties.identity import check_passphrase, read_passphrase

__all__ = [
    "HomeOption",
    "IdentityOption",
    "JsonOption",
    "NodeOption",
    "Passphrase",
    "PassphraseFileOption",
    "PassphraseOption",
    "UrlOption",
    "YesOption",
    "add_home_option",
    "add_passphrase_options",
    "ask",
    "given_home",
    "read_given_passphrase",
    "run",
    "told",
]

T = TypeVar("T")


def add_home_option(parser: argparse.ArgumentParser) -> None:
    """``--home``."""
    parser.add_argument("--home", type=Path, metavar="DIR", help="of the node; default $ACCORD_HOME or ~/.accord")


def given_home(given: argparse.Namespace) -> Home:
    """What it says."""
    return Home(given.home)


def add_passphrase_options(parser: argparse.ArgumentParser) -> None:
    """``--passphrase`` and ``--passphrase-file``, one of them."""
    protection = parser.add_mutually_exclusive_group()
    protection.add_argument("--passphrase", action="store_true", help="ask for the passphrase of the key")
    protection.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its one line is the passphrase")


def read_given_passphrase(given: argparse.Namespace, *, new: bool) -> bytes | None:
    """The passphrase, from where the options say; None if they say nothing. A ``new`` one is typed twice.

    Raises PassphraseTooShort, PassphraseWrong, FileExposed, FileUnusable.
    """
    if given.passphrase_file is not None:
        return read_passphrase(given.passphrase_file)
    if not given.passphrase:
        return None
    passphrase = getpass.getpass("passphrase: ").encode()
    check_passphrase(passphrase)
    if new and getpass.getpass("once more: ").encode() != passphrase:
        raise PassphraseWrong("the two are not the same: nothing was made, begin again")
    return passphrase


def told(name: str, command: Callable[[], int]) -> int:
    """Run a command. An error of ours is a line on stderr, with its notes, and status 1; an interruption is 130."""
    try:
        return command()
    except AccordError as error:
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(error))  # a part may come from elsewhere
        print(f"accord {name}: {type(error).__name__}: {text}", file=sys.stderr)
        for note in getattr(error, "__notes__", ()):
            print(f"  {note}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"accord {name}: interrupted; the same command again goes on from here", file=sys.stderr)
        return 130


def ask(question: str) -> bool:
    """Yes, typed by somebody; anything else, or nobody there to type, is no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def run(work: Callable[[], Awaitable[T]]) -> T:
    """trio.run, with an interruption, or an error of ours, as what it is and not in a group."""
    try:
        return trio.run(work)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        ours, others = group.split(AccordError)
        if ours is not None and others is None:
            raise _first(ours) from None
        raise


def _first(group: BaseException) -> BaseException:
    """The first error in a group of groups."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


_NODE, _KEY, _OUTPUT = "Which node", "Key", "Output"

HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="of the node; default $ACCORD_HOME or ~/.accord", rich_help_panel=_NODE),
]
UrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="https://host:port; default $ACCORD_URL, or this machine's node",
        rich_help_panel=_NODE,
    ),
]
NodeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--node",
        metavar="KEY",
        help="the node's public key; default $ACCORD_NODE, or the one `accord remember` kept",
        rich_help_panel=_NODE,
    ),
]
IdentityOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--identity", metavar="FILE", help="of who asks; default identity.key in --home", rich_help_panel=_KEY
    ),
]
PassphraseOption: TypeAlias = Annotated[
    bool, typer.Option("--passphrase", help="ask for the passphrase of the key", rich_help_panel=_KEY)
]
PassphraseFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--passphrase-file", metavar="FILE", help="its one line is the passphrase", rich_help_panel=_KEY),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="print JSON, and messages on stderr", rich_help_panel=_OUTPUT)
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="without a question")]


@dataclass(frozen=True)
class Passphrase:
    """What --passphrase and --passphrase-file say.

    Raises typer.BadParameter for both at once.
    """

    typed: bool = False
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.typed and self.file is not None:
            raise typer.BadParameter("--passphrase and --passphrase-file: give one of them")

    def read(self, *, new: bool = False) -> bytes | None:
        """The passphrase; None if they say nothing. A ``new`` one is typed twice.

        Raises PassphraseTooShort, PassphraseWrong, FileExposed, FileUnusable.
        """
        from parties.errors import PassphraseWrong
        from parties.identity import check_passphrase, read_passphrase

        if self.file is not None:
            return read_passphrase(self.file)
        if not self.typed:
            return None
        passphrase = getpass.getpass("passphrase: ").encode()
        check_passphrase(passphrase)
        if new and getpass.getpass("once more: ").encode() != passphrase:
            raise PassphraseWrong("the two are not the same: nothing was made, begin again")
        return passphrase
