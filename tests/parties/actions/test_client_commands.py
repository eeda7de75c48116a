"""The command line of a node's people: against a node over real TLS, and which node it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from parties.cli import main
from parties.keys.fingerprints import show_public_key
from parties.setup.home import Home
from parties.wire.people_messages import JobProgress
from tests.parties.people_node import ANN, COUNTED, NODE, STRANGER, Memory, PeopleNode, people_node

LINES = [JobProgress(state="RUNNING"), JobProgress(state="RELEASED", answer=True)]
ASK = ["ask", "aggregate", "--table", "alfa.patients", "--parameters", '{"figures": ["count"], "epsilon": 1.0}']


@pytest.fixture
def node() -> Iterator[PeopleNode]:
    with people_node(Memory(lines=list(LINES))) as serving:
        yield serving


@pytest.fixture
def ann(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ann's directory, and no other."""
    for name in ("ACCORD_URL", "ACCORD_NODE"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "ann"
    monkeypatch.setenv("ACCORD_HOME", str(home))
    home.mkdir(mode=0o700)
    ANN.save(home / "identity.key")
    return home


@pytest.fixture
def at(node: PeopleNode, ann: Path, monkeypatch: pytest.MonkeyPatch) -> PeopleNode:
    """The node, as Ann's environment names it."""
    monkeypatch.setenv("ACCORD_URL", node.url)
    monkeypatch.setenv("ACCORD_NODE", show_public_key(NODE.public))
    return node


def test_ask_prints_a_table(at: PeopleNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ASK) == 0
    out, err = capsys.readouterr()
    assert "count.standard_error" in out and "40" in out and "epsilon 1, delta 0" in out
    assert err == ""


def test_ask_in_json_and_ask_again(at: PeopleNode, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    parameters = tmp_path / "parameters.json"
    parameters.write_text('{"figures": ["count"], "epsilon": 1.0}')
    ask = [*ASK[:-1], str(parameters), "--key", "mine", "--result", "bravo", "--deadline", "60"]
    assert main([*ask, "--no-wait"]) == 0
    job = capsys.readouterr().out.strip()
    assert main([*ask, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"job": job, "answer": COUNTED}
    assert main(["result", job, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"job": job, "answer": COUNTED}
    assert len(at.memory.keys) == 1
    asked = at.memory.keys["mine"][1]
    assert (asked.results, asked.deadline, asked.on_loss) == (["bravo"], 60, "abort")


def test_the_other_commands(at: PeopleNode, ann: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([*ASK, "--no-wait"])
    job = capsys.readouterr().out.strip()
    assert main(["jobs"]) == 0
    assert job in capsys.readouterr().out
    assert main(["jobs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jobs"][0]["job"] == job
    assert main(["status"]) == 0
    said = capsys.readouterr().out
    assert "member alfa of 'Banks'" in said
    assert "bravo: its log does not go on: entries 3 and 5" in said and "1970-01-01 00:01:00" in said
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lanes"] == 2
    assert main(["catalogue"]) == 0
    out, err = capsys.readouterr()
    assert "alfa.patients" in out and "bravo" in err
    assert main(["catalogue", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["members"]) == 2
    kept = json.loads((ann / "completion.json").read_text())
    assert kept["jobs"][0] == job and "alfa.patients" in kept["tables"]
    assert main(["cancel", job]) == 0
    assert "ABORTED" in capsys.readouterr().out
    assert main(["result", job]) == 3
    err = capsys.readouterr().err
    assert "accord result: JobRefused: somebody wanted it ended" in err and f"job {job}" in err


@pytest.mark.parametrize(("parameters", "status"), [("{", 2), ("[]", 5), ("{}x", 2), ("/nowhere", 5)])
def test_bad_parameters_are_named_and_nothing_is_sent(
    at: PeopleNode, capsys: pytest.CaptureFixture[str], parameters: str, status: int
) -> None:
    assert main([*ASK[:-1], parameters]) == status
    assert "accord ask: " in capsys.readouterr().err
    assert at.memory.heard == []


@pytest.mark.parametrize("job", ["x", "../status", "0" * 31, "A" * 32])
def test_what_is_no_id_is_not_sent(at: PeopleNode, capsys: pytest.CaptureFixture[str], job: str) -> None:
    assert main(["cancel", job]) == 2
    assert "JobInvalid" in capsys.readouterr().err
    assert at.memory.heard == []


def test_a_key_that_was_remembered(
    node: PeopleNode, ann: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCORD_URL", node.url)
    assert main(["status"]) == 4
    assert "NodeUnproven" in capsys.readouterr().err
    assert main(["remember", node.url, show_public_key(NODE.public)]) == 0
    shown = "".join(capsys.readouterr().out.split())
    assert NODE.fingerprint in shown
    assert main(["status"]) == 0
    assert main(["remember", node.url, show_public_key(STRANGER.public)]) == 0
    assert "is forgotten" in capsys.readouterr().out
    assert main(["status"]) == 4
    assert {person for _, person, _ in node.memory.heard} == {"ann"}


def test_this_machines_own_node(
    node: PeopleNode, ann: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "node")
    home.make()
    NODE.save(home.identity)
    home.settings.write_text(f'people_address = "*:{node.port}"\nbind = "*:1"\n')
    assert main(["status", "--home", str(home.directory)]) == 0
    assert main(["status", "--home", str(home.directory), "--identity", str(ann / "identity.key")]) == 0
    assert [person for _, person, _ in node.memory.heard] == ["node", "ann"]


def test_no_node_anywhere(ann: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 2
    err = capsys.readouterr().err
    assert "AddressInvalid" in err and "--url" in err


def test_no_identity(tmp_path: Path, ann: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--home", str(tmp_path / "nobody"), "--url", "https://127.0.0.1:1"]) == 5
    assert "IdentityMissing" in capsys.readouterr().err
