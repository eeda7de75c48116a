"""Stock MPyC, three processes on this machine, at sizes it can bear: nanoseconds an element for each primitive."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys

__all__ = ["SIZES", "stock_ns_per_element"]

# about a second of stock MPyC each; its cost an element does not fall with size beyond these
SIZES = {
    "input": 1 << 13,
    "reveal": 1 << 14,
    "mul": 1 << 14,
    "matmul": 40_000,
    "truncation": 1 << 10,
    "less-than": 1 << 9,
    "equality": 1 << 9,
    "shuffle": 1 << 7,
    "sort": 1 << 6,
    "division": 1 << 6,
    "round": 200,
}


def _free_base_port(count: int) -> int:
    """A port with ``count`` - 1 free ones behind it."""
    for base in range(21_000, 60_000, 97):
        try:
            sockets = [socket.create_server(("127.0.0.1", base + i)) for i in range(count)]
        except OSError:
            continue
        for s in sockets:
            s.close()
        return base
    raise OSError("no free ports on loopback")


def stock_ns_per_element(op: str, parties: int) -> float | None:
    """Median over its repetitions; None where MPyC has no such primitive."""
    if op not in SIZES:
        return None
    base = _free_base_port(parties)
    command = [sys.executable, "-m", "bench.stock_mpyc", f"-M{parties}", "-B", str(base), "--no-log"]
    processes = [
        subprocess.Popen(
            [*command, "-I", str(i), op, str(SIZES[op])],
            stdout=subprocess.PIPE if i == 0 else subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for i in range(parties)
    ]
    try:
        out, _ = processes[0].communicate(timeout=300)
    finally:
        for p in processes:
            p.kill()
            p.wait()
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(f"stock MPyC gave no figure for {op}")
    report = json.loads(lines[-1])
    return float(statistics.median(report["seconds"]) / report["elements"] * 1e9)
