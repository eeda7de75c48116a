"""The engine: arithmetic, comparison and sorting on secret shares, for three and more parties.

``mpc.shuffle`` is a module: the function is mpc.shuffle.shuffle. What is named here is imported when it is first used:
who needs an error or a number only, as most commands of ``accord``, does not wait for compiled kernels.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "arrays": ("SecretArray", "SecretBits"),
    "cluster": ("LocalCluster",),
    "functions": ("exp", "inverse_sqrt", "log", "reciprocal", "sigmoid", "softplus", "sqrt", "tanh"),
    "memory": ("MemoryCluster",),
    "party": ("Party",),
    "reductions": ("maximum", "minimum"),
    "relations": ("where",),
    "shapes": ("broadcast_to", "concatenate", "stack"),
    "shuffle": ("permute", "take"),
    "sorting": ("sort_by",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A name of ``__all__``, or a module of the package."""
    if name in _HOME_OF:
        found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        return found
    try:
        if not name.startswith("__"):
            return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
