"""The stock of noise on disk: kept, encrypted, spent once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, MemoryCluster
from mpc.errors import WrongType
from parties.local.noise_store import NoiseStore
from protocols.errors import StockInvalid
from protocols.laplace import laplace_law
from protocols.stock import Batch, NoiseStock

KEY = bytes(range(32))
LAW = laplace_law(0.001, 1, 45)


def words(k: int, n: int) -> Any:
    return np.random.default_rng(1).integers(0, 1 << 64, (k, n), np.uint64)


def test_what_is_kept_is_read_back_from_any_place(tmp_path: Path) -> None:
    kept = words(2, 10_000)
    with NoiseStore(tmp_path / "stock", KEY) as store:
        store.claim(1, 3, 1)
        store.add(Batch(7, LAW.digest(), 10_000), kept)
    with NoiseStore(tmp_path / "stock", KEY) as store:
        claim = store.claim(1, 3, 1)
        assert store.batches() == [Batch(7, LAW.digest(), 10_000, 0)]
        for low, high in ((0, 10_000), (0, 1), (4095, 4097), (5000, 5000), (9_999, 10_000)):
            assert np.array_equal(store.read(7, low, high), kept[:, low:high])
        store.spend(7, 9_000, claim)
        store.spend(7, 10, claim)
    with NoiseStore(tmp_path / "stock", KEY) as store:
        store.claim(1, 3, 1)
        assert store.batches()[0].spent == 9_000
        assert np.array_equal(store.read(7, 9_000, 10_000), kept[:, 9_000:])
        with pytest.raises(StockInvalid, match="are gone"):  # blocks that are spent are deleted
            store.read(7, 0, 10)
        store.discard(7)
        assert store.batches() == []


def test_nothing_is_in_the_clear_and_only_the_owner_reads_the_file(tmp_path: Path) -> None:
    kept = words(2, 3000)
    path = tmp_path / "stock"
    with NoiseStore(path, KEY) as store:
        store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 3000), kept)
        assert KEY.hex() not in repr(store)
    content = b"".join(p.read_bytes() for p in tmp_path.iterdir())
    assert len(content) > kept.nbytes
    assert kept[0, :4].tobytes() not in content and kept[1, 5:9].tobytes() not in content
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_key_or_a_changed_block_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stock"
    with NoiseStore(path, KEY) as store:
        store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 5000), words(2, 5000))
    with NoiseStore(path, bytes(32)) as store, pytest.raises(StockInvalid, match="key is another"):
        store.claim(0, 3, 1)
    with NoiseStore(path, KEY) as store:
        store.claim(0, 3, 1)
        store._db.execute("UPDATE block SET sealed = (SELECT sealed FROM block WHERE low = 4096) WHERE low = 0")
        with pytest.raises(StockInvalid, match="was changed"):
            store.read(7, 0, 5)


@pytest.mark.parametrize("spoil", ["UPDATE batch SET name = 8", "UPDATE owner SET party = 1"])
def test_a_block_is_bound_to_its_batch_and_its_owner(tmp_path: Path, spoil: str) -> None:
    with NoiseStore(tmp_path / "stock", KEY) as store:
        store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 50), words(2, 50))
        store._db.execute(spoil)
        store._db.execute("UPDATE block SET name = (SELECT name FROM batch)")
    with NoiseStore(tmp_path / "stock", KEY) as store, pytest.raises(StockInvalid, match="was changed"):
        store.claim(store._one("SELECT party FROM owner")[0], 3, 1)  # type: ignore[index]


def test_what_is_spent_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "stock"
    with NoiseStore(path, KEY) as store:
        claim = store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 12_000), words(2, 12_000))
        sealed = [row[0] for row in store._do("SELECT sealed FROM block ORDER BY low")]
        store.spend(7, 9000, claim)
    assert all(block[-64:] in path.read_bytes() for block in sealed)
    NoiseStore(path, KEY).close()
    assert [block[-64:] in path.read_bytes() for block in sealed] == [False, False, True]


def test_a_key_has_32_bytes(tmp_path: Path) -> None:
    for key in (b"", bytes(16), bytes(33), "0" * 32, None):
        with pytest.raises(WrongType, match="32 bytes"):
            NoiseStore(tmp_path / "stock", key)  # type: ignore[arg-type]
    assert not (tmp_path / "stock").exists()


def test_one_party_one_file_one_process(tmp_path: Path) -> None:
    path = tmp_path / "stock"
    with NoiseStore(path, KEY) as store:
        store.claim(0, 3, 1)
        with pytest.raises(StockInvalid, match="no other process"):
            NoiseStore(path, KEY)
    with NoiseStore(path, KEY) as store, pytest.raises(StockInvalid, match="party 0 of 3"):
        store.claim(1, 3, 1)
    for nowhere in (tmp_path, tmp_path / "none" / "stock"):
        with pytest.raises(StockInvalid, match="directory"):
            NoiseStore(nowhere, KEY)
    (tmp_path / "other").write_text("this is no database, but long enough to be taken for one, if nobody looks" * 9)
    with pytest.raises(StockInvalid, match="is it a stock of noise"):
        NoiseStore(tmp_path / "other", KEY)


def test_only_who_claimed_it_last_may_spend(tmp_path: Path) -> None:
    with NoiseStore(tmp_path / "stock", KEY) as store:
        old = store.claim(1, 3, 1)
        store.add(Batch(7, LAW.digest(), 100), words(2, 100))
        new = store.claim(1, 3, 1)
        with pytest.raises(StockInvalid, match="opened anew since"):
            store.spend(7, 10, old)
        store.spend(7, 20, new)
        assert store.batches()[0].spent == 20


CRASH = """
import os, signal, sys
import numpy as np
from parties.local.noise_store import NoiseStore
store = NoiseStore(sys.argv[1], bytes(range(32)))
store.spend(7, 1234, store.claim(0, 3, 1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_spent_stays_spent_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "stock"
    with NoiseStore(path, KEY) as store:
        store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 5000), words(2, 5000))
    killed = subprocess.run([sys.executable, "-c", CRASH, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    with NoiseStore(path, KEY) as store:
        assert store.batches()[0].spent == 1234


def test_a_full_disk_loses_nothing_and_keeps_nothing_halfway(tmp_path: Path) -> None:
    with NoiseStore(tmp_path / "stock", KEY) as store:
        store.claim(0, 3, 1)
        store.add(Batch(7, LAW.digest(), 100), words(2, 100))
        store._db.execute("PRAGMA max_page_count = 8")
        with pytest.raises(StockInvalid, match="full"):
            store.add(Batch(8, LAW.digest(), 90_000), words(2, 90_000))
        assert [b.name for b in store.batches()] == [7]
        assert store.read(7, 0, 100).shape == (2, 100)


async def spend(party: Any, job: tuple[str, int]) -> Any:
    """Fill up to 30 if there is nothing, take 10, tell."""
    path, _ = job
    with NoiseStore(path, KEY) as store:
        stock = await NoiseStock.open(party, store)
        if not stock.left(LAW):
            await stock.fill(LAW, 30)
        return await party.reveal(stock.take(LAW, (10,)))


def test_over_processes_and_their_restarts(tmp_path: Path) -> None:
    jobs = [(str(tmp_path / f"stock{i}"), i) for i in range(3)]
    seen = []
    for _ in range(2):
        with LocalCluster(parties=3) as cluster:
            seen.append(cluster.run(spend, jobs)[0])
    seen.append(MemoryCluster(3).run(spend, jobs)[2])
    assert np.unique(np.concatenate(seen)).size >= 29


def test_a_party_killed_after_the_others_spent(tmp_path: Path) -> None:
    """Party 2's disk is behind the others': the samples between are lost, not used again."""
    jobs = [(str(tmp_path / f"stock{i}"), i) for i in range(3)]
    first = MemoryCluster(3).run(spend, jobs)[0]
    old = Path(jobs[2][0]).read_bytes()
    second = MemoryCluster(3, seed=1).run(spend, jobs)[0]
    Path(jobs[2][0]).write_bytes(old)  # as if what it wrote in the second run had not reached its disk
    third = MemoryCluster(3, seed=2).run(spend, jobs)[0]
    assert np.unique(np.concatenate([first, second, third])).size >= 29
    assert os.path.getsize(jobs[2][0]) > 0
