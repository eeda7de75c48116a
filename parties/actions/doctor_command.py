"""``accord doctor``: is this node fit to work, and if not, what to do. What is typed is in commands/doctor.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from mpc.errors import AccordError
from parties.keys.identity import Identity
from parties.node.doctor import Finding, Machine, Patient, local_findings
from parties.node.doctor_peers import peer_findings, port_findings
from parties.setup.home import Home
from parties.terminal.command_output import Output
from parties.terminal.command_run import run
from parties.terminal.exit_status import ExitStatus

__all__ = ["diagnose", "doctor", "findings_as_json", "show_findings"]

_MARKS = {"good": "[green]good   [/green]", "warning": "[yellow]warning[/yellow]", "bad": "[red]bad    [/red]"}


def diagnose(home: Home, passphrase: bytes | None = None, machine: Machine | None = None) -> list[Finding]:
    """All findings. Calls every other member that the charter in force has an address of; changes nothing."""
    machine = machine or Machine()
    findings, patient = local_findings(machine, home)
    identity = _identity(patient, passphrase)

    async def over_the_network() -> list[Finding]:
        return [*await port_findings(patient, identity), *await peer_findings(patient, identity, machine)]

    return [*findings, *run(over_the_network)]


def doctor(home: Home, passphrase: bytes | None, output: Output) -> ExitStatus:
    """Diagnose, and tell; FAILED if a finding is bad."""
    findings = diagnose(home, passphrase)
    output.result({"findings": findings_as_json(findings)})
    if output.json:
        return _verdict(findings)
    return show_findings(findings, output.console())


def findings_as_json(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """As plain data: check, verdict, found, way_out."""
    return [asdict(finding) for finding in findings]


def show_findings(findings: Sequence[Finding], console: Console) -> ExitStatus:
    """Print them; gives the exit status: FAILED if one is bad."""
    for finding in findings:
        console.print(f"{_MARKS[finding.verdict]} {finding.check}: {escape(finding.found)}", highlight=False)
        if finding.way_out and finding.verdict != "good":
            console.print(f"          -> {escape(finding.way_out)}", highlight=False)
    bad = sum(finding.verdict == "bad" for finding in findings)
    warnings = sum(finding.verdict == "warning" for finding in findings)
    console.print(f"{bad} bad, {warnings} to look at" if bad or warnings else "all good", highlight=False)
    return _verdict(findings)


def _verdict(findings: Sequence[Finding]) -> ExitStatus:
    return ExitStatus.FAILED if any(finding.verdict == "bad" for finding in findings) else ExitStatus.GOOD


def _identity(patient: Patient, passphrase: bytes | None) -> Identity | None:
    """None where it is encrypted and nobody said the passphrase, or it was found bad already."""
    if patient.public is None:
        return None
    try:
        return patient.home.load_identity(patient.settings, passphrase)
    except AccordError:
        return None
