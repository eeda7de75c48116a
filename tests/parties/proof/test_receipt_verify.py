"""What a receipt proves, check by check: which one fails for what, and what is then not believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from parties.jobs.job_signatures import sign_acceptance, sign_proposal, sign_vote
from parties.jobs.statement import Statement, read_statement
from parties.kinds.kind import Kind, Plan
from parties.membership.charter_file import write_charter
from parties.membership.signatures import sign_charter
from parties.planning.job_plans import Plans, pack_shares
from parties.proof import receipt_checks
from parties.proof.receipt import LEFT_OUT, PURGED, TOO_LARGE, Receipt, read_receipt, sign_given
from parties.proof.receipt_verify import Pins, Verdict, Verified, verify_receipt
from protocols.errors import SharesDisagree
from protocols.exact import round_up
from protocols.released import charge
from tests.parties.consortium import charter, identity, member, signed
from tests.parties.receipts import ASKED, MEMBERS, SOFTWARE, made, policy
from tests.parties.world import CHARTER

ALL = [
    "charter", "proposal", "acceptances", "tables", "plan", "policies", "votes", "given", "shares", "answer",
]  # fmt: skip
WHOLE = read_receipt(made().alfa)
JOB, ANSWER = made().job, made().answer


def verified(receipt: Receipt, **more: Any) -> Verified:
    return verify_receipt(receipt, more.pop("software", SOFTWARE), **more)


def verdicts(found: Verified) -> dict[str, str]:
    return {check.name: check.verdict.value for check in found.checks}


def failing(receipt: Receipt, **more: Any) -> tuple[str, str]:
    """The one check that fails, and why."""
    found = verified(receipt, **more)
    assert found.verdict is Verdict.FALSE
    (check,) = [check for check in found.checks if check.verdict is Verdict.FALSE]
    return check.name, check.text


def change(receipt: Receipt = WHOLE, **parts: Any) -> Receipt:
    return dataclasses.replace(receipt, **parts)


def without(parts: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    return {key: part for key, part in parts.items() if key != name}


# -- good ones -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(ASKED))
def test_every_check_of_a_good_one_is_made_and_told(kind: str) -> None:
    whole = made(kind)
    found = verified(read_receipt(whole.delta), result=whole.answer)
    assert verdicts(found) == dict.fromkeys([*ALL, "result"], "good")
    assert found.answer == whole.answer and found.charter == CHARTER
    assert all(check.text for check in found.checks)


@pytest.mark.parametrize("kind", sorted(ASKED))
def test_what_is_shown_is_what_was_asked(kind: str) -> None:
    job = made(kind).job
    facts = verified(read_receipt(made(kind).alfa)).facts
    assert facts is not None
    _, plan = Plans(lambda: (CHARTER,)).plan(job, WHOLE.tables)
    assert (facts.job, facts.kind, facts.proposer) == (job.id, kind, "delta")
    assert (facts.analyst, facts.purpose, facts.results) == ("ann", "research", ["alfa", "delta"])
    assert facts.parameters == job.parameters
    assert (facts.epsilon, facts.delta) == (plan.epsilon, plan.delta)
    assert [(t["member"], t["table"]) for t in facts.tables] == list(job.tables)
    assert [table["policy"] for table in facts.tables] == [policy(owner).digest for owner, _ in job.tables]
    for table in facts.tables:
        assert {"sum", "release"} <= set(table["columns"]["age"]) and {"group", "release"} <= set(
            table["columns"]["ward"]
        )
    assert sum(one["figures"] for one in facts.mechanisms) == sum(event.coordinates for event in plan.events)
    assert round_up(charge(plan.events)[0]) == facts.epsilon
    for one, event in zip(facts.mechanisms, plan.events, strict=True):
        assert one["standard_deviation"] == event.law.standard_deviation / (1 << event.frac)
    assert facts.software == dict.fromkeys(MEMBERS, SOFTWARE)
    assert set(facts.log) == set(MEMBERS) and min(facts.log.values()) > 0
    assert json.loads(json.dumps(facts.fields)) == facts.fields


@pytest.mark.parametrize(
    ("variant", "why", "told"),
    [("without", LEFT_OUT, None), ("purged", PURGED, "digest"), ("too_large", TOO_LARGE, "digest")],
)
def test_a_receipt_without_shares_says_why_and_whose_word_is_all_there_is(variant: str, why: str, told: Any) -> None:
    receipt = read_receipt(getattr(made(), variant))
    assert (receipt.shares, receipt.given.why) == ({}, why)
    digest = hashlib.sha256(ANSWER).hexdigest()
    assert receipt.given.answer == (digest if told else None)
    found = verified(receipt)
    assert verdicts(found) == dict.fromkeys(ALL, "good") | {"answer": "absent"} and found.verdict is Verdict.GOOD
    assert found.answer is None and found.facts is not None
    if told:
        assert "word of alfa alone" in found.checks[-1].text and digest in found.checks[-1].text
        assert verdicts(verified(receipt, result=ANSWER))["result"] == "good"
        assert verdicts(verified(receipt, result=b"{}"))["result"] == "false"
    else:
        content = made().without
        assert digest.encode() not in content
        assert verified(receipt, result=ANSWER).verdict is Verdict.UNSURE


def test_a_result_in_any_layout_is_compared() -> None:
    said = json.loads(ANSWER)
    printed = json.dumps({"job": JOB.id, "answer": said}, indent=1).encode() + b"\n"
    for good in (ANSWER, ANSWER + b"\n", json.dumps(said, indent=4).encode(), printed):
        assert verified(WHOLE, result=good).verdict is Verdict.GOOD
    other = {**said, "epsilon": 4}  # a whole number is another value than 4.0
    for bad in (
        b"", b"[" * 100_000, b"NaN", json.dumps(other).encode(), json.dumps({"job": "0" * 32, "answer": said}).encode(),
        json.dumps({"job": JOB.id, "answer": said, "more": 1}).encode(), made("query").answer,
    ):  # fmt: skip
        assert failing(WHOLE, result=bad)[0] == "result"


# -- whose keys ----------------------------------------------------------------------------------------


def test_pins() -> None:
    alfa, echo = identity(0).fingerprint, identity(4).fingerprint
    for good in (Pins(CHARTER.digest), Pins(members=(alfa,)), Pins(CHARTER.digest, (alfa, identity(3).fingerprint))):
        found = verified(WHOLE, pins=good)
        assert found.verdict is Verdict.GOOD and verdicts(found)["pinned"] == "good"
    for bad in (Pins("0" * 64), Pins(members=(echo,)), Pins(CHARTER.digest, (alfa, echo)), Pins("0" * 64, (alfa,))):
        assert failing(WHOLE, pins=bad)[0] == "pinned"


def test_who_left_a_member_out_of_the_charter_has_no_charter_of_that_job() -> None:
    smaller = charter(*(member(i) for i in range(3)))
    text, signatures = write_charter(smaller).encode(), signed(smaller, 0, 1, 2).by
    name, why = failing(change(charter=text, signatures=signatures))
    assert name == "proposal" and "charter" in why


def test_a_charter_is_signed_by_everybody_it_names_and_nobody_else() -> None:
    for member_ in CHARTER.members:
        name, why = failing(change(signatures=without(WHOLE.signatures, member_.fingerprint)))
        assert name == "charter" and member_.name in why
    stranger = sign_charter(CHARTER, identity(5)).by
    assert failing(change(signatures={**WHOLE.signatures, **stranger}))[0] == "charter"
    assert failing(change(charter=WHOLE.charter + b"\n# no word of it is another one\n"))[0] == "charter"
    assert verdicts(verified(change(charter=b"["))) == {"charter": "false"}


# -- what is missing, or of something else ---------------------------------------------------------------


@pytest.mark.parametrize("part", ["acceptances", "votes", "shares"])
def test_what_anybody_left_out_is_named(part: str) -> None:
    expected = {"acceptances": "acceptances", "votes": "votes", "shares": "shares"}[part]
    for name in getattr(WHOLE, part):
        check, why = failing(change(**{part: without(getattr(WHOLE, part), name)}))
        assert check == expected and name in why


def test_tables_described_otherwise() -> None:
    assert failing(change(tables=WHOLE.tables[:1]))[0] == "tables"
    assert failing(change(tables=(*WHOLE.tables, WHOLE.tables[0])))[0] == "tables"
    assert failing(change(tables=(WHOLE.tables[0], WHOLE.tables[1].replace("age", "agf"))))[0] == "tables"


def test_another_job_that_its_proposer_signed_too_was_accepted_by_nobody() -> None:
    other = dataclasses.replace(JOB, purpose="marketing")
    receipt = change(job=other.canonical, proposal=sign_proposal(other, identity(3)))
    found = verdicts(verified(receipt))
    assert found["proposal"] == "good"
    assert {found[name] for name in ("acceptances", "votes", "given")} == {"false"}
    assert "plan" not in found and "answer" not in found, "nothing is made of what nobody signed"


def test_who_does_not_receive_the_answer_states_nothing_of_it() -> None:
    given = sign_given(dataclasses.replace(WHOLE.given, member="bravo"), JOB.digest, identity(1))
    name, why = failing(change(given=given))
    assert name == "given" and "bravo" in why
    stolen = dataclasses.replace(WHOLE.given, member="delta")
    assert failing(change(given=stolen))[0] == "given"


# -- members who sign what is not so ---------------------------------------------------------------------


def restated(receipt: Receipt, **changes: Any) -> dict[str, bytes]:
    """All acceptances anew, by members who agree on that."""
    made_of: dict[str, bytes] = {}
    for name, acceptance in receipt.acceptances.items():
        statement: Statement = read_statement(acceptance[64:])
        made_of[name] = sign_acceptance(dataclasses.replace(statement, **changes), identity(MEMBERS[name]))
    return made_of


def revoted(shares: Mapping[str, bytes], answer: str | None = None, receipt: Receipt = WHOLE) -> Receipt:
    """With other shares, for which their members voted."""
    votes = {name: sign_vote(JOB, identity(MEMBERS[name]), share) for name, share in shares.items()}
    given = dataclasses.replace(receipt.given, answer=answer or receipt.given.answer, shares=tuple(sorted(shares)))
    given = sign_given(given, JOB.digest, identity(0))
    return change(receipt, votes={**receipt.votes, **votes}, shares=dict(shares), given=given)


def test_a_plan_that_does_not_follow_from_the_job() -> None:
    name, why = failing(change(acceptances=restated(WHOLE, plan="0" * 64)))
    assert name == "plan" and "made anew" in why


def test_two_plans() -> None:
    acceptances = {**WHOLE.acceptances, "bravo": restated(WHOLE, plan="0" * 64)["bravo"]}
    name, why = failing(change(acceptances=acceptances))
    assert name == "acceptances" and "bravo" in why


def test_an_owner_that_names_no_policy() -> None:
    name, why = failing(change(acceptances=restated(WHOLE, policies={})))
    assert name == "policies" and "bravo" in why and "stays" in why


def test_an_answer_that_is_not_in_the_shares() -> None:
    name, why = failing(revoted(WHOLE.shares, answer="0" * 64))
    assert name == "answer" and "alfa states 0000" in why


@pytest.mark.parametrize("share", [b"", b"\0" * 7, b"\xff" * 100, pack_shares([]), pack_shares([b"", b""])])
def test_shares_that_are_none(share: bytes) -> None:
    assert failing(revoted({**WHOLE.shares, "bravo": share}))[0] == "answer"


def test_shares_that_differ_in_a_component_name_who_differs() -> None:
    damaged = bytearray(WHOLE.shares["charlie"])
    damaged[-1] ^= 1
    name, why = failing(revoted({**WHOLE.shares, "charlie": bytes(damaged)}))
    assert name == "answer" and "SharesDisagree" in why


def test_a_result_member_that_makes_up_an_answer_has_no_shares_of_it_that_were_voted_with() -> None:
    """It opens, and alfa signs what it opens to; only the compute members' votes speak against it."""
    shares, plans = without(WHOLE.shares, "charlie"), Plans(lambda: (CHARTER,))
    answer: bytes | None = ANSWER
    for at in range(len(shares["bravo"]) - 1, 0, -8):
        damaged = bytearray(shares["bravo"])
        damaged[at - 7] ^= 1
        shares["bravo"] = bytes(damaged)
        try:
            answer = plans.answer(JOB, WHOLE.tables, shares)
            break
        except SharesDisagree:  # alfa has this component too
            shares["bravo"] = WHOLE.shares["bravo"]
    assert answer is not None and answer != ANSWER
    digest = hashlib.sha256(answer).hexdigest()
    given = dataclasses.replace(WHOLE.given, answer=digest, shares=("alfa", "bravo"))
    name, why = failing(change(shares=shares, given=sign_given(given, JOB.digest, identity(0))))
    assert name == "shares" and "bravo is another than the one it voted with" in why
    assert verified(revoted(shares, digest)).verdict is Verdict.GOOD, "with votes for it, it would be an answer"


