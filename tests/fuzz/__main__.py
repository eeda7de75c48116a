"""All parsers under many mutated inputs, on all cores: ``python -m tests.fuzz --count 10000000``.

Says how far it is, and keeps each input that is a fault, with what it came to. Put such an input, as it is, into
tests/fuzz/regressions when its cause is mended. Ends with 1 if there was a fault.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.running import Task, bounded, run
from tests.fuzz.target import Fault
from tests.fuzz.targets import shared, targets

_CHUNK = 2000
_KEPT = 20  # faults of one target that are kept


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs in all (%(default)s)")
    parser.add_argument("--seed", default=secrets.token_hex(4), help="the same again gives the same inputs")
    parser.add_argument("--target", action="append", choices=sorted(targets()), help="only this one; may come again")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--faults", type=Path, default=Path("fuzz-faults"), help="folder for them (%(default)s)")
    asked = parser.parse_args(arguments)
    tasks = list(_tasks(asked.count, asked.seed, asked.target))
    whole, begun = sum(count for _, count, _ in tasks), time.monotonic()
    print(f"seed {asked.seed}: {whole:,} inputs for {len({name for name, _, _ in tasks})} targets", flush=True)
    done, said, found = 0, begun, collections.Counter[str]()
    slowest: dict[str, float] = {}
    with multiprocessing.get_context("spawn").Pool(asked.processes, bounded) as pool:
        for name, count, faults, longest in pool.imap_unordered(run, tasks):
            done += count
            slowest[name] = max(slowest.get(name, 0.0), longest)
            for fault in faults:
                found[name] += 1
                if found[name] <= _KEPT:
                    _keep(fault, asked.faults)
            if time.monotonic() - said > 10:
                said = time.monotonic()
                print(
                    f"{done:,} of {whole:,}, {done / (said - begun):,.0f} a second, {found.total()} faults", flush=True
                )
    worst = max(slowest, key=lambda name: slowest[name])
    print(f"{done:,} inputs in {time.monotonic() - begun:.0f} s: {found.total()} faults; the slowest input took")
    print(f"{slowest[worst]:.2f} s ({worst})")
    return 1 if found else 0


def _tasks(count: int, seed: str, only: list[str] | None) -> Iterator[Task]:
    """Chunks, of all targets in turn."""
    left = shared(count)
    if only:
        scale = count / sum(left[name] for name in only)
        left = {name: round(left[name] * scale) for name in only}
    number = 0
    while left:
        for name in list(left):
            yield name, min(_CHUNK, left[name]), f"{seed} {number}"
            left[name] -= _CHUNK
            if left[name] <= 0:
                del left[name]
        number += 1


def _keep(fault: Fault, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / fault.name).write_bytes(fault.data)
    with (folder / "faults.txt").open("a") as file:
        file.write(f"{fault.name}: {fault.what}\n")
    print(f"{fault.name}: {fault.what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
