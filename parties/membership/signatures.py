"""Members' signatures of a charter, detached: ``consortium.sig.json`` beside ``consortium.toml``. Pure: no files.

Detached, for the charter stays the very text people read and compare while signatures come in one by one; two files
of signatures of one charter are merged. A signature is over the canonical bytes, so over what the charter says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from parties.errors import CharterInvalid
from parties.keys.identity import Identity
from parties.membership.charter import Charter

__all__ = ["CHARTER", "Signatures", "read_signatures", "sign_charter", "write_signatures"]

CHARTER = "charter"
"""The context charters are signed in."""

_FORMAT = "accord signatures 1"
_MOST = 1 << 20  # bytes
_HEX = re.compile(r"[0-9a-f]*")


@dataclass(frozen=True)
class Signatures:
    """Signatures said to be of one charter. Whether they are, trust.check_signatures tells.

    Attributes:
        digest: of the charter.
        by: 64 bytes each, by the signer's fingerprint.
    """

    digest: str
    by: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))

    def merged(self, other: Signatures) -> Signatures:
        """Those of both. CharterInvalid if they are of two charters, or differ in one signature."""
        if self.digest != other.digest:
            raise CharterInvalid(
                f"signatures of two charters, {self.digest[:16]}... and {other.digest[:16]}...: compare the texts"
            )
        for signer in self.by.keys() & other.by.keys():
            if self.by[signer] != other.by[signer]:
                raise CharterInvalid(f"two different signatures of {signer[:16]}...: one of the files was changed")
        return Signatures(self.digest, MappingProxyType({**self.by, **other.by}))


def sign_charter(charter: Charter, identity: Identity) -> Signatures:
    """This member's signature alone. Before it, a node asks trust.may_sign. Deterministic."""
    signature = identity.sign(CHARTER, charter.canonical)
    return Signatures(charter.digest, MappingProxyType({identity.fingerprint: signature}))


def write_signatures(signatures: Signatures) -> bytes:
    """The file: one form only for the same signatures."""
    said = {
        "charter": signatures.digest,
        "format": _FORMAT,
        "signatures": {signer: signature.hex() for signer, signature in signatures.by.items()},
    }
    return json.dumps(said, sort_keys=True, indent=1).encode("ascii") + b"\n"


def read_signatures(content: bytes) -> Signatures:
    """The other way round; CharterInvalid for anything write_signatures would not have written, to the byte."""
    wrong = CharterInvalid("this is no file of signatures, or it was changed: ask the members for it again")
    if len(content) > _MOST:
        raise wrong
    try:
        said = json.loads(content.decode("ascii"))
        digest, by = said["charter"], said["signatures"]
        signatures = Signatures(digest, MappingProxyType({k: bytes.fromhex(v) for k, v in by.items()}))
        same = write_signatures(signatures) == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong from None
    if not same or not all(_is_hex(k, 64) for k in (digest, *by)) or not all(_is_hex(v, 128) for v in by.values()):
        raise wrong
    return signatures


def _is_hex(text: object, digits: int) -> bool:
    return isinstance(text, str) and len(text) == digits and _HEX.fullmatch(text) is not None
