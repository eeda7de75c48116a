"""``accord charter``: look at what is in force, bring in a new version, sign it, pass signatures around in files.

What is typed is in commands/charter.py. Each function raises what CharterStore, and reading the files, raise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parties.disk.private_files import read_public, write_atomically
from parties.errors import CharterInvalid, CharterMissing
from parties.membership.charter import Charter
from parties.membership.charter_bundle import read_bundle, write_bundle
from parties.membership.charter_disk import Proposal
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.charter_store import CharterStore
from parties.membership.charter_view import changes, show_charter
from parties.membership.signatures import read_signatures
from parties.membership.trust import missing_signers
from parties.setup.home import Home
from parties.terminal.command_options import Passphrase
from parties.terminal.command_output import Output
from parties.terminal.command_run import ask
from parties.terminal.exit_status import ExitStatus

__all__ = ["charter_as_json", "export", "merge", "propose", "show", "sign", "withdraw"]


def show(home: Home, output: Output, *, toml: bool = False) -> None:
    """What is in force, and what is proposed; ``toml``: the text in force alone."""
    store = CharterStore(home)
    if toml:
        print(write_charter(store.current), end="")
        return
    if not store.chain and not store.proposals:
        _ = store.current  # says how to come to one
    output.result(_state(store))
    if output.json:
        return
    console = output.console()
    if store.chain:
        console.print("in force:")
        show_charter(console, store.current)
    for proposal in store.proposals:
        console.print("\nproposed:")
        show_charter(console, proposal.charter)
        _tell(store, proposal, output)


def propose(home: Home, file: Path, output: Output) -> None:
    """Propose the charter in a TOML file."""
    store = CharterStore(home)
    charter = read_charter(read_public(file))
    store.propose(charter)
    output.result(_state(store))
    if charter in store.chain:
        output.say(f"version {charter.version} is in force here already")
    else:
        _tell(store, store.find(charter.digest), output)


def sign(home: Home, digest: str | None, passphrase: Passphrase, output: Output, *, yes: bool) -> ExitStatus:
    """Sign a proposal; the only one, if no digits of a digest are given. FAILED if somebody says no."""
    home.check()
    store = CharterStore(home)
    proposal = store.find(digest) if digest else _only(store)
    show_charter(output.console(), proposal.charter)
    _say_changes(proposal.charter, store.chain, output)
    if not yes and not ask("Is the digest the same at all members, and does this node sign?", output):
        output.say("not signed")
        output.result(_state(store))
        return ExitStatus.FAILED
    identity = home.load_identity(passphrase=passphrase.read())
    store.sign(proposal.charter.digest, identity)
    _finish(store, store.adopt(), proposal.charter.digest, output)
    return ExitStatus.GOOD


def withdraw(home: Home, digest: str, output: Output) -> None:
    """Never act on a proposal, even if it was signed here."""
    store = CharterStore(home)
    found = store.find(digest).charter.digest
    store.withdraw(found)
    output.say(
        f"withdrawn from {found[:16]}...: it will not come into force here. Tell the others, for a",
        "signature that was given cannot be taken back there",
    )
    output.result(_state(store))


def merge(home: Home, file: Path, output: Output) -> None:
    """Take what is in another member's file: charters with signatures, or signatures alone."""
    home.make()
    store = CharterStore(home)
    content = read_public(file)
    if content.lstrip().startswith(b"{") and b'"accord charters 1"' in content:
        adopted = store.take(read_bundle(content))
        _finish(store, adopted, None, output)
        return
    try:
        signatures = read_signatures(content)
    except CharterInvalid:
        raise CharterInvalid(
            f"{file} is no file that `accord charter export` wrote, and none of signatures: ask for it again"
        ) from None
    store.merge(signatures)
    _finish(store, store.adopt(), None, output)


def export(home: Home, file: str, output: Output) -> None:
    """Write all charters and signatures known here to a file; - for standard output."""
    bundle = CharterStore(home).bundle()
    if not bundle.chain and not bundle.proposals:
        raise CharterMissing("there is no charter here, in force or proposed: nothing was written")
    content = write_bundle(bundle)
    if file == "-":
        sys.stdout.write(content.decode("ascii"))
        return
    write_atomically(file, content, replace=True, mode=0o644)
    output.result({"file": file, "in_force": len(bundle.chain), "proposed": len(bundle.proposals)})


def charter_as_json(charter: Charter) -> dict[str, Any]:
    """As plain data: what is signed, and its digest."""
    return {**json.loads(charter.canonical), "digest": charter.digest}


def _state(store: CharterStore, adopted: Sequence[Charter] = ()) -> dict[str, Any]:
    """What is in force and what is proposed, as plain data, after a command that brought ``adopted`` into force."""
    proposed = [
        {
            "charter": charter_as_json(proposal.charter),
            "signed": proposal.signed,
            "withdrawn": proposal.withdrawn,
            "waits_for": [member.name for member in missing_signers(proposal.charter, proposal.signatures)],
            "changes": changes(proposal.charter, store.chain[-1] if store.chain else None),
        }
        for proposal in store.proposals
    ]
    return {
        "in_force": charter_as_json(store.current) if store.chain else None,
        "proposed": proposed,
        "came_into_force": [charter.version for charter in adopted],
    }


def _only(store: CharterStore) -> Proposal:
    open_ones = [p for p in store.proposals if not p.withdrawn]
    if len(open_ones) != 1:
        known = ", ".join(p.charter.digest[:16] for p in open_ones) or "none"
        raise CharterMissing(f"which proposal? There are: {known}. `accord charter propose FILE` makes one")
    return open_ones[0]


def _finish(store: CharterStore, adopted: Sequence[Charter], digest: str | None, output: Output) -> None:
    """Say what came into force, and what every proposal still needs."""
    for charter in adopted:
        output.say(f"version {charter.version} of {charter.consortium!r} is in force")
    for proposal in store.proposals:
        if digest in (None, proposal.charter.digest):
            _tell(store, proposal, output)
    output.result(_state(store, adopted))


def _tell(store: CharterStore, proposal: Proposal, output: Output) -> None:
    charter = proposal.charter
    missing = ", ".join(member.name for member in missing_signers(charter, proposal.signatures)) or "nobody"
    output.say(f"proposed version {charter.version}, digest {charter.digest}")
    _say_changes(charter, store.chain, output)
    state = "withdrawn from here" if proposal.withdrawn else "signed here" if proposal.signed else "not signed here"
    output.say(f"{state}; it waits for {missing}")
    if not proposal.signed:
        output.say(f"next: accord charter sign {charter.digest[:16]}")
    elif not proposal.withdrawn:
        output.say("next: accord charter export FILE, for the others to merge; then merge theirs")


def _say_changes(charter: Charter, chain: Sequence[Charter], output: Output) -> None:
    for line in changes(charter, chain[-1] if chain else None):
        output.say(f"  {line}")
