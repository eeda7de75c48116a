"""What ``accord doctor`` looks at on this machine: each check gives findings, each with a verdict and the way out.

The checks that call other members are in doctor_peers.py.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Literal

from mpc.errors import AccordError
from parties.disk.private_files import remove, write_atomically
from parties.errors import PassphraseNeeded
from parties.keys.leaf import utc_now
from parties.membership.charter import Charter, Member
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from parties.setup.settings import NodeSettings

__all__ = ["Finding", "Machine", "Patient", "examine", "local_findings"]

_GIB = 1 << 30
_OLDEST = (3, 11)
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([0-9][^ ;]*)")
_BUILT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)  # no clock that is right is before this program was written

Verdict = Literal["good", "warning", "bad"]


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name, one or two words.
        verdict: "bad" keeps the node from working, "warning" may.
        found: one line.
        way_out: what to do; empty where all is good.
    """

    check: str
    verdict: Verdict
    found: str
    way_out: str = ""


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _pins() -> list[str]:
    return metadata.requires("accord") or []


@dataclass(frozen=True)
class Machine:
    """What the checks ask this machine, so that tests can answer in its place. Sizes in bytes."""

    python: tuple[int, ...] = field(default_factory=lambda: tuple(map(int, platform.python_version_tuple()[:2])))
    pins: Callable[[], Sequence[str]] = _pins
    version: Callable[[str], str] = metadata.version
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
    memory: Callable[[], int] = _memory
    processors: Callable[[], int] = lambda: len(os.sched_getaffinity(0))
    now: Callable[[], datetime.datetime] = utc_now


@dataclass(frozen=True)
class Patient:
    """What could be read of the node that is examined; None where it could not."""

    home: Home
    settings: NodeSettings | None = None
    public: bytes | None = None
    charter: Charter | None = None
    me: Member | None = None


def local_findings(machine: Machine, home: Home) -> tuple[list[Finding], Patient]:
    """All checks that need no network, in the order in which to mend things, and what they read."""
    findings = [_python(machine), *_packages(machine), _processors(machine), _memory_found(machine), _clock(machine)]
    of_node, patient = examine(home)
    return [*findings, *of_node, *_disk(machine, home)], patient


def examine(home: Home) -> tuple[list[Finding], Patient]:
    """The node's own files: who may touch them, its settings, its key, its charter."""
    try:
        home.check()
    except AccordError as error:
        return [Finding("directory", "bad", f"{type(error).__name__}: {error}", "as it says")], Patient(home)
    findings = [Finding("directory", "good", f"{home.directory}, of this user alone")]
    settings, public, charter, me = None, None, None, None
    try:
        settings = home.read_settings()
        public = _public(home, settings)
        findings.append(Finding("identity", "good", "there, and nobody else may read it"))
    except AccordError as error:
        check = "settings" if settings is None else "identity"
        findings.append(Finding(check, "bad", f"{type(error).__name__}: {error}", "as it says"))
    try:
        store = CharterStore(home)
        charter = store.current
        me = None if public is None else next((one for one in charter.members if one.key == public), None)
        findings += _charter_findings(store, charter, public, me)
        settings = home.read_settings(int(me.address.rpartition(":")[2])) if me is not None and me.address else settings
    except AccordError as error:
        findings.append(Finding("charter", "bad", f"{type(error).__name__}: {error}", "as it says"))
    return findings, Patient(home, settings, public, charter, me)


def _public(home: Home, settings: NodeSettings) -> bytes:
    """The key as its file states it, or opens it: a mounted one states nothing."""
    try:
        return home.stated_key(settings)
    except PassphraseNeeded:
        return home.load_identity(settings).public


