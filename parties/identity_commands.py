"""``accord init`` and ``accord fingerprint``: a member's identity, made once and shown as often as somebody asks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mpc.errors import AccordError
from parties.command_options import add_passphrase_options, read_given_passphrase
from parties.errors import PassphraseNeeded
from parties.fingerprints import fingerprint_of, show_fingerprint, show_public_key
from parties.identity import Identity, stated_public_key
from parties.private_files import make_private_directory

__all__ = ["IDENTITY_FILE", "add_identity_commands", "run_identity_command"]

IDENTITY_FILE = "identity.key"

_NEXT = """
What next:
 1. Keep a copy of {path} offline: without it this member cannot come back as itself.
 2. Give this line to whoever writes the charter, consortium.toml, for [members.NAME]:
      key = "{key}"
 3. Read the fingerprint aloud to every other member, over the telephone say, and compare all of it. Whoever has
    compared it knows that the key in the charter is yours; nothing else tells them."""


def add_identity_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``init`` and ``fingerprint``, among the commands of ``accord``."""
    init = commands.add_parser("init", help="make this member's identity, once")
    shown = commands.add_parser("fingerprint", help="show this member's fingerprint and public key")
    home = Path(os.environ.get("ACCORD_HOME") or Path.home() / ".accord")
    for parser, name, where in (
        (init, "directory", "where to keep it"),
        (shown, "place", "its directory, or its file where one is mounted"),
    ):
        parser.add_argument(
            name, nargs="?", type=Path, default=home, help=f"{where}; default $ACCORD_HOME or ~/.accord"
        )
        add_passphrase_options(parser)


def run_identity_command(given: argparse.Namespace) -> int:
    """Gives the exit status: 0 if done; 1 if not, with the reason and the way out on stderr, and nothing changed."""
    try:
        if given.command == "init":
            _init(given.directory, read_given_passphrase(given, new=True))
        else:
            _show(_public_key(given.place, read_given_passphrase(given, new=False)))
    except AccordError as error:
        print(f"accord {given.command}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _init(directory: Path, passphrase: bytes | None) -> None:
    identity = Identity.generate()
    path = directory / IDENTITY_FILE
    make_private_directory(directory)
    identity.save(path, passphrase)
    Identity.load(path, passphrase)  # what cannot be read back is better known now
    kept = "encrypted" if passphrase else "not encrypted; --passphrase encrypts one"
    print(f"made an identity in {path} ({kept})\n")
    _show(identity.public)
    print(_NEXT.format(path=path, key=show_public_key(identity.public)))


def _show(public: bytes) -> None:
    lines = show_fingerprint(fingerprint_of(public)).splitlines()
    print("fingerprint  " + "\n             ".join(lines))
    print(f"public key   {show_public_key(public)}")


def _public_key(place: Path, passphrase: bytes | None) -> bytes:
    """That of the key itself; as the file states it where it is encrypted and no passphrase was given."""
    path = place if place.is_file() else place / IDENTITY_FILE
    try:
        return Identity.load(path, passphrase).public
    except PassphraseNeeded:
        return stated_public_key(path)
