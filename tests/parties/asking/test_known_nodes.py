"""Which key a node has."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.asking.known_nodes import find_key, load_known, read_url, remember
from parties.errors import AddressInvalid, FileUnusable, KeyInvalid, NodeKeyUnknown
from parties.keys.fingerprints import show_fingerprint, show_public_key
from tests.parties.consortium import identity

URL = "https://node.example:8600"
OWN, NODE, OTHER = identity(1).public, identity(2).public, identity(3).public


@pytest.mark.parametrize(
    ("text", "url"),
    [(URL, URL), (URL + "/", URL), ("https://NODE.example:8600", URL), ("https://[::1]:1", "https://[::1]:1")],
)
def test_addresses(text: str, url: str) -> None:
    assert read_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "", "node.example:8600", "http://node.example:8600", "https://node.example", "https://node.example:0",
        "https://node.example:65536", "https://a@node.example:8600", "https://node.example:8600/v1", URL + "?a",
        "https://node example:8600", "https://:8600", "https://[:8600", "https://node.example:x", "https://a\n:1",
        "https://node.example:８６００",
    ],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(AddressInvalid):
        read_url(text)


def test_the_order_of_what_says_a_key() -> None:
    known = {URL: NODE}
    assert find_key(None, URL, OWN, known) == NODE
    assert find_key(None, "https://elsewhere:1", OWN, known) == OWN
    assert find_key(OTHER, URL, OWN, known) == OTHER
    assert find_key(show_public_key(OTHER), URL, OWN, known) == OTHER
    assert find_key(identity(2).fingerprint, "https://elsewhere:1", OWN, known) == NODE
    assert find_key(show_fingerprint(identity(1).fingerprint).upper(), URL, OWN, known) == OWN
    with pytest.raises(NodeKeyUnknown):
        find_key(identity(3).fingerprint, URL, OWN, known)
    for wrong in ("", "ed25519:00", b"short"):
        with pytest.raises(KeyInvalid):
            find_key(wrong, URL, OWN, known)


def test_keys_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "known_nodes.toml"
    assert load_known(path) == {}
    assert not remember(path, URL, NODE)
    assert not remember(path, URL, NODE)
    assert not remember(path, "https://[::1]:1", OTHER)
    assert load_known(path) == {URL: NODE, "https://[::1]:1": OTHER}
    assert remember(path, URL, OTHER)
    assert load_known(path)[URL] == OTHER


@pytest.mark.parametrize("text", ["[", '"x" = "y"', f'"{URL}" = 3', f'"{URL}" = "ed25519:00"', "\xff"])
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known_nodes.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FileUnusable):
        load_known(path)
    with pytest.raises(FileUnusable):
        remember(path, URL, NODE)
    assert path.read_bytes() == text.encode("latin-1")
