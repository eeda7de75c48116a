"""``accord receipt`` and ``accord verify``: exit statuses, what is printed, and that verifying needs nobody."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parties.cli import main
from parties.keys.fingerprints import show_fingerprint, show_public_key
from parties.proof.receipt import read_receipt, write_receipt
from parties.setup.software import software_digest
from parties.terminal.exit_status import ExitStatus
from parties.wire.people_messages import JobProgress
from tests.parties.consortium import identity
from tests.parties.people_node import ANN, NODE, Memory, PeopleNode, people_node
from tests.parties.receipts import MEMBERS, made, rewritten
from tests.parties.world import CHARTER

ALFA = identity(0)


@pytest.fixture
def receipt(tmp_path: Path) -> Path:
    file = tmp_path / "receipt.json"
    file.write_bytes(made("query").alfa)
    return file


@pytest.fixture
def forged(tmp_path: Path) -> Path:
    """Bravo's acceptance is another one's."""
    document = json.loads(made("query").alfa)
    document["acceptances"]["bravo"] = document["acceptances"]["alfa"]
    file = tmp_path / "forged.json"
    file.write_bytes(rewritten(document))
    return file


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["verify", *words, "--json"]) == status
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_good_one_is_shown_with_whose_keys_it_stands_on(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(receipt)]) == ExitStatus.GOOD
    out, err = capsys.readouterr()
    assert err == "" and "NOT OK" not in out
    for part in (
        made("query").job.parameters["sql"], "ann of delta", "research", "DiscreteLaplace", "epsilon", "alfa.stays",
        made("query").job.id, CHARTER.digest, "genuine", "compare", '"columns": ["ward", "n", "mean"]',
    ):  # fmt: skip
        assert part in out
    for i in MEMBERS.values():
        assert show_fingerprint(identity(i).fingerprint).splitlines()[3] in out


def test_json(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(capsys, str(receipt))
    assert set(found) == {"verdict", "checks", "charter", "facts", "answer"} and found["verdict"] == "good"
    assert {one["verdict"] for one in found["checks"]} == {"good"}
    assert found["answer"] == json.loads(made("query").answer)
    assert found["charter"]["digest"] == CHARTER.digest
    keys = found["charter"]["keys"]
    assert keys[0] == {
        "member": "alfa", "fingerprint": ALFA.fingerprint, "public_key": show_public_key(ALFA.public)
    }  # fmt: skip
    assert found["facts"]["epsilon"] == 8.0 and found["facts"]["parameters"]["minimum"] == 2


def test_one_that_is_not_genuine(forged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(forged)]) == ExitStatus.NOT_GENUINE
    out = capsys.readouterr().out
    assert "NOT OK" in out and "NOT GENUINE" in out and "bravo" in out
    assert made("query").job.parameters["sql"] not in out, "nothing of it is told as if it were so"
    found = said(capsys, str(forged), status=7)
    assert (found["verdict"], found["facts"], found["answer"]) == ("false", None, None)


def test_a_result(receipt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer = tmp_path / "answer.json"
    answer.write_bytes(made("query").answer)
    assert said(capsys, str(receipt), "--result", str(answer))["checks"][-1]["check"] == "result"
    answer.write_bytes(made("aggregate").answer)
    assert said(capsys, str(receipt), "--result", str(answer), status=7)["checks"][-1]["verdict"] == "false"
    assert main(["verify", str(receipt), "--result", str(tmp_path / "none")]) == ExitStatus.FILE_FAULT
    receipt.write_bytes(made("query").without)
    assert said(capsys, str(receipt), "--result", str(answer), status=1)["verdict"] == "unsure"


def test_pins(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = show_fingerprint(ALFA.fingerprint)
    for good in (
        ("--charter-digest", CHARTER.digest), ("--member", ALFA.fingerprint), ("--member", shown),
        ("--member", show_public_key(ALFA.public), "--member", identity(3).fingerprint),
    ):  # fmt: skip
        assert main(["verify", str(receipt), *good]) == ExitStatus.GOOD
        assert "compare" not in capsys.readouterr().out
    stranger = show_public_key(identity(5).public)
    for bad in (("--charter-digest", "0" * 64), ("--member", stranger)):
        assert main(["verify", str(receipt), *bad]) == ExitStatus.NOT_GENUINE
    capsys.readouterr()
    for odd in (("--charter-digest", "0" * 63), ("--member", ALFA.fingerprint[:16]), ("--member", "ed25519:00")):
        assert main(["verify", str(receipt), *odd]) == ExitStatus.WRONG_USAGE
        assert "KeyInvalid" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\x00", b'{"format": "accord receipt 1"}'])
def test_what_is_no_receipt_is_a_file_to_be_put_right(
    content: bytes, receipt: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt.write_bytes(content)
    assert main(["verify", str(receipt)]) == ExitStatus.FILE_FAULT
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("accord verify: ReceiptUnreadable: ") and err.count("\n") == 1


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none")]) == ExitStatus.FILE_FAULT
    assert "FileMissing" in capsys.readouterr().err
    assert main(["verify", str(tmp_path)]) == ExitStatus.FILE_FAULT
    assert "FileUnusable" in capsys.readouterr().err
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(1 << 30)
    assert main(["verify", str(large)]) == ExitStatus.FILE_FAULT


def test_what_others_wrote_moves_no_cursor(receipt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = read_receipt(receipt.read_bytes())
    receipt.write_bytes(write_receipt(dataclasses.replace(whole, job=b'{"\x1b[2J[bold]')))
    assert main(["verify", str(receipt)]) == ExitStatus.NOT_GENUINE
    assert "\x1b" not in capsys.readouterr().out


_ALONE = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen"):
        raise RuntimeError(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        if not str(arguments[0]).endswith((".pyc", ".nbi", ".nbc")) and "__pycache__" not in str(arguments[0]):
            raise RuntimeError(f"opens {arguments[0]} to write")
sys.addaudithook(watch)
from parties.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The command, in a process that can reach nobody and write nothing."""


