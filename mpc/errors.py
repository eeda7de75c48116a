"""Everything that can go wrong in the engine, by whose fault it is.

Two families: :class:`UsageError` is the caller's own (bad input, bad shape, a program that
differs between parties); :class:`PeerError` is another party's (it died, it stopped, it lied, it
sent rubbish). Every message names the party and the way out, and never carries a secret.
"""

from __future__ import annotations

__all__ = [
    "AccordError",
    "ConfigurationMismatch",
    "CredentialsUnusable",
    "FrameInvalid",
    "FrameOversized",
    "FrameTruncated",
    "IdentityMismatch",
    "LabelReused",
    "NotAPermutation",
    "NotTransferable",
    "OutOfRange",
    "PartyFailed",
    "PeerError",
    "PeerFlooding",
    "PeerLost",
    "PeerMissing",
    "PeerSilent",
    "PeerUntrusted",
    "ProgramDiverged",
    "ShapeMismatch",
    "ShapePending",
    "ThresholdTooLarge",
    "TooFewParties",
    "TooManyParties",
    "UnknownParty",
    "UsageError",
    "WrongType",
]


class AccordError(Exception):
    """Root of every error raised on purpose. You do not get it for a bug in the engine itself."""


class UsageError(AccordError):
    """The caller asked for something that cannot be done; nothing was sent."""


class OutOfRange(UsageError):
    """A value, or a parameter, lies outside the range the operation is exact for (NaN and infinity too)."""


class WrongType(UsageError):
    """A dtype or an operand kind the operation does not take."""


class ShapeMismatch(UsageError):
    """Shapes that do not fit together, at one party or between parties."""


class ShapePending(UsageError):
    """The shape is known only to the input's owner so far: ``await`` the array first."""


class NotAPermutation(UsageError):
    """An array given as a permutation of n rows does not hold every number from 0 to n - 1 once."""


class CredentialsUnusable(UsageError):
    """This party's own certificate, key or authority cannot be read, or they do not fit together."""


class UnknownParty(UsageError):
    """An index outside 0..m-1 was given as owner, receiver or peer."""


class TooFewParties(UsageError):
    """Fewer than three parties: an honest majority does not exist."""


class TooManyParties(UsageError):
    """So many parties with such a threshold that every secret would have more than 126 components."""


class ThresholdTooLarge(UsageError):
    """The threshold is not below half the number of parties."""


class LabelReused(AccordError):
    """A pseudorandom stream was asked for twice under one label. Always a bug; never ignored."""


class ProgramDiverged(UsageError):
    """The parties do not run the same program: one does an operation another does not, so no party can go on.

    You do not get it while any party has a timer, a thread, a process or a connection of its own that may wake it.
    """


class PartyFailed(AccordError):
    """A program raised at some party.

    Attributes:
        index: the party whose program raised.
        kind: name of the exception's class there.
        traceback: formatted traceback, only where the caller may see it (a LocalCluster's parent); else ''.
    """

    def __init__(self, index: int, kind: str, detail: str = "", traceback: str = "") -> None:
        self.index = index
        self.kind = kind
        self.detail = detail
        self.traceback = traceback
        text = f"the program failed at party {index} with {kind}"
        if detail:
            text += f": {detail}"
        if traceback:
            text += f"\n--- traceback at party {index} ---\n{traceback}"
        super().__init__(text)

    def __reduce__(self) -> tuple[type[PartyFailed], tuple[int, str, str, str]]:
        return type(self), (self.index, self.kind, self.detail, self.traceback)


class PeerError(AccordError):
    """Another party, or the way to it, is at fault.

    Attributes:
        peer: index of the party at fault, -1 if it could not be told.
    """

    def __init__(self, peer: int, text: str) -> None:
        self.peer = peer
        self.text = text
        super().__init__(text)

    def __reduce__(self) -> tuple[type[PeerError], tuple[int, str]]:
        return type(self), (self.peer, self.text)


class PeerLost(PeerError):
    """The connection to a peer broke without a farewell: it died, or the network did."""


class PeerSilent(PeerLost):
    """Nothing, not even a heartbeat, came for the allowed time: it was stopped, or cut off without a word."""


class PeerMissing(PeerError):
    """A peer did not connect within the time allowed for starting."""


class PeerUntrusted(PeerError):
    """The TLS handshake failed here or there: unknown authority, expired or unsuitable certificate."""


class IdentityMismatch(PeerError):
    """A valid certificate, but not the one on the roster for the party index claimed with it."""


class ConfigurationMismatch(PeerError):
    """A peer was set up differently: another number of parties, threshold, max_frame, session or release."""


class FrameInvalid(PeerError):
    """A peer sent a frame that has no place there: unknown kind or version, or one label twice."""


class FrameOversized(PeerError):
    """A peer announced a frame larger than agreed."""


class FrameTruncated(PeerLost):
    """A peer's stream ended, or went wrong, in the middle of a frame."""


class PeerFlooding(PeerError):
    """A peer sent more data that nobody asked for than this party will keep."""


class NotTransferable(UsageError):
    """An object, or bytes from a peer, that is not plain data: only numbers, text, bytes, lists, arrays travel."""
