"""A member's container: found the consortium or join it, publish the table, then become `accord serve`.

    python member.py banks|hospitals NAME

It does what a person would type, with the same commands. Every member makes its own key in its own volume, and no other
container ever has it. What people would tell each other goes by volumes that two containers share: the founder's codes
(/invitations/1 to 3 at the founder, /invitation at the member that is meant), and the public keys of a node and its
analyst (/desk). After a restart it goes on where it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from pathlib import Path

from plans import PLANS, Plan

from parties.beginning.founding import founded_here
from parties.cli import main as accord
from parties.errors import FileUnusable
from parties.keys.fingerprints import show_public_key
from parties.membership.charter_store import CharterStore
from parties.setup.home import Home
from parties.setup.new_node import own_identity

ROLES = "compute,input,result"
PATIENCE = 300.0  # seconds for another container to begin


def run(*words: str) -> str:
    """One command of ``accord``; what it printed. Ends this program if it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = accord(words)
    if status != 0:
        print(said.getvalue())
        sys.exit(status)
    return said.getvalue()


def told(path: Path) -> str:
    """What another container wrote there, as soon as it has."""
    end = time.monotonic() + PATIENCE
    while not path.exists():
        if time.monotonic() > end:
            raise FileUnusable(f"{path} did not come within {PATIENCE:g} s: does the other container run?")
        time.sleep(0.2)
    return path.read_text()


def tell(path: Path, text: str) -> None:
    """Write it whole."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text)
    os.replace(beside, path)


def settle_in(home: Home, has_analyst: bool) -> None:
    """The node's own settings, and whose questions it answers."""
    identity = own_identity(home, None)
    if not has_analyst:
        return
    tell(Path("/desk/node.pub"), show_public_key(identity.public))
    if not home.settings.exists():
        analyst = told(Path("/desk/analyst.pub"))
        home.settings.write_text(f'people_address = "*:8600"\n\n[people]\nanalyst = "{analyst}"\n')


def found(plan: Plan, home: Home) -> None:
    """Found the consortium, invite the others, wait until all have signed."""
    founder, *others = plan.members
    if not founded_here(home):
        run("found", plan.title, "--name", founder, "--address", f"{founder}:7600")
    for i, name in enumerate(others, start=1):
        code = Path(f"/invitations/{i}/code")
        if not code.exists():
            roles = ROLES if i < len(others) else "input"
            said = run("invite", name, "--address", f"{name}:7600", "--roles", roles)
            tell(code, next(line for line in said.splitlines() if line and " " not in line))
    print(run("invite", "--wait", "--yes"), flush=True)


def join() -> None:
    """Come in with the code that is meant for this member."""
    code = told(Path("/invitation/code"))
    print(run("join", code, "--yes", "--no-doctor", "--patience", f"{PATIENCE:g}"), flush=True)


def main(which: str, name: str) -> None:
    plan, home = PLANS[which], Home()
    founder = name == plan.members[0]
    settle_in(home, founder)
    if not CharterStore(home).chain:
        if founder:
            found(plan, home)
        else:
            join()
    if not home.tables.exists():
        file = Path("/table") / f"{plan.table}.csv"
        told(file)
        print(run(*plan.publish(str(file))).splitlines()[-1], flush=True)
    os.execvp("accord", ["accord", "serve"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
