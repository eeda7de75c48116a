"""`accord serve` that cannot serve says why in one line, and what to do."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from parties.cli import main
from tests.parties.real_nodes import ALL, RealNode, made


@pytest.fixture
def node(tmp_path: Path) -> RealNode:
    """Of a member that does not compute, so that no workers are started."""
    return made(tmp_path, {}, (ALL, ALL, ALL, ("input", "result")))["delta"]


def test_an_address_that_is_taken(node: RealNode, capsys: pytest.CaptureFixture[str]) -> None:
    assert node.member.address is not None
    for port, field in ((int(node.member.address.rpartition(":")[2]), "bind"), (node.people_port, "people_address")):
        with socket.create_server(("127.0.0.1", port)):
            assert main(["serve", "--home", str(node.home.directory)]) == 1
        said = capsys.readouterr().err
        assert said.startswith(
            f"accord serve: AddressTaken: the address for {'members' if field == 'bind' else 'people'}"
        )
        assert f"127.0.0.1:{port}" in said and f"`{field}` in node.toml" in said and said.count("\n") == 1


def test_a_file_of_jobs_that_is_none(node: RealNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.home.jobs.mkdir()
    assert main(["serve", "--home", str(node.home.directory)]) == 5
    said = capsys.readouterr().err
    assert said.startswith("accord serve: StoreFailed: ") and "node.db" in said and said.count("\n") == 1
