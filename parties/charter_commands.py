"""``accord charter``: look at what is in force, bring in a new version, sign it, pass signatures around in files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from parties.charter import Charter
from parties.charter_bundle import read_bundle, write_bundle
from parties.charter_disk import Proposal
from parties.charter_file import read_charter, write_charter
from parties.charter_store import CharterStore
from parties.charter_view import changes, show_charter
from parties.command_options import (
    add_home_option,
    add_passphrase_options,
    ask,
    given_home,
    read_given_passphrase,
    told,
)
from parties.errors import CharterInvalid, CharterMissing
from parties.private_files import read_public, write_atomically
from parties.signatures import read_signatures
from parties.trust import missing_signers

__all__ = ["add_charter_commands"]


def add_charter_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``charter`` and what is below it, among the commands of ``accord``."""
    charter = commands.add_parser("charter", help="the consortium's charter: show, propose, sign, exchange")
    below = charter.add_subparsers(dest="what", required=True)
    show = below.add_parser("show", help="what is in force, and what is proposed")
    show.add_argument("--toml", action="store_true", help="the text in force alone, to begin the next version with")
    propose = below.add_parser("propose", help="propose a new version")
    propose.add_argument("file", type=Path, help="the charter, in TOML")
    sign = below.add_parser("sign", help="sign a proposal, after looking at it")
    sign.add_argument("digest", nargs="?", help="its first digits; not needed if there is one only")
    sign.add_argument("--yes", action="store_true", help="without a question")
    add_passphrase_options(sign)
    withdraw = below.add_parser("withdraw", help="never act on a proposal, even if it was signed here")
    withdraw.add_argument("digest", help="its first digits, 8 or more")
    merge = below.add_parser("merge", help="take charters and signatures from another member's file")
    merge.add_argument("file", type=Path, help="as `accord charter export` wrote it, or a file of signatures")
    export = below.add_parser("export", help="all charters and signatures known here, for the others")
    export.add_argument("file", help="to write; - for standard output")
    for name, parser, run in (
        ("show", show, _show), ("propose", propose, _propose), ("sign", sign, _sign),
        ("withdraw", withdraw, _withdraw), ("merge", merge, _merge), ("export", export, _export),
    ):  # fmt: skip
        add_home_option(parser)
        parser.set_defaults(run=lambda given, name=name, run=run: told(f"charter {name}", lambda: run(given)))


def _show(given: argparse.Namespace) -> int:
    store = CharterStore(given_home(given))
    if given.toml:
        print(write_charter(store.current), end="")
        return 0
    console = Console()
    if store.chain:
        console.print("in force:")
        show_charter(console, store.current)
    elif not store.proposals:
        _ = store.current  # says how to come to one
    for proposal in store.proposals:
        console.print("\nproposed:")
        show_charter(console, proposal.charter)
        _tell(store, proposal)
    return 0


def _propose(given: argparse.Namespace) -> int:
    store = CharterStore(given_home(given))
    charter = read_charter(read_public(given.file))
    store.propose(charter)
    if charter in store.chain:
        print(f"version {charter.version} is in force here already")
        return 0
    _tell(store, store.find(charter.digest))
    return 0


def _sign(given: argparse.Namespace) -> int:
    home = given_home(given)
    home.check()
    store = CharterStore(home)
    proposal = store.find(given.digest) if given.digest else _only(store)
    show_charter(Console(), proposal.charter)
    _print_changes(proposal.charter, store.chain)
    if not given.yes and not ask("Is the digest the same at all members, and does this node sign?"):
        print("not signed")
        return 1
    identity = home.load_identity(passphrase=read_given_passphrase(given, new=False))
    store.sign(proposal.charter.digest, identity)
    return _finish(store, store.adopt(), proposal.charter.digest)


def _withdraw(given: argparse.Namespace) -> int:
    store = CharterStore(given_home(given))
    proposal = store.find(given.digest)
    store.withdraw(proposal.charter.digest)
    print(f"withdrawn from {proposal.charter.digest[:16]}...: it will not come into force here. Tell the others, for a")
    print("signature that was given cannot be taken back there")
    return 0


def _merge(given: argparse.Namespace) -> int:
    home = given_home(given)
    home.make()
    store = CharterStore(home)
    content = read_public(given.file)
    if content.lstrip().startswith(b"{") and b'"accord charters 1"' in content:
        adopted = store.take(read_bundle(content))
        return _finish(store, adopted, None)
    try:
        signatures = read_signatures(content)
    except CharterInvalid:
        raise CharterInvalid(
            f"{given.file} is no file that `accord charter export` wrote, and none of signatures: ask for it again"
        ) from None
    store.merge(signatures)
    return _finish(store, store.adopt(), None)


def _export(given: argparse.Namespace) -> int:
    store = CharterStore(given_home(given))
    bundle = store.bundle()
    if not bundle.chain and not bundle.proposals:
        raise CharterMissing("there is no charter here, in force or proposed: nothing was written")
    content = write_bundle(bundle)
    if given.file == "-":
        sys.stdout.write(content.decode("ascii"))
    else:
        write_atomically(given.file, content, replace=True, mode=0o644)
    return 0


def _only(store: CharterStore) -> Proposal:
    open_ones = [p for p in store.proposals if not p.withdrawn]
    if len(open_ones) != 1:
        known = ", ".join(p.charter.digest[:16] for p in open_ones) or "none"
        raise CharterMissing(f"which proposal? There are: {known}. `accord charter propose FILE` makes one")
    return open_ones[0]


def _finish(store: CharterStore, adopted: list[Charter], digest: str | None) -> int:
    """Say what came into force, and what every proposal still needs."""
    for charter in adopted:
        print(f"version {charter.version} of {charter.consortium!r} is in force")
    for proposal in store.proposals:
        if digest in (None, proposal.charter.digest):
            _tell(store, proposal)
    return 0


def _tell(store: CharterStore, proposal: Proposal) -> None:
    charter = proposal.charter
    missing = ", ".join(member.name for member in missing_signers(charter, proposal.signatures)) or "nobody"
    print(f"proposed version {charter.version}, digest {charter.digest}")
    _print_changes(charter, store.chain)
    state = "withdrawn from here" if proposal.withdrawn else "signed here" if proposal.signed else "not signed here"
    print(f"{state}; it waits for {missing}")
    if not proposal.signed:
        print(f"next: accord charter sign {charter.digest[:16]}")
    elif not proposal.withdrawn:
        print("next: accord charter export FILE, for the others to merge; then merge theirs")


def _print_changes(charter: Charter, chain: Sequence[Charter]) -> None:
    for line in changes(charter, chain[-1] if chain else None):
        print(f"  {line}")
