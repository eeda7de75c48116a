"""`accord doctor`: what it finds on a machine, in a node's files, at its ports and at its peers."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
import trio
from rich.console import Console

from mpc.certificates import Credentials
from parties.actions.doctor_command import diagnose, show_findings
from parties.cli import main
from parties.keys.leaf import contexts, issue, utc_now
from parties.membership.charter import Charter
from parties.membership.charter_store import CharterStore
from parties.node.doctor import Finding, Machine, Patient, examine, local_findings
from parties.node.doctor_peers import peer_findings, port_findings
from parties.setup.home import Home
from parties.setup.listening import Listening
from parties.setup.settings import read_settings
from tests.parties.consortium import charter, identity, member, signed

GIB = 1 << 30
HEALTHY = Machine(
    python=(3, 12),
    pins=lambda: ["numpy==2.4.6", 'duckdb[x]==1 ; extra == "dev"'],
    version=lambda name: "2.4.6",
    free=lambda path: 100 * GIB,
    memory=lambda: 8 * GIB,
    processors=lambda: 4,
    now=lambda: datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC),
)


def node(directory: Path, in_force: Charter | None = None, me: int = 0) -> Home:
    home = Home(directory / "node")
    home.make()
    identity(me).save(home.identity)
    if in_force is not None:
        store = CharterStore(home)
        store.propose(in_force)
        store.merge(signed(in_force, *range(len(in_force.members))))
        store.adopt()
    return home


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


def test_a_healthy_node(tmp_path: Path) -> None:
    findings, patient = local_findings(HEALTHY, node(tmp_path, charter()))
    assert {finding.verdict for finding in findings} == {"good"}
    assert [f.found for f in of(findings, "charter")] == ["version 1 of 'Banks'; this is alfa: compute, input, result"]
    assert patient.me == member(0)
    assert patient.charter == charter()
    assert patient.settings == read_settings("", 7600)
    assert not list(patient.home.directory.glob(".doctor*"))


def _missing(name: str) -> str:
    raise metadata.PackageNotFoundError(name)


@pytest.mark.parametrize(("check", "verdict", "says", "changes"), [
    ("Python", "bad", "3.10", {"python": (3, 10)}),
    ("packages", "warning", "numpy 2.4.5, tested is 2.4.6", {"version": lambda name: "2.4.5"}),
    ("packages", "bad", "numpy is missing", {"version": _missing}),
    ("packages", "warning", "not installed", {"pins": lambda: _missing("accord")}),
    ("processors", "warning", "1", {"processors": lambda: 1}),
    ("memory", "warning", "1.0 GiB", {"memory": lambda: GIB}),
    ("disk", "bad", "0.5 GiB free", {"free": lambda path: GIB // 2}),
    ("disk", "warning", "2.0 GiB free", {"free": lambda path: 2 * GIB}),
    ("clock", "bad", "1970-01-01", {"now": lambda: datetime.datetime.fromtimestamp(0, datetime.UTC)}),
])  # fmt: skip
def test_what_a_machine_lacks(
    tmp_path: Path, check: str, verdict: str, says: str, changes: dict[str, Callable[..., object]]
) -> None:
    findings, _ = local_findings(replace(HEALTHY, **changes), node(tmp_path, charter()))  # type: ignore[arg-type]
    worst = [finding for finding in findings if finding.verdict != "good"]
    assert [(one.check, one.verdict) for one in worst] == [(check, verdict)]
    assert says in worst[0].found
    assert worst[0].way_out


def test_a_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = node(tmp_path, charter())

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "fsync", fail)
    findings, _ = local_findings(HEALTHY, home)
    assert ["Read-only" in finding.found for finding in of(findings, "disk")] == [False, True]


def test_what_is_wrong_with_a_nodes_files(tmp_path: Path) -> None:
    def verdicts(home: Home) -> dict[str, str]:
        return {finding.check: f"{finding.verdict} {finding.found}" for finding in examine(home)[0]}

    assert "bad FileMissing" in verdicts(Home(tmp_path / "none"))["directory"]
    home = node(tmp_path)
    assert "bad CharterMissing" in verdicts(home)["charter"]
    home.identity.chmod(0o644)
    assert "bad FileExposed" in verdicts(home)["identity"]
    home.identity.unlink()
    assert "bad IdentityMissing" in verdicts(home)["identity"]
    home.settings.write_text("x = 1")
    assert "bad SettingsInvalid" in verdicts(home)["settings"]
    home.directory.chmod(0o777)
    assert "bad FileExposed" in verdicts(home)["directory"]


def test_what_is_wrong_with_a_charter(tmp_path: Path) -> None:
    stranger = node(tmp_path / "a", charter(), me=7)
    assert "does not name this node's key" in of(examine(stranger)[0], "charter")[0].found
    home = node(tmp_path / "b", charter())
    following = charter(*(member(i) for i in range(4)), before=charter())
    CharterStore(home).propose(following)
    waiting = of(examine(home)[0], "charter")[1]
    assert (waiting.verdict, waiting.way_out) == ("warning", f"accord charter sign {following.digest[:16]}")
    (home.charter / "0001.toml").write_text("x")
    assert "CharterDamaged" in of(examine(home)[0], "charter")[0].found


def test_an_encrypted_key_needs_no_passphrase_to_be_looked_at(tmp_path: Path) -> None:
    home = Home(tmp_path / "node")
    home.make()
    identity(0).save(home.identity, b"correct horse battery staple")
    assert of(examine(home)[0], "identity")[0].verdict == "good"


# -- the network -------------------------------------------------------------------------------


@asynccontextmanager
async def answering(credentials: Credentials, callers: list[bytes], reply: bytes | None) -> AsyncIterator[int]:
    """A member's daemon, as far as the doctor sees it. None: it closes every connection after the handshake."""
    tls, _ = contexts(credentials, callers)

    async def answer(stream: trio.SocketStream) -> None:
        secure = trio.SSLStream(stream, tls, server_side=True)
        try:
            await secure.do_handshake()
            if reply is not None:
                await secure.receive_some(4096)
                await secure.send_all(reply)
        except trio.BrokenResourceError:
            pass
        finally:
            await trio.aclose_forcefully(secure)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, answer, listeners)
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()


