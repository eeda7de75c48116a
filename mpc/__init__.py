"""The engine: arithmetic, comparison and sorting on secret shares, for three and more parties.

``mpc.shuffle`` is a module: the function is mpc.shuffle.shuffle.
"""

from mpc.arrays import SecretArray, SecretBits
from mpc.cluster import LocalCluster
from mpc.functions import exp, inverse_sqrt, log, reciprocal, sigmoid, softplus, sqrt, tanh
from mpc.memory import MemoryCluster
from mpc.party import Party
from mpc.reductions import maximum, minimum
from mpc.relations import where
from mpc.shapes import broadcast_to, concatenate, stack
from mpc.shuffle import permute, take
from mpc.sorting import sort_by

__all__ = [
    "LocalCluster",
    "MemoryCluster",
    "Party",
    "SecretArray",
    "SecretBits",
    "broadcast_to",
    "concatenate",
    "exp",
    "inverse_sqrt",
    "log",
    "maximum",
    "minimum",
    "permute",
    "reciprocal",
    "sigmoid",
    "softplus",
    "sort_by",
    "sqrt",
    "stack",
    "take",
    "tanh",
    "where",
]
