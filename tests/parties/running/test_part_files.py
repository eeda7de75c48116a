"""Pieces dealt to a node, and checkpoints of its long jobs, on disk: whole, bounded, in order, gone with the job."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parties.errors import FileUnusable, PartsMissing, PartsTooLarge
from parties.running.checkpoint_files import CheckpointFiles
from parties.running.part_files import PartFiles

KEY = bytes(range(32))
JOB, OTHER = "a" * 32, "b" * 32


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(4)), again=st.integers(0, 3))
def test_pieces_come_back_in_their_order_whatever_the_order_they_came_in(
    tmp_path: Path, order: list[int], again: int
) -> None:
    parts = PartFiles(tmp_path / "parts", KEY, 1 << 20)
    content = [bytes([i]) * (i * 1000 + 1) for i in range(4)]
    for part in [*order, again]:
        parts.put(JOB, "table-0", part, content[part])
    pieces = parts.read(JOB, "table-0")
    assert b"".join(pieces) == b"".join(content)
    assert b"".join(pickle.loads(pickle.dumps(pieces))) == b"".join(content)  # as a worker gets them
    parts.drop(JOB)
    assert parts.jobs() == []


def test_nothing_of_a_piece_is_in_the_clear_and_a_changed_or_moved_one_does_not_open(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path / "parts", KEY, 1 << 20)
    parts.put(JOB, "table-0", 0, b"secret rows " * 100)
    parts.put(JOB, "table-0", 1, b"others " * 100)
    first, second = sorted((tmp_path / "parts" / JOB / "table-0").iterdir())
    assert b"secret" not in first.read_bytes()
    kept = first.read_bytes(), second.read_bytes()
    for changed in (kept[0][:-1], kept[0][:50] + b"x" + kept[0][51:], kept[1]):
        first.write_bytes(changed)
        with pytest.raises(FileUnusable):
            list(parts.read(JOB, "table-0"))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path / "parts", KEY, 1 << 20)
    with pytest.raises(PartsMissing, match="nothing was dealt"):
        parts.read(JOB, "table-0")
    parts.put(JOB, "table-0", 0, b"x")
    parts.put(JOB, "table-0", 2, b"x")
    with pytest.raises(PartsMissing, match="a piece"):
        parts.read(JOB, "table-0")
    for job, name in (("../x", "table-0"), (JOB, "../table"), (JOB, ""), (JOB.upper(), "t")):
        with pytest.raises(PartsMissing):
            parts.put(job, name, 0, b"x")


def test_a_node_keeps_no_more_than_its_limit_after_a_restart_too(tmp_path: Path) -> None:
    parts = PartFiles(tmp_path / "parts", KEY, 5000)
    parts.put(JOB, "table-0", 0, bytes(3000))
    with pytest.raises(PartsTooLarge, match="5000 bytes"):
        parts.put(OTHER, "table-0", 0, bytes(3000))
    again = PartFiles(tmp_path / "parts", KEY, 5000)
    with pytest.raises(PartsTooLarge):
        again.put(OTHER, "table-0", 0, bytes(3000))
    again.drop(JOB)
    again.put(OTHER, "table-0", 0, bytes(3000))
    assert again.jobs() == [OTHER]


def test_the_two_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    files = CheckpointFiles(tmp_path / "parts")
    assert files.held(JOB) == []
    for step in range(1, 12):
        files.put(JOB, "r1", step, b"%d" % step)
        assert files.held(JOB) == [("r1", s) for s in range(max(1, step - 1), step + 1)]
    files.put(JOB, "r2", 3, b"of another run")
    assert CheckpointFiles(tmp_path / "parts").held(JOB) == [("r1", 11), ("r2", 3)]
    assert files.read(JOB, "r2", 3) == b"of another run" and files.read(JOB, "r1", 11) == b"11"
    for run, step in (("r1", 3), ("r2", 11)):
        with pytest.raises(PartsMissing):
            files.read(JOB, run, step)
    PartFiles(tmp_path / "parts", KEY, 1 << 20).drop(JOB)
    assert files.held(JOB) == []


def test_checkpoints_do_not_count_and_pieces_count_a_page_at_least(tmp_path: Path) -> None:
    parts, kept = PartFiles(tmp_path / "parts", KEY, 5 * 4096), CheckpointFiles(tmp_path / "parts")
    for round_ in range(3):
        for part in range(5):
            parts.put(JOB, "table-0", part, b"")
        with pytest.raises(PartsTooLarge):
            parts.put(OTHER, "table-0", 0, bytes(1))
        kept.put(JOB, "r1", round_, bytes(1 << 16))
        assert "20480 bytes" in repr(parts) and "20480 bytes" in repr(PartFiles(tmp_path / "parts", KEY, 1 << 20))
        parts.drop(JOB)
        assert " 0 bytes" in repr(parts) and kept.held(JOB) == []
    with pytest.raises(PartsMissing):
        parts.put(JOB, "checkpoints", 0, b"x")
