"""What can go wrong in keys, noise, release and models, by whose fault it is.

All are found before anything is sent, but those of sealed answers, which are found where the answer is opened.
"""

from __future__ import annotations

from mpc.errors import AccordError, OutOfRange, UsageError

__all__ = [
    "CapacityExceeded",
    "ColumnUnfit",
    "DeltaInvalid",
    "DescriptionInvalid",
    "DuplicateKeys",
    "EpsilonInvalid",
    "EventInvalid",
    "GridOverflow",
    "KeyInvalid",
    "MechanismUnfit",
    "ModelMismatch",
    "ModelUnsupported",
    "NotFitted",
    "PrecisionTooLow",
    "RequestRefused",
    "RowsRefused",
    "SensitivityInvalid",
    "ShareInvalid",
    "SharesDisagree",
    "SharesMissing",
    "SigmaInvalid",
    "StockInvalid",
    "TableChanged",
    "TooFewRows",
]


class EpsilonInvalid(OutOfRange):
    """An epsilon that is no positive number, or so large that it protects nobody."""


class DeltaInvalid(OutOfRange):
    """A delta that is no number from 2^-40 to below 1."""


class SigmaInvalid(OutOfRange):
    """A standard deviation of noise that is no number, or too small for the grid."""


class SensitivityInvalid(OutOfRange):
    """A sensitivity that is no positive number: without one there is no bound on what a person changes."""


class GridOverflow(OutOfRange):
    """Value and noise together could leave the range of the ring, 2^62 steps of the grid."""


class MechanismUnfit(OutOfRange):
    """This kind of noise cannot protect these figures, or not at a bearable price; the text names one that can."""


class EventInvalid(UsageError):
    """A stored event that does not read back as what was stored, or whose noise would be drawn otherwise today."""


class StockInvalid(UsageError):
    """A stock of noise that is another party's or another computation's, that was tampered with, or cannot be read."""


class PrecisionTooLow(UsageError):
    """The noise as this party would sample it is further from its law than a release may be (delta above 2^-40)."""


class CapacityExceeded(OutOfRange):
    """An owner has more rows than the public number agreed for it; nothing was sent."""


class KeyInvalid(UsageError):
    """A column of keys that is not of the kind its profile takes, or of mixed kinds; nothing was sent."""


class DuplicateKeys(UsageError):
    """Two rows of one owner have equal keys where one row a key was promised; nothing was sent."""


class ColumnUnfit(UsageError):
    """A column that is not there, has a length of its own, or a name or profile that does not fit the other sources."""


class TableChanged(UsageError):
    """An owner's table was changed while it was being read; nothing was sent."""


class ModelUnsupported(UsageError):
    """A model that cannot be computed on shares exactly as its library does; the text says what in it."""


class ModelMismatch(UsageError):
    """A model that is larger than the public size agreed for it, or of another kind. Smaller ones are padded."""


class RequestRefused(UsageError):
    """A request that a serving session was not opened for. The session goes on; every party refused it alike."""


class RowsRefused(RequestRefused):
    """The owner of a request's rows refused them: missing or infinite values, a wrong shape. The session goes on.

    The reason is told at the owner only.
    """


class NotFitted(UsageError):
    """A model is asked for what only ``fit`` gives it."""


class TooFewRows(OutOfRange):
    """Fewer rows than a model needs; their number is public."""


class DescriptionInvalid(UsageError):
    """Text that describes no sealed answer, or not in the one form in which it is written."""


class ShareInvalid(UsageError):
    """Bytes that are no share of this sealed answer: damaged, cut short, another party's, or of another answer."""


class SharesMissing(UsageError):
    """The shares of these parties do not hold all components together; more parties' shares are needed."""


class SharesDisagree(AccordError):
    """Parties gave different copies of one component: at least one of them gave a wrong one. Nothing was opened.

    Attributes:
        parties: indexes of those that must be at fault; where it cannot be told apart, of all that may be.
    """

    def __init__(self, parties: tuple[int, ...], text: str) -> None:
        self.parties = parties
        self.text = text
        super().__init__(text)

    def __reduce__(self) -> tuple[type[SharesDisagree], tuple[tuple[int, ...], str]]:
        return type(self), (self.parties, self.text)
