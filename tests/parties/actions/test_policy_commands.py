"""``accord policy`` and ``accord approve``, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parties.cli import main
from parties.data.tables_file import save_tables
from parties.policies.policy_store import load_policy
from parties.setup.home import Home
from tests.parties.consortium import identity
from tests.parties.tabular import table

WRITTEN = """
table = "patients"
minimum = 20

[limits]
query = 1.0
ever = 10.0

[[rules]]
columns = ["", "age"]
may = ["count", "sum", "release"]
members = ["alfa"]
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    place = Home(tmp_path / "node")
    place.make()
    identity(0).save(place.identity)
    save_tables(place.directory, {"patients": table("a.csv")})
    return place


def test_a_policy_is_written_signed_shown_and_renewed(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--home", str(home.directory)]
    assert main(["policy", *where]) == 0
    assert "patients has no policy: nothing may be done with it" in capsys.readouterr().out
    file = tmp_path / "patients.toml"
    file.write_text(WRITTEN)
    assert main(["policy", "patients", "--set", str(file), *where]) == 0
    assert "is in force" in capsys.readouterr().out
    signed = load_policy(home.directory, "patients", identity(0).public)
    assert signed is not None and signed.policy.minimum == 20
    assert main(["policy", "patients", *where]) == 0
    shown = capsys.readouterr().out
    assert 'members = ["alfa"]' in shown and "minimum = 20" in shown
    file.write_text(shown)
    assert main(["policy", "patients", "--set", str(file), *where]) == 0
    again = load_policy(home.directory, "patients", identity(0).public)
    assert again is not None and again.digest == signed.digest

    save_tables(home.directory, {"patients": table("a.csv", capacity=99)})
    capsys.readouterr()
    assert main(["policy", *where]) == 0
    assert "published anew since" in capsys.readouterr().out
    assert main(["policy", "patients", "--renew", *where, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["policy"]["minimum"] == 20 and told["digest"] != signed.digest
    assert main(["policy", *where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [told]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WRITTEN.replace("patients", "visits"), "PolicyInvalid: the policy in the file is for table visits"),
        (WRITTEN.replace('"age"', '"agee"'), "PolicyInvalid: policy of table patients, rules, columns: 'agee'"),
        (WRITTEN.replace('"sum"', '"steal"'), "PolicyInvalid: policy of table patients, rules, may: steal"),
        ("table =", "PolicyInvalid: the policy is not TOML"),
    ],
)
def test_what_is_no_policy_for_the_table_changes_nothing(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "patients.toml"
    file.write_text(text)
    assert main(["policy", "patients", "--set", str(file), "--home", str(home.directory)]) == 2
    assert capsys.readouterr().err.startswith(f"accord policy: {said}")
    assert load_policy(home.directory, "patients", identity(0).public) is None


def test_what_cannot_be_signed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--renew"], ["visits"], ["patients", "--renew"]):
        assert main(["policy", *words, "--home", str(home.directory)]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_a_policy_is_shown_under_a_key_that_is_encrypted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Home(tmp_path / "node")
    place.make()
    identity(0).save(place.identity, b"a passphrase of some length")
    save_tables(place.directory, {"patients": table("a.csv")})
    (tmp_path / "phrase").write_text("a passphrase of some length\n")
    (tmp_path / "phrase").chmod(0o600)
    words = ["policy", "--home", str(place.directory), "--passphrase-file", str(tmp_path / "phrase")]
    assert main(words) == 0, capsys.readouterr().err
    assert "patients has no policy" in capsys.readouterr().out
