"""One party of stock MPyC doing one primitive with its own types, for comparison.

Started by bench.baseline for each party: ``python -m bench.stock_mpyc -M3 -I <index> -B <port> --no-log <op> <size>``.
Party 0 prints one line of JSON: the seconds of each repetition. MPyC's arrays of 32-bit integers, or fixed point of
32 bits with 16 fractional ones; its default network, without TLS.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from mpyc.runtime import mpc as runtime

REPEATS = 3

Job = Callable[[], Awaitable[Any]]


async def _ready(x: Any) -> None:
    await runtime.gather(x)


def _shared(values: Any, sectype: Any) -> Any:
    return runtime.input(sectype.array(values), senders=0)


async def _job(op: str, size: int) -> tuple[Job, int]:
    """The work to time, and the number of elements it counts for."""
    secint, secfxp = runtime.SecInt(32), runtime.SecFxp(32, 16)
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-(2**15), 2**15, size).astype(object) for _ in range(2))
    if op == "input":
        return (lambda: _ready(_shared(a, secint))), size
    if op in ("reveal", "mul", "less-than", "equality", "sort"):
        x, y = _shared(a, secint), _shared(b, secint)
        await _ready([x, y])
        work: dict[str, Job] = {
            "reveal": lambda: runtime.output(x),
            "mul": lambda: _ready(x * y),
            "less-than": lambda: _ready(x < y),
            "equality": lambda: _ready(x == y),
            "sort": lambda: _ready(runtime.np_sort(x)),
        }
        return work[op], size
    if op == "shuffle":
        items = runtime.input([secint(int(v)) for v in a], senders=0)
        return (lambda: _shuffled(list(items), secint)), size
    if op == "matmul":
        side = max(2, round((size / 100) ** 0.5))
        p, q = rng.normal(size=(side, side)), rng.normal(size=(side, max(1, side // 10)))
        u, v = _shared(p, secfxp), _shared(q, secfxp)
        await _ready([u, v])
        return (lambda: _ready(u @ v)), p.shape[0] * p.shape[1] * q.shape[1]
    if op in ("truncation", "division"):
        f, g = _shared(rng.uniform(1, 9, size), secfxp), _shared(rng.uniform(1, 9, size), secfxp)
        await _ready([f, g])
        if op == "truncation":
            return (lambda: _ready(runtime.np_trunc(f))), size
        return (lambda: _ready(f / g)), size
    if op == "round":
        x = _shared(np.array([3], dtype=object), secint)
        await _ready(x)
        return (lambda: _chain(x, size)), size
    raise SystemExit(f"no stock job {op}")


async def _shuffled(items: list[Any], secint: Any) -> None:
    runtime.random.shuffle(secint, items)
    await _ready(items)


async def _chain(x: Any, rounds: int) -> None:
    y = x
    for _ in range(rounds):
        y = y * x
        await _ready(y)


async def _main(op: str, size: int) -> None:
    await runtime.start()
    job, elements = await _job(op, size)
    seconds = []
    for _ in range(REPEATS):
        await runtime.barrier()
        await runtime.output(runtime.input(runtime.SecInt(32)(0), senders=0))
        begin = time.perf_counter()
        await job()
        seconds.append(time.perf_counter() - begin)
    await runtime.shutdown()
    if runtime.pid == 0:
        sys.stdout.write(json.dumps({"elements": elements, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    runtime.run(_main(sys.argv[1], int(sys.argv[2])))
