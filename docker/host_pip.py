"""How this machine's pip reaches its index, for the build of the images: docker/pip.conf and docker/ca.crt.

    python3 docker/host_pip.py

Git ignores both files. Only the stages that build get them, none that is kept. Where pip has no settings of its own,
none are written.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TAKEN = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
INSIDE = "/build/ca.crt"


def stated() -> dict[str, str]:
    """What ``pip config list`` says, from its files and from the environment, which goes before them."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    said: dict[str, str] = {}
    for line in sorted(lines, key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        said[name.rpartition(".")[2]] = str(ast.literal_eval(value))
    if "default-timeout" in said:
        said["timeout"] = said["default-timeout"]
    return said


def write(said: dict[str, str], directory: Path) -> list[str]:
    """The two files, or no longer the two files. Gives the names of the settings written."""
    settings = {name: said[name] for name in TAKEN if name in said}
    configuration, authorities = directory / "pip.conf", directory / "ca.crt"
    configuration.unlink(missing_ok=True)
    authorities.unlink(missing_ok=True)
    if "cert" in said:
        shutil.copyfile(said["cert"], authorities)
        settings["cert"] = INSIDE
    if settings:
        configuration.touch(mode=0o600)  # an index may be given with a password
        text = "".join(f"{name} = {' '.join(value.split())}\n" for name, value in settings.items())
        configuration.write_text(f"[global]\n{text}")
    return list(settings)


if __name__ == "__main__":
    print(f"pip's settings for the build: {', '.join(write(stated(), HERE)) or 'none'}")
