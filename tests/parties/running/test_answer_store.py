"""Shares and answers on a node's disk: given out when the job is released, encrypted, purged when nobody waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.errors import AnswerTooLarge, NotReleased, StoreFailed
from parties.jobs.session import Event, State
from parties.running.job_store import JobStore
from tests.parties.made_jobs import ANSWER, KEY, ME, SHARE, add, job, votes, way

JOB = job(results=("alfa", "charlie"))
RELEASED = 13  # steps of the way


def walked(path: Path, steps: int) -> JobStore:
    store = JobStore(path / "node.db", KEY, ME)
    for change in way(JOB)[:steps]:
        change(store)
    return store


def following(path: Path) -> JobStore:
    """A result member's that does not compute."""
    store = JobStore(path / "node.db", KEY, ME)
    add(store, JOB, computes=False)
    store.step(JOB.id, Event.ACCEPT, "", 2)
    store.step(JOB.id, Event.DECIDE_RELEASE, "alfa tells", 3)
    return store


def test_a_share_is_given_out_only_when_the_job_is_released(tmp_path: Path) -> None:
    with walked(tmp_path, 0) as store:
        for change in way(JOB)[:RELEASED]:
            change(store)
            if store.get(JOB.id).state is State.RELEASED:
                break
            for ask in (
                lambda: store.answers.share(JOB.id),
                lambda: store.answers.answer(JOB.id),
                lambda: store.answers.keep_part(JOB.id, "bravo", SHARE),
                lambda: store.answers.keep_answer(JOB.id, ANSWER, 10),
            ):
                with pytest.raises(NotReleased, match=store.get(JOB.id).state.value):
                    ask()
        assert store.answers.share(JOB.id) == SHARE
        assert store.answers.answer(JOB.id) is None


def test_who_waits_for_a_share_is_known_until_all_have_it(tmp_path: Path) -> None:
    with walked(tmp_path, RELEASED - 1) as store:
        assert store.answers.undelivered() == {}
    with walked(tmp_path, 0) as store:
        store.step(JOB.id, Event.DECIDE_RELEASE, "", 8)
        assert store.answers.undelivered() == {JOB.id: ["alfa", "charlie"]}
        store.answers.delivered(JOB.id, "charlie", 9)
        store.answers.delivered(JOB.id, "charlie", 10)
        store.answers.delivered(JOB.id, "nobody", 10)
    with walked(tmp_path, 0) as store:
        store.step(JOB.id, Event.DECIDE_RELEASE, "once more", 11)
        assert store.answers.undelivered() == {JOB.id: ["alfa"]}
        store.answers.delivered(JOB.id, "alfa", 12)
        assert store.answers.undelivered() == {}


def test_who_does_not_compute_owes_nobody_a_share(tmp_path: Path) -> None:
    with following(tmp_path) as store:
        assert store.answers.undelivered() == {}
        with pytest.raises(NotReleased, match="no share"):
            store.answers.share(JOB.id)


def test_an_aborted_jobs_share_is_gone(tmp_path: Path) -> None:
    with walked(tmp_path, RELEASED - 1) as store:
        store.step(JOB.id, Event.DECIDE_ABORT, "", 8)
        assert store._file.read("SELECT * FROM sealed") == []
        with pytest.raises(NotReleased, match="ABORTED"):
            store.answers.share(JOB.id)


def test_parts_become_an_answer(tmp_path: Path) -> None:
    with following(tmp_path) as store:
        store.answers.keep_part(JOB.id, "bravo", b"b" * 100)
        store.answers.keep_part(JOB.id, "alfa", b"")
        store.answers.keep_part(JOB.id, "bravo", b"another")
    with JobStore(tmp_path / "node.db", KEY, ME) as store:
        assert store.answers.parts(JOB.id) == {"alfa": b"", "bravo": b"b" * 100}
        store.answers.keep_answer(JOB.id, ANSWER, 10)
        store.answers.keep_part(JOB.id, "charlie", b"late")
        assert store.answers.parts(JOB.id) == {}
        assert store.answers.answer(JOB.id) == ANSWER


def test_nothing_secret_is_in_the_clear(tmp_path: Path) -> None:
    with walked(tmp_path, RELEASED) as store:
        store.answers.keep_part(JOB.id, "bravo", SHARE[::-1])
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert SHARE[:16] not in content and SHARE[::-1][:16] not in content
        store.answers.keep_answer(JOB.id, ANSWER, 10)
        assert KEY.hex() not in repr(store) + repr(store.answers)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert JOB.id.encode() in content and ANSWER[:16] not in content and KEY[:16] not in content


