"""Whatever fails, and whenever: one end of each job everywhere, one vote of a node, one run in an answer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from parties.jobs.session import State
from tests.parties.schedules import play_schedule

OVERLAPPED = (679, 1031)
"""Schedules in which a run that was suspended was still ending when the next one of its job came."""


def played(tmp_path: Path, seeds: range | tuple[int, ...]) -> Counter[State]:
    ends: Counter[State] = Counter()
    for seed in seeds:
        directory = tmp_path / f"{seed}"
        directory.mkdir()
        ends.update(play_schedule(directory, seed).values())
    return ends


def test_jobs_under_random_faults_end_alike_everywhere(tmp_path: Path) -> None:
    ends = played(tmp_path, range(25))
    assert ends[State.RELEASED] > 5 and ends[State.ABORTED] > 5


@pytest.mark.parametrize("seed", OVERLAPPED)
def test_a_job_never_runs_twice_at_once_at_a_node(tmp_path: Path, seed: int) -> None:
    played(tmp_path, (seed,))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_jobs_under_many_more_random_faults(tmp_path: Path, part: int) -> None:
    played(tmp_path, range(1000 + 100 * part, 1100 + 100 * part))
