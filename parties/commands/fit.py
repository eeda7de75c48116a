"""``accord fit`` and ``accord predict``: what is typed. What they do is in model_commands.py."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from parties.actions.command_job_options import JobOptions, TablesOption, WhereOption
from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_completion import model_names, table_names
from parties.terminal.command_options import (
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_fit_commands"]

_STATUSES = (ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT, ExitStatus.NOT_OVER)

_FIT = Page(
    examples=(
        ("over two members' rows, and kept as a model of this node's",
         "accord fit -t alfa.patients -t bravo.patients --feature age --feature ward \\\n"
         "    --label died --epsilon 2 --delta 1e-6 --name risk"),
        ("one category of a label, told from all others",
         "accord fit -t alfa.patients --feature age --label fate --positive moved --epsilon 2 --delta 1e-6"),
        ("what it would cost", "accord fit -t alfa.patients --feature age --label died \\\n"
         "    --epsilon 2 --delta 1e-6 --option max_iter=10 --explain"),
    ),
    json="job     its id\nanswer  coefficients, intercept, bound, spread, label, positive, epsilon, delta\n"
    "model   with --name: as it is kept",
    failed="the job ended without an answer",
    statuses=_STATUSES,
)  # fmt: skip

_PREDICT = Page(
    examples=(
        ("by another member's model, for this member's rows", "accord predict bravo.risk alfa.patients -o risk.csv"),
        ("by a version of it, probabilities, for some rows",
         "accord predict bravo.risk@2 alfa.patients --answer predict_proba \\\n"
         "    --where '{\"column\": \"age\", \"is\": \">=\", \"value\": 65}'"),
    ),
    json="job     its id\nanswer  answer, predictions: a place each up to the table's capacity\n"
    "file    with -o: where they are",
    failed="the job ended without an answer",
    statuses=_STATUSES,
)  # fmt: skip


@dataclass(frozen=True)
class _PredictionOptions(JobOptions):
    result: Annotated[
        list[str] | None,
        typer.Option(
            "--result", metavar="MEMBER", help="who receives them; default: the rows' owner", rich_help_panel="Job"
        ),
    ] = None


def add_fit_commands(app: typer.Typer) -> None:
    """``fit`` and ``predict``."""
    add_command(app, "fit", _fit, _FIT, Panel.ASK)
    add_command(app, "predict", _predict, _PREDICT, Panel.ASK)


def _fit(
    table: TablesOption,
    feature: Annotated[
        list[str], typer.Option("--feature", metavar="NAME", help="a column to predict by, as often as there are")
    ],
    label: Annotated[str, typer.Option("--label", metavar="NAME", help="the column that is predicted")],
    epsilon: Annotated[
        float, typer.Option("--epsilon", metavar="E", help="how much it may tell of a person; usual: 0.5 to 4")
    ],
    delta: Annotated[
        float, typer.Option("--delta", metavar="D", help="below 1 over the number of people; usual: 1e-6")
    ],
    positive: Annotated[
        str | None, typer.Option("--positive", metavar="VALUE", help="of a label with categories: which is told apart")
    ] = None,
    where: WhereOption = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="max_iter, batch_size, learning_rate, alpha, spread, ..."),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="keep it as a model of this node's, under this name")
    ] = None,
    *,
    job: JobOptions,
    which: WhichNode,
    output: Output,
) -> ExitStatus:
    """Train a logistic regression over members' rows together.

    Rows stay with their owners; noise is on every step, so the coefficients may leave, and they do,
    to the members in --result. A table whose policy does not let them leave is not trained on.
    Numbers are scaled by the public bounds of their columns; what a row is multiplied by is shown.
    """
    from parties.actions.model_commands import fit

    if name is not None and (job.no_wait or job.explain):
        raise typer.BadParameter("--name waits for the answer; `accord models keep JOB NAME` keeps it later")
    parameters: dict[str, Any] = {"features": feature, "label": label, "epsilon": epsilon, "delta": delta}
    more = {"positive": None if positive is None else _value(positive), "where": _where(where)}
    parameters |= {field: value for field, value in more.items() if value is not None}
    for one in option or []:
        field, given, value = one.partition("=")
        if not given or not field or field in parameters:
            raise typer.BadParameter(f"--option {one}: NAME=VALUE, such as max_iter=10, each once")
        parameters[field] = _value(value)
    asking = job.asking("train", parameters, table)
    return fit(which, asking, name, output)


def _predict(
    model: Annotated[
        str,
        typer.Argument(metavar="OWNER.MODEL[@VERSION]", help="`accord models` lists them", autocompletion=model_names),
    ],
    table: Annotated[
        str, typer.Argument(metavar="MEMBER.TABLE", help="whose rows are predicted", autocompletion=table_names)
    ],
    answer: Annotated[
        Literal["predict", "predict_proba", "decision_function"],
        typer.Option("--answer", help="classes or numbers, probabilities, scores"),
    ] = "predict",
    where: WhereOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE.csv", help="write the predictions there")
    ] = None,
    *,
    job: _PredictionOptions,
    which: WhichNode,
    output: Output,
) -> ExitStatus:
    """Predict for a member's rows by a model that nobody shows.

    Neither owner sees the other's: the model and the rows meet in shares. Both decide by their own
    rules: the model's owner who scores with it, the rows' owner who may predict and who receives
    what; without a word of its policy that is the rows' owner alone. There is a row for each place
    of the table, in the order its owner reads it; those beyond its rows mean nothing.
    """
    from parties.actions.model_commands import predict

    if out is not None and (job.no_wait or job.explain):
        raise typer.BadParameter("--out waits for the answer: leave out --no-wait, and --explain")
    parameters: dict[str, Any] = {"model": model, "answer": answer}
    filtered = _where(where)
    if filtered is not None:
        parameters["where"] = filtered
    job = replace(job, result=job.result or [table.partition(".")[0]])
    asking = job.asking("score", parameters, [table])
    return predict(which, asking, out, output)


def _where(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise typer.BadParameter('--where: JSON, such as {"column": "age", "is": ">=", "value": 65}') from None


def _value(text: str) -> Any:
    """A number, true or false, as JSON has them; else the text itself."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found if isinstance(found, (bool, int, float)) else text
