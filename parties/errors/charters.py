"""Charters, signatures under them, and how a member comes into one."""

from __future__ import annotations

from mpc.errors import AccordError, UsageError
from parties.errors.peers import PeerRefused

__all__ = [
    "CharterDamaged",
    "CharterInvalid",
    "CharterMissing",
    "CharterNotInForce",
    "CodeInvalid",
    "FounderUnreachable",
    "FoundingInvalid",
    "InvitationRefused",
    "MeetingBroken",
    "SignatureInvalid",
]


class SignatureInvalid(AccordError):
    """A signature was not made by this key over these bytes for this purpose."""


class CharterInvalid(UsageError):
    """A charter, or its file of signatures, breaks a rule; the text names the member and the field."""


class CharterDamaged(UsageError):
    """What this node keeps of charters was changed, or part of it is gone. Nothing of it is acted on."""


class CharterMissing(UsageError):
    """No charter is in force here yet, or none with the digest that was given is known here."""


class CharterNotInForce(AccordError):
    """Somebody who must sign this charter has not, or it does not follow on the one in force."""


class CodeInvalid(UsageError):
    """What was given as an invitation's code is none, or a letter of it is wrong. Nobody was called."""


class FoundingInvalid(UsageError):
    """Nothing is being founded here, or what is does not allow this: a name that is taken, or a changed file."""


class InvitationRefused(PeerRefused):
    """The founder does not take this code, or a member declined the charter. The text says which, as far as it may."""


class FounderUnreachable(AccordError):
    """Nobody answers at the address in an invitation's code, or who answers is not the founder."""


class MeetingBroken(PeerRefused):
    """The connection between founder and joining member broke off, or brought what has no place there."""
