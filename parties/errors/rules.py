"""What can go wrong where an owner's rules, budget and log decide. Texts name the table, the column and the way out."""

from __future__ import annotations

from mpc.errors import AccordError, UsageError

__all__ = [
    "ApprovalAwaited",
    "ApprovalUnknown",
    "BudgetExhausted",
    "EntriesUnknown",
    "LedgerMoved",
    "LogBroken",
    "PolicyDenied",
    "PolicyInvalid",
    "PolicyMissing",
    "ReceiptIncomplete",
    "ReceiptUnreadable",
]


class PolicyInvalid(UsageError):
    """A policy is not what it should be, names what its table has not, or is not signed by this member."""


class PolicyMissing(AccordError):
    """A table has no policy, so nothing may be done with it."""


class PolicyDenied(AccordError):
    """An owner's policy does not allow a job. You do not get it where the epsilon used up before is what stands
    against the job: BudgetExhausted."""


class BudgetExhausted(AccordError):
    """A job would tell more of people than their owner's limits allow, with all that was told before."""


class ApprovalAwaited(AccordError):
    """A job is within an owner's rules, but a person there has to approve it first. It goes on when one does."""


class LedgerMoved(AccordError):
    """The ledger by which a job was decided has another entry since: it is decided again."""


class ApprovalUnknown(UsageError):
    """There is no job here that waits for a person's approval by this id."""


class LogBroken(AccordError):
    """A log is not what was written: an entry was changed, left out, moved or cut off. It names the first."""


class EntriesUnknown(AccordError):
    """A member asks for digests of entries that this node's log has not: beyond its end, or of another log."""


class ReceiptUnreadable(AccordError):
    """A file is no receipt in the form in which receipts are written. What a receipt says may still be false."""


class ReceiptIncomplete(AccordError):
    """A node has not kept all that a receipt of a job is made of. It names what is missing, and whose."""
