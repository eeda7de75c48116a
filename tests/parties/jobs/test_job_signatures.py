"""Signatures of jobs: each for one job, one purpose and one member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parties.disk.chain import Head, audit_log
from parties.errors import JobInvalid, JobRefused, SignatureInvalid
from parties.jobs.job import Job
from parties.jobs.job_signatures import (
    check_acceptance,
    check_acceptances,
    check_proposal,
    check_share,
    check_vote,
    check_votes,
    sign_proposal,
    sign_vote,
)  # fmt: skip
from parties.keys.identity import Identity
from parties.membership.signatures import CHARTER
from tests.parties.consortium import charter, identity, member
from tests.parties.made_jobs import HEAD, ME, PLAN, SHARE, acceptances, accepted, job, votes

SIGNERS: list[Callable[[Job, Identity], bytes]] = [accepted, lambda of, who: sign_vote(of, who, SHARE), sign_proposal]


def test_each_signature_is_for_one_purpose() -> None:
    made, alfa = job(), charter().members[0]
    checks: list[Callable[[bytes], Any]] = [
        lambda s: check_acceptance(made, alfa, s),
        lambda s: check_vote(made, alfa, s),
        lambda s: check_proposal(made, charter(), s),
    ]
    for i, sign in enumerate(SIGNERS):
        signature = sign(made, identity(0))
        for j, check in enumerate(checks):
            if i == j:
                check(signature)
            else:
                with pytest.raises(SignatureInvalid, match="alfa"):
                    check(signature)
    for check in checks:
        with pytest.raises(SignatureInvalid):
            check(identity(0).sign(CHARTER, made.digest.encode()))


def test_each_signature_is_for_one_job_and_one_member() -> None:
    made, (alfa, bravo, _) = job(), charter().members
    signature = sign_vote(made, identity(0), SHARE)
    for other, who in ((job("other"), alfa), (job(proposed=1001), alfa), (made, bravo)):
        with pytest.raises(SignatureInvalid, match=f"vote in the name of {who.name}"):
            check_vote(other, who, signature)
    with pytest.raises(JobInvalid, match="proposer"):
        sign_proposal(made, identity(1))
    with pytest.raises(JobRefused, match="no member"):
        check_proposal(job(proposer=identity(5).fingerprint), charter(), signature)
    assert check_proposal(made, charter(), sign_proposal(made, identity(0))) == alfa


def test_all_must_have_signed_and_nobody_else() -> None:
    members = (*(member(i) for i in range(3)), member(3, "result"), member(4, "result"))
    named = charter(*members)
    made = job(charter=named.digest, results=("delta",))
    all_of_them = {**acceptances(made), "delta": accepted(made, identity(3))}
    check_acceptances(made, named, all_of_them)
    check_votes(made, named, votes(made))
    with pytest.raises(SignatureInvalid, match="no acceptance of delta"):
        check_acceptances(made, named, acceptances(made))
    with pytest.raises(SignatureInvalid, match="no vote of bravo"):
        check_votes(made, named, {k: v for k, v in votes(made).items() if k != "bravo"})
    with pytest.raises(SignatureInvalid, match="no acceptance to give"):
        check_acceptances(made, named, {**all_of_them, "echo": accepted(made, identity(4))})
    with pytest.raises(SignatureInvalid, match="no vote to give"):
        check_votes(made, named, {**votes(made), "delta": sign_vote(made, identity(3), SHARE)})
    with pytest.raises(SignatureInvalid, match="in the name of charlie"):
        check_votes(made, named, {**votes(made), "charlie": votes(made)["bravo"]})
    with pytest.raises(SignatureInvalid, match="in the name of alfa"):
        check_votes(made, named, {**votes(made), "alfa": b""})


def test_all_state_one_plan_of_this_job_and_each_its_own_log() -> None:
    made, agreed = job(), charter()
    stated = check_acceptances(made, agreed, acceptances(made))
    assert {s.plan for s in stated.values()} == {PLAN} and stated["bravo"].head.log == audit_log(
        identity(1).fingerprint
    )
    for changes, error, said in (
        ({"plan": "0" * 64}, JobRefused, "bravo and alfa make different plans"),
        ({"job": "0" * 64}, JobInvalid, "was asked for"),
        ({"head": Head(audit_log(ME), 1, HEAD)}, JobInvalid, "another member's log"),
    ):
        other = accepted(made, identity(1), **changes)
        with pytest.raises(error, match=said):
            check_acceptances(made, agreed, {**acceptances(made), "bravo": other})
    good = acceptances(made)["bravo"]
    for bad in (good[:-1], good + b" ", good[:64] + b"{}", b"", good[:64] + b"\xff" * 70_000):
        with pytest.raises((JobInvalid, SignatureInvalid)):
            check_acceptance(made, agreed.members[1], bad)


def test_a_vote_is_for_one_share() -> None:
    made, (alfa, _, _) = job(), charter().members
    vote = sign_vote(made, identity(0), SHARE)
    check_vote(made, alfa, vote)
    check_share(made, "alfa", vote, SHARE)
    with pytest.raises(SignatureInvalid, match="share of alfa is another"):
        check_share(made, "alfa", vote, SHARE[:-1])
    with pytest.raises(SignatureInvalid, match="in the name of alfa"):
        check_vote(made, alfa, vote[:64] + bytes(32))
    for short in (b"", vote[:64], vote + b"x"):
        with pytest.raises(SignatureInvalid):
            check_vote(made, alfa, short)