def test_it_needs_no_node_no_network_and_no_home(receipt: Path, forged: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    for file, status in ((receipt, 0), (forged, 7)):
        done = subprocess.run(
            [sys.executable, "-c", _ALONE, "verify", str(file), "--json"], env=environment, cwd=home,
            capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr.decode()
        assert json.loads(done.stdout)["verdict"] == ("false" if status else "good")
        assert done.stderr == b"" and list(home.iterdir()) == []


# -- getting one -----------------------------------------------------------------------------------------


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PeopleNode]:
    """One that has an answer and a receipt of every job, as Ann's environment names it."""
    home = tmp_path / "ann"
    home.mkdir(mode=0o700)
    ANN.save(home / "identity.key")
    with people_node(Memory(lines=[JobProgress(state="RELEASED", answer=True)], proof=made().alfa)) as serving:
        monkeypatch.setenv("ACCORD_HOME", str(home))
        monkeypatch.setenv("ACCORD_URL", serving.url)
        monkeypatch.setenv("ACCORD_NODE", show_public_key(NODE.public))
        yield serving


ASK = ["ask", "aggregate", "--table", "alfa.patients", "--parameters", '{"figures": ["count"], "epsilon": 1.0}']


@pytest.fixture
def job(node: PeopleNode, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*ASK, "--no-wait"]) == 0
    return capsys.readouterr().out.strip()


def test_a_receipt_is_printed_as_it_is(job: str, node: PeopleNode, capsys: pytest.CaptureFixture[str]) -> None:
    for more in ([], ["--json"]):
        assert main(["receipt", job, *more]) == 0
        assert capsys.readouterr().out.encode() == made().alfa, "to the byte, also through a pipe"
    assert main(["receipt", job, "--without-result"]) == 0
    assert [body for what, _, body in node.memory.heard if what == "receipt"] == [
        (job, False), (job, False), (job, True)
    ]  # fmt: skip


def test_a_receipt_goes_into_a_file_for_this_user(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "receipt.json"
    assert main(["receipt", job, "-o", str(file)]) == 0
    out = capsys.readouterr().out
    assert f"accord verify {file}" in out and "holds the answer" in out
    assert file.read_bytes() == made().alfa and file.stat().st_mode & 0o777 == 0o600
    assert main(["receipt", job, "-o", str(file), "--without-result", "--json"]) == 0
    out, err = capsys.readouterr()
    assert set(json.loads(out)) == {"job", "file", "digest"} and "holds the answer" not in err
    assert main(["verify", str(file)]) == 0
    assert main(["receipt", job, "-o", str(tmp_path / "none" / "receipt.json")]) == ExitStatus.FILE_FAULT


def test_a_job_without_one(node: PeopleNode, job: str, capsys: pytest.CaptureFixture[str]) -> None:
    node.memory.lines = [JobProgress(state="RUNNING")]
    assert main(["receipt", job]) == ExitStatus.FAILED
    assert "NotReleased" in capsys.readouterr().err
    assert main(["receipt", "0" * 32]) == ExitStatus.WRONG_USAGE


def test_who_asks_is_told_of_it(node: PeopleNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(ASK) == 0
    assert "accord receipt 0000" in capsys.readouterr().out
    assert main([*ASK, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"job", "answer"}


def test_this_program_is_named_where_it_cannot_tell(
    receipt: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from parties.proof import receipt_checks
    from tests.parties.proof.test_receipt_verify import OtherPlans

    monkeypatch.setattr(receipt_checks, "Plans", OtherPlans)
    assert main(["verify", str(receipt)]) == ExitStatus.FAILED
    out = capsys.readouterr().out
    assert f"this is {software_digest()[:16]}..." in out and "cannot be told" in out and "NOT GENUINE" not in out
