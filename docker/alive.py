"""The health check: does this container's node answer its own identity? Exit status 0 if so.

It asks over mutual TLS as any of the node's people does. A certificate for that is made once in ten days and kept in
memory (/tmp is a tmpfs), so that a check takes a twentieth of a second and not the seconds of loading Accord.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import tempfile
import time
from pathlib import Path

KEPT = Path(tempfile.gettempdir()) / "accord-alive"
TEN_DAYS = 10 * 24 * 3600
FILES = ("leaf.pem", "leaf.key", "anchor.pem", "where.json")


def prepare() -> None:
    """A leaf of the node's identity, the anchor it is told by, and where it listens to its people."""
    from parties.keys.leaf import anchors, issue
    from parties.membership.charter_store import CharterStore
    from parties.setup.home import Home
    from parties.setup.new_node import port_of

    home = Home()
    settings = home.read_settings()
    identity = home.load_identity(settings)
    me = CharterStore(home).current.by_fingerprint[identity.fingerprint]
    people = home.read_settings(port_of(me.address)).people_address
    host = "127.0.0.1" if people.interface is None else people.host
    leaf = issue(identity)
    KEPT.mkdir(mode=0o700, exist_ok=True)
    where = json.dumps([host, people.port]).encode()
    for name, content in zip(FILES, (leaf.certificate, leaf.key, anchors([identity.public]), where), strict=True):
        descriptor = os.open(KEPT / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)


def prepared() -> bool:
    """Whether all of it is there, and young enough."""
    try:
        return all(0 <= time.time() - (KEPT / name).stat().st_mtime < TEN_DAYS for name in FILES)
    except OSError:
        return False


def ask() -> int:
    """The HTTP status of GET /v1/status."""
    host, port = json.loads((KEPT / "where.json").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the anchor is the node's own, and of nobody else
    context.load_verify_locations(KEPT / "anchor.pem")
    context.load_cert_chain(KEPT / "leaf.pem", KEPT / "leaf.key")
    connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
    try:
        connection.request("GET", "/v1/status")
        answer = connection.getresponse()
        answer.read(1 << 20)
        return answer.status
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        if not prepared():
            prepare()
        status = ask()
    except Exception as error:  # whatever it is: not healthy, and the health log has why
        sys.exit(f"{type(error).__name__}: {error}")
    sys.exit(0 if status == 200 else f"the node answers {status}")
