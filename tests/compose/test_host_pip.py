"""What of this machine's pip settings goes into a build."""

from __future__ import annotations

import runpy
import stat
from pathlib import Path

from tests.compose.engine import ROOT

write = runpy.run_path(str(ROOT / "docker" / "host_pip.py"))["write"]


def test_index_and_authorities_go_in_and_nothing_else(tmp_path: Path) -> None:
    own = tmp_path / "own.crt"
    own.write_text("authority")
    said = {
        "index-url": "https://ann:secret@index.example/simple",
        "cert": str(own),
        "cache-dir": "/home/ann",
        "timeout": "9",
    }
    assert write(said, tmp_path) == ["index-url", "timeout", "cert"]
    assert (tmp_path / "pip.conf").read_text() == (
        "[global]\nindex-url = https://ann:secret@index.example/simple\ntimeout = 9\ncert = /build/ca.crt\n"
    )
    assert stat.S_IMODE((tmp_path / "pip.conf").stat().st_mode) == 0o600
    assert (tmp_path / "ca.crt").read_text() == "authority"


def test_without_settings_there_are_no_files_any_more(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://old.example\n")
    (tmp_path / "ca.crt").write_text("old")
    assert write({"cache-dir": "/home/ann"}, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_value_of_several_lines_stays_one(tmp_path: Path) -> None:
    write({"extra-index-url": "https://a.example\nhttps://b.example"}, tmp_path)
    assert (tmp_path / "pip.conf").read_text() == "[global]\nextra-index-url = https://a.example https://b.example\n"
