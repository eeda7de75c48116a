"""Jobs from their proposal to their answer, and what their nodes run and keep for them."""

from __future__ import annotations

from mpc.errors import AccordError, UsageError

__all__ = [
    "AnswerTooLarge",
    "BallotInvalid",
    "CheckpointInvalid",
    "DealtDiffer",
    "DealtInvalid",
    "IllegalStep",
    "JobConflict",
    "JobInvalid",
    "JobRefused",
    "JobUnknown",
    "KindUnknown",
    "LaneInvalid",
    "LaneLost",
    "MemberLost",
    "ModelChanged",
    "ModelMissing",
    "ModelUnfit",
    "NodeFault",
    "NotReleased",
    "ParametersInvalid",
    "PartsMissing",
    "PartsTooLarge",
    "TooManyJobs",
    "WorkerLost",
]


class JobInvalid(UsageError):
    """A job that breaks a rule of form, whoever the members are; the text names the field."""


class JobRefused(AccordError):
    """A job in good form that this charter does not allow, or not at this time. Nothing was kept, nothing was sent."""


class JobConflict(AccordError):
    """Another job has this id already: a client used one key for two different requests."""


class JobUnknown(AccordError):
    """There is no job with this id here."""


class TooManyJobs(AccordError):
    """A node keeps as many jobs that are not over as its settings say."""


class KindUnknown(UsageError):
    """A job of a kind this node does not know: a newer one, or a slip of the pen."""


class ParametersInvalid(UsageError):
    """A job's parameters that its kind does not take; the text names the parameter and what may stand there."""


class IllegalStep(AccordError):
    """An event that must not happen to a job in its state. The job is as it was."""


class BallotInvalid(AccordError):
    """A ballot no honest member casts. You do not get it for one that comes late: that is answered with a Nack."""


class NotReleased(AccordError):
    """A share or an answer of a job was asked for, and the job was not released, or what it left was purged."""


class AnswerTooLarge(AccordError):
    """A share of an answer, or an answer, has more bytes than a node's store takes."""


class PartsMissing(AccordError):
    """What another member dealt to this node for a job did not come, not whole, or was changed on the disk."""


class PartsTooLarge(AccordError):
    """This node keeps no more of what other members deal to it."""


class DealtInvalid(UsageError):
    """Bytes that are no part of a table dealt to this party for this job: damaged, cut short, of another table."""


class DealtDiffer(AccordError):
    """Holders of one component of a table got different ones: who dealt it made a mistake, or cheats."""


class CheckpointInvalid(UsageError):
    """A checkpoint of another job, party or step, or under another key, or one that was changed."""


class ModelMissing(UsageError):
    """There is no model of this name, or no such version of it."""


class ModelChanged(AccordError):
    """The file of a model is not the one that was added under its name and version, or is gone. Nobody scores by it."""


class ModelUnfit(UsageError):
    """What is to be a model of this member's is none that can be shared, or an entry of one was changed by hand."""


class MemberLost(AccordError):
    """Another member's node ended, was stopped, or cannot be reached any more, while a job needed it."""


class WorkerLost(AccordError):
    """A worker process of this node ended, was stopped, or lost its peers. The node itself goes on."""


class LaneInvalid(AccordError):
    """A lane of the mesh that is not here, or that somebody described wrongly. It is made anew."""


class LaneLost(WorkerLost):
    """A lane ended under this node's worker because somebody else's was lost; who that was, another may know better.

    Attributes:
        peer: index of the party to which the connection broke; -1 where the coordinator has the lane made anew.
    """

    def __init__(self, text: str, peer: int = -1) -> None:
        super().__init__(text)
        self.peer = peer


class NodeFault(AccordError):
    """A fault of a node's own program, which ended a job and nothing else. Its log says the same."""
