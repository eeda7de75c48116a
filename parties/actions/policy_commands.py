"""``accord policy`` and ``accord approve``: what an owner allows, signed; and what a person has to look at.

What is typed is in commands/policy.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parties.data.description import digest_of
from parties.data.published import PublishedTable
from parties.data.tables_file import load_tables
from parties.disk.private_files import read_public
from parties.errors import PolicyInvalid, TableInvalid
from parties.keys.identity import Identity
from parties.policies.policy_store import load_policy, save_policy, sign_policy
from parties.policies.policy_text import check_fits, policy_toml, read_toml
from parties.setup.home import Home
from parties.terminal.command_options import WhichNode
from parties.terminal.command_output import Output
from parties.terminal.node_at import open_client

__all__ = ["approve", "set_policy", "show_policies"]


def show_policies(home: Home, identity: Identity, table: str | None, output: Output) -> None:
    """As TOML, of one table or all. Raises TableInvalid, PolicyInvalid, FileUnusable."""
    tables, key = _tables(home, table), identity.public
    found: list[dict[str, Any]] = []
    for name, published in tables.items():
        signed = load_policy(home.directory, name, key)
        content = None if signed is None else json.loads(signed.content)
        found.append({"table": name, "digest": None if signed is None else signed.digest, "policy": content})
        if output.json:
            continue
        if signed is None:
            output.say(f"# {name} has no policy: nothing may be done with it")
            continue
        if signed.policy.published != digest_of(published):
            output.say(f"# {name} was published anew since: nothing may be done with it until it is signed (--renew)")
        output.say(policy_toml(signed.policy))
    output.result(found)


def set_policy(home: Home, identity: Identity, table: str | None, file: Path | None, output: Output) -> None:
    """Sign what a file says, or without one what is in force, for the table as it is published now.

    Raises TableInvalid, PolicyInvalid, FileUnusable.
    """
    if table is None:
        raise TableInvalid("name the table whose policy is to be signed")
    published = _tables(home, table)[table]
    if file is not None:
        text = read_public(file)
    else:
        signed = load_policy(home.directory, table, identity.public)
        if signed is None:
            raise PolicyInvalid(f"table {table}: it has no policy to renew; give one by --set FILE")
        text = policy_toml(signed.policy).encode()
    policy = read_toml(text, digest_of(published))
    if policy.table != table:
        raise PolicyInvalid(f"the policy in the file is for table {policy.table}, not {table}")
    check_fits(policy, published)
    signed = sign_policy(policy, identity)
    path = save_policy(home.directory, signed)
    output.result([{"table": table, "digest": signed.digest, "policy": json.loads(signed.content)}])
    if not output.json:
        output.say(f"policy {signed.digest[:16]}... of {table} is in force: {path}")


def approve(which: WhichNode, job: str | None, approved: bool, output: Output) -> None:
    """Let a job go on or deny it; without one, show those that wait."""
    with open_client(which) as client:
        if job is not None:
            view = client.approve(job, approved)
            output.result(view.model_dump_json(indent=1))
            if not output.json:
                output.say(f"job {view.job}: {'approved' if approved else 'denied'}")
            return
        waiting = client.approvals()
    output.result(waiting.model_dump_json(indent=1))
    if output.json:
        return
    if not waiting.waiting:
        output.say("no job waits for a person here")
    from parties.terminal.show_waiting import show_waiting

    for one in waiting.waiting:
        show_waiting(output.console(), one)


def _tables(home: Home, table: str | None) -> dict[str, PublishedTable]:
    tables = load_tables(home.directory)
    if table is None:
        return tables
    if table not in tables:
        raise TableInvalid(f"table {table!r}: not published here; there are {', '.join(tables) or 'none'}")
    return {table: tables[table]}
