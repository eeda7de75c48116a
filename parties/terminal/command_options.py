"""Options that many commands have in common, and what they say: which node, how its key opens, JSON or not."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "HomeOption",
    "IdentityOption",
    "JsonOption",
    "NodeOption",
    "Passphrase",
    "PassphraseFileOption",
    "PassphraseOption",
    "UrlOption",
    "WhichNode",
]

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


@dataclass(frozen=True)
class Passphrase:
    """What --passphrase and --passphrase-file say. A parameter of a command: command_spread.py.

    Raises typer.BadParameter for both at once.
    """

    passphrase: PassphraseOption = False
    passphrase_file: PassphraseFileOption = None

    def __post_init__(self) -> None:
        if self.passphrase and self.passphrase_file is not None:
            raise typer.BadParameter("--passphrase and --passphrase-file: give one of them")

    def read(self, *, new: bool = False) -> bytes | None:
        """The passphrase; None if they say nothing. A ``new`` one is typed twice.

        Raises PassphraseTooShort, PassphraseWrong, FileExposed, FileUnusable.
        """
        from parties.errors import PassphraseWrong
        from parties.keys.identity import check_passphrase, read_passphrase

        if self.passphrase_file is not None:
            return read_passphrase(self.passphrase_file)
        if not self.passphrase:
            return None
        passphrase = getpass.getpass("passphrase: ").encode()
        check_passphrase(passphrase)
        if new and getpass.getpass("once more: ").encode() != passphrase:
            raise PassphraseWrong("the two are not the same: nothing was made, begin again")
        return passphrase


@dataclass(frozen=True)
class WhichNode:
    """Whom a command asks, and as whom: what --url, --node, --identity, --home and the passphrase's options say.

    A parameter of a command: command_spread.py.
    """

    url: UrlOption = None
    node: NodeOption = None
    identity: IdentityOption = None
    home: HomeOption = None
    passphrase: Passphrase = Passphrase()
