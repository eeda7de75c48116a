"""``node.toml``: what this node decides for itself, and no other member sees. Pure: text in, settings out.

    bind = "*:7600"                     # where it listens to the other members
    people_address = "127.0.0.1:8600"   # where it listens to its own people

    [people]
    ann = "ed25519:..."                 # as `accord fingerprint` prints hers

Every field has a default, so an empty file will do; write_settings shows them all.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from parties.errors import KeyInvalid, SettingsInvalid
from parties.keys.fingerprints import read_public_key
from parties.setup.listening import Listening, read_listening

__all__ = ["PORT", "NodeSettings", "default_settings", "read_settings"]

PORT = 7600
"""The port members listen at, where no charter says another."""

_MOST = 1 << 20  # bytes
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
_PORTS = re.compile(r"([1-9][0-9]{0,4})-([1-9][0-9]{0,4})")
_GIB = 1 << 30


@dataclass(frozen=True)
class NodeSettings:
    """One node's settings. Times in seconds, sizes in bytes.

    Attributes:
        bind: where it listens to the other members.
        people_address: where it listens to its own people.
        worker_ports: where its workers may listen to the other members' workers; None: wherever the system likes.
        lanes: how many jobs run at the same time, 1 to 16.
        heartbeat: how often it says to others that it lives, 0.01 to 60.
        silence: after how long of hearing nothing a peer counts as stopped; at least twice the heartbeat.
        start_deadline: how long workers may take to start and to find each other, 1 to 3600.
        most_jobs: how many jobs it keeps that are not over, 1 to 10^6.
        most_dealt_bytes: how much of other members' dealt shares it keeps, at least 2^20.
        most_memory: what one worker may take, at least 2^28; None: what there is.
        most_answer_days: after how many days shares and answers of jobs that are over are deleted, 1 to 36,500; None:
            never.
        rtt: milliseconds each message between workers is held back, for measuring; 0 to 1,000.
        identity: where the key is mounted; None: identity.key. Relative to the node's directory.
        passphrase_file: whose one line opens the key; None: it is not encrypted, or somebody types the passphrase.
        people: public keys, 32 bytes, of the analysts and operators who may talk to this node, by name.
    """

    bind: Listening
    people_address: Listening
    worker_ports: range | None
    lanes: int = 2
    heartbeat: float = 0.25
    silence: float = 1.5
    start_deadline: float = 30.0
    most_jobs: int = 64
    most_dealt_bytes: int = 16 * _GIB
    most_memory: int | None = None
    most_answer_days: int | None = None
    rtt: float = 0.0
    identity: Path | None = None
    passphrase_file: Path | None = None
    people: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))


_FIELDS = (
    "bind", "people_address", "worker_ports", "lanes", "heartbeat", "silence", "start_deadline", "rtt", "identity",
    "passphrase_file", "limits", "people",
)  # fmt: skip
_LIMITS = ("jobs", "dealt_bytes", "memory", "answer_days")


def default_settings(port: int = PORT) -> NodeSettings:
    """All defaults, for a member whose address in the charter has this port, 1 to 65535.

    Its people are served a thousand ports above it, and its workers at the sixteen that follow it; below it, where
    there are no such ports.
    """
    people = port + 1000 if port + 1000 <= 65535 else port - 1000
    workers = range(port + 1, port + 17) if port + 16 <= 65535 else range(port - 16, port)
    return NodeSettings(Listening("*", port), Listening("127.0.0.1", people), workers)


def read_settings(text: bytes | str, port: int = PORT) -> NodeSettings:
    """The settings in a TOML text in UTF-8; what it does not say is as default_settings(port) has it.

    Raises SettingsInvalid, which names the field and the way out: not TOML, a field unknown, of another type or out of
    its range, or two fields that do not go together.
    """
    if len(text) > _MOST:
        raise SettingsInvalid(f"node.toml has more than {_MOST} bytes: it is not the right file")
    try:
        table = tomllib.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number or a date that is none
        raise SettingsInvalid(f"node.toml is not TOML in UTF-8: {str(error)[:200]}") from None
    _check_fields("", table, _FIELDS)
    limits = _table(table, "limits")
    _check_fields("limits.", limits, _LIMITS)
    default = default_settings(port)
    settings = NodeSettings(
        bind=_listening(table, "bind", default.bind),
        people_address=_listening(table, "people_address", default.people_address),
        worker_ports=_ports(table, default.worker_ports),
        lanes=_whole("", table, "lanes", default.lanes, 1, 16),
        heartbeat=_number(table, "heartbeat", default.heartbeat, 0.01, 60),
        silence=_number(table, "silence", default.silence, 0.02, 600),
        start_deadline=_number(table, "start_deadline", default.start_deadline, 1, 3600),
        most_jobs=_whole("limits.", limits, "jobs", default.most_jobs, 1, 10**6),
        most_dealt_bytes=_whole("limits.", limits, "dealt_bytes", default.most_dealt_bytes, 1 << 20, 1 << 50),
        most_memory=_whole("limits.", limits, "memory", 0, 1 << 28, 1 << 50) or None,
        most_answer_days=_whole("limits.", limits, "answer_days", 0, 1, 36_500) or None,
        rtt=_number(table, "rtt", default.rtt, 0, 1000),
        identity=_path(table, "identity"),
        passphrase_file=_path(table, "passphrase_file"),
        people=_people(_table(table, "people")),
    )
    _check_together(settings)
    return settings


def _check_together(settings: NodeSettings) -> None:
    if settings.silence < 2 * settings.heartbeat:
        raise SettingsInvalid(
            f"silence: {settings.silence:g} s, but with a heartbeat of {settings.heartbeat:g} s a living peer would "
            f"count as stopped: at least {2 * settings.heartbeat:g}"
        )
    bind, people, ports = settings.bind, settings.people_address, settings.worker_ports
    if bind.port == people.port and ("*" in (bind.host, people.host) or bind.host == people.host):
        raise SettingsInvalid(f"people_address: port {people.port} is the one of bind: give another")
    if ports is None:
        return
    if len(ports) < settings.lanes:
        raise SettingsInvalid(f"worker_ports: {len(ports)} of them, but each of {settings.lanes} lanes takes one")
    for name, port in (("bind", bind.port), ("people_address", people.port)):
        if port in ports:
            raise SettingsInvalid(f"worker_ports: port {port} is the one of {name}: leave it out of the range")


def _check_fields(where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in table:
        if name not in known:
            raise SettingsInvalid(f"{where}{name}: unknown field; there are {', '.join(known)}")


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name, {})
    if not isinstance(value, dict):
        raise SettingsInvalid(f"{name}: a table [{name}], not {type(value).__name__}")
    return value


def _text(table: Mapping[str, Any], name: str) -> str | None:
    value = table.get(name)
    if value is not None and (not isinstance(value, str) or not value):
        raise SettingsInvalid(f"{name}: a text in quotes")
    return value


def _whole(where: str, table: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = table.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:  # not isinstance: true is no number here
        raise SettingsInvalid(f"{where}{name}: a whole number from {low} to {high}")
    return value


def _number(table: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = table.get(name, default)
    if type(value) not in (int, float) or not math.isfinite(value) or not low <= value <= high:
        raise SettingsInvalid(f"{name}: a number from {low:g} to {high:g}")
    return float(value)


def _listening(table: Mapping[str, Any], name: str, default: Listening) -> Listening:
    text = _text(table, name)
    return default if text is None else read_listening(name, text)


def _ports(table: Mapping[str, Any], default: range | None) -> range | None:
    text = _text(table, "worker_ports")
    if text is None:
        return default
    if text == "any":
        return None
    match = _PORTS.fullmatch(text)
    if match is None or not int(match[1]) <= int(match[2]) <= 65535:
        raise SettingsInvalid(f'worker_ports {text!r}: write "first-last", ports 1 to 65535, or "any"')
    return range(int(match[1]), int(match[2]) + 1)


def _path(table: Mapping[str, Any], name: str) -> Path | None:
    text = _text(table, name)
    if text is None:
        return None
    if not text.isprintable():
        raise SettingsInvalid(f"{name}: a path in printable characters")
    return Path(text)


def _people(table: Mapping[str, Any]) -> Mapping[str, bytes]:
    people: dict[str, bytes] = {}
    for name, text in table.items():
        if not _NAME.fullmatch(name):
            raise SettingsInvalid(f"people.{name}: a name has 1 to 32 of a-z, 0-9 and, within, -")
        try:
            key = read_public_key(text if isinstance(text, str) else "")
        except KeyInvalid as error:
            raise SettingsInvalid(f"people.{name}: {error}") from None
        if key in people.values():
            raise SettingsInvalid(f"people.{name}: its key is another person's already; each has an own identity")
        people[name] = key
    return MappingProxyType(people)
