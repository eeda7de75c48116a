"""A consortium of real nodes: homes on disk with a charter in force, a process `accord serve` for each."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parties.data.published import PublishedTable
from parties.data.tables_file import save_tables
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import sign_charter
from parties.policies.policy_store import save_policy, sign_policy
from parties.policies.policy_terms import Limits
from parties.publishing.publish_policy import policy_of
from parties.setup.home import Home
from parties.setup.listening import Listening
from parties.setup.settings import NodeSettings
from parties.setup.settings_text import write_settings
from tests.free_ports import free_ports
from tests.parties.consortium import charter, identity, member

ALL = ("compute", "input", "result")


@dataclass
class RealNode:
    """One member's home and, while it runs, its process."""

    member: Member
    identity: Identity
    home: Home
    people_port: int
    process: subprocess.Popen[bytes] | None = None
    log: Any = None

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.people_port}"

    def start(self) -> None:
        self.log = (self.home.directory.parent / f"{self.member.name}.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "parties.cli", "serve", "--home", str(self.home.directory)],
            stdout=self.log,
            stderr=self.log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )

    def signal(self, number: int) -> float:
        assert self.process is not None
        self.process.send_signal(number)
        return time.monotonic()

    def stop(self, patience: float = 10.0) -> int | None:
        """In good order; its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        status, self.process = self.process.returncode, None
        self.log.close()
        return status

    def text(self) -> str:
        return (self.home.directory.parent / f"{self.member.name}.log").read_text()


@dataclass
class RealConsortium:
    nodes: dict[str, RealNode]
    charter: Charter
    options: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> RealNode:
        return self.nodes[name]


def made(
    directory: Path,
    tables: Mapping[str, Sequence[PublishedTable]],
    roles: Sequence[Sequence[str]] = (ALL, ALL, ALL),
    people: Mapping[str, bytes] | None = None,
    **settings: Any,
) -> RealConsortium:
    """Homes with a charter in force; nothing runs yet."""
    where = free_ports(2 * len(roles))
    members = [member(i, *r, address=f"127.0.0.1:{where[2 * i]}") for i, r in enumerate(roles)]
    agreed = charter(*members)
    nodes = {}
    for i, one in enumerate(members):
        home = Home(directory / one.name)
        home.make()
        identity(i).save(home.identity)
        store = CharterStore(home)
        store.propose(agreed)
        store.sign(agreed.digest, identity(i))
        for j in range(len(members)):
            if j != i:
                store.merge(sign_charter(agreed, identity(j)))
        store.adopt()
        own = NodeSettings(
            Listening("127.0.0.1", where[2 * i]),
            Listening("127.0.0.1", where[2 * i + 1]),
            None,
            people=people or {},
            **settings,
        )
        home.settings.write_text(write_settings(own))
        save_tables(home.directory, {table.name: table for table in tables.get(one.name, ())})
        for table in tables.get(one.name, ()):
            policy = policy_of(table, Limits(query=table.epsilon_a_job, delta=0.01), exact_matches=True)
            save_policy(home.directory, sign_policy(policy, identity(i)))
        nodes[one.name] = RealNode(one, identity(i), home, where[2 * i + 1])
    return RealConsortium(nodes, agreed)


@contextlib.contextmanager
def running(consortium: RealConsortium) -> Iterator[RealConsortium]:
    try:
        for node in consortium.nodes.values():
            node.start()
        yield consortium
    finally:
        for node in consortium.nodes.values():
            if node.process is not None and node.process.poll() is None:
                node.process.terminate()
        for node in consortium.nodes.values():
            node.stop()
