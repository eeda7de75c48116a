"""Signatures of jobs: each for one job, one purpose and one member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parties.errors import JobInvalid, JobRefused, SignatureInvalid
from parties.job_signatures import (
    check_acceptance,
    check_acceptances,
    check_proposal,
    check_vote,
    check_votes,
    sign_job,
    sign_proposal,
    sign_vote,
)  # fmt: skip
from parties.signatures import CHARTER
from tests.parties.consortium import charter, identity, member
from tests.parties.jobs import acceptances, job, votes

SIGNERS: list[Callable[..., bytes]] = [sign_job, sign_vote, sign_proposal]


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
    signature = sign_vote(made, identity(0))
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
    accepted = {**acceptances(made), "delta": sign_job(made, identity(3))}
    check_acceptances(made, named, accepted)
    check_votes(made, named, votes(made))
    with pytest.raises(SignatureInvalid, match="no acceptance of delta"):
        check_acceptances(made, named, acceptances(made))
    with pytest.raises(SignatureInvalid, match="no vote of bravo"):
        check_votes(made, named, {k: v for k, v in votes(made).items() if k != "bravo"})
    with pytest.raises(SignatureInvalid, match="no acceptance to give"):
        check_acceptances(made, named, {**accepted, "echo": sign_job(made, identity(4))})
    with pytest.raises(SignatureInvalid, match="no vote to give"):
        check_votes(made, named, {**votes(made), "delta": sign_vote(made, identity(3))})
    with pytest.raises(SignatureInvalid, match="in the name of charlie"):
        check_votes(made, named, {**votes(made), "charlie": votes(made)["bravo"]})
    with pytest.raises(SignatureInvalid, match="in the name of alfa"):
        check_votes(made, named, {**votes(made), "alfa": b""})
