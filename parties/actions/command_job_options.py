"""Options of commands that ask for a job: whose rows, who receives the answer, and how to wait for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from parties.terminal.command_completion import table_names

if TYPE_CHECKING:
    from parties.actions.client_commands import Asking

__all__ = [
    "DeadlineOption", "FreshOption", "JobOptions", "KeyOption", "NoWaitOption", "OnLossOption", "PurposeOption",
    "ResultOption", "TablesOption", "TimeoutOption", "WhereOption",
]  # fmt: skip

_JOB = "Job"

TablesOption: TypeAlias = Annotated[
    list[str],
    typer.Option(
        "--table", "-t", metavar="MEMBER.TABLE", help="as often as there are tables", autocompletion=table_names
    ),
]
WhereOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--where", metavar="JSON", help="which rows count, as row_filter.py has it; default: all"),
]
ResultOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--result", metavar="MEMBER", help="who receives the answer; default: this node's member", rich_help_panel=_JOB
    ),
]
PurposeOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--purpose", metavar="TEXT", help="what for; some policies allow some purposes only", rich_help_panel=_JOB
    ),
]
DeadlineOption: TypeAlias = Annotated[
    int | None,
    typer.Option("--deadline", metavar="S", help="seconds it may take; default 3600", rich_help_panel=_JOB),
]
OnLossOption: TypeAlias = Annotated[
    Literal["abort", "wait"],
    typer.Option(
        "--on-loss",
        help="when a member's node ends: the job ends; or it waits for that node, also while it waits for a person",
        rich_help_panel=_JOB,
    ),
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="TEXT", help="the same key again is the same job, not another one", rich_help_panel=_JOB
    ),
]
FreshOption: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="ask anew, and pay, what was answered before", rich_help_panel=_JOB)
]
NoWaitOption: TypeAlias = Annotated[
    bool, typer.Option("--no-wait", help="print the job's id, and leave", rich_help_panel=_JOB)
]
TimeoutOption: TypeAlias = Annotated[
    float | None,
    typer.Option("--timeout", metavar="S", help="seconds to wait; the job goes on all the same", rich_help_panel=_JOB),
]
ExplainOption: TypeAlias = Annotated[
    bool, typer.Option("--explain", help="show its plan card, and ask for nothing", rich_help_panel=_JOB)
]
YesOption: TypeAlias = Annotated[
    bool,
    typer.Option("--yes", help="ask at once; at a terminal the plan card comes first", rich_help_panel=_JOB),
]


@dataclass(frozen=True)
class JobOptions:
    """How a job is asked for, whatever it computes. A parameter of a command: command_spread.py."""

    explain: ExplainOption = False
    yes: YesOption = False
    result: ResultOption = None
    purpose: PurposeOption = ""
    deadline: DeadlineOption = None
    on_loss: OnLossOption = "abort"
    key: KeyOption = None
    fresh: FreshOption = False
    no_wait: NoWaitOption = False
    timeout: TimeoutOption = None

    def asking(self, kind: str, parameters: Mapping[str, Any], tables: Sequence[str] = ()) -> Asking:
        """The job. At a terminal its plan card comes first, unless these say otherwise."""
        from parties.actions.client_commands import Asking, CardFirst

        return Asking(
            kind=kind,
            parameters=parameters,
            tables=tables,
            results=self.result,
            deadline=self.deadline,
            on_loss=self.on_loss,
            key=self.key,
            purpose=self.purpose,
            fresh=self.fresh,
            timeout=self.timeout,
            wait=not self.no_wait,
            card=CardFirst.ONLY if self.explain else CardFirst.NO if self.yes else CardFirst.IF_PEOPLE,
            explain=self.explain,
        )
