"""Both OpenAPI documents under schemathesis (documents.py), in a process of its own.

schemathesis keeps an event loop in a thread for as long as its process lives; tests of when a party is idle look at all
threads of theirs.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.scripts import ROOT


def judged(*options: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "tests/fuzz/documents.py",
        *options,
    ]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]


def test_the_interfaces_keep_what_their_documents_say() -> None:
    judged("-m", "not slow")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_at_length() -> None:
    judged("-m", "slow")
