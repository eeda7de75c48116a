"""Is a receipt genuine? Every check by name, in an order in which nothing is believed before it is checked. Pure.

     1. charter        all members that it names signed it
     2. pinned         it is the charter, or has the members, that the reader knows
     3. proposal       the job is whole, the charter allows it, its proposer signed it
     4. acceptances    every participant signed that it accepts the job, all of them the same plan
     5. tables         the descriptions are those whose digests the job states
     6. plan           made anew from job and descriptions it is the plan that all accepted
     7. policies       each owner states by which policy it decided about each of its tables
     8. votes          every compute member signed, with the hash of its share, that it is ready to release
     9. given          a result member signed what the receipt says of the answer
    10. shares         those it states are there, and are those that were voted with
    11. answer         opened from the shares it has the stated digest
    12. result         what the reader was given is that answer

A check that stands on an earlier one is not made where that failed. So whatever is shown of a receipt, who asked and
what came out, is made of parts that were signed, under keys of whose owners the receipt itself says nothing that has to
be believed: who reads it compares their fingerprints, or pins them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mpc.errors import AccordError
from parties.calls.quiet_log import place_of
from parties.membership.charter import Charter
from parties.proof.receipt import Receipt
from parties.proof.receipt_checks import (
    Found,
    OtherRelease,
    check_accepted,
    check_answer,
    check_charter,
    check_pinned,
    check_plan,
    check_policies,
    check_proposed,
    check_result,
    check_shares,
    check_statement,
    check_tables,
    check_voted,
)
from parties.proof.receipt_facts import Facts

__all__ = ["Check", "Pins", "Verdict", "Verified", "verify_receipt"]

T = TypeVar("T")
_MOST_TEXT = 2000


class Verdict(StrEnum):
    """Of one check, or of all.

    UNSURE: it cannot be told, by this release, for the receipt was made with another one, or by this receipt. ABSENT:
    there is nothing to check, and the receipt says so.
    """

    GOOD = "good"
    FALSE = "false"
    UNSURE = "unsure"
    ABSENT = "absent"


@dataclass(frozen=True)
class Check:
    """One of the checks above, and what it found, in words."""

    name: str
    verdict: Verdict
    text: str


@dataclass(frozen=True)
class Pins:
    """What the reader knows from elsewhere.

    Attributes:
        charter: digest of the charter, hex; '': not known.
        members: fingerprints of members, 64 hex digits each.
    """

    charter: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verified:
    """What became of a receipt.

    Attributes:
        checks: in their order, as many as were made.
        charter: if its members signed it: all else relies on their keys.
        facts: what was asked; None unless all up to the policies is good.
        answer: as it was opened, JSON; None where it cannot be, or is not the one stated.
    """

    checks: tuple[Check, ...]
    charter: Charter | None = None
    facts: Facts | None = None
    answer: bytes | None = None

    @property
    def verdict(self) -> Verdict:
        """FALSE if any check is, else UNSURE if any is, else GOOD."""
        found = {check.verdict for check in self.checks}
        return next((verdict for verdict in (Verdict.FALSE, Verdict.UNSURE) if verdict in found), Verdict.GOOD)


def verify_receipt(receipt: Receipt, software: str, pins: Pins | None = None, result: bytes | None = None) -> Verified:
    """Judge a receipt.

    Args:
        software: digest of the program that judges (software.py).
        pins: what the reader knows.
        result: what the reader was given as the answer: its JSON, or what `accord ask --json` printed.

    Raises nothing: whatever is odd in a receipt is a check that is not good.
    """
    checks = _Checks()
    charter = checks.make("charter", lambda: check_charter(receipt))
    if charter is None:
        return Verified(tuple(checks.made))
    known = pins or Pins()
    if known != Pins():
        checks.make("pinned", lambda: check_pinned(charter, known.charter, known.members))
    job = checks.make("proposal", lambda: check_proposed(receipt, charter))
    if job is None:
        return Verified(tuple(checks.made), charter)
    agreed = checks.make("acceptances", lambda: check_accepted(receipt, charter, job))
    tables = checks.make("tables", lambda: check_tables(receipt, job))
    facts = plan = None
    if agreed is not None and tables is not None:
        plan = checks.make("plan", lambda: check_plan(agreed, tables, software))
        if plan is not None:
            facts = checks.make("policies", lambda: check_policies(agreed, tables, plan))
    voted = checks.make("votes", lambda: check_voted(receipt, charter, job))
    given = checks.make("given", lambda: check_statement(receipt, charter, job))
    answer = None
    if voted is not None and given is not None:
        shares = checks.make("shares", lambda: check_shares(receipt, charter, job))
        if shares and agreed is not None and tables is not None and plan is not None:
            answer = checks.make("answer", lambda: check_answer(receipt, agreed, tables, software))
        elif shares is not None and not shares:
            checks.note("answer", Verdict.ABSENT, _stated(receipt))
    if result is not None and given is not None:
        if receipt.given.answer is None:
            checks.note("result", Verdict.UNSURE, "the receipt tells nothing of the answer to compare it with")
        else:
            checks.make("result", lambda: check_result(receipt, job, result))
    return Verified(tuple(checks.made), charter, facts, answer)


class _Checks:
    """Those made so far."""

    def __init__(self) -> None:
        self.made: list[Check] = []

    def make(self, name: str, check: Callable[[], Found[T]]) -> T | None:
        """What it found; None if it does not hold."""
        try:
            found, text = check()
        except OtherRelease as error:
            self.note(name, Verdict.UNSURE, str(error))
        except AccordError as error:
            self.note(name, Verdict.FALSE, f"{type(error).__name__}: {error}")
        except Exception as error:  # of parts that no node would have signed
            self.note(name, Verdict.FALSE, f"this program fails with it, at {place_of(error)}")
        else:
            self.note(name, Verdict.GOOD, text)
            return found
        return None

    def note(self, name: str, verdict: Verdict, text: str) -> None:
        """Of a check that was made, or could not be."""
        self.made.append(Check(name, verdict, text[:_MOST_TEXT]))


def _stated(receipt: Receipt) -> str:
    given = receipt.given
    if given.answer is None:
        return "not told"
    return f"by the word of {given.member} alone: nothing here proves that it has the digest {given.answer}"
