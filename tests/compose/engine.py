"""A Docker engine, if one answers, and one consortium of docker-compose.yml on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(*words: str, check: bool = True, text: str | None = None) -> str:
    """A command's standard output; its errors are in the exception's text."""
    done = subprocess.run(words, check=False, cwd=ROOT, input=text, capture_output=True, text=True, env=os.environ)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def engine_answers() -> bool:
    try:
        return subprocess.run(["docker", "version"], check=False, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def compose() -> list[str] | None:
    """The command: the engine's plugin, or the program before it; None if there is neither."""
    if subprocess.run(["docker", "compose", "version"], check=False, capture_output=True).returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else None


@dataclass
class Composed:
    """One profile, as a project of its own.

    Attributes:
        members: services that are nodes, the founder first.
        seconds: from `up` until all of them were healthy.
    """

    command: list[str]
    profile: str
    members: Sequence[str]
    seconds: float = field(default=0.0)

    @property
    def project(self) -> str:
        return f"accord-test-{self.profile}-{os.getpid()}"

    def words(self, *words: str) -> list[str]:
        return [*self.command, "--project-name", self.project, "--profile", self.profile, *words]

    def up(self, patience: float) -> None:
        begin = time.monotonic()
        run(*self.words("up", "--detach"))
        while (states := {name: self.health(name) for name in self.members}) != dict.fromkeys(self.members, "healthy"):
            if time.monotonic() - begin > patience or "exited" in states.values():
                raise AssertionError(f"not healthy: {states}\n{run(*self.words('logs', '--tail', '40'), check=False)}")
            time.sleep(1)
        self.seconds = time.monotonic() - begin

    def down(self) -> None:
        run(*self.words("down", "--volumes", "--remove-orphans", "--timeout", "10"), check=False)

    def container(self, service: str) -> str:
        return run(*self.words("ps", "--quiet", service)).strip()

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("docker", "inspect", self.container(service)))[0]
        return found

    def health(self, service: str) -> str:
        state = self.inspect(service)["State"]
        return str(state["Health"]["Status"]) if state["Running"] else "exited"

    def analyst(self, *words: str) -> list[str]:
        """A command in the analyst's container, or what it does by itself."""
        return self.words("run", "--rm", "-T", f"analyst-{self.profile}", *words)

    def program(self, text: str, **popen: Any) -> subprocess.Popen[str]:
        """A Python program in the analyst's container, which goes on while the test does something else."""
        words = self.analyst("python", "-c", text)
        return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **popen)

    def cut(self, service: str) -> None:
        """Out of the members' network; its people's stays."""
        run("docker", "network", "disconnect", f"{self.project}_{self.profile}", self.container(service))

    def mend(self, service: str) -> None:
        network = f"{self.project}_{self.profile}"
        run("docker", "network", "connect", "--alias", service, network, self.container(service))
