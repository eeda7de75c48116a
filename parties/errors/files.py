"""What a member has on its own machine: files, keys, passphrases, settings, addresses."""

from __future__ import annotations

from mpc.errors import AccordError, UsageError

__all__ = [
    "AddressTaken",
    "FileExposed",
    "FileMissing",
    "FileUnusable",
    "IdentityDamaged",
    "IdentityExists",
    "IdentityMissing",
    "KeyInvalid",
    "PassphraseNeeded",
    "PassphraseTooShort",
    "PassphraseWrong",
    "SettingsInvalid",
    "StoreFailed",
]


class FileUnusable(UsageError):
    """A file this node keeps cannot be read or written, or is no regular file, or too large."""


class FileExposed(FileUnusable):
    """A secret's file can be read or exchanged by others on this machine. Nothing of it was used."""


class FileMissing(FileUnusable):
    """There is no such file."""


class IdentityMissing(FileMissing):
    """There is no identity at this place: ``accord init`` makes one."""


class IdentityExists(FileUnusable):
    """There is an identity already, and nothing overwrites one: other members know this member by it."""


class IdentityDamaged(UsageError):
    """A file is no private key, or not the one it says it is. You do not get it for a wrong passphrase."""


class KeyInvalid(UsageError):
    """A key of another kind than Ed25519, or a public key that is none, or one anybody could sign for."""


class PassphraseNeeded(UsageError):
    """The identity is encrypted, and no passphrase was given."""


class PassphraseWrong(UsageError):
    """The identity does not decrypt: another passphrase, or encrypted bytes that were changed."""


class PassphraseTooShort(UsageError):
    """A passphrase that could be guessed by trying."""


class SettingsInvalid(UsageError):
    """A setting of this node's own, in node.toml, breaks a rule; the text names the field."""


class AddressTaken(AccordError):
    """The system does not let this node listen where its settings say. The text says why, and the way out."""


class StoreFailed(AccordError):
    """The disk, or the file on it, did not keep a change. The text names the file, and the way out.

    If it says so, the change may or may not be found when the file is opened the next time; else it was undone.
    """
