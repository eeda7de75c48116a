"""``accord serve``: this member's node, until it is told to end. What is typed is in commands/serve.py."""

from __future__ import annotations

import logging
import resource
import signal
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import trio

from parties.errors import NotAMember
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from parties.setup.listening import Listening
from parties.setup.new_node import port_of
from parties.terminal.command_run import run

if TYPE_CHECKING:  # other commands do not wait for all of a node
    from parties.node.daemon import Daemon

__all__ = ["keep_no_cores", "make_daemon", "serve"]


def make_daemon(home: Home, passphrase: bytes | None = None) -> Daemon:
    """The node of a home: its identity, charter and settings. Raises what these raise, and NotAMember."""
    home.check()
    charter = CharterStore(home).current
    identity = home.load_identity(None, passphrase)
    me = charter.by_fingerprint.get(identity.fingerprint)
    if me is None:
        raise NotAMember(
            f"version {charter.version} of {charter.consortium} does not name the identity in {home.directory}: "
            "`accord join` makes it a member, or name another home"
        )
    from parties.node.daemon import Daemon

    return Daemon(home, identity, home.read_settings(port_of(me.address)))


def serve(home: Home, passphrase: bytes | None, *, quiet: bool) -> None:
    """Run the node of a home until a signal ends it. Its log goes to stderr; ``quiet``: warnings only.

    Raises what make_daemon and Daemon.run raise.
    """
    logging.basicConfig(
        level=logging.WARNING if quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    keep_no_cores()
    while _served(make_daemon(home, passphrase), quiet):
        pass


def _served(daemon: Daemon, quiet: bool) -> bool:
    """Run it to its end; whether another one has to take its place, because a charter gives the member another part."""
    run(lambda: _until_told(daemon, quiet))
    return daemon.anew


def keep_no_cores() -> None:
    """A process that crashes leaves no image of its memory in a file: keys, rows and shares. Workers inherit it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def _until_told(daemon: Daemon, quiet: bool) -> None:
    """Until it ends. The first signal ends it in good order, also while it starts; the second one at once."""
    async with trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            nursery.start_soon(_obey, daemon, signals, nursery.cancel_scope)
            await nursery.start(_wait, daemon, nursery.cancel_scope)
            if not quiet:
                settings = daemon.settings
                print(
                    f"{daemon.me.name} of {daemon.charter.consortium}: members at {_where(settings.bind)}, people at "
                    f"{_where(settings.people_address)}; Ctrl-C ends it",
                    flush=True,
                )
            await trio.sleep_forever()


async def _obey(daemon: Daemon, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    daemon.stop()
    await anext(signals)
    scope.cancel()


async def _wait(
    daemon: Daemon, scope: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    await daemon.run(task_status)
    scope.cancel()


def _where(listening: Listening) -> str:
    return str(listening)
