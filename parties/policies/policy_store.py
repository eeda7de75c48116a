"""Policies on a node's disk, each with its owner's signature: one that this member did not sign counts for nothing.

A file each, policies/NAME.json: {"policy": canonical JSON, "signature": hex}. Written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from parties.disk.private_files import make_private_directory, read_public, write_atomically
from parties.errors import FileMissing, PolicyInvalid, SignatureInvalid
from parties.keys.fingerprints import verify
from parties.keys.identity import Identity
from parties.policies.policy_terms import Policy
from parties.policies.policy_text import MOST_POLICY, policy_bytes, read_policy

__all__ = ["POLICIES", "SignedPolicy", "check_signed", "load_policies", "load_policy", "save_policy", "sign_policy"]

POLICIES = "policies"
_CONTEXT = "policy"


class SignedPolicy:
    """A policy, and its owner's signature of its canonical bytes.

    Attributes:
        policy: it.
        content: its canonical bytes, as text.
        signature: 64 bytes.
        signed: when it was put into its file, Unix seconds, as the file's date says; None: it was not read from one.
    """

    def __init__(self, policy: Policy, signature: bytes, signed: float | None = None) -> None:
        self.policy = policy
        self.signed = signed
        self.content = policy_bytes(policy).decode("ascii")
        self.signature = signature

    @property
    def digest(self) -> str:
        """SHA-256 of the content, hex."""
        return hashlib.sha256(self.content.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """As it is kept and told."""
        return json.dumps({"policy": self.content, "signature": self.signature.hex()})


def sign_policy(policy: Policy, identity: Identity) -> SignedPolicy:
    """The owner signs."""
    return SignedPolicy(policy, identity.sign(_CONTEXT, policy_bytes(policy)))


def check_signed(text: bytes | str, key: bytes, what: str) -> SignedPolicy:
    """What to_json wrote, if the member with this public key signed it. Raises PolicyInvalid for anything else."""
    said: Any = None
    if len(text) <= 2 * MOST_POLICY:
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            said = None
    if not isinstance(said, dict) or set(said) != {"policy", "signature"}:
        raise PolicyInvalid(f"{what}: a policy and its signature, as `accord policy` writes them")
    content, signature = said["policy"], said["signature"]
    if not isinstance(content, str) or not isinstance(signature, str):
        raise PolicyInvalid(f"{what}: a policy and its signature, as `accord policy` writes them")
    policy = read_policy(content)
    try:
        found = bytes.fromhex(signature)
        verify(key, _CONTEXT, policy_bytes(policy), found)
    except (ValueError, SignatureInvalid):
        raise PolicyInvalid(f"{what}: it is not signed by its owner; `accord policy` signs it") from None
    return SignedPolicy(policy, found)


def save_policy(home: Path, signed: SignedPolicy) -> Path:
    """Keep it; the file. Raises FileUnusable."""
    directory = home / POLICIES
    make_private_directory(directory)
    path = directory / f"{signed.policy.table}.json"
    write_atomically(path, signed.to_json().encode(), replace=True)
    return path


def load_policy(home: Path, table: str, key: bytes) -> SignedPolicy | None:
    """This table's, or None. Raises FileUnusable, PolicyInvalid."""
    path = home / POLICIES / f"{table}.json"
    try:
        content, signed_at = read_public(path), path.stat().st_mtime
    except (FileMissing, FileNotFoundError):
        return None
    signed = check_signed(content, key, f"policy of table {table}")
    if signed.policy.table != table:
        raise PolicyInvalid(f"policy of table {table}: it is for table {signed.policy.table}")
    return SignedPolicy(signed.policy, signed.signature, signed_at)


def load_policies(home: Path, tables: Iterable[str], key: bytes) -> dict[str, SignedPolicy]:
    """Those of these tables that have one. Raises FileUnusable, PolicyInvalid."""
    found = ((name, load_policy(home, name, key)) for name in tables)
    return {name: signed for name, signed in found if signed is not None}