def test_any_that_are_enough_are_enough() -> None:
    for name in WHOLE.shares:
        assert verified(revoted(without(WHOLE.shares, name))).verdict is Verdict.GOOD
    name, why = failing(revoted({"bravo": WHOLE.shares["bravo"]}))
    assert name == "shares" and "2 are needed" in why
    assert failing(revoted({}))[0] == "shares"
    assert failing(revoted({**WHOLE.shares, "delta": b""}))[0] == "votes"
    strange = change(revoted({**WHOLE.shares, "delta": b""}), votes=WHOLE.votes)
    name, why = failing(strange)
    assert name == "shares" and "delta does not compute" in why


def test_shares_that_are_there_and_are_said_not_to_be() -> None:
    given = sign_given(dataclasses.replace(WHOLE.given, why=PURGED), JOB.digest, identity(0))
    assert failing(change(given=given))[0] == "shares"


# -- this program ----------------------------------------------------------------------------------------


class OtherPlans(Plans):
    """Of a release that makes another plan of a job."""

    def plan(self, *given: Any) -> tuple[Kind, Plan]:
        kind, plan = super().plan(*given)
        return kind, dataclasses.replace(plan, text=plan.text + " otherwise")


class OtherAnswers(Plans):
    """Of a release that writes answers in another way."""

    def answer(self, *given: Any) -> bytes:
        return b"{}"


class Failing(Plans):
    """Which has a fault."""

    def answer(self, *given: Any) -> bytes:
        raise ZeroDivisionError("a patient's name")


@pytest.mark.parametrize(("plans", "name"), [(OtherPlans, "plan"), (OtherAnswers, "answer"), (Failing, "answer")])
def test_what_another_release_made_is_not_called_forged(
    plans: Callable[..., Any], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipt_checks, "Plans", plans)
    here = "7" * 64
    found = verified(WHOLE, software=here)
    assert found.verdict is Verdict.UNSURE and verdicts(found)[name] == "unsure"
    (text,) = [check.text for check in found.checks if check.verdict is Verdict.UNSURE]
    assert SOFTWARE[:16] in text and here[:16] in text and "patient" not in text
    assert found.answer is None
    assert failing(WHOLE)[0] == name, "the same release comes to the same"


def test_another_release_that_comes_to_the_same_can_judge() -> None:
    assert verified(WHOLE, software="7" * 64).verdict is Verdict.GOOD


def test_a_fault_of_this_program_tells_its_place_and_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_checks, "Plans", Failing)
    name, why = failing(WHOLE)
    assert name == "answer" and "ZeroDivisionError" in why and "patient" not in why
