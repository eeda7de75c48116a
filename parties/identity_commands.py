"""``accord init`` and ``accord fingerprint``: a member's identity, made once and shown as often as somebody asks."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from mpc.errors import AccordError
from parties.errors import PassphraseWrong
from parties.fingerprints import fingerprint_of, show_fingerprint, show_public_key
from parties.identity import Identity, check_passphrase, read_passphrase, stated_public_key
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
    for parser in (init, shown):
        parser.add_argument(
            "directory",
            nargs="?",
            type=Path,
            default=Path(os.environ.get("ACCORD_HOME") or Path.home() / ".accord"),
            help="where the identity is; default $ACCORD_HOME, else ~/.accord",
        )
    protection = init.add_mutually_exclusive_group()
    protection.add_argument("--passphrase", action="store_true", help="ask for a passphrase to encrypt the key with")
    protection.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line is the passphrase")


def run_identity_command(given: argparse.Namespace) -> int:
    """Gives the exit status: 0 if done; 1 if not, with the reason and the way out on stderr, and nothing changed."""
    try:
        if given.command == "init":
            _init(given.directory, given.passphrase, given.passphrase_file)
        else:
            _show(stated_public_key(given.directory / IDENTITY_FILE))
    except AccordError as error:
        print(f"accord {given.command}: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _init(directory: Path, ask: bool, passphrase_file: Path | None) -> None:
    passphrase = _asked() if ask else None if passphrase_file is None else read_passphrase(passphrase_file)
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


def _asked() -> bytes:
    passphrase = getpass.getpass("passphrase: ").encode()
    check_passphrase(passphrase)
    if getpass.getpass("once more: ").encode() != passphrase:
        raise PassphraseWrong("the two are not the same: nothing was made, begin again")
    return passphrase
