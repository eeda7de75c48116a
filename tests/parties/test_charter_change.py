"""A charter changes under nodes that run: who computed deals from then on, who dealt computes; no process ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parties.membership.charter_store import CharterStore
from parties.membership.signatures import sign_charter
from tests.parties.consortium import charter, identity
from tests.parties.real_jobs import MEMBERS, eventually, everybody, released
from tests.parties.real_nodes import RealConsortium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def changed(consortium: RealConsortium) -> None:
    """Charlie and delta change places, by all signatures; put in force at alfa's alone, as `accord charter` does."""
    roles = {"charlie": consortium["delta"].member.roles, "delta": consortium["charlie"].member.roles}
    members = [replace(one, roles=roles.get(one.name, one.roles)) for one in consortium.charter.members]
    agreed = charter(*members, before=consortium.charter)
    store = CharterStore(consortium["alfa"].home)
    store.propose(agreed)
    store.sign(agreed.digest, identity(0))
    for i in range(1, len(MEMBERS)):
        store.merge(sign_charter(agreed, identity(i)))
    store.adopt()


def test_members_change_places_while_their_nodes_run(tmp_path: Path) -> None:
    with everybody(tmp_path, lanes=1, silence=2.0) as nodes:
        consortium = nodes.consortium
        released(nodes, "delta", 60)
        processes = {name: consortium[name].process for name in MEMBERS}
        changed(consortium)

        def all_go_by_it() -> bool:
            found = [nodes[name].get("/v1/status") for name in MEMBERS]
            lanes = {name: status and status["lanes"] for name, status in zip(MEMBERS, found, strict=True)}
            return all(status and status["version"] == 2 for status in found) and lanes["delta"] == lanes["alfa"] == 1

        eventually(all_go_by_it, 120, "version 2 is in force and the lane is made", nodes.logs)
        for who in ("charlie", "delta"):
            released(nodes, who, 60)
        for name, process in processes.items():
            assert process is not None and process.poll() is None, (name, consortium[name].text())