def http(seconds: float = 0.0, header: str = "date") -> bytes:
    date = utc_now() + datetime.timedelta(seconds=seconds)
    return f"HTTP/1.1 404 \r\n{header}: {date:%a, %d %b %Y %H:%M:%S} GMT\r\n\r\n".encode()


def peer(shown: int, reply: bytes | None, caller: int = 0) -> Finding:
    """What member 0 finds at member 1's address, where ``shown`` answers and lets ``caller`` in."""

    async def go() -> Finding:
        callers = [identity(caller).public]
        async with answering(issue(identity(shown)), callers, reply) as port:
            there = member(1, address=f"127.0.0.1:{port}")
            in_force = charter(member(0), there, member(2, address="127.0.0.1:1"), member(3, "input", address=None))
            patient = Patient(Home("unused"), None, identity(0).public, in_force, member(0))
            findings = await peer_findings(patient, identity(0), Machine())
        assert [f.found.split(" ")[0] for f in findings] == ["bravo", "charlie", "delta"]
        assert (findings[1].verdict, findings[2].verdict) == ("warning", "good")
        assert "nobody answers" in findings[1].found
        return findings[0]

    return trio.run(go)


@pytest.mark.parametrize(("shown", "reply", "caller", "verdict", "says"), [
    (1, http, 0, "good", "itself, in"),
    (1, lambda: http(header="DATE"), 0, "good", "clocks agree"),
    (1, lambda: http(3600), 0, "warning", "s apart"),
    (1, lambda: http(-3 * 86400), 0, "bad", "s apart"),
    (1, lambda: http(header="server"), 0, "warning", "does not answer"),
    (1, lambda: b"HTTP/1.1 200\r\ndate: x\r\n\r\n", 0, "warning", "does not answer"),
    (1, lambda: b"HTTP/1.1 200\r\ndate: 99999999999999999999\r\n\r\n", 0, "warning", "does not answer"),
    (1, lambda: b"x" * 100_000, 0, "warning", "does not answer"),
    (1, lambda: None, 0, "warning", "does not answer"),
    (1, http, 5, "warning", "does not answer"),
    (2, http, 0, "bad", "another answers"),
    (9, http, 0, "bad", "another answers"),
])  # fmt: skip
def test_a_peer(shown: int, reply: Callable[[], bytes | None], caller: int, verdict: str, says: str) -> None:
    finding = peer(shown, reply(), caller)
    assert (finding.verdict, says in finding.found) == (verdict, True), finding


