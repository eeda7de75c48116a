"""``accord join CODE``: from nothing to a node with a charter in force. What is typed is in commands/join.py."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from parties.actions.charter_commands import charter_as_json
from parties.actions.doctor_command import diagnose, findings_as_json, show_findings
from parties.beginning.invitation import read_code
from parties.beginning.meeting_guest import Guest
from parties.errors import CodeInvalid, InvitationRefused
from parties.keys.fingerprints import fingerprint_of, show_fingerprint
from parties.membership.charter import Charter, Member
from parties.membership.charter_store import CharterStore
from parties.membership.charter_view import show_charter
from parties.setup.home import Home
from parties.setup.new_node import own_identity, own_settings, port_of
from parties.terminal.command_options import Passphrase
from parties.terminal.command_output import Output
from parties.terminal.command_run import ask, run

__all__ = ["Joining", "join"]

_COMPARE = (
    "Read the digest aloud with all the others, over the telephone say. If it is the same everywhere, every key above "
    "is the one of who is on the telephone. The founder's fingerprint:"
)


@dataclass(frozen=True, repr=False)
class Joining:
    """How to join.

    Attributes:
        code: as `accord invite` printed it: a secret.
        address: where this node is reached, ``host:port``; None: where the founder has it.
        fingerprint: the founder's, compared beforehand: then no question is asked. None: it was not.
        yes: sign without a question: the code alone vouches.
        patience: seconds to try to reach the founder.
        doctor: whether to diagnose the node in the end.
    """

    code: str
    address: str | None = None
    fingerprint: str | None = None
    yes: bool = False
    patience: float = 60.0
    doctor: bool = True


def join(home: Home, how: Joining, passphrase: Passphrase, output: Output) -> None:
    """Come into a consortium: an identity if there is none, the founder's charter, signed by all.

    Raises CodeInvalid, FounderUnreachable, InvitationRefused, MeetingBroken, and what making an identity raises.
    """
    code = read_code(how.code)
    expected = None if how.fingerprint is None else "".join(how.fingerprint.split()).lower()
    if expected is not None and (len(expected) != 64 or not expected.startswith(code.pin.hex())):
        raise CodeInvalid("the code is not of the founder with this fingerprint: nobody was called")
    opening = passphrase.read(new=not home.identity.exists())
    identity = own_identity(home, opening)
    store = CharterStore(home)
    console = output.console()

    async def confirm(founder: bytes, charter: Charter, me: Member) -> bool:
        show_charter(console, charter, me.fingerprint)
        if expected is not None and expected != fingerprint_of(founder):
            raise InvitationRefused("the founder has another fingerprint than was given: nothing was signed")
        if expected is not None or how.yes:
            return True
        console.print(_COMPARE)
        console.print(show_fingerprint(fingerprint_of(founder)), highlight=False)
        question = "Is it the same, and does this node sign?"
        return await trio.to_thread.run_sync(ask, question, output, abandon_on_cancel=True)

    async def meet() -> Charter:
        return await Guest(code, identity, store, confirm, output.say, how.address).run(how.patience)

    output.say("this member's fingerprint, to compare:", show_fingerprint(identity.fingerprint))
    charter = run(meet)
    me = charter.by_fingerprint[identity.fingerprint]
    own_settings(home, port_of(me.address))
    output.say(f"{charter.consortium!r}, version {charter.version}, is in force; this node is {me.name}")
    findings = diagnose(home, opening) if how.doctor else []
    if how.doctor:
        show_findings(findings, console)
    output.say("next: accord publish TABLE FILE, accord serve")
    output.result({"member": me.name, "charter": charter_as_json(charter), "findings": findings_as_json(findings)})
