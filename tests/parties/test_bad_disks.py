"""A node on a disk that is read-only, or full, when it starts: it says so and ends. Needs a mount namespace: root's."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parties.real_nodes import ALL, made

ROOT = Path(__file__).resolve().parents[2]
READ_ONLY = "mount --bind {home} {home} && mount -o remount,ro,bind {home}"
FULL = (
    "cp -a {home} {home}.kept && mount -t tmpfs -o size=200k none {home} && cp -a {home}.kept/. {home} "
    "&& ! dd if=/dev/zero of={home}/more bs=4k 2>/dev/null"
)


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no mount namespaces for this user")
@pytest.mark.parametrize(
    ("disk", "said"),
    [(READ_ONLY, "Read-only file system; let this node's user write"), (FULL, "disk is full; make room")],
    ids=["read-only", "full"],
)
def test_a_node_that_can_keep_nothing_does_not_start(tmp_path: Path, disk: str, said: str) -> None:
    home = made(tmp_path, {}, (ALL, ALL, ALL))["alfa"].home.directory
    serve = f"exec {shlex.quote(sys.executable)} -m parties.cli serve --home {home}"
    command = ["unshare", "-m", "sh", "-c", f"{disk.format(home=home)} && {serve}"]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 5 and "StoreFailed" in done.stderr and said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
