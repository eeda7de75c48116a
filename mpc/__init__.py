"""The engine: arithmetic, comparison and sorting on secret shares, for three and more parties."""

from mpc.arrays import SecretArray, SecretBits
from mpc.cluster import LocalCluster
from mpc.memory import MemoryCluster
from mpc.party import Party
from mpc.reductions import maximum, minimum
from mpc.relations import where
from mpc.shapes import broadcast_to, concatenate, stack

__all__ = [
    "LocalCluster",
    "MemoryCluster",
    "Party",
    "SecretArray",
    "SecretBits",
    "broadcast_to",
    "concatenate",
    "maximum",
    "minimum",
    "stack",
    "where",
]
