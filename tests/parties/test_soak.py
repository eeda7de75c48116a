"""Hundreds of jobs over real nodes with faults at random, seeded: what is used stays what it was, and all agree.

A wave is ten jobs of random kinds, asked for at random members, up to three at once. Two waves of three have a fault
that befalls a random process at a random moment; in the third every job has to be released. After every wave all nodes
are there again and idle, and each process's descriptors, memory and workers are counted.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.parties.real_jobs import (
    COMPUTE,
    KINDS,
    MEMBERS,
    TERMINAL,
    VICTIMS,
    Everybody,
    Fault,
    agree,
    eventually,
    everybody,
    workers_of,
)

JOBS = int(os.environ.get("SOAK_JOBS", "300"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
WAVE = 10
LANES = 2
MORE_DESCRIPTORS = 64  # than after the start: connections that are kept for a minute, 16 at most to each member
MORE_MEMORY = 64 << 20  # bytes, over the life of a process: what DuckDB and allocators keep
FEW = 6  # waves; of lives of twice as many, the least of the last ones is compared with the most of the first ones
LEAST_DESCRIPTORS = 4
A_WAVE = 1 << 20  # bytes of memory that ten jobs may add: the records of the last thousand are remembered
SWINGS = 16 << 20  # bytes by which DuckDB's memory goes up and down, calm or not, at a member that only brings in rows


@dataclass(frozen=True)
class Usage:
    """Of one member's node, idle."""

    pid: int
    descriptors: int
    memory: int
    workers: int


def usage(nodes: Everybody, name: str) -> Usage:
    node = nodes.consortium[name]
    assert node.process is not None
    pid = node.process.pid
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Usage(pid, len(os.listdir(f"/proc/{pid}/fd")), resident, len(workers_of(node)))


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Everybody]:
    with everybody(tmp_path, lanes=LANES, silence=2.0) as nodes:
        yield nodes


def asked(nodes: Everybody, rng: random.Random, wave: int, jobs: range) -> list[str]:
    """Of a wave: some jobs at once."""
    names = [rng.choice(list(KINDS)) for _ in jobs]
    return [nodes.ask(rng.choice(MEMBERS), kind, f"{SEED} {wave} {i}") for i, kind in zip(jobs, names, strict=True)]


def over(nodes: Everybody) -> bool:
    """Whether no node has a job that is not at its end, and every node answers."""
    for name in MEMBERS:
        page = nodes[name].get("/v1/jobs?most=100", timeout=20)
        if page is None or any(view["state"] not in TERMINAL for view in page["jobs"]):
            return False
    return True


def befall(nodes: Everybody, rng: random.Random) -> str:
    """One fault, after up to a second; a stop lasts up to four."""
    fault = Fault(*rng.choice(VICTIMS), rng.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM)))
    time.sleep(rng.random())
    go_on = fault.happen(nodes.consortium)
    time.sleep(rng.random() * 4)
    go_on()
    return str(fault)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_hundreds_of_jobs_with_faults_leave_nothing_behind_and_all_nodes_agree(nodes: Everybody) -> None:
    rng = random.Random(SEED)
    used: dict[str, list[Usage]] = {name: [] for name in MEMBERS}
    calm: set[str] = set()
    for wave in range(-(-JOBS // WAVE)):
        rough = wave % 3 != 2
        jobs: list[str] = []
        told = ""
        while len(jobs) < WAVE:
            few = asked(nodes, rng, wave, range(len(jobs), min(len(jobs) + rng.randint(1, 3), WAVE)))
            if rough and not told and (rng.random() < 0.6 or len(jobs) + len(few) >= WAVE):
                told = befall(nodes, rng)
                nodes.await_ready()
            jobs += few
            if not rough:
                calm.update(few)
                for job in few:
                    nodes.until_over(job, ("alfa",), 60)  # it takes part in all kinds
        nodes.await_ready()
        eventually(lambda: over(nodes), 150, "all jobs over", nodes.logs)
        for name in MEMBERS:
            wanted = LANES + 1 if name in COMPUTE else 0
            eventually(
                lambda name=name, wanted=wanted: usage(nodes, name).workers == wanted,
                60,
                f"{name}'s workers",
                nodes.logs,
            )
            used[name].append(usage(nodes, name))
        print(
            f"wave {wave}: {told or 'calm'}: {used}" if wave % 10 == 9 else f"wave {wave}: {told or 'calm'}", flush=True
        )
    ends = agree(nodes)
    print(f"{len(ends)} jobs: {Counter(ends.values())}")
    for name, samples in used.items():
        first, last = samples[0], samples[-1]
        print(f"{name}: {len({one.pid for one in samples})} lives; {first} ... {last}")
    assert {ends[job] for job in calm} == {"RELEASED"}, [job for job in calm if ends[job] != "RELEASED"]
    for name, samples in used.items():
        for pid in {one.pid for one in samples}:
            life = [one for one in samples if one.pid == pid]
            assert max(one.descriptors for one in life) <= life[0].descriptors + MORE_DESCRIPTORS, (name, life)
            assert max(one.memory for one in life) <= life[0].memory + MORE_MEMORY, (name, life)
            if len(life) >= 2 * FEW:
                first, last = life[:FEW], life[-FEW:]
                least = min(one.descriptors for one in last)
                assert least <= max(one.descriptors for one in first) + LEAST_DESCRIPTORS, (name, life)
                grown = min(one.memory for one in last) - max(one.memory for one in first)
                assert grown <= A_WAVE * (len(life) - FEW) + SWINGS, (name, grown, life)
