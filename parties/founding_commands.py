"""``accord found`` and ``accord invite``: a consortium begins at one of its members, who invites the others."""

from __future__ import annotations

import argparse
import sys
import time
from typing import get_args

import trio
from rich.console import Console

from parties.charter import Charter
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
from parties.errors import FoundingInvalid
from parties.fingerprints import fingerprint_of, show_fingerprint
from parties.founding import Founding, Role, changing, founded_here, read_founding
from parties.home import Home
from parties.identity import Identity
from parties.invitation import write_code
from parties.listening import Listening, read_listening
from parties.meeting_host import Host
from parties.new_node import own_identity, own_settings, port_of

__all__ = ["add_founding_commands", "read_roles"]

_FOUNDED = """
What next:
 1. accord invite NAME --address HOST:PORT    once for each other member; it prints a code, which only that member
                                              should get to see
 2. accord invite --wait                      while they run `accord join CODE`; it ends when the charter is in force"""

_COMPARE = (
    "Read the digest aloud with all the others, over the telephone say. If it is the same everywhere, every key above "
    "is the one of who is on the telephone."
)


def add_founding_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``found`` and ``invite``, among the commands of ``accord``."""
    found = commands.add_parser("found", help="begin a consortium, as its first member")
    found.add_argument("title", help="of the consortium")
    found.add_argument("--name", required=True, help="of this member: a-z, 0-9 and -")
    found.add_argument("--address", metavar="HOST:PORT", help="where the others reach this node")
    found.add_argument("--roles", default="compute,input,result", help="of this member; default %(default)s")
    found.add_argument("--threshold", type=int, help="how many compute members may collude; default: the most possible")
    invite = commands.add_parser("invite", help="make a code for a new member, or wait for those who have one")
    invite.add_argument("name", nargs="?", help="of the new member: a-z, 0-9 and -")
    invite.add_argument("--address", metavar="HOST:PORT", help="where its node will be reached, if it will")
    invite.add_argument("--roles", default="compute,input,result", help="of the new member; default %(default)s")
    invite.add_argument("--at", metavar="HOST:PORT", help="where it reaches this node now; default: its address")
    invite.add_argument("--hours", type=float, default=24.0, help="how long the code is good; default %(default)g")
    invite.add_argument("--cancel", action="store_true", help="take the invitation back")
    invite.add_argument("--wait", action="store_true", help="wait for all who are invited, until all have signed")
    invite.add_argument("--bind", metavar="HOST:PORT", help="where to wait; default: as node.toml says")
    invite.add_argument("--yes", action="store_true", help="sign without a question: the codes alone vouch")
    for parser in (found, invite):
        add_home_option(parser)
        add_passphrase_options(parser)
    found.set_defaults(run=lambda given: told("found", lambda: _found(given)))
    invite.set_defaults(run=lambda given: told("invite", lambda: _invite(given)))


def read_roles(text: str) -> list[Role]:
    """``compute,input`` as a list. FoundingInvalid."""
    roles = [role for role in get_args(Role) if role in text.split(",")]
    if sorted(roles) != sorted(text.split(",")):
        raise FoundingInvalid(f"roles {text!r}: one or more of {', '.join(get_args(Role))}, with commas, each once")
    return roles


def _found(given: argparse.Namespace) -> int:
    home = given_home(given)
    roles = read_roles(given.roles)
    if founded_here(home) or CharterStore(home).chain:
        raise FoundingInvalid(f"a consortium is being founded, or was, in {home.directory}: give another --home")
    founding = Founding(
        consortium=given.title, threshold=given.threshold, name=given.name, address=given.address, roles=roles
    )
    founding.check(Identity.generate().public)  # before anything is made
    identity = own_identity(home, read_given_passphrase(given, new=not home.identity.exists()))
    own_settings(home, port_of(given.address))
    with changing(home) as write:
        write(founding)
    print(f"founding {given.title!r} in {home.directory}; this member's fingerprint:")
    print(show_fingerprint(identity.fingerprint))
    print(_FOUNDED)
    return 0


def _invite(given: argparse.Namespace) -> int:
    home = given_home(given)
    home.check()
    if given.wait == (given.name is not None):
        raise FoundingInvalid("either NAME, to make a code, or --wait")
    if CharterStore(home).chain and not given.wait:
        raise FoundingInvalid(
            "a charter is in force here. A new member: `accord init` there, its key into a new version of the charter, "
            "`accord charter propose FILE` here, and all sign"
        )
    if given.wait:
        return _wait(given, home)
    return _cancel(given, home) if given.cancel else _make_code(given, home)


def _cancel(given: argparse.Namespace, home: Home) -> int:
    with changing(home) as write:
        write(read_founding(home).without(given.name))
    print(f"{given.name} is not invited any more, and its code is void")
    return 0


def _make_code(given: argparse.Namespace, home: Home) -> int:
    identity = home.load_identity(passphrase=read_given_passphrase(given, new=False))
    if not 0 < given.hours <= 24 * 366:
        raise FoundingInvalid("--hours: more than 0, at most 8784")
    with changing(home) as write:
        founding = read_founding(home)
        waits_at = given.at or founding.address
        if waits_at is None:
            raise FoundingInvalid("this member has no address: say with --at where the new member reaches this node")
        expires = time.time() + 3600 * given.hours
        roles = read_roles(given.roles)
        founding, code = founding.invite(given.name, given.address, roles, waits_at, identity.public, expires)
        write(founding)
    print(f"the code for {given.name}, good once and for {given.hours:g} hours; there it is `accord join CODE`:\n")
    print(write_code(code))
    print("\nthen, here: accord invite --wait", file=sys.stderr)
    return 0


def _wait(given: argparse.Namespace, home: Home) -> int:
    founding = read_founding(home)
    identity = home.load_identity(passphrase=read_given_passphrase(given, new=False))
    store = CharterStore(home)
    settings = home.read_settings(port_of(founding.address))
    where = settings.bind if given.bind is None else read_listening("--bind", given.bind)
    console = Console()

    async def confirm(charter: Charter) -> bool:
        show_charter(console, charter, identity.fingerprint)
        if given.yes:
            return True
        console.print(_COMPARE)
        return await trio.to_thread.run_sync(ask, "Is it the same, and does this node sign?", abandon_on_cancel=True)

    async def wait() -> Charter:
        listeners = await _listen(where)
        print(f"waiting at {where} for {', '.join(founding.missing()) or 'signatures'}; this node's fingerprint:")
        print(show_fingerprint(fingerprint_of(identity.public)), flush=True)
        return await Host(home, identity, store, confirm, lambda line: print(line, flush=True)).run(listeners)

    charter = run(wait)
    print(f"the charter of {charter.consortium!r}, version {charter.version}, is in force at all members")
    print("next: accord publish TABLE FILE, accord serve")
    return 0


async def _listen(where: Listening) -> list[trio.SocketListener]:
    try:
        return await trio.open_tcp_listeners(where.port, host=where.interface)
    except OSError as error:
        raise FoundingInvalid(
            f"cannot listen at {where}: {error.strerror or error}. Does `accord serve` run, or another program there? "
            "--bind gives another place"
        ) from None
