"""The charters a node goes by: what comes into force, is signed and withdrawn here. Whom it believes says trust.py.

Each change is a series of whole files (private_files.write_atomically), in such an order that after a crash between any
two of them what is there is consistent, and the same call again finishes the work:
 - a signature is noted in ``signed`` before it exists anywhere else;
 - a version's signatures are there before its text, and the text puts it in force;
 - what is overtaken is deleted last.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from parties.disk.locking import held
from parties.disk.private_files import make_private_directory, remove, write_atomically
from parties.errors import CharterMissing, CharterNotInForce
from parties.keys.identity import Identity
from parties.membership.charter import Charter
from parties.membership.charter_bundle import Bundle, SignedCharter
from parties.membership.charter_disk import (
    Proposal,
    proposal_files,
    proposed_file,
    read_kept,
    signed_file,
    version_file,
    withdrawn_file,
)
from parties.membership.charter_file import write_charter
from parties.membership.signatures import Signatures, sign_charter, write_signatures
from parties.membership.trust import check_in_force, check_signatures, check_succession, is_in_force, may_sign
from parties.setup.home import Home

__all__ = ["CharterStore"]


class CharterStore:
    """Charters on disk. What changes something reads the disk first, with the lock held, so that many may have it open.

    Opening one, and every method, may raise CharterDamaged: what is there is not what was written; FileUnusable: the
    disk does not do it, or another process holds the lock for five seconds.

    Args:
        home: of the node; need not exist before something is written.
        monotonic: seconds, for the patience with the lock.
    """

    def __init__(self, home: Home, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._directory = home.charter
        self._monotonic = monotonic
        self._parsed: dict[bytes, Charter] = {}
        self._kept = read_kept(self._directory, self._parsed)

    def __repr__(self) -> str:
        return f"<CharterStore {self._directory}, version {len(self._kept.chain)}>"

    @property
    def chain(self) -> tuple[Charter, ...]:
        """Every version that was in force here, the one in force last; as of the last change or reload."""
        return tuple(charter for charter, _ in self._kept.chain)

    @property
    def signed_chain(self) -> tuple[SignedCharter, ...]:
        """The same, each with the signatures that put it in force."""
        return tuple(SignedCharter(*one) for one in self._kept.chain)

    @property
    def current(self) -> Charter:
        """The one in force, likewise. CharterMissing if there is none yet."""
        if self._kept.before is None:
            raise CharterMissing(
                "no charter is in force here: `accord join CODE` with a code from whoever founds the consortium, or "
                "`accord found` to found one; if all have signed one, `accord charter merge FILE` brings it"
            )
        return self._kept.before

    @property
    def proposals(self) -> tuple[Proposal, ...]:
        """Those that follow on the one in force, likewise."""
        return self._kept.proposals

    def find(self, digits: str) -> Proposal:
        """The proposal whose digest begins with these digits, 8 at least. CharterMissing if none does, or two do."""
        found = [p for p in self.proposals if len(digits) >= 8 and p.charter.digest.startswith(digits)]
        if len(found) != 1:
            known = ", ".join(f"{p.charter.digest[:16]}..." for p in self.proposals) or "none"
            raise CharterMissing(
                f"no one proposal begins with {digits[:64]!r}; proposals here: {known}. Give 8 digits or more"
            )
        return found[0]

    def bundle(self) -> Bundle:
        """All another member needs to come to where this one is. What was withdrawn from is left out."""
        return Bundle(
            self.signed_chain,
            tuple(SignedCharter(p.charter, p.signatures) for p in self.proposals if not p.withdrawn),
        )

    def reload(self) -> None:
        """Read the disk: another process, a command say, may have changed it."""
        self._kept = read_kept(self._directory, self._parsed)

    # -- changes -------------------------------------------------------------------------------

    def propose(self, charter: Charter) -> None:
        """Keep a charter that may come into force. CharterNotInForce if it does not follow on the one that is."""
        with self._locked():
            self._propose(charter)

    def sign(self, digest: str, identity: Identity) -> Signatures:
        """This member's signature of a proposal, noted before it is made. The same again is no other signature.

        Who signs what it withdrew from takes that back; only where it signed nothing else of that version since.

        Raises CharterMissing for an unknown proposal; CharterNotInForce where trust.may_sign does.
        """
        with self._locked():
            proposal = self.find(digest)
            charter, kept = proposal.charter, self._kept
            withdrawn = kept.withdrawn - {charter.digest}
            may_sign(charter, kept.before, identity.fingerprint, list(kept.signed.values()), withdrawn)
            if not proposal.signed:
                self._write(signed_file(self._directory, charter.digest), write_charter(charter).encode())
            if proposal.withdrawn:
                self._remove(withdrawn_file(self._directory, charter.digest))
            mine = sign_charter(charter, identity)
            self._merge(mine)
            return mine

    def withdraw(self, digest: str) -> None:
        """Never act on this proposal, even when all signatures of it turn up. CharterMissing for an unknown one."""
        with self._locked():
            proposal = self.find(digest)
            if not proposal.withdrawn:
                self._write(withdrawn_file(self._directory, proposal.charter.digest), b"")

    def merge(self, signatures: Signatures) -> None:
        """Add signatures of a proposal; of a charter that is or was in force they are no news.

        Raises CharterMissing for an unknown proposal; SignatureInvalid, and none is kept, if one is not good.
        """
        with self._locked():
            self._merge(signatures)

    def adopt(self) -> list[Charter]:
        """Put in force what can be: trust.check_in_force holds, and it was not withdrawn from. Gives what came in."""
        with self._locked():
            return self._adopt()

    def take(self, bundle: Bundle) -> list[Charter]:
        """What another member knows: versions not here yet, in order, then proposals. Gives what came into force.

        Raises CharterNotInForce, SignatureInvalid at the first version that is not good; those before it stay. A
        proposal that does not follow on what is in force then is left out.
        """
        adopted = []
        with self._locked():
            for one in bundle.chain:
                known = self.chain[one.charter.version - 1 : one.charter.version]
                if not known:
                    adopted += self._take(one)
                elif known[0].digest != one.charter.digest:
                    raise CharterNotInForce(
                        f"version {one.charter.version} there is another one than version {one.charter.version} here: "
                        "it is another consortium's, or the consortium has split. Compare with its members"
                    )
            for one in bundle.proposals:
                with contextlib.suppress(CharterNotInForce):
                    self._propose(one.charter)
                    self._merge(one.signatures)
            return adopted + self._adopt()

    # -- with the lock held --------------------------------------------------------------------

    def _take(self, one: SignedCharter) -> list[Charter]:
        check_in_force(one.charter, self._kept.before, one.signatures)
        self._propose(one.charter)
        self._merge(one.signatures)
        if self.find(one.charter.digest).withdrawn:
            raise CharterNotInForce(
                f"version {one.charter.version} is in force elsewhere, and was withdrawn from here: "
                f"`accord charter sign {one.charter.digest[:16]}` takes that back"
            )
        return self._adopt()

    def _propose(self, charter: Charter) -> None:
        if charter.digest in (known.digest for known in self.chain):
            return
        check_succession(charter, self._kept.before)
        if charter.digest not in (p.charter.digest for p in self.proposals):
            self._write(proposed_file(self._directory, charter.digest), write_charter(charter).encode())

    def _merge(self, signatures: Signatures) -> None:
        if signatures.digest in (known.digest for known in self.chain):
            return
        proposal = self.find(signatures.digest)
        merged = proposal.signatures.merged(signatures)
        check_signatures(proposal.charter, self._kept.before, merged)
        if merged.by != proposal.signatures.by:
            path = proposed_file(self._directory, merged.digest, signatures=True)
            self._write(path, write_signatures(merged), replace=True)

    def _adopt(self) -> list[Charter]:
        adopted: list[Charter] = []
        while (ready := self._ready()) is not None:
            charter, place = ready.charter, self._directory
            beside = version_file(place, charter.version, signatures=True)
            self._write(beside, write_signatures(ready.signatures), replace=True)
            self._write(version_file(place, charter.version), write_charter(charter).encode())
            adopted.append(charter)
        alive = {p.charter.digest for p in self.proposals}
        for digest, path in proposal_files(self._directory):
            if digest not in alive:
                self._remove(path)
        return adopted

    def _ready(self) -> Proposal | None:
        for p in self.proposals:
            if not p.withdrawn and is_in_force(p.charter, self._kept.before, p.signatures):
                return p
        return None

    def _write(self, path: Path, content: bytes, *, replace: bool = False) -> None:
        make_private_directory(path.parent)
        write_atomically(path, content, replace=replace)
        self.reload()

    def _remove(self, path: Path) -> None:
        remove(path)
        self.reload()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        make_private_directory(self._directory)
        with held(self._directory / "lock", self._monotonic):
            self.reload()
            yield
