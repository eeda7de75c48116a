"""How far jobs are: the latest of each, of the latest jobs only."""

from __future__ import annotations

from mpc.transport import Traffic
from parties.running.progress_board import Done, ProgressBoard
from parties.wire.messages import ProgressReport


def test_the_latest_of_each_job_and_how_much_of_it_is_done() -> None:
    told: list[str] = []
    board = ProgressBoard(told.append)
    assert board.of("a") == Done()
    board.worker("a", "train: epoch 3 of 20, 2 s left", Traffic(bytes_sent=900, rounds=70))
    assert board.of("a") == Done("train: epoch 3 of 20, 2 s left", 70, 900, 0.15)
    board.worker("a", "train: done", Traffic(bytes_sent=1000, rounds=80))
    assert board.of("a") == Done("train: done", 80, 1000, 0.15)
    for text in ("0 of 0", "30 of 20", "nothing to tell", "1.5 of 2"):
        board.worker("b", text, Traffic())
        assert board.of("b").fraction in (None, 1.0) or text == "1.5 of 2"
    board.member("b", ProgressReport(operation="join", rounds=5, sent=8, fraction=0.5))
    assert board.of("b") == Done("join", 5, 8, 0.5) and told == ["a", "a", *["b"] * 5]


def test_only_the_latest_thousand_jobs_are_remembered() -> None:
    board = ProgressBoard(lambda job: None)
    for i in range(1500):
        board.worker(f"{i}", f"{i}", Traffic())
    assert board.of("0") == Done() and board.of("1499").operation == "1499" and len(board._done) == 1000
