"""What can go wrong between members and their machines, before anything is computed.

Usage errors are this member's own to mend (its files, its charter); a PeerRefused is about somebody who called, or was
called. No message carries a secret, nor does a ``__cause__`` or ``__context__`` of one. One about a table carries no
value of it, no place and no number of rows: it may be shown to others.
"""

from __future__ import annotations

from typing import Any

from mpc.errors import AccordError, UsageError

__all__ = [
    "AddressInvalid",
    "AddressTaken",
    "AnswerTooLarge",
    "BallotInvalid",
    "BodyTooLarge",
    "BodyTooSlow",
    "BootStale",
    "BoundsMissing",
    "CertificateInvalid",
    "CharterDamaged",
    "CharterInvalid",
    "CharterMissing",
    "CharterNotInForce",
    "CharterOutdated",
    "CharterUnknown",
    "CheckpointInvalid",
    "CodeInvalid",
    "ColumnMissing",
    "DealtDiffer",
    "DealtInvalid",
    "ExpressionUnfit",
    "ExtraMissing",
    "FileExposed",
    "FileMissing",
    "FileUnusable",
    "FilterInvalid",
    "FounderUnreachable",
    "FoundingInvalid",
    "IdentityDamaged",
    "IdentityExists",
    "IdentityMissing",
    "IllegalStep",
    "InvitationRefused",
    "JobConflict",
    "JobFailed",
    "JobInvalid",
    "JobRefused",
    "JobUnknown",
    "KeyInvalid",
    "KindUnknown",
    "LaneInvalid",
    "LaneLost",
    "MeetingBroken",
    "MemberLost",
    "MessageInvalid",
    "MessageReplayed",
    "ModelChanged",
    "ModelMissing",
    "ModelUnfit",
    "NodeAnswerInvalid",
    "NodeCallFailed",
    "NodeFailed",
    "NodeFault",
    "NodeKeyUnknown",
    "NodeTimedOut",
    "NodeUnproven",
    "NodeUnreachable",
    "NotAMember",
    "NotOneOfThePeople",
    "NotPublished",
    "NotReleased",
    "ParametersInvalid",
    "PartsMissing",
    "PartsTooLarge",
    "PassphraseNeeded",
    "PassphraseTooShort",
    "PassphraseWrong",
    "PeerAnswerInvalid",
    "PeerCallFailed",
    "PeerRefused",
    "PeerRefusedUs",
    "PeerTimedOut",
    "PeerUnproven",
    "PeerUnreachable",
    "RouteUnknown",
    "RowsUnfit",
    "SettingsInvalid",
    "SignatureInvalid",
    "SourceApart",
    "SourceTooLarge",
    "SourceUnreachable",
    "SourceUnreadable",
    "SqlInvalid",
    "SqlUnbound",
    "SqlUnsupported",
    "StillRunning",
    "StoreFailed",
    "TableInvalid",
    "TableMissing",
    "TableUnfit",
    "TooManyJobs",
    "ValueUnfit",
    "WorkerLost",
    "WrongMember",
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


class SignatureInvalid(AccordError):
    """A signature was not made by this key over these bytes for this purpose."""


class CharterInvalid(UsageError):
    """A charter, or its file of signatures, breaks a rule; the text names the member and the field."""


class CharterDamaged(UsageError):
    """What this node keeps of charters was changed, or part of it is gone. Nothing of it is acted on."""


class CharterMissing(UsageError):
    """No charter is in force here yet, or none with the digest that was given is known here."""


class CodeInvalid(UsageError):
    """What was given as an invitation's code is none, or a letter of it is wrong. Nobody was called."""


class FoundingInvalid(UsageError):
    """Nothing is being founded here, or what is does not allow this: a name that is taken, or a changed file."""


class CharterNotInForce(AccordError):
    """Somebody who must sign this charter has not, or it does not follow on the one in force."""


class PartsMissing(AccordError):
    """What another member dealt to this node for a job did not come, not whole, or was changed on the disk."""


class PartsTooLarge(AccordError):
    """This node keeps no more of what other members deal to it."""


class NodeFault(AccordError):
    """A fault of a node's own program, which ended a job and nothing else. Its log says the same."""


class ModelChanged(AccordError):
    """The file of a model is not the one that was added under its name and version, or is gone. Nobody scores by it."""


class ModelMissing(UsageError):
    """There is no model of this name, or no such version of it."""


class ModelUnfit(UsageError):
    """What is to be a model of this member's is none that can be shared, or an entry of one was changed by hand."""


class MemberLost(AccordError):
    """Another member's node ended, was stopped, or cannot be reached any more, while a job needed it."""


class LaneInvalid(AccordError):
    """A lane of the mesh that is not here, or that somebody described wrongly. It is made anew."""


class WorkerLost(AccordError):
    """A worker process of this node ended, was stopped, or lost its peers. The node itself goes on."""


class LaneLost(WorkerLost):
    """A lane ended under this node's worker because somebody else's was lost; who that was, another may know better.

    Attributes:
        peer: index of the party to which the connection broke; -1 where the coordinator has the lane made anew.
    """

    def __init__(self, text: str, peer: int = -1) -> None:
        super().__init__(text)
        self.peer = peer


class PeerRefused(AccordError):
    """Somebody at the other end of a connection is not dealt with."""


class CertificateInvalid(PeerRefused):
    """A certificate that cannot be read, is outside of its dates, was signed by another key than it says."""


class NotAMember(PeerRefused):
    """A good certificate of an identity the charter in force does not name: a stranger, or a former member."""


class WrongMember(PeerRefused):
    """A member, but another one than was called, or this member itself."""


class CharterOutdated(PeerRefused):
    """The peer goes by a charter that was in force here once. It needs the newer ones."""


class CharterUnknown(PeerRefused):
    """The peer goes by a charter that was never in force here: a newer one, another consortium's, or a changed one."""


class JobInvalid(UsageError):
    """A job that breaks a rule of form, whoever the members are; the text names the field."""


class JobRefused(AccordError):
    """A job in good form that this charter does not allow, or not at this time. Nothing was kept, nothing was sent."""


class JobConflict(AccordError):
    """Another job has this id already: a client used one key for two different requests."""


class TooManyJobs(AccordError):
    """A node keeps as many jobs that are not over as its settings say."""


class JobUnknown(AccordError):
    """There is no job with this id here."""


class AnswerTooLarge(AccordError):
    """A share of an answer, or an answer, has more bytes than a node's store takes."""


class IllegalStep(AccordError):
    """An event that must not happen to a job in its state. The job is as it was."""


class NotReleased(AccordError):
    """A share or an answer of a job was asked for, and the job was not released, or what it left was purged."""


class BallotInvalid(AccordError):
    """A ballot no honest member casts. You do not get it for one that comes late: that is answered with a Nack."""


class StoreFailed(AccordError):
    """The disk, or the file on it, did not keep a change. The text names the file, and the way out.

    If it says so, the change may or may not be found when the file is opened the next time; else it was undone.
    """


class NotOneOfThePeople(PeerRefused):
    """A good certificate, of an identity that is not among the people this node serves."""


class MessageInvalid(PeerRefused):
    """A message that does not have the form its route states: a field missing, unknown, of another type or too long."""


class BodyTooLarge(MessageInvalid):
    """A body of more bytes than its route takes. The rest of it was not read."""


class BodyTooSlow(MessageInvalid):
    """A body that did not come whole within the time allowed."""


class RouteUnknown(MessageInvalid):
    """There is no such path, or not with this method. You get it from a node of another release, too."""


class BootStale(PeerRefused):
    """The message is meant for an earlier start of the node: say hello, and send it anew."""


class MessageReplayed(PeerRefused):
    """The message was taken before, or is older than what is remembered: nothing is taken twice."""


class PeerCallFailed(AccordError):
    """A call of another node did not come to its answer. What the peer did of it is not known, unless it refused.

    Attributes:
        member: name of the member that was called.
        text: what happened.
    """

    def __init__(self, member: str, text: str) -> None:
        self.member = member
        self.text = text
        super().__init__(f"member {member}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.member, self.text)


class PeerUnreachable(PeerCallFailed):
    """No connection, no TLS handshake, or it broke before the answer: the node is down, or the network is."""


class PeerTimedOut(PeerCallFailed):
    """The peer is connected, or may be, and does not answer: it was stopped, is overloaded, or cut off."""


class PeerUnproven(PeerCallFailed):
    """What answered at the peer's address did not prove to be that member. Nothing was sent to it."""


class PeerAnswerInvalid(PeerCallFailed):
    """The peer's answer is too long, or not of the form agreed. Nothing of it was used."""


class PeerRefusedUs(PeerCallFailed):
    """The peer answered that it does not do this.

    Attributes:
        error: class name of the peer's error, such as ``CharterOutdated``; ``Handshake`` if TLS was refused.
        reason: the peer's text. It is the peer's: show it, believe nothing of it.
    """

    def __init__(self, member: str, error: str, reason: str) -> None:
        self.error = error
        self.reason = reason
        super().__init__(member, f"{error}: {reason}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.member, self.error, self.reason)


class TableInvalid(UsageError):
    """What a member publishes about a table breaks a rule; the text names table, column and field."""


class ExtraMissing(UsageError):
    """A table's source needs a library that is not installed here; the text has the command that installs it."""


class TableMissing(UsageError):
    """There is nothing where a published table is said to be."""


class ColumnMissing(UsageError):
    """A published column is not in the source of its table (any more), or a job names one that is not there."""


class SourceUnreachable(UsageError):
    """The file, database or engine that holds a table cannot be reached, or stopped answering."""


class SourceTooLarge(SourceUnreachable):
    """What an engine would have to hold at once does not fit into the memory it may use. Nothing went to disk."""


class SourceApart(UsageError):
    """A query asks about people of a table that is in another database than the one asked, which takes nothing in."""


class SourceUnreadable(UsageError):
    """A table's source is there, and is not what its name says: a damaged file, mixed kinds of files."""


class ValueUnfit(UsageError):
    """A value does not fit what was published about its column, or is missing and nothing stands for it."""


class FilterInvalid(UsageError):
    """A filter that is malformed, too large, or compares a column with what it cannot hold."""


class NotPublished(AccordError):
    """A job names a table or a column its member does not publish."""


class BoundsMissing(AccordError):
    """A job needs the public bounds of a column that was published without any: noise is measured by them."""


class KindUnknown(UsageError):
    """A job of a kind this node does not know: a newer one, or a slip of the pen."""


class ParametersInvalid(UsageError):
    """A job's parameters that its kind does not take; the text names the parameter and what may stand there."""


class TableUnfit(UsageError):
    """A published table, or a column, that this kind of job cannot use as it is published."""


class RowsUnfit(UsageError):
    """An owner's own rows are not as it published them: a column is not there, a value outside its bounds.

    No value, place or number of rows is in the text; nothing was sent.
    """


class DealtInvalid(UsageError):
    """Bytes that are no part of a table dealt to this party for this job: damaged, cut short, of another table."""


class DealtDiffer(AccordError):
    """Holders of one component of a table got different ones: who dealt it made a mistake, or cheats."""


class CheckpointInvalid(UsageError):
    """A checkpoint of another job, party or step, or under another key, or one that was changed."""


class InvitationRefused(PeerRefused):
    """The founder does not take this code, or a member declined the charter. The text says which, as far as it may."""


class FounderUnreachable(AccordError):
    """Nobody answers at the address in an invitation's code, or who answers is not the founder."""


class MeetingBroken(PeerRefused):
    """The connection between founder and joining member broke off, or brought what has no place there."""


class AddressTaken(AccordError):
    """The system does not let this node listen where its settings say. The text says why, and the way out."""


class AddressInvalid(UsageError):
    """What was given as a node's address for its people is none; it looks like https://127.0.0.1:8600."""


class NodeKeyUnknown(UsageError):
    """Which key the node at an address has is not known here, or only its fingerprint: nobody was called."""


class NodeCallFailed(AccordError):
    """Somebody asked a member's node, and came to no answer. What the node did is not known, unless it is said.

    Attributes:
        url: of the node.
        text: what happened, and the way out.
    """

    def __init__(self, url: str, text: str) -> None:
        self.url = url
        self.text = text
        super().__init__(f"the node at {url}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url, self.text)


class NodeUnreachable(NodeCallFailed):
    """No connection, no TLS handshake, or it broke before the answer, and for as long as the client was patient."""


class NodeTimedOut(NodeCallFailed):
    """The node is connected, and does not answer. You do not get it for a job that takes long: see StillRunning."""


class NodeUnproven(NodeCallFailed):
    """What answered has not the key that was expected. Nothing was sent to it."""


class NodeAnswerInvalid(NodeCallFailed):
    """The node's answer is too long, or not of the form agreed: is it of another release? Nothing of it was used."""


class NodeFailed(NodeCallFailed):
    """The node answered with an error that this release does not know, or with a fault of its own.

    Attributes:
        error: what the node calls it.
    """

    def __init__(self, url: str, error: str, text: str) -> None:
        self.error = error
        self.reason = text
        super().__init__(url, f"{error}: {text}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url, self.error, self.reason)


class JobFailed(AccordError):
    """A job ended without an answer, for a cause whose name this release does not know.

    Attributes:
        job: its id.
        error: name of the cause, as the node tells it.
        reason: the node's text.
    """

    def __init__(self, job: str, error: str, reason: str) -> None:
        self.job = job
        self.error = error
        self.reason = reason
        super().__init__(f"job {job}: {error}: {reason}" if reason else f"job {job}: {error}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.job, self.error, self.reason)


class StillRunning(AccordError, TimeoutError):
    """A job was not over within the time somebody waited for it. It goes on; ask for it again by its id.

    Attributes:
        job: its id.
    """

    def __init__(self, job: str, seconds: float) -> None:
        self.job = job
        self.seconds = seconds
        super().__init__(f"job {job} is not over after {seconds:g} s; it goes on, ask for it again by its id")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.job, self.seconds)


class ExpressionUnfit(UsageError):
    """An expression over columns whose operands do not go together, or whose values have no public bounds."""


class SqlInvalid(UsageError):
    """A text that is no SQL query: where, and what was expected there."""


class SqlUnbound(UsageError):
    """A query names a table, column or category that is not published; the text says which come close."""


class SqlUnsupported(UsageError):
    """A clause of a query that cannot run: which, where, why, and the nearest thing that can."""
