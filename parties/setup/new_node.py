"""What a node must have before it founds or joins: an identity and a file of settings, made where there is none."""

from __future__ import annotations

from parties.disk.private_files import write_atomically
from parties.keys.identity import Identity
from parties.setup.home import Home
from parties.setup.settings import PORT, default_settings
from parties.setup.settings_text import write_settings

__all__ = ["own_identity", "own_settings", "port_of"]


def own_identity(home: Home, passphrase: bytes | None) -> Identity:
    """The node's key: the one that is there or mounted; else a new one, in a new directory if need be.

    Raises as Home.make, Identity.save and Home.load_identity do.
    """
    home.make()
    settings = home.read_settings()
    if settings.identity is None and not home.identity.exists():
        Identity.generate().save(home.identity, passphrase)
    return home.load_identity(settings, passphrase)


def own_settings(home: Home, port: int) -> None:
    """node.toml with all defaults to look at, unless there is one. Raises FileUnusable."""
    if not home.settings.exists():
        write_atomically(home.settings, write_settings(default_settings(port), port).encode())


def port_of(address: str | None) -> int:
    """The port in an address of the charter; where nobody dials this node, the usual one."""
    return PORT if address is None else int(address.rpartition(":")[2])
