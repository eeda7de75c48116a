"""node.toml as a node's operator finds it: every field, what it means, and what holds if it is not said."""

from __future__ import annotations

from pathlib import Path

from parties.keys.fingerprints import show_public_key
from parties.setup.settings import PORT, NodeSettings, default_settings

__all__ = ["write_settings"]

_MEANING = {
    "bind": "Where it listens to the other members; *: every address this machine has.",
    "people_address": "Where it listens to its own people.",
    "worker_ports": 'Where its workers listen to those of the other members: "first-last", or "any" for free ports.',
    "lanes": "How many jobs run at the same time.",
    "heartbeat": "Seconds between two signs of life.",
    "silence": "Seconds without one after which a peer counts as stopped.",
    "start_deadline": "Seconds in which workers must have started and found each other.",
    "rtt": "Milliseconds each message between workers is held back; for measuring.",
    "identity": "Where the key is, if an orchestrator mounts it.",
    "passphrase_file": "A file whose one line opens the key.",
}
_LIMITS = {
    "jobs": "Jobs that are not over.",
    "dealt_bytes": "Bytes of shares that other members dealt.",
    "memory": "Bytes of memory one worker may take; without it, what there is.",
    "answer_days": "Days until shares and answers of jobs that are over are deleted; without it, never.",
}


def write_settings(settings: NodeSettings, port: int = PORT) -> str:
    """A TOML text that read_settings(text, port) reads back to equal settings. Defaults stand in it as comments."""
    default = default_settings(port)
    lines = ["# This node's own settings; no other member sees them. A line that begins with # says the default."]
    for name, meaning in _MEANING.items():
        lines += _state(name, meaning, getattr(settings, name), getattr(default, name))
    lines += ["", "[limits]"]
    for name, meaning in _LIMITS.items():
        lines += _state(name, meaning, getattr(settings, f"most_{name}"), getattr(default, f"most_{name}"))
    lines += ["", "# Who may talk to this node as its own, by the key `accord fingerprint` prints for them."]
    lines += ["[people]", '# ann = "ed25519:..."']
    lines += [f'{name} = "{show_public_key(key)}"' for name, key in settings.people.items()]
    return "\n".join(lines) + "\n"


def _state(name: str, meaning: str, value: object, default: object) -> list[str]:
    return ["", f"# {meaning}", f"{'# ' if value == default else ''}{name} = {_value(name, value)}"]


def _value(name: str, value: object) -> str:
    if name == "worker_ports":
        return f'"{value.start}-{value.stop - 1}"' if isinstance(value, range) else '"any"'
    if value is None:
        return "..."
    if isinstance(value, int | float):
        return repr(value)
    text = str(value.as_posix() if isinstance(value, Path) else value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
