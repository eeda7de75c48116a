"""What examples leave running."""

from __future__ import annotations

from pathlib import Path

__all__ = ["running_in"]


def running_in(directory: Path) -> list[str]:
    """Command lines of commands and nodes of an example that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "examples.guarded" in line and str(directory) in line:
            found.append(line)
    return found
