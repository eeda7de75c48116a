"""``accord ask``, ``result`` and ``cancel``: what is typed. What they do is in client_commands.py."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from parties.actions.command_job_options import (
    DeadlineOption,
    FreshOption,
    KeyOption,
    NoWaitOption,
    OnLossOption,
    PurposeOption,
    ResultOption,
    TimeoutOption,
)
from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_completion import job_ids, kinds, table_names
from parties.terminal.command_options import (
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_ask_commands"]

_JobArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="JOB", help="its id, 32 hex digits", autocompletion=job_ids)
]

_ANSWER = "job     its id\nanswer  as the kind of job has it: figures, cells, coefficients; epsilon and delta"
_STATUSES = (ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT)

_ASK = Page(
    examples=(
        ("how many rows all members have",
         "accord ask aggregate -t alfa.patients -t bravo.patients \\\n"
         "    -p '{\"figures\": [\"count\"], \"epsilon\": 1.0}'"),
        ("leave at once, and come back for the answer",
         "job=$(accord ask aggregate -t alfa.patients -p question.json --no-wait)\naccord result $job"),
        ("what it would cost, and whether all owners would allow it",
         "accord ask aggregate -t alfa.patients -p question.json --card"),
        ("a script that may be run again: the same key is the same job",
         "accord ask aggregate -t alfa.patients -p question.json --key 2026-03 --json"),
    ),
    json=_ANSWER + "\nwith --no-wait only job\nwith --card the plan card: verdict, owners, figures, epsilon, cost",
    failed="the job ended without an answer",
    statuses=(*_STATUSES, ExitStatus.NOT_OVER),
)  # fmt: skip

_RESULT = Page(
    examples=(
        ("wait as long as it takes", "accord result 0123456789abcdef0123456789abcdef"),
        ("look whether it is over: status 6 if not", "accord result 0123456789abcdef0123456789abcdef --timeout 1"),
    ),
    json=_ANSWER,
    failed="the job ended without an answer",
    statuses=(*_STATUSES, ExitStatus.NOT_OVER),
)

_CANCEL = Page(
    examples=(("this member's job, or another's it takes part in", "accord cancel 0123456789abcdef0123456789abcdef"),),
    json="job, kind, state, proposer, by, proposed, changed, error, cause, answer, ...: as it is afterwards",
    failed="the node answered with an error",
    statuses=_STATUSES,
)


def add_ask_commands(app: typer.Typer) -> None:
    """``ask``, ``result`` and ``cancel``."""
    add_command(app, "ask", _ask, _ASK, Panel.ASK)
    add_command(app, "result", _result, _RESULT, Panel.ASK)
    add_command(app, "cancel", _cancel, _CANCEL, Panel.ASK)


def _ask(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="aggregate, join, query, train, score", autocompletion=kinds)
    ],
    parameters: Annotated[
        str,
        typer.Option(
            "--parameters",
            "-p",
            metavar="FILE|JSON",
            help="a JSON object, or a file with one; - for stdin",
        ),
    ],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            "-t",
            metavar="MEMBER.TABLE",
            help="as often as there are tables, in the kind's order",
            autocompletion=table_names,
        ),
    ] = None,
    result: ResultOption = None,
    deadline: DeadlineOption = None,
    on_loss: OnLossOption = "abort",
    key: KeyOption = None,
    purpose: PurposeOption = "",
    card: Annotated[bool, typer.Option("--card", help="show its plan card, and ask for nothing")] = False,
    fresh: FreshOption = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = None,
    *,
    which: WhichNode,
    output: Output,
) -> ExitStatus:
    """Ask the consortium for a job, and wait for its answer.

    The members whose tables it is about decide by the policies they signed; the compute members
    compute; the answer, with noise, comes to the members in --result. Ctrl-C ends the waiting and
    not the job: `accord result` asks for it again, `accord cancel` ends it, and `accord receipt`
    gives what proves the answer.
    """
    from parties.actions.client_commands import Asking, CardFirst, ask, read_parameters

    asking = Asking(
        kind=kind,
        parameters=read_parameters(parameters),
        tables=table or [],
        results=result,
        deadline=deadline,
        on_loss=on_loss,
        key=key,
        purpose=purpose,
        fresh=fresh,
        timeout=timeout,
        wait=not no_wait,
        card=CardFirst.ONLY if card else CardFirst.NO,
        explain=card,
    )
    return ask(which, asking, output)


def _result(
    job: _JobArgument,
    timeout: TimeoutOption = None,
    *,
    which: WhichNode,
    output: Output,
) -> ExitStatus:
    """Wait for the answer of a job that was asked for before.

    An answer that came is kept at the node, and can be asked for again; nothing is charged twice.
    `accord receipt` gives what proves it.
    """
    from parties.actions.client_commands import result

    return result(which, job, timeout, output)


def _cancel(
    job: _JobArgument,
    which: WhichNode,
    output: Output,
) -> None:
    """Want a job ended.

    A job that was released already stays so. What it was charged for is not given back if it may
    have been revealed.
    """
    from parties.actions.client_commands import cancel

    cancel(which, job, output)
