"""``accord doctor``: what is typed. What it does is in doctor_command.py."""

from __future__ import annotations

import typer

from parties.terminal.command_app import Page, Panel, add_command
from parties.terminal.command_options import HomeOption, Passphrase
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus

__all__ = ["add_doctor_command"]

_DOCTOR = Page(
    examples=(
        ("before the first `accord serve`, and whenever jobs fail", "accord doctor"),
        (
            "what is bad, in a script",
            "accord doctor --json | jq -r '.findings[] | select(.verdict==\"bad\") | .way_out'",
        ),
    ),
    json="findings  a list of {check, verdict, found, way_out}; verdict is good, warning or bad",
    failed="a finding is bad",
    statuses=(ExitStatus.FILE_FAULT,),
)


def add_doctor_command(app: typer.Typer) -> None:
    """``doctor``."""
    add_command(app, "doctor", _doctor, _DOCTOR, Panel.RUN)


def _doctor(
    home: HomeOption = None,
    *,
    passphrase: Passphrase,
    output: Output,
) -> ExitStatus:
    """See whether this node is fit to work, and what to do if not.

    It looks at this machine, the node's files, its charter and its ports, and calls every other
    member that has an address. It changes nothing, and tells nobody anything of the tables.
    """
    from parties.actions.doctor_command import doctor
    from parties.setup.home import Home

    return doctor(Home(home), passphrase.read(), output)
