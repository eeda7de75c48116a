"""Which key the node at an address has: said by whoever asks, or kept in a file after it was compared.

A certificate of a node's does not tell its identity's key, only its fingerprint; so there is no trust at first sight.
``known_nodes.toml`` lies beside the person's identity:

    "https://127.0.0.1:8600" = "ed25519:..."
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from parties.disk.private_files import read_public, write_atomically
from parties.errors import AddressInvalid, FileMissing, FileUnusable, KeyInvalid, NodeKeyUnknown
from parties.keys.fingerprints import check_public_key, fingerprint_of, read_public_key, show_public_key

__all__ = ["FILE", "find_key", "load_known", "read_url", "remember"]

FILE = "known_nodes.toml"
_MOST = 10_000
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9.-]+)?\]")


def read_url(text: str) -> str:
    """https://host:port in one form. Raises AddressInvalid."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.netloc.rpartition(":")[0]
    good = (
        text.isprintable()
        and parts.scheme == "https"
        and port
        and _HOST.fullmatch(host)
        and not (parts.query or parts.fragment)
    )
    if not good or parts.path not in ("", "/"):
        raise AddressInvalid(
            f"{text[:200]!r} is no address of a node: https://host:port, as people_address in its node.toml has it"
        )
    return f"https://{host.lower()}:{port}"


def load_known(path: Path) -> Mapping[str, bytes]:
    """Keys by address; none if there is no file. Raises FileUnusable, which names the line's address."""
    try:
        table = tomllib.loads(read_public(path).decode("utf-8"))
    except FileMissing:
        return {}
    except (ValueError, RecursionError) as error:
        raise FileUnusable(f"{path} is not TOML: {error}") from None
    found: dict[str, bytes] = {}
    for url, key in table.items():
        try:
            found[read_url(url)] = read_public_key(key if isinstance(key, str) else "")
        except (AddressInvalid, KeyInvalid) as error:
            raise FileUnusable(f'{path}, "{url[:200]}": {error}') from None
    return found


def remember(path: Path, url: str, key: bytes) -> bool:
    """Keep the key of the node at an address, in place of another one; says whether there was another one.

    Raises FileUnusable, and what load_known does.
    """
    known = dict(load_known(path))
    before = known.get(url)
    known[url] = key
    if len(known) > _MOST:
        raise FileUnusable(f"{path} has {_MOST} nodes already: take out those that are gone")
    lines = ["# Keys of nodes, by the address of their people. Each was compared before it came here.\n"]
    lines += [f'"{at}" = "{show_public_key(known[at])}"\n' for at in sorted(known)]
    write_atomically(path, "".join(lines).encode(), replace=True, mode=0o644)
    return before not in (None, key)


def find_key(node: str | bytes | None, url: str, own: bytes, known: Mapping[str, bytes]) -> bytes:
    """The public key of the node at ``url``.

    1. ``node`` is a public key, as bytes or as ed25519:...: that one.
    2. It is a fingerprint, 64 hex digits with spaces or without: the key that has it, of those kept for any address
       and the person's own. A fingerprint alone proves nobody, so else NodeKeyUnknown.
    3. It is None: the key kept for this address; else the person's own, as a node is one of its own people.

    Raises KeyInvalid for a text that is neither.
    """
    if node is None:
        return known.get(url, own)
    if isinstance(node, bytes):
        check_public_key(node)
        return node
    digits = "".join(node.split()).lower()
    if not re.fullmatch("[0-9a-f]{64}", digits):
        return read_public_key(node)
    for key in (own, *known.values()):
        if fingerprint_of(key) == digits:
            return key
    raise NodeKeyUnknown(
        f"the node at {url}: no key with the fingerprint {digits[:16]}... is known here, and a fingerprint alone "
        "proves nobody: give the public key, which `accord fingerprint` prints there, and compare it"
    )
