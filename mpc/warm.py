"""``python -m mpc.warm [package ...]``: have numba compile every kernel once, and say so in one line.

Kernels are compiled when their module is imported and kept in numba's cache, next to the module (or where
NUMBA_CACHE_DIR says). So this imports all modules of the packages given, by default ``mpc``.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import time
from collections.abc import Sequence

from numba.core.dispatcher import Dispatcher

__all__ = ["main", "warm"]


def warm(packages: Sequence[str]) -> tuple[int, int]:
    """Import all modules of these packages. How many kernels were compiled, and how many loaded from the cache."""
    kernels: dict[int, Dispatcher] = {}
    for package in packages:
        root = importlib.import_module(package)
        modules = [root]
        for found in pkgutil.walk_packages(getattr(root, "__path__", []), f"{package}."):
            if not found.name.endswith(".__main__"):
                modules.append(importlib.import_module(found.name))
        for module in modules:
            for value in vars(module).values():
                if isinstance(value, Dispatcher) and value.signatures:
                    kernels[id(value)] = value
    stats = [kernel.stats for kernel in kernels.values()]
    loaded = sum(not s.cache_misses for s in stats)
    return len(stats) - loaded, loaded


def main(arguments: Sequence[str]) -> str:
    """The line to print. The time is this process's own, from its start: the imports before this line count too."""
    compiled, loaded = warm(arguments or ["mpc"])
    parts = [f"{compiled} compiled and cached"] if compiled else []
    parts += [f"{loaded} loaded from cache"] if loaded or not compiled else []
    return f"numba kernels: {', '.join(parts)} in {time.process_time():.1f} s"


if __name__ == "__main__":
    print(main(sys.argv[1:]))
