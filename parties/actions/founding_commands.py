"""``accord found`` and ``accord invite``: a consortium begins at one of its members, who invites the others.

What is typed is in commands/founding.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import get_args

import trio

from parties.actions.charter_commands import charter_as_json
from parties.beginning.founding import Founding, Role, changing, founded_here, read_founding
from parties.beginning.invitation import write_code
from parties.beginning.meeting_host import Host
from parties.errors import FoundingInvalid
from parties.keys.fingerprints import fingerprint_of, show_fingerprint, show_public_key
from parties.keys.identity import Identity
from parties.membership.charter import Charter
from parties.membership.charter_store import CharterStore
from parties.membership.charter_view import show_charter
from parties.setup.home import Home
from parties.setup.listening import Listening, read_listening
from parties.setup.new_node import own_identity, own_settings, port_of
from parties.terminal.command_options import Passphrase
from parties.terminal.command_output import Output
from parties.terminal.command_run import ask, run

__all__ = ["Invitee", "cancel", "found", "invite", "read_roles", "wait_for_all"]

_FOUNDED = """
What next:
 1. accord invite NAME --address HOST:PORT    once for each other member; it prints a code, which only that member
                                              should get to see
 2. accord invite --wait                      while they run `accord join CODE`; it ends when the charter is in force"""

_COMPARE = (
    "Read the digest aloud with all the others, over the telephone say. If it is the same everywhere, every key above "
    "is the one of who is on the telephone."
)


@dataclass(frozen=True)
class Invitee:
    """Whom a member that founds invites.

    Attributes:
        name: of the new member.
        address: where its node will be reached, ``host:port``; None if nobody dials it.
        roles: as read_roles takes them.
        at: where it reaches this node now; None: at this member's own address.
        hours: how long the code is good.
    """

    name: str
    address: str | None
    roles: str
    at: str | None
    hours: float


def read_roles(text: str) -> list[Role]:
    """``compute,input`` as a list. FoundingInvalid."""
    roles = [role for role in get_args(Role) if role in text.split(",")]
    if sorted(roles) != sorted(text.split(",")):
        raise FoundingInvalid(f"roles {text!r}: one or more of {', '.join(get_args(Role))}, with commas, each once")
    return roles


def found(home: Home, founding: Founding, passphrase: Passphrase, output: Output) -> None:
    """Begin a consortium in a home. Raises FoundingInvalid, CharterInvalid, and what making an identity raises."""
    if founded_here(home) or CharterStore(home).chain:
        raise FoundingInvalid(f"a consortium is being founded, or was, in {home.directory}: give another --home")
    founding.check(Identity.generate().public)  # before anything is made
    identity = own_identity(home, passphrase.read(new=not home.identity.exists()))
    own_settings(home, port_of(founding.address))
    with changing(home) as write:
        write(founding)
    output.say(
        f"founding {founding.consortium!r} in {home.directory}; this member's fingerprint:",
        show_fingerprint(identity.fingerprint),
        _FOUNDED,
    )
    output.result(
        {
            "consortium": founding.consortium,
            "member": founding.name,
            "directory": str(home.directory),
            "fingerprint": identity.fingerprint,
            "public_key": show_public_key(identity.public),
        }
    )


def invite(home: Home, invitee: Invitee, passphrase: Passphrase, output: Output) -> None:
    """Make a code for a new member. Raises FoundingInvalid, CharterInvalid, and what opening the identity raises."""
    _check_begun(home)
    identity = home.load_identity(passphrase=passphrase.read())
    if not 0 < invitee.hours <= 24 * 366:
        raise FoundingInvalid("--hours: more than 0, at most 8784")
    with changing(home) as write:
        founding = read_founding(home)
        waits_at = invitee.at or founding.address
        if waits_at is None:
            raise FoundingInvalid("this member has no address: say with --at where the new member reaches this node")
        expires = time.time() + 3600 * invitee.hours
        roles = read_roles(invitee.roles)
        founding, code = founding.invite(invitee.name, invitee.address, roles, waits_at, identity.public, expires)
        write(founding)
    output.result({"member": invitee.name, "code": write_code(code), "expires": expires})
    if not output.json:
        good = f"good once and for {invitee.hours:g} hours"
        output.say(f"the code for {invitee.name}, {good}; there it is `accord join CODE`:\n", write_code(code))
    output.warn("\nthen, here: accord invite --wait")


def cancel(home: Home, name: str, output: Output) -> None:
    """Take an invitation back. Raises FoundingInvalid."""
    _check_begun(home)
    with changing(home) as write:
        write(read_founding(home).without(name))
    output.say(f"{name} is not invited any more, and its code is void")
    output.result({"member": name, "cancelled": True})


def wait_for_all(home: Home, bind: str | None, passphrase: Passphrase, output: Output, *, yes: bool) -> None:
    """Wait for those who are invited, until all have signed and the charter is in force.

    Args:
        bind: where to wait; None: as node.toml says.
        yes: sign without a question: the codes alone vouch.

    Raises FoundingInvalid, InvitationRefused, MeetingBroken, and what opening the identity raises.
    """
    home.check()
    founding = read_founding(home)
    identity = home.load_identity(passphrase=passphrase.read())
    store = CharterStore(home)
    settings = home.read_settings(port_of(founding.address))
    where = settings.bind if bind is None else read_listening("--bind", bind)

    async def confirm(charter: Charter) -> bool:
        console = output.console()
        show_charter(console, charter, identity.fingerprint)
        if yes:
            return True
        console.print(_COMPARE)
        question = "Is it the same, and does this node sign?"
        return await trio.to_thread.run_sync(ask, question, output, abandon_on_cancel=True)

    async def wait() -> Charter:
        listeners = await _listen(where)
        output.say(
            f"waiting at {where} for {', '.join(founding.missing()) or 'signatures'}; this node's fingerprint:",
            show_fingerprint(fingerprint_of(identity.public)),
        )
        return await Host(home, identity, store, confirm, output.say).run(listeners)

    charter = run(wait)
    output.say(
        f"the charter of {charter.consortium!r}, version {charter.version}, is in force at all members",
        "next: accord publish TABLE FILE, accord serve",
    )
    output.result({"charter": charter_as_json(charter)})


def _check_begun(home: Home) -> None:
    home.check()
    if CharterStore(home).chain:
        raise FoundingInvalid(
            "a charter is in force here. A new member: `accord init` there, its key into a new version of the charter, "
            "`accord charter propose FILE` here, and all sign"
        )


async def _listen(where: Listening) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(where.port, host=where.interface)
    except OSError as error:
        raise FoundingInvalid(
            f"cannot listen at {where}: {error.strerror or error}. Does `accord serve` run, or another program there? "
            "--bind gives another place"
        ) from None
