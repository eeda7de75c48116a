"""``accord join CODE``: from nothing to a node with a charter in force."""

from __future__ import annotations

import argparse
import sys

import trio
from rich.console import Console

from parties.charter import Charter, Member
from parties.charter_store import CharterStore
from parties.charter_view import show_charter
from parties.command_options import (
    add_home_option,
    add_passphrase_options,
    ask,
    given_home,
    read_given_passphrase,
    run,
    told,
)
from parties.doctor_command import diagnose, show_findings
from parties.errors import CodeInvalid, InvitationRefused
from parties.fingerprints import fingerprint_of, show_fingerprint
from parties.invitation import read_code
from parties.meeting_guest import Guest
from parties.new_node import own_identity, own_settings, port_of

__all__ = ["add_join_command"]

_COMPARE = (
    "Read the digest aloud with all the others, over the telephone say. If it is the same everywhere, every key above "
    "is the one of who is on the telephone. The founder's fingerprint:"
)


def add_join_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``join``, among the commands of ``accord``."""
    join = commands.add_parser("join", help="come into a consortium with a code from its founder")
    join.add_argument("code", help="as `accord invite` printed it; - reads it from standard input")
    join.add_argument(
        "--address", metavar="HOST:PORT", help="where this node is reached, if not where the founder has it"
    )
    trusted = join.add_mutually_exclusive_group()
    trusted.add_argument("--fingerprint", help="the founder's, compared beforehand: then no question is asked")
    trusted.add_argument("--yes", action="store_true", help="sign without a question: the code alone vouches")
    join.add_argument("--patience", type=float, default=60.0, metavar="SECONDS",
                      help="how long to try to reach the founder; default %(default)g")  # fmt: skip
    join.add_argument("--no-doctor", action="store_true", help="do not run `accord doctor` in the end")
    add_home_option(join)
    add_passphrase_options(join)
    join.set_defaults(run=lambda given: told("join", lambda: _join(given)))


def _join(given: argparse.Namespace) -> int:
    code = read_code(sys.stdin.readline() if given.code == "-" else given.code)
    expected = None if given.fingerprint is None else "".join(given.fingerprint.split()).lower()
    if expected is not None and (len(expected) != 64 or not expected.startswith(code.pin.hex())):
        raise CodeInvalid("the code is not of the founder with this fingerprint: nobody was called")
    home = given_home(given)
    passphrase = read_given_passphrase(given, new=not home.identity.exists())
    identity = own_identity(home, passphrase)
    store = CharterStore(home)
    console = Console()

    async def confirm(founder: bytes, charter: Charter, me: Member) -> bool:
        show_charter(console, charter, me.fingerprint)
        if expected is not None and expected != fingerprint_of(founder):
            raise InvitationRefused("the founder has another fingerprint than was given: nothing was signed")
        if expected is not None or given.yes:
            return True
        console.print(_COMPARE)
        console.print(show_fingerprint(fingerprint_of(founder)), highlight=False)
        return await trio.to_thread.run_sync(ask, "Is it the same, and does this node sign?", abandon_on_cancel=True)

    async def join() -> Charter:
        guest = Guest(code, identity, store, confirm, lambda line: print(line, flush=True), given.address)
        return await guest.run(given.patience)

    print(f"this member's fingerprint, to compare:\n{show_fingerprint(identity.fingerprint)}", flush=True)
    charter = run(join)
    me = charter.by_fingerprint[identity.fingerprint]
    own_settings(home, port_of(me.address))
    print(f"{charter.consortium!r}, version {charter.version}, is in force; this node is {me.name}")
    if not given.no_doctor:
        show_findings(diagnose(home, passphrase), console)
    print("next: accord publish TABLE FILE, accord serve")
    return 0
