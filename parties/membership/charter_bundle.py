"""Charters with their signatures in one file, for members to pass around: all that were in force, and proposals.

Pure: bytes in, charters out. What is in it is believed as little as any file: charter_store.py judges it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from parties.errors import CharterInvalid
from parties.membership.charter import Charter
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.signatures import Signatures, read_signatures, write_signatures

__all__ = ["Bundle", "SignedCharter", "read_bundle", "write_bundle"]

_FORMAT = "accord charters 1"
_MOST = 1 << 20  # bytes


@dataclass(frozen=True)
class SignedCharter:
    """A charter and signatures said to be of it."""

    charter: Charter
    signatures: Signatures


@dataclass(frozen=True)
class Bundle:
    """What one member knows of its consortium's charters.

    Attributes:
        chain: versions 1, 2, ... that it says were in force, in order.
        proposals: others, not in force there.
    """

    chain: Sequence[SignedCharter] = ()
    proposals: Sequence[SignedCharter] = ()


def write_bundle(bundle: Bundle) -> bytes:
    """The file."""
    said = {"format": _FORMAT, "chain": _write(bundle.chain), "proposals": _write(bundle.proposals)}
    return json.dumps(said, sort_keys=True, indent=1).encode("ascii") + b"\n"


def read_bundle(content: bytes) -> Bundle:
    """The other way round. CharterInvalid: it is no such file, larger than 1 MiB, or a charter in it is none."""
    wrong = CharterInvalid("this is no file of charters as `accord charter export` writes one: ask for it again")
    if len(content) > _MOST:
        raise wrong
    try:
        said = json.loads(content.decode("ascii"))
    except (ValueError, RecursionError):
        raise wrong from None
    if not isinstance(said, dict) or said.keys() != {"format", "chain", "proposals"} or said["format"] != _FORMAT:
        raise wrong
    return Bundle(_read(said["chain"], wrong), _read(said["proposals"], wrong))


def _write(those: Sequence[SignedCharter]) -> list[dict[str, str]]:
    return [
        {"charter": write_charter(one.charter), "signatures": write_signatures(one.signatures).decode("ascii")}
        for one in those
    ]


def _read(those: Any, wrong: CharterInvalid) -> tuple[SignedCharter, ...]:
    if not isinstance(those, list):
        raise wrong
    read = []
    for one in those:
        if not isinstance(one, dict) or one.keys() != {"charter", "signatures"}:
            raise wrong
        try:
            charter, signatures = one["charter"].encode(), one["signatures"].encode()
        except (AttributeError, UnicodeEncodeError):
            raise wrong from None
        read.append(SignedCharter(read_charter(charter), read_signatures(signatures)))
    return tuple(read)