def _charter_findings(store: CharterStore, charter: Charter, public: bytes | None, me: Member | None) -> list[Finding]:
    if public is None:
        return [Finding("charter", "warning", f"version {charter.version} is in force", "mend the identity first")]
    if me is None:
        return [
            Finding(
                "charter",
                "bad",
                f"version {charter.version} of {charter.consortium!r} does not name this node's key",
                "it was removed, or has another key than it joined with: restore that one, or have all sign a version "
                "that names this one",
            )
        ]
    roles = ", ".join(sorted(me.roles))
    findings = [
        Finding("charter", "good", f"version {charter.version} of {charter.consortium!r}; this is {me.name}: {roles}")
    ]
    for proposal in store.proposals:
        if not proposal.signed and not proposal.withdrawn:
            digest = proposal.charter.digest[:16]
            found = f"version {proposal.charter.version} is proposed, and waits for this node's signature"
            findings.append(Finding("charter", "warning", found, f"accord charter sign {digest}"))
    return findings


def _python(machine: Machine) -> Finding:
    version = ".".join(map(str, machine.python))
    if machine.python < _OLDEST:
        return Finding("Python", "bad", f"version {version}", "install Python 3.11 or newer, and Accord with it")
    return Finding("Python", "good", f"version {version}")


def _packages(machine: Machine) -> list[Finding]:
    """Against the pins Accord was installed with; not those of extras."""
    try:
        pins = [match for pin in machine.pins() if "extra ==" not in pin and (match := _PIN.match(pin))]
    except metadata.PackageNotFoundError:
        return [Finding("packages", "warning", "Accord is not installed as a package", "pip install it")]
    findings = []
    for pin in pins:
        name, pinned = pin[1], pin[2]
        try:
            version = machine.version(name)
        except metadata.PackageNotFoundError:
            findings.append(Finding("packages", "bad", f"{name} is missing", f"pip install {name}=={pinned}"))
            continue
        if version != pinned:
            found = f"{name} {version}, tested is {pinned}"
            findings.append(Finding("packages", "warning", found, f"pip install {name}=={pinned}"))
    return findings or [Finding("packages", "good", f"all {len(pins)} as pinned")]


def _processors(machine: Machine) -> Finding:
    count = machine.processors()
    if count < 2:
        return Finding("processors", "warning", "1: the daemon and its workers share it", "give the node two or more")
    return Finding("processors", "good", str(count))


def _memory_found(machine: Machine) -> Finding:
    size = machine.memory()
    shown = f"{size / _GIB:.1f} GiB"
    if size < 2 * _GIB:
        return Finding("memory", "warning", shown, "a million rows take about 2 GiB: give it more, or smaller jobs")
    return Finding("memory", "good", shown)


def _clock(machine: Machine) -> Finding:
    now = machine.now()
    if not _BUILT <= now <= _BUILT.replace(year=2100):
        return Finding("clock", "bad", f"{now:%Y-%m-%d %H:%M} UTC", "set it; an NTP service keeps it right")
    return Finding("clock", "good", f"{now:%Y-%m-%d %H:%M:%S} UTC, which is plausible")


def _disk(machine: Machine, home: Home) -> list[Finding]:
    if not home.directory.is_dir():
        return []
    findings = []
    free = machine.free(home.directory)
    shown = f"{free / _GIB:.1f} GiB free at {home.directory}"
    if free < _GIB:
        findings.append(Finding("disk", "bad", shown, "make room: a job that cannot write aborts"))
    elif free < 5 * _GIB:
        findings.append(Finding("disk", "warning", shown, "checkpoints and dealt shares take room: 5 GiB or more"))
    else:
        findings.append(Finding("disk", "good", shown))
    trial = home.directory / f".doctor.{secrets.token_hex(8)}"
    try:
        write_atomically(trial, b"x" * 4096)
        remove(trial)
        findings.append(Finding("disk", "good", "writes, and syncs what it wrote"))
    except AccordError as error:
        findings.append(Finding("disk", "bad", str(error), "let this user write there: a volume mounted read-only?"))
        with contextlib.suppress(AccordError):
            remove(trial)
    return findings
