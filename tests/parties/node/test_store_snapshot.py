"""A copy of a store under a node that writes it: whole at one moment, whatever is written meanwhile."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parties.disk.chained_table import CHAIN_SCHEMA, ChainedTable
from parties.disk.sqlite_file import SqliteFile
from parties.errors import FileMissing, StoreFailed
from parties.node.store_snapshot import snapshot

LOG = "audit:" + "a" * 64

WRITER = f"""
import sys
import time
from parties.disk.chained_table import CHAIN_SCHEMA, ChainedTable
from parties.disk.sqlite_file import SqliteFile

file = SqliteFile(sys.argv[1], CHAIN_SCHEMA)
table = ChainedTable(file, {LOG!r})
print("ready", flush=True)
while True:
    with file.transaction():
        for _ in range(4):
            table.append({{"what": "proposed", "at": 1.0, "text": "x" * 4000}})
    if table.head.number % 4000 == 0:
        file.forget()
    time.sleep(0.002)  # a hundred times what a busy node writes
"""


def test_a_store_that_is_written_all_the_time_is_copied_whole(tmp_path: Path) -> None:
    """Pages move from the log to the database all the while (an entry fills a page, a thousand are a log)."""
    path = tmp_path / "node.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        numbers = []
        until = time.monotonic() + 60
        while len(numbers) < 15 and time.monotonic() < until:
            with contextlib.suppress(StoreFailed), snapshot(path) as file:  # on a busy machine: "try again"
                numbers.append(ChainedTable(file, LOG).check().number)
        assert len(numbers) == 15 and numbers == sorted(numbers) and numbers[-1] > numbers[0]
        assert all(number % 4 == 0 for number in numbers), "no half of a transaction"
        assert writer.poll() is None, "the writer still has its file"
    finally:
        writer.kill()
        writer.wait()
    with snapshot(path) as file:
        last = ChainedTable(file, LOG).check().number
    assert last >= numbers[-1]


@pytest.mark.parametrize("begun_anew", [False, True])
def test_what_is_written_between_the_two_files_is_in_the_copy_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_anew: bool
) -> None:
    """After the database was copied: pages are moved into it, and its log begins anew or does not."""
    path = tmp_path / "node.db"
    file = SqliteFile(path, CHAIN_SCHEMA)
    table = ChainedTable(file, LOG)
    copyfile, copies = shutil.copyfile, 0

    def write(times: int) -> None:
        for _ in range(times):
            with file.transaction():
                table.append({"what": "proposed", "at": 1.0, "text": "x" * 4000})

    def interrupted(source: Path, target: Path) -> None:
        nonlocal copies
        copyfile(source, target)
        copies += 1
        if copies == 1:
            write(30)
            file.read("PRAGMA wal_checkpoint(PASSIVE)")
            write(3 if begun_anew else 0)

    write(20)
    monkeypatch.setattr(shutil, "copyfile", interrupted)
    with snapshot(path) as copy:
        assert ChainedTable(copy, LOG).check() == table.head and table.head.number == (53 if begun_anew else 50)
    assert copies == (4 if begun_anew else 2), "once more only where it was in doubt"
    file.close()


def test_the_nodes_files_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "node.db"
    file = SqliteFile(path, CHAIN_SCHEMA)
    with file.transaction():
        ChainedTable(file, LOG).append({"what": "proposed"})
    file.close()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    os.chmod(path, 0o400)
    with snapshot(path) as copy:
        assert ChainedTable(copy, LOG).head.number == 1
        copied = Path(copy.path)
    assert not copied.exists() and {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_what_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="no node ran here yet"), snapshot(tmp_path / "node.db"):
        pass
    (tmp_path / "node.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreFailed, match=str(tmp_path)), snapshot(tmp_path / "node.db"):
        pass
