"""``accord init`` and ``accord fingerprint``: a member's identity, made once and shown as often as somebody asks.

What is typed is in commands/identity.py.
"""

from __future__ import annotations

from pathlib import Path

from parties.disk.private_files import make_private_directory
from parties.errors import PassphraseNeeded
from parties.keys.fingerprints import fingerprint_of, show_fingerprint, show_public_key
from parties.keys.identity import Identity, stated_public_key
from parties.terminal.command_options import Passphrase
from parties.terminal.command_output import Output

__all__ = ["IDENTITY_FILE", "make_identity", "show_identity"]

IDENTITY_FILE = "identity.key"

_NEXT = """
What next:
 1. Keep a copy of {path} offline: without it this member cannot come back as itself.
 2. Give this line to whoever writes the charter, consortium.toml, for [members.NAME]:
      key = "{key}"
 3. Read the fingerprint aloud to every other member, over the telephone say, and compare all of it. Whoever has
    compared it knows that the key in the charter is yours; nothing else tells them."""


def make_identity(directory: Path, passphrase: Passphrase, output: Output) -> None:
    """A new one in a directory, which is made if there is none.

    Raises IdentityExists, and what Passphrase.read and Identity.save raise; then nothing was changed.
    """
    opening = passphrase.read(new=True)
    identity = Identity.generate()
    path = directory / IDENTITY_FILE
    make_private_directory(directory)
    identity.save(path, opening)
    Identity.load(path, opening)  # what cannot be read back is better known now
    output.result({"file": str(path), "encrypted": opening is not None, **_fields(identity.public)})
    kept = "encrypted" if opening else "not encrypted; --passphrase encrypts one"
    output.say(f"made an identity in {path} ({kept})\n")
    _show(identity.public, output)
    output.say(_NEXT.format(path=path, key=show_public_key(identity.public)))


def show_identity(place: Path, passphrase: Passphrase, output: Output) -> None:
    """The one in a directory or a file. Raises as Identity.load and Passphrase.read do."""
    public = _public_key(place, passphrase.read())
    output.result(_fields(public))
    if not output.json:
        _show(public, output)


def _fields(public: bytes) -> dict[str, str]:
    return {"fingerprint": fingerprint_of(public), "public_key": show_public_key(public)}


def _show(public: bytes, output: Output) -> None:
    lines = show_fingerprint(fingerprint_of(public)).splitlines()
    output.say("fingerprint  " + "\n             ".join(lines))
    output.say(f"public key   {show_public_key(public)}")


def _public_key(place: Path, passphrase: bytes | None) -> bytes:
    """That of the key itself; as the file states it where it is encrypted and no passphrase was given."""
    path = place if place.is_file() else place / IDENTITY_FILE
    try:
        return Identity.load(path, passphrase).public
    except PassphraseNeeded:
        return stated_public_key(path)
