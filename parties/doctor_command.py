"""``accord doctor``: is this node fit to work, and if not, what to do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from mpc.errors import AccordError
from parties.command_options import (
    add_home_option,
    add_passphrase_options,
    given_home,
    read_given_passphrase,
    run,
    told,
)
from parties.doctor import Finding, Machine, Patient, local_findings
from parties.doctor_peers import peer_findings, port_findings
from parties.home import Home
from parties.identity import Identity

__all__ = ["add_doctor_command", "diagnose", "show_findings"]

_MARKS = {"good": "[green]good   [/green]", "warning": "[yellow]warning[/yellow]", "bad": "[red]bad    [/red]"}


def add_doctor_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``doctor``, among the commands of ``accord``."""
    doctor = commands.add_parser("doctor", help="is this node fit to work? what to do if not")
    doctor.add_argument("--json", action="store_true", help="findings as JSON, for machines")
    add_home_option(doctor)
    add_passphrase_options(doctor)
    doctor.set_defaults(run=lambda given: told("doctor", lambda: _doctor(given)))


def diagnose(home: Home, passphrase: bytes | None = None, machine: Machine | None = None) -> list[Finding]:
    """All findings. Calls every other member that the charter in force has an address of; changes nothing."""
    machine = machine or Machine()
    findings, patient = local_findings(machine, home)
    identity = _identity(patient, passphrase)

    async def over_the_network() -> list[Finding]:
        return [*await port_findings(patient, identity), *await peer_findings(patient, identity, machine)]

    return [*findings, *run(over_the_network)]


def show_findings(findings: Sequence[Finding], console: Console) -> int:
    """Print them; gives the exit status: 1 if one is bad."""
    for finding in findings:
        console.print(f"{_MARKS[finding.verdict]} {finding.check}: {escape(finding.found)}", highlight=False)
        if finding.way_out and finding.verdict != "good":
            console.print(f"          -> {escape(finding.way_out)}", highlight=False)
    bad = sum(finding.verdict == "bad" for finding in findings)
    warnings = sum(finding.verdict == "warning" for finding in findings)
    console.print(f"{bad} bad, {warnings} to look at" if bad or warnings else "all good", highlight=False)
    return 1 if bad else 0


def _doctor(given: argparse.Namespace) -> int:
    findings = diagnose(given_home(given), read_given_passphrase(given, new=False))
    if given.json:
        print(json.dumps({"findings": [asdict(finding) for finding in findings]}, indent=1))
        return 1 if any(finding.verdict == "bad" for finding in findings) else 0
    return show_findings(findings, Console())


def _identity(patient: Patient, passphrase: bytes | None) -> Identity | None:
    """None where it is encrypted and nobody said the passphrase, or it was found bad already."""
    if patient.public is None:
        return None
    try:
        return patient.home.load_identity(patient.settings, passphrase)
    except AccordError:
        return None
