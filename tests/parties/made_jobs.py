"""Jobs of known members, and what happens to one at a compute member's store, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parties.disk.chain import Head, audit_log
from parties.jobs.decision import FAST, Ballot, Value
from parties.jobs.job import Job, job_id
from parties.jobs.job_signatures import sign_acceptance, sign_proposal, sign_vote
from parties.jobs.session import Event
from parties.jobs.statement import Statement
from parties.keys.identity import Identity
from parties.planning.job_work import Consent
from parties.running.job_store import JobStore
from tests.parties.consortium import NAMES, charter, identity

KEY = bytes(range(32))
ME = identity(0).fingerprint
PLAN = "d" * 64
HEAD = "e" * 64
SHARE = bytes(range(256)) * 9
ANSWER = b"an answer that somebody waits for" * 9


def job(key: str = "k", **fields: Any) -> Job:
    """Of alfa, on a table of bravo's, for charlie."""
    made = Job(
        charter=charter().digest,
        id=job_id(identity(0).fingerprint, key),
        kind="count",
        parameters={"column": "age", "bounds": [0, 1.5, None, True], "nested": {"ä": "ß"}},
        tables=(("bravo", "patients"),),
        published=("a" * 64,),
        results=("charlie",),
        proposer=identity(0).fingerprint,
        proposed=1000,
        deadline=60,
    )
    if "tables" in fields:
        fields.setdefault("published", ("a" * 64,) * len(fields["tables"] or ()))
    return replace(made, **fields)


def add(store: JobStore, of: Job, computes: bool = True) -> None:
    store.add(of, sign_proposal(of, identity(0)), computes, 1.0)


def accepted(of: Job, who: Identity, **changes: Any) -> bytes:
    """Its acceptance, of a log with one entry."""
    said = Statement(of.digest, PLAN, Head(audit_log(who.fingerprint), 1, HEAD), "f" * 64)
    return sign_acceptance(replace(said, **changes), who)


def acceptances(of: Job) -> dict[str, bytes]:
    return {NAMES[i]: accepted(of, identity(i)) for i in range(3)}


def accept(store: JobStore, of: Job, now: float = 2) -> bytes:
    """Alfa, at its own store; always the same acceptance, whatever the log's head."""
    return store.accept_job(of.id, "alfa", Consent(PLAN), now, lambda head: acceptances(of)["alfa"], {})


def votes(of: Job) -> dict[str, bytes]:
    return {NAMES[i]: sign_vote(of, identity(i), SHARE) for i in range(3)}


def way(of: Job) -> list[Callable[[JobStore], object]]:
    """From its submission at alfa's node until charlie has alfa's share, and a purge: each is one change."""
    ready = {"alfa": votes(of)["alfa"]}
    return [
        lambda store: add(store, of),
        lambda store: accept(store, of),
        lambda store: store.keep_facts(of.id, {"published": ["{}"]}),
        lambda store: store.step(of.id, Event.RESERVE, "all accepted", 3, acceptances=acceptances(of)),
        lambda store: store.step(of.id, Event.RUN, "lane 0", 4),
        lambda store: store.step(of.id, Event.SUSPEND, "bravo was lost", 5),
        lambda store: store.step(of.id, Event.RUN, "lane 1", 6),
        lambda store: store.step(of.id, Event.READY, "finished", 7, votes=ready, share=SHARE),
        lambda store: store.keep_facts(of.id, {"rounds": 12, "bytes": 3456}),
        lambda store: store.ballots.accept(of.id, FAST, Value.RELEASE, votes(of)),
        lambda store: store.ballots.prepare(of.id, Ballot(1, 2)),
        lambda store: store.ballots.propose(of.id, 0, 3, Value.ABORT),
        lambda store: store.step(of.id, Event.DECIDE_RELEASE, "a majority", 8),
        lambda store: store.answers.delivered(of.id, "charlie", 9),
        lambda store: store.answers.purge(100, 9.0),
    ]


def seen(store: JobStore, of: Job) -> Any:
    """All that is kept of a job, to compare."""
    kept = store.find(of.id)
    if kept is None:
        return None
    shares = store._file.one("SELECT count(*) FROM sealed")
    return (
        kept, store.history(of.id), store.acceptances(of.id), store.votes(of.id), store.facts(of.id),
        store.ballots.acceptor(of.id), store.answers.undelivered(), shares,
    )  # fmt: skip
