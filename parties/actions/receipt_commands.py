"""``accord receipt`` and ``accord verify``: getting what proves a job, and judging it. What is typed is in
commands/receipt.py."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parties.disk.private_files import write_atomically
from parties.errors import FileMissing, FileUnusable, KeyInvalid
from parties.keys.fingerprints import fingerprint_of, read_public_key, show_public_key
from parties.membership.charter import Charter
from parties.proof.receipt import MOST_RECEIPT, read_receipt
from parties.proof.receipt_verify import Pins, Verdict, Verified, verify_receipt
from parties.setup.software import software_digest
from parties.terminal.command_options import WhichNode
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus
from parties.terminal.node_at import open_client

__all__ = ["get_receipt", "read_pins", "verify"]

_MOST_RESULT = 256 << 20  # bytes, as a client takes of an answer
_STATUS = {
    Verdict.GOOD: ExitStatus.GOOD,
    Verdict.FALSE: ExitStatus.NOT_GENUINE,
    Verdict.UNSURE: ExitStatus.FAILED,
}
_DIGEST = re.compile("[0-9a-f]{64}")


def get_receipt(which: WhichNode, job: str, to: Path | None, without_result: bool, output: Output) -> None:
    """Into a file for this user alone, or printed. Raises what JobHandle.receipt does, FileUnusable."""
    with open_client(which) as client:
        content = client.job(job).receipt(without_result)
    if to is None:
        text = content.decode("ascii", "backslashreplace").rstrip("\n")
        output.result(text)
        if not output.json:
            output.say(text)
        return
    write_atomically(to, content, replace=True)
    output.result({"job": job, "file": str(to), "digest": hashlib.sha256(content).hexdigest()})
    output.say(f"the receipt of job {job} is in {to}: `accord verify {to}` shows what it proves")
    if not without_result:
        output.say("it holds the answer: give it to those who may have that")


def verify(file: Path, result: Path | None, charter: str, members: Sequence[str], output: Output) -> ExitStatus:
    """Judge a receipt and say what was found. Raises FileMissing, FileUnusable, ReceiptUnreadable, KeyInvalid."""
    pins = read_pins(charter, members)
    receipt = read_receipt(_read(file, MOST_RECEIPT))
    found = verify_receipt(receipt, software_digest(), pins, None if result is None else _read(result, _MOST_RESULT))
    output.result(_fields(found))
    if not output.json:
        from parties.terminal.show_receipt import show_verified

        show_verified(output.console(), found, pinned=pins != Pins())
    return _STATUS[found.verdict]


def read_pins(charter: str, members: Sequence[str]) -> Pins:
    """From what somebody typed: digits may stand in groups, a member may be given by its public key. KeyInvalid."""
    digest, fingerprints = _digits(charter), []
    if digest and not _DIGEST.fullmatch(digest):
        raise KeyInvalid("--charter-digest: the 64 hex digits of the charter's digest")
    for member in members:
        found = _digits(member)
        if found.startswith("ed25519:"):
            found = fingerprint_of(read_public_key(found))
        if not _DIGEST.fullmatch(found):
            raise KeyInvalid("--member: the 64 hex digits of a fingerprint, or a public key, as a charter has it")
        fingerprints.append(found)
    return Pins(digest, tuple(fingerprints))


def _digits(typed: str) -> str:
    return "".join(typed.split())


def _read(file: Path, most: int) -> bytes:
    """FileMissing, FileUnusable: it cannot be read, or has more bytes."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except FileNotFoundError:
        raise FileMissing(f"there is no file {file}") from None
    except OSError as error:
        raise FileUnusable(f"{file} cannot be read: {error.strerror or error}") from None
    if len(content) > most:
        raise FileUnusable(f"{file} has more than {most} bytes")
    return content


def _fields(found: Verified) -> dict[str, Any]:
    return {
        "verdict": found.verdict.value,
        "checks": [{"check": one.name, "verdict": one.verdict.value, "text": one.text} for one in found.checks],
        "charter": None if found.charter is None else _charter_fields(found.charter),
        "facts": None if found.facts is None else found.facts.fields,
        "answer": None if found.answer is None else json.loads(found.answer),
    }


def _charter_fields(charter: Charter) -> dict[str, Any]:
    keys = [
        {"member": member.name, "fingerprint": member.fingerprint, "public_key": show_public_key(member.key)}
        for member in charter.members
    ]
    return {
        "digest": charter.digest,
        "consortium": charter.consortium,
        "version": charter.version,
        "keys": keys,
    }