def test_peers_are_not_called_without_the_key_or_a_charter() -> None:
    async def go() -> tuple[list[Finding], list[Finding]]:
        patient = Patient(Home("unused"), None, identity(0).public, charter(), member(0))
        return (
            await peer_findings(patient, None, HEALTHY),
            await peer_findings(replace(patient, charter=None), identity(0), HEALTHY),
        )

    encrypted, none = trio.run(go)
    assert ["encrypted" in finding.found for finding in encrypted] == [True]
    assert none == []


def test_ports_are_free_taken_or_this_nodes_own() -> None:
    async def ports(shown: int, *, workers: str = "any") -> list[Finding]:
        async with answering(issue(identity(shown)), [identity(1).public], None) as port:
            text = f'bind = "127.0.0.1:{port}"\npeople_address = "127.0.0.1:0{port}"'.replace(":0", ":")
            settings = replace(
                read_settings(text.splitlines()[0]),
                people_address=Listening("127.0.0.1", port),
                worker_ports=None if workers == "any" else range(port, port + 1),
            )
            patient = Patient(Home("unused"), settings, identity(0).public, charter(), member(0))
            return await port_findings(patient, identity(0))

    ours = trio.run(lambda: ports(0))
    assert [(f.verdict, "own" in f.found or "daemon" in f.found) for f in ours] == [("good", True)] * 2
    others = trio.run(lambda: ports(9))
    assert [f.verdict for f in others] == ["bad", "bad"]
    assert "taken" in others[0].found
    assert trio.run(lambda: ports(9, workers="one"))[2].verdict == "bad"

    async def free() -> list[Finding]:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = int(listeners[0].socket.getsockname()[1])
        await listeners[0].aclose()
        settings = replace(read_settings(f'bind = "127.0.0.1:{port}"\nworker_ports = "any"'))
        patient = Patient(Home("unused"), replace(settings, people_address=settings.bind))
        return await port_findings(patient, None)

    assert [f.verdict for f in trio.run(free)] == ["good", "good"]
    assert trio.run(lambda: port_findings(Patient(Home("unused")), None)) == []


# -- the command -------------------------------------------------------------------------------


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--home", str(tmp_path / "none")]) == 1
    assert "accord join" in " ".join(capsys.readouterr().out.split())
    home = node(tmp_path)
    assert main(["doctor", "--json", "--home", str(home.directory)]) == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {"check", "verdict", "found", "way_out"} == set(findings[0])
    assert any(one["check"] == "charter" and one["verdict"] == "bad" for one in findings)


def test_the_exit_status_says_whether_something_is_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, warning = Finding("a", "good", "[x]"), Finding("b", "warning", "y", "do [z]")
    assert show_findings([good], Console()) == 0
    assert show_findings([good, warning], Console()) == 0
    assert show_findings([good, warning, Finding("c", "bad", "w", "v")], Console()) == 1
    said = capsys.readouterr().out
    assert "all good" in said
    assert "do [z]" in said
    assert "1 bad, 1 to look at" in said


def test_it_changes_nothing(tmp_path: Path) -> None:
    home = node(tmp_path, charter())
    before = {path: path.read_bytes() for path in home.directory.rglob("*") if path.is_file()}
    diagnose(home, machine=HEALTHY)
    assert {path: path.read_bytes() for path in home.directory.rglob("*") if path.is_file()} == before
