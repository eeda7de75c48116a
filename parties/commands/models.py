"""``accord models`` and what is below it: what is typed. What they do is in model_commands.py."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from parties.terminal.command_app import Page, Panel, add_command, make_group
from parties.terminal.command_completion import job_ids, model_names, own_models
from parties.terminal.command_options import (
    HomeOption,
    WhichNode,
)
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

if TYPE_CHECKING:
    from parties.actions.model_commands import Offering

__all__ = ["add_model_commands"]

_ABOUT = """Models: list, keep, offer for scoring, withdraw.

A model has a name, versions that stay as they are, an id, a lineage and rules: whose people may
score with it, for what, which answers leave and to whom, whether its coefficients may. Without a
command below it lists those of here and those that other members offer.
"""

_MODEL = "offer: name, version, id, family, facts, features, predicts, answers, purposes\n" \
         "lineage, rules, kept, withdrawn"  # fmt: skip
_ASKING = (ExitStatus.REFUSED, ExitStatus.UNREACHABLE, ExitStatus.FILE_FAULT)

_OFFERED = "Who may score with it"
_MayScore: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--may-score", metavar="MEMBER", help="this one's people; default: only this member's",
        rich_help_panel=_OFFERED,
    ),
]  # fmt: skip
_Everybody: TypeAlias = Annotated[
    bool, typer.Option("--everybody", help="all members' people", rich_help_panel=_OFFERED)
]
_Purposes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--purpose", metavar="TEXT", help="for this only; default: for any", rich_help_panel=_OFFERED),
]
_Answers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--answer",
        metavar="ANSWER",
        help="predict, predict_proba or decision_function; default: predict only",
        rich_help_panel=_OFFERED,
    ),
]
_Receivers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--receiver", metavar="MEMBER", help="may receive predictions, beside the rows' owner",
        rich_help_panel=_OFFERED,
    ),
]  # fmt: skip
_Coefficients: TypeAlias = Annotated[
    bool,
    typer.Option("--give-coefficients", help="who may score may have its coefficients, too", rich_help_panel=_OFFERED),
]


@dataclass(frozen=True)
class _OfferedOptions:
    may_score: _MayScore = None
    everybody: _Everybody = False
    purpose: _Purposes = None
    answer: _Answers = None
    receiver: _Receivers = None
    give_coefficients: _Coefficients = False

    @property
    def offering(self) -> Offering:
        """What they say."""
        from parties.actions.model_commands import Offering

        if self.everybody and self.may_score:
            raise typer.BadParameter("--everybody and --may-score: give one of them")
        return Offering(
            self.may_score or (), self.everybody, self.purpose or (), self.answer or (), self.receiver or (),
            self.give_coefficients,
        )  # fmt: skip


_Own: TypeAlias = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="default: the latest version", autocompletion=own_models)
]

_LIST = Page(
    examples=(("those of here, and those that others offer", "accord models list"),),
    json="member   this one\nown      a list of {offer, lineage, rules, kept, withdrawn}\n"
    "strays   files that are offered to nobody\nmembers  a list of {member, models, error}",
    failed="the node answered with an error",
    statuses=_ASKING,
)

_ADD = Page(
    examples=(
        ("XGBoost's or LightGBM's file, for one member's people",
         "accord models add model.json --name risk --feature age --feature cost --may-score alfa"),
        ("so that its true size stays hidden",
         "accord models add model.txt --name risk --feature age --feature cost \\\n"
         "    --everybody --depth 8 --trees 200"),
    ),
    json=_MODEL,
    statuses=(ExitStatus.FILE_FAULT,),
)  # fmt: skip

_OFFER = Page(
    examples=(
        ("to two members, for research, with probabilities",
         "accord models offer risk --may-score alfa --may-score bravo --purpose research \\\n"
         "    --answer predict --answer predict_proba"),
        ("to nobody else any more", "accord models offer risk@1"),
    ),
    json=_MODEL,
    statuses=(ExitStatus.FILE_FAULT,),
)  # fmt: skip

_SHOW = Page(
    examples=(
        ("one of this home's", "accord models show risk@2"),
        ("one that another member offers", "accord models show bravo.risk"),
    ),
    json=_MODEL + ", coefficients\nof another member's: owner, and the fields of offer",
    statuses=_ASKING,
)

_KEEP = Page(
    examples=(("what a train job gave", "accord models keep 0123456789abcdef0123456789abcdef risk"),),
    json=_MODEL,
    failed="the node answered with an error",
    statuses=_ASKING,
)

_WITHDRAW = Page(
    examples=(("all versions", "accord models withdraw risk"), ("one", "accord models withdraw risk@1")),
    json="a list of those that are withdrawn now:\n" + _MODEL,
    statuses=(ExitStatus.FILE_FAULT,),
)


def add_model_commands(app: typer.Typer) -> None:
    """``models``, and what is below it."""
    models = make_group(app, "models", _ABOUT, Panel.ASK, default="list")
    add_command(models, "models list", _list, _LIST)
    add_command(models, "models show", _show, _SHOW)
    add_command(models, "models keep", _keep, _KEEP)
    add_command(models, "models add", _add, _ADD)
    add_command(models, "models offer", _offer, _OFFER)
    add_command(models, "models withdraw", _withdraw, _WITHDRAW)


def _list(
    which: WhichNode,
    output: Output,
) -> None:
    """List models of here, and those that others offer.

    Others show what this member's people may score with, its public size and the columns it takes;
    of this member's own also where they come from. Withdrawn ones are in --json only.
    """
    from parties.actions.model_commands import list_models

    list_models(which, output)


def _show(
    name: Annotated[str, typer.Argument(metavar="[MEMBER.]NAME[@VERSION]", help="which", autocompletion=model_names)],
    which: WhichNode,
    output: Output,
) -> None:
    """Show one: what it is, where it comes from, its rules.

    NAME is one of this home's; its file is compared with its id, and the coefficients of a logistic
    regression are shown. MEMBER.NAME is one that another member offers, as that one's node tells.
    """
    from parties.actions.model_commands import show_model

    show_model(which, name, output)


def _keep(
    job: Annotated[str, typer.Argument(metavar="JOB", help="of a released fit", autocompletion=job_ids)],
    name: Annotated[str, typer.Argument(metavar="NAME", help="its next version, if there is one")],
    which: WhichNode,
    output: Output,
) -> None:
    """Keep what a fit gave as a model of this node's.

    Every member that received the coefficients can. The model knows its job, its tables and the
    policies they were trained under. It is offered to nobody else until `accord models offer`.
    """
    from parties.actions.model_commands import keep_model

    keep_model(which, job, name, output)


def _add(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="XGBoost's .json, LightGBM's .txt, or Accord's own .json")
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="its next version, if there is one")],
    feature: Annotated[
        list[str] | None,
        typer.Option("--feature", metavar="COLUMN", help="of a row, in the model's order; trees need all"),
    ] = None,
    predicts: Annotated[str, typer.Option("--predicts", metavar="TEXT", help="what, in words")] = "",
    depth: Annotated[
        int | None, typer.Option("--depth", metavar="N", help="public depth of trees; default: their own")
    ] = None,
    trees: Annotated[
        int | None, typer.Option("--trees", metavar="N", help="public number of trees; default: their own")
    ] = None,
    *,
    offered: _OfferedOptions,
    home: HomeOption = None,
    output: Output,
) -> None:
    """Add a model's file, and say who may score with it.

    Its content is copied, and never changes; another file under the name is another version. It is
    used on shares: no member sees it, but answers tell of it, scores and probabilities the most.
    """
    from parties.actions.model_commands import add_model
    from parties.setup.home import Home

    add_model(
        Home(home), file, name, offered.offering, output,
        features=feature or [], predicts=predicts, depth=depth, trees=trees,
    )  # fmt: skip


def _offer(
    name: _Own,
    *,
    offered: _OfferedOptions,
    home: HomeOption = None,
    output: Output,
) -> None:
    """Say anew who may score with a model.

    All rules are replaced by what is typed now; without options only this member's people may. One
    that was withdrawn is offered again. A running node goes by it from the next job on.
    """
    from parties.actions.model_commands import offer_model
    from parties.setup.home import Home

    offer_model(Home(home), name, offered.offering, output)


def _withdraw(name: _Own, home: HomeOption = None, *, output: Output) -> None:
    """Offer a model to nobody any more.

    Without a version all of them. Nothing is deleted; `accord models offer` takes it back.
    """
    from parties.actions.model_commands import withdraw_model
    from parties.setup.home import Home

    withdraw_model(Home(home), name, output)
