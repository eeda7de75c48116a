"""Which node a command is about: the one at --url, the one at $ACCORD_URL, or this machine's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from parties.errors import AddressInvalid, CharterMissing
from parties.keys.identity import Identity
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from parties.setup.new_node import port_of
from parties.setup.settings import PORT
from parties.terminal.command_options import WhichNode

if TYPE_CHECKING:
    from parties.client import Client

__all__ = ["NODE_VARIABLE", "URL_VARIABLE", "open_client", "own_url"]

URL_VARIABLE = "ACCORD_URL"
NODE_VARIABLE = "ACCORD_NODE"


def open_client(which: WhichNode, environment: Mapping[str, str] = os.environ) -> Client:
    """The client these options say. Nobody is called yet.

    Raises AddressInvalid if they say none, and there is no node in --home; else as Client does.
    """
    from parties.client import Client

    home = Home(which.home)
    passphrase = which.passphrase.read()
    who = which.identity or home.directory
    url = which.url or environment.get(URL_VARIABLE)
    node = which.node or environment.get(NODE_VARIABLE) or None
    if url:
        return Client(url, who, node, passphrase=passphrase)
    own = home.load_identity(passphrase=passphrase)
    asking = own if which.identity is None else Identity.load(which.identity, passphrase)
    return Client(own_url(home, own.fingerprint), asking, node or own.public)


def own_url(home: Home, fingerprint: str) -> str:
    """Where the node in this home listens to its people. AddressInvalid if none was ever made there."""
    port = PORT
    try:
        member = CharterStore(home).current.by_fingerprint.get(fingerprint)
        port = port_of(member.address if member else None)
    except CharterMissing:
        if not home.settings.exists():
            raise AddressInvalid(
                f"there is no node in {home.directory}: give the address of one, --url https://host:port or "
                f"${URL_VARIABLE}"
            ) from None
    listening = home.read_settings(port).people_address
    host = "127.0.0.1" if listening.host in ("*", "0.0.0.0") else "::1" if listening.host == "::" else listening.host
    return f"https://[{host}]:{listening.port}" if ":" in host else f"https://{host}:{listening.port}"
