"""Where a node listens: an address of this machine and a port."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from parties.errors import SettingsInvalid

__all__ = ["Listening", "read_listening"]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Listening:
    """An address to listen at.

    Attributes:
        host: an IPv4 or IPv6 address (without brackets) or a host name of this machine; ``*``: all it has.
        port: 1 to 65535.
    """

    host: str
    port: int

    @property
    def interface(self) -> str | None:
        """The host as trio.open_tcp_listeners takes it: None for all."""
        return None if self.host == "*" else self.host

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_listening(field: str, text: str) -> Listening:
    """``host:port``, ``[v6]:port`` or ``*:port``. SettingsInvalid, in the name of ``field``."""
    host, colon, port = text.rpartition(":")
    wrong = SettingsInvalid(
        f"{field} {text!r}: write host:port, [v6]:port, or *:port for all addresses, port 1 to 65535"
    )
    if not colon or not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > 65535:
        raise wrong
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if "%" in host or not _is_address(host, ipaddress.IPv6Address):
            raise wrong
    elif re.fullmatch("[0-9.]+", host):
        if not _is_address(host, ipaddress.IPv4Address):
            raise wrong
    elif host != "*" and not (len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split("."))):
        raise wrong
    return Listening(host, int(port))


def _is_address(text: str, kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
