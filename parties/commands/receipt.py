"""``accord receipt`` and ``accord verify``: what is typed. What they do is in receipt_commands.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_completion import job_ids
from parties.terminal.command_options import (
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_receipt_commands"]

_RECEIPT = Page(
    examples=(
        ("keep what proves an answer", "accord receipt 0123456789abcdef0123456789abcdef -o receipt.json"),
        ("for somebody who must not see the answer",
         "accord receipt 0123456789abcdef0123456789abcdef --without-result -o receipt.json"),
    ),
    json="the receipt itself; with -o {job, file, digest}, digest of the file",
    failed="the job has no receipt: it was not released, or its answer is not here yet",
    statuses=(ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT),
)  # fmt: skip

_VERIFY = Page(
    examples=(
        ("what a receipt proves", "accord verify receipt.json"),
        ("is this the answer it proves", "accord verify receipt.json --result answer.json"),
        ("only if a member has signed whose key you know",
         f"accord verify receipt.json \\\n    --member ed25519:{'0' * 64}"),
    ),
    json="verdict  good, false or unsure\n"
    "checks   a list of {check, verdict, text}; absent: there is nothing to check\n"
    "charter  {digest, consortium, version, keys: [{member, fingerprint, public_key}]}, or null\n"
    "facts    what was asked, by whom, and how much was told, or null\nanswer   opened from the shares, or null",
    failed="it cannot be told: made with another release, or it tells nothing of a result",
    statuses=(ExitStatus.FILE_FAULT, ExitStatus.NOT_GENUINE),
)  # fmt: skip


def add_receipt_commands(app: typer.Typer) -> None:
    """``receipt`` and ``verify``."""
    add_command(app, "receipt", _receipt, _RECEIPT, Panel.ASK)
    add_command(app, "verify", _verify, _VERIFY, Panel.ASK)


def _receipt(
    job: Annotated[str, typer.Argument(metavar="JOB", help="its id, 32 hex digits", autocompletion=job_ids)],
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="write it there; default: print it")
    ] = None,
    without_result: Annotated[
        bool, typer.Option("--without-result", help="leave out all that tells of the answer")
    ] = False,
    *,
    which: WhichNode,
    output: Output,
) -> None:
    """Get what proves a released job, signed by all members.

    A receipt holds the job, the charter, every member's acceptance with its policies' digests, the
    compute members' votes and the shares of the answer. Who has it has the answer, and needs no
    node to verify it; --without-result leaves that out. Ask a member that receives the answer.
    """
    from parties.actions.receipt_commands import get_receipt

    get_receipt(which, job, to, without_result, output)


def _verify(
    receipt: Annotated[Path, typer.Argument(metavar="RECEIPT", help="a file as `accord receipt` writes it")],
    result: Annotated[
        Path | None,
        typer.Option("--result", metavar="FILE", help="an answer in JSON, to be compared with the one it proves"),
    ] = None,
    charter_digest: Annotated[
        str | None,
        typer.Option("--charter-digest", metavar="HEX", help="of the charter you know; any other one is false"),
    ] = None,
    member: Annotated[
        list[str] | None,
        typer.Option("--member", metavar="KEY", help="fingerprint or public key of a member you know; may be repeated"),
    ] = None,
    *,
    output: Output,
) -> ExitStatus:
    """See what a receipt proves, without any node.

    Every signature, the plan, the noise and the answer are checked anew from what members signed.
    Nothing else is needed: no network, no home. All of it stands on the members' keys, which the
    receipt brings along: compare their fingerprints with those you have from the members, or give
    some as --member, or the charter's digest.
    """
    from parties.actions.receipt_commands import verify

    return verify(receipt, result, charter_digest or "", member or [], output)
