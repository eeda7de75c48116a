"""What can go wrong in noise and release, by whose fault it is. All are found before anything is sampled or sent."""

from __future__ import annotations

from mpc.errors import OutOfRange, UsageError

__all__ = ["CapacityExceeded", "EpsilonInvalid", "GridOverflow", "PrecisionTooLow", "SensitivityInvalid"]


class EpsilonInvalid(OutOfRange):
    """An epsilon that is no positive number, or so large that it protects nobody."""


class SensitivityInvalid(OutOfRange):
    """A sensitivity that is no positive number: without one there is no bound on what a person changes."""


class GridOverflow(OutOfRange):
    """Value and noise together could leave the range of the ring, 2^62 steps of the grid."""


class PrecisionTooLow(UsageError):
    """The noise as this party would sample it is further from its law than a release may be (delta above 2^-40)."""


class CapacityExceeded(OutOfRange):
    """An owner has more rows than the public number agreed for it; nothing was sent."""
