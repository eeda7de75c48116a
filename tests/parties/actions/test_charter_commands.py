"""`accord charter`: a fourth member comes to three that run already, by files passed around."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.cli import main
from parties.membership.charter_file import read_charter, write_charter
from parties.membership.charter_store import CharterStore
from parties.membership.charter_view import changes
from parties.membership.signatures import write_signatures
from parties.setup.home import Home
from tests.parties.consortium import NAMES, charter, identity, member, signed

ONE = charter()
TWO = charter(*(member(i) for i in range(4)), before=ONE)


@pytest.fixture
def homes(tmp_path: Path) -> dict[str, Path]:
    """Three members with version 1 in force, and a fourth with a key only."""
    homes = {name: tmp_path / name for name in NAMES[:4]}
    for i, home in enumerate(homes.values()):
        Home(home).make()
        identity(i).save(home / "identity.key")
        if i < 3:
            store = CharterStore(Home(home))
            store.propose(ONE)
            store.sign(ONE.digest, identity(i))
            store.merge(signed(ONE, 0, 1, 2))
            store.adopt()
    return homes


def run(home: Path, *arguments: str) -> int:
    return main(["charter", arguments[0], "--home", str(home), *arguments[1:]])


def test_a_fourth_member_comes(homes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alfa, bravo, charlie, delta = homes.values()
    assert run(alfa, "show", "--toml") == 0
    text = capsys.readouterr().out
    assert read_charter(text) == ONE
    (tmp_path / "next.toml").write_text(write_charter(TWO))
    assert run(alfa, "propose", str(tmp_path / "next.toml")) == 0
    said = capsys.readouterr().out
    assert "delta: new" in said
    assert "waits for alfa, bravo, charlie, delta" in said
    assert f"accord charter sign {TWO.digest[:16]}" in said
    file = str(tmp_path / "charters.json")
    for home in (alfa, bravo, charlie, delta):  # one file goes round, and once more
        if home != alfa:
            assert run(home, "merge", file) == 0
        assert run(home, "sign", "--yes") == 0
        assert run(home, "export", file) == 0
    assert "version 2 of 'Banks' is in force" in capsys.readouterr().out
    for home in (alfa, bravo, charlie):
        assert run(home, "merge", file) == 0
        assert "version 2 of 'Banks' is in force" in capsys.readouterr().out
    assert {CharterStore(Home(home)).chain for home in homes.values()} == {(ONE, TWO)}
    assert run(delta, "show") == 0
    said = capsys.readouterr().out
    assert "delta: compute" in said
    assert "proposed" not in said
    assert TWO.digest in said.replace(" ", "").replace("\n", "")


def test_signing_asks_and_no_is_no(
    homes: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alfa = homes["alfa"]
    CharterStore(Home(alfa)).propose(TWO)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert run(alfa, "sign") == 1
    assert "not signed" in capsys.readouterr().out
    assert not CharterStore(Home(alfa)).proposals[0].signed
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert run(alfa, "sign", TWO.digest[:8]) == 0
    assert CharterStore(Home(alfa)).proposals[0].signed


def test_withdrawing_and_signatures_alone(
    homes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alfa = homes["alfa"]
    store = CharterStore(Home(alfa))
    store.propose(TWO)
    assert run(alfa, "sign", "--yes") == 0
    assert run(alfa, "withdraw", TWO.digest[:16]) == 0
    (tmp_path / "sigs").write_bytes(write_signatures(signed(TWO, 1, 2, 3)))
    capsys.readouterr()
    assert run(alfa, "merge", str(tmp_path / "sigs")) == 0
    assert "withdrawn from here" in capsys.readouterr().out
    assert run(alfa, "sign", TWO.digest, "--yes") == 0  # back again
    assert CharterStore(Home(alfa)).current == TWO


def test_what_changes_is_shown(homes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    five = [member(0), member(1, "compute", address="elsewhere:1"), member(2, who=5), member(3), member(4)]
    (tmp_path / "x").write_text(write_charter(charter(*five, before=ONE, threshold=2)))
    assert run(homes["alfa"], "propose", str(tmp_path / "x")) == 0
    said = capsys.readouterr().out
    for line in (
        "threshold: 1 -> 2", "bravo: address bravo.example:7600 -> elsewhere:1",
        "roles compute, input, result -> compute", "charlie: ANOTHER KEY", "delta: new", "echo: new",
    ):  # fmt: skip
        assert line in said
    shrunk = charter(*(member(i) for i in range(3)), before=TWO)
    assert "delta: leaves" in "\n".join(changes(shrunk, TWO))


def test_what_cannot_be_done_is_said(
    homes: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alfa, delta = homes["alfa"], homes["delta"]
    (tmp_path / "rubbish").write_bytes(b"{}")
    (tmp_path / "old").write_text(write_charter(charter(title="Others")))
    for home, arguments, status, error in (
        (delta, ["show"], 2, "charter show: CharterMissing"),
        (delta, ["export", "-"], 2, "nothing was written"),
        (alfa, ["sign"], 2, "which proposal? There are: none"),
        (alfa, ["sign", "0" * 64], 2, "CharterMissing"),
        (alfa, ["withdraw", "0" * 64], 2, "CharterMissing"),
        (alfa, ["merge", str(tmp_path / "rubbish")], 2, "CharterInvalid"),
        (alfa, ["merge", str(tmp_path / "none")], 5, "FileMissing"),
        (alfa, ["propose", str(tmp_path / "rubbish")], 2, "CharterInvalid"),
        (alfa, ["propose", str(tmp_path / "old")], 3, "CharterNotInForce"),
    ):
        assert run(home, *arguments) == status
        assert error in capsys.readouterr().err
    (tmp_path / "one").write_text(write_charter(ONE))
    assert run(alfa, "propose", str(tmp_path / "one")) == 0
    assert "in force here already" in capsys.readouterr().out