def test_what_is_sealed_is_bound_to_its_job_and_to_what_it_is(tmp_path: Path) -> None:
    other = job("other")
    with walked(tmp_path, RELEASED) as store:
        for change in way(other)[:RELEASED]:
            change(store)
        store.answers.keep_part(JOB.id, "bravo", b"of bravo")
        for change in (
            f"UPDATE sealed SET content = (SELECT content FROM sealed WHERE id = '{other.id}') WHERE what = 'share'",
            "UPDATE sealed SET content = (SELECT content FROM sealed WHERE what = 'part bravo')",
            "UPDATE sealed SET content = x'00'",
        ):
            with store._file.transaction():
                store._file.change(change)
            with pytest.raises(StoreFailed, match=f"share of job {JOB.id} was changed"):
                store.answers.share(JOB.id)


def test_the_same_share_is_never_encrypted_alike(tmp_path: Path) -> None:
    with walked(tmp_path, RELEASED) as store:
        for member in ("bravo", "charlie"):
            store.answers.keep_part(JOB.id, member, SHARE)
        sealed = {content[:12] for (content,) in store._file.read("SELECT content FROM sealed")}
        assert len(sealed) == 3


def test_a_purge_takes_what_nobody_waits_for(tmp_path: Path) -> None:
    running = job("running")
    with walked(tmp_path, RELEASED) as store:
        for change in way(running)[:8]:
            change(store)
        assert store.answers.purge(100, 9.0) == 0  # alfa and charlie wait
        for member in JOB.results:
            store.answers.delivered(JOB.id, member, 9)
        assert store.answers.purge(8, 9.0) == 0  # not old enough
        store.answers.keep_part(JOB.id, "bravo", SHARE)
        assert store.answers.purge(100, 9.0) == 0  # an answer to be rebuilt
        store.answers.keep_answer(JOB.id, ANSWER, 10)
        assert store.answers.purge(100, 9.0) == 1
        assert store.answers.purge(100, 9.0) == 0
        assert store._file.read("SELECT id, what FROM sealed") == [(running.id, "share")]
        kept = store.get(JOB.id)
        assert kept.purged and kept.state is State.RELEASED and kept.job == JOB
        assert len(store.history(JOB.id)) == 8 and store.votes(JOB.id) == votes(JOB)
        assert store.ballots.acceptor(JOB.id).accepted is not None
        with pytest.raises(NotReleased, match="purged"):
            store.answers.answer(JOB.id)
        with pytest.raises(NotReleased, match="purged"):
            store.answers.share(JOB.id)


def test_what_comes_after_a_purge_is_kept(tmp_path: Path) -> None:
    with following(tmp_path) as store:
        store.answers.keep_answer(JOB.id, b"old", 10)
        assert store.answers.purge(100, 9.0) == 1
        store.answers.keep_answer(JOB.id, ANSWER, 10)
        assert store.answers.answer(JOB.id) == ANSWER


def test_a_share_above_what_a_store_takes_is_refused_by_name_and_the_store_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with following(tmp_path) as store:
        monkeypatch.setattr("parties.running.answer_store.MOST_SHARE", 100)
        for keep in (
            lambda content: store.answers.keep_part(JOB.id, "bravo", content),
            lambda content: store.answers.keep_answer(JOB.id, content, 10),
        ):
            with pytest.raises(AnswerTooLarge, match="101 bytes"):
                keep(bytes(101))
        store.answers.keep_part(JOB.id, "bravo", bytes(100))
        assert store.answers.parts(JOB.id) == {"bravo": bytes(100)} and not store.answers.has_answer(JOB.id)
        store.answers.keep_answer(JOB.id, bytes(100), 10)
        assert store.answers.has_answer(JOB.id)


def test_the_shares_of_an_answer_are_kept_beside_it_unless_they_are_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"alfa": SHARE, "bravo": SHARE[::-1]}
    for most, kept in ((10 * len(SHARE), parts), (len(SHARE), {})):
        monkeypatch.setattr("parties.running.answer_store.MOST_PROOF", most)
        (tmp_path / str(most)).mkdir()
        store = following(tmp_path / str(most))
        for member, part in parts.items():
            store.answers.keep_part(JOB.id, member, part)
        store.answers.keep_answer(JOB.id, ANSWER, 10)
        assert store.answers.parts(JOB.id) == {} and store.answers.proof(JOB.id) == kept
        assert store.answers.answer(JOB.id) == ANSWER
        assert not any(part in (tmp_path / str(most) / "node.db").read_bytes() for part in parts.values())
        assert [e["what"] for _, e in store.audit.entries()][-1] == "received"
        assert store.answers.purge(100, 9.0) == 1 and store.answers.proof(JOB.id) == {}
        store.close()


def test_the_log_tells_of_each_delivery_once(tmp_path: Path) -> None:
    with walked(tmp_path, RELEASED) as store:
        for member in ("alfa", "alfa", "nobody", "charlie"):
            store.answers.delivered(JOB.id, member, 9)
        entries = [entry for _, entry in store.audit.entries() if entry["what"] == "delivered"]
        assert [entry["to"] for entry in entries] == ["alfa", "charlie"]
