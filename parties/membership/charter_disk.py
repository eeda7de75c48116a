"""What a node keeps of charters, read from its disk and verified. Changes nothing; charter_store.py does.

charter/0001.toml, 0001.sig.json    each version that was in force here, with everybody's signatures
charter/proposed/DIGEST.toml        charters that are not in force here yet
charter/proposed/DIGEST.sig.json    what signatures of it there are
charter/signed/DIGEST.toml          every charter this node signed, whatever became of it
charter/withdrawn/DIGEST            those it will never act on, though it may have signed them
charter/lock                        held by the process that writes
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parties.disk.private_files import read_public
from parties.errors import (
    CharterDamaged,
    CharterInvalid,
    CharterNotInForce,
    FileMissing,
    FileUnusable,
    SignatureInvalid,
)
from parties.membership.charter import Charter
from parties.membership.charter_file import read_charter
from parties.membership.signatures import Signatures, read_signatures
from parties.membership.trust import check_in_force, check_signatures, check_succession

__all__ = [
    "Kept", "Proposal", "proposal_files", "proposed_file", "read_kept", "signed_file", "version_file",
    "withdrawn_file",
]  # fmt: skip

_VERSION = re.compile(r"([0-9]{4,7})\.toml")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEXT, _SIGNATURES = ".toml", ".sig.json"
_AGAIN = (
    "Restore the node's directory from a backup; or move its folder `charter` away and take the versions anew from "
    "another member (`accord charter export` there, `accord charter merge` here), after asking what this node signed "
    "since: it must not sign another charter of that version"
)


@dataclass(frozen=True)
class Proposal:
    """A charter that follows on the one in force and is not in force here.

    Attributes:
        charter, signatures: as far as they came in; every one is good.
        signed: whether this node noted that it signs it.
        withdrawn: whether it will not act on it.
    """

    charter: Charter
    signatures: Signatures
    signed: bool
    withdrawn: bool


@dataclass(frozen=True)
class Kept:
    """All of it, at one moment.

    Attributes:
        chain: every version that was in force here, the one in force last, each with its signatures.
        proposals: those that follow on it.
        signed: every charter this node signed, by digest.
        withdrawn: digests.
    """

    chain: tuple[tuple[Charter, Signatures], ...]
    proposals: tuple[Proposal, ...]
    signed: Mapping[str, Charter]
    withdrawn: frozenset[str]

    @property
    def before(self) -> Charter | None:
        """What a proposal follows on: the one in force, or None."""
        return self.chain[-1][0] if self.chain else None


def read_kept(directory: Path, parsed: dict[bytes, Charter] | None = None) -> Kept:
    """Read and verify it; a directory that does not exist holds nothing.

    ``parsed``: charters by their text, from calls before; it grows by those that are new.

    Raises CharterDamaged, with the file and the way out, if what is there is not what was written; FileUnusable.
    """
    parsed = {} if parsed is None else parsed
    chain = _read_chain(directory, parsed)
    before = chain[-1][0] if chain else None
    signed = {path.stem: _named(path, parsed) for path in _digests(directory / "signed", _TEXT)}
    withdrawn = frozenset(path.name for path in _digests(directory / "withdrawn", ""))
    proposals = tuple(_read_proposals(directory, before, signed, withdrawn, parsed))
    return Kept(chain, proposals, signed, withdrawn)


def version_file(directory: Path, version: int, *, signatures: bool = False) -> Path:
    """Of a charter that was in force."""
    return directory / f"{version:04}{_SIGNATURES if signatures else _TEXT}"


def proposed_file(directory: Path, digest: str, *, signatures: bool = False) -> Path:
    """Of one that is not."""
    return directory / "proposed" / f"{digest}{_SIGNATURES if signatures else _TEXT}"


def signed_file(directory: Path, digest: str) -> Path:
    """That this node signs it."""
    return directory / "signed" / f"{digest}{_TEXT}"


def withdrawn_file(directory: Path, digest: str) -> Path:
    """That it will not act on it."""
    return directory / "withdrawn" / digest


def proposal_files(directory: Path) -> list[tuple[str, Path]]:
    """All files of proposals, dead ones too, with their digests; signatures first: in this order they can go."""
    return [
        (path.name.removesuffix(suffix), path)
        for suffix in (_SIGNATURES, _TEXT)
        for path in _digests(directory / "proposed", suffix)
    ]


def _read_chain(directory: Path, parsed: dict[bytes, Charter]) -> tuple[tuple[Charter, Signatures], ...]:
    chain: list[tuple[Charter, Signatures]] = []
    found = [path for path in _entries(directory) if _VERSION.fullmatch(path.name)]
    for path in sorted(found, key=lambda path: int(path.stem)):
        charter, beside = _charter(path, parsed), path.with_suffix(_SIGNATURES)
        if path != version_file(directory, len(chain) + 1):
            raise CharterDamaged(f"{version_file(directory, len(chain) + 1)} is gone, {path.name} is there. {_AGAIN}")
        try:
            with _damage(beside):
                signatures = read_signatures(read_public(beside))
        except FileMissing:
            raise CharterDamaged(f"{beside} is gone. {_AGAIN}") from None
        with _damage(path):
            check_in_force(charter, chain[-1][0] if chain else None, signatures)
        chain.append((charter, signatures))
    return tuple(chain)


def _read_proposals(
    directory: Path,
    before: Charter | None,
    signed: Mapping[str, Charter],
    withdrawn: frozenset[str],
    parsed: dict[bytes, Charter],
) -> Iterator[Proposal]:
    for path in _digests(directory / "proposed", _TEXT):
        try:
            charter = _named(path, parsed)
            check_succession(charter, before)
        except (FileMissing, CharterNotInForce):
            continue  # just put in force by another process; left over from a crash, or overtaken
        beside = path.with_suffix(_SIGNATURES)
        with _damage(beside):
            try:
                signatures = read_signatures(read_public(beside))
            except FileMissing:
                signatures = Signatures(charter.digest)
            check_signatures(charter, before, signatures)
        yield Proposal(charter, signatures, charter.digest in signed, charter.digest in withdrawn)


def _charter(path: Path, parsed: dict[bytes, Charter]) -> Charter:
    text = read_public(path)
    if text not in parsed:
        with _damage(path):
            parsed[text] = read_charter(text)
    return parsed[text]


def _named(path: Path, parsed: dict[bytes, Charter]) -> Charter:
    """The charter in a file that its digest names."""
    charter = _charter(path, parsed)
    if charter.digest != path.stem:
        raise CharterDamaged(f"{path} was changed: its charter's digest is {charter.digest[:16]}.... {_AGAIN}")
    return charter


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (CharterInvalid, CharterNotInForce, SignatureInvalid) as error:
        raise CharterDamaged(f"{path} was changed: {error}. {_AGAIN}") from None


def _digests(directory: Path, suffix: str) -> list[Path]:
    """Files there that a digest names. What write_atomically leaves after a crash begins with a dot, so is not one."""
    return [
        path
        for path in _entries(directory)
        if path.name.endswith(suffix) and _DIGEST.fullmatch(path.name.removesuffix(suffix))
    ]


def _entries(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise FileUnusable(f"{directory} cannot be read: {error.strerror or error}") from None
