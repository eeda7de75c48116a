"""AES-128 on shares: the vectors of FIPS 197, the library's AES, rounds, bytes, and messages that depend on nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc import MemoryCluster, Party, aes, exchange
from mpc.scope import current_scope
from mpc.sharing import Layout, reconstruct
from tests.mpc.helpers import Words, each_m, shares_of

SIZES = (0, 1, 63, 64, 65, 1000)

# FIPS 197, appendices B and C.1: key, plaintext, ciphertext
VECTORS = [
    ("2b7e151628aed2a6abf7158809cf4f3c", "3243f6a8885a308d313198a2e0370734", "3925841d02dc09fbdc118597196a0b32"),
    ("000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"),
]


def rows_of(text: str) -> Words:
    return np.frombuffer(bytes.fromhex(text), np.uint64).copy()


def in_the_clear(key: Words, rows: Words) -> Words:
    aes_of_key = Cipher(algorithms.AES(key.tobytes()), modes.ECB()).encryptor()
    return np.frombuffer(aes_of_key.update(rows.tobytes()), np.uint64).reshape(rows.shape)


def on_shares(cluster: MemoryCluster, key: Words, rows: Words) -> tuple[Words, int]:
    """The blocks encrypted on random components, reconstructed; and the rounds it took."""
    rng = np.random.default_rng(len(rows))
    keys = shares_of(cluster.layout, key, rng, boolean=True)
    blocks = shares_of(cluster.layout, rows, rng, boolean=True)

    async def program(party: Party) -> Any:
        planes = await aes.encrypt(party, keys[party.index], aes.to_planes(blocks[party.index]))
        return aes.to_rows(planes, len(rows)), current_scope().depth

    answers = cluster.run(program)
    shares = {i: share for i, (share, _) in enumerate(answers)}
    return reconstruct(cluster.layout, shares, boolean=True), max(depth for _, depth in answers)


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize(("m", "t"), [(3, 1), (5, 2)])
def test_the_vectors_of_fips_197(m: int, t: int, vector: tuple[str, str, str]) -> None:
    key, plain, cipher = (rows_of(text) for text in vector)
    found, _ = on_shares(MemoryCluster(m, t), key, np.stack([plain, plain]))
    assert np.array_equal(found, [cipher, cipher])


@each_m
@pytest.mark.parametrize("n", SIZES)
def test_random_blocks(m: int, n: int) -> None:
    rng = np.random.default_rng(100 * m + n)
    key, rows = rng.integers(0, 1 << 64, 2, np.uint64), rng.integers(0, 1 << 64, (n, 2), np.uint64)
    found, rounds = on_shares(MemoryCluster(m, seed=n), key, rows)
    assert np.array_equal(found, in_the_clear(key, rows))
    assert rounds == 40


def test_fewer_colluding_than_a_majority_allows() -> None:
    key, rows = rows_of(VECTORS[0][0]), np.arange(130, dtype=np.uint64).reshape(65, 2)
    found, _ = on_shares(MemoryCluster(5, 1), key, rows)
    assert np.array_equal(found, in_the_clear(key, rows))


def test_several_pieces_use_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aes, "_CHUNK", 2)
    key, rows = rows_of(VECTORS[0][0]), np.arange(1400, dtype=np.uint64).reshape(700, 2)
    cluster = MemoryCluster(3)
    found, rounds = on_shares(cluster, key, rows)
    assert np.array_equal(found, in_the_clear(key, rows))
    assert rounds == 40
    words = 11  # of a plane
    assert {t.bytes_sent for t in cluster.traffic} == {8 * (16 * 18 * 10 * words + 4 * 18 * 10)}


def test_nobody_knows_a_random_key_and_every_call_gives_another() -> None:
    async def program(party: Party) -> Any:
        keys = [aes.random_key(party), aes.random_key(party)]
        rows = aes.to_planes(exchange.public_share(party, np.zeros((3, 2), np.uint64)))
        opened = [
            await exchange.reveal(party, aes.to_rows(await aes.encrypt(party, key, rows), 3), boolean=True)
            for key in keys
        ]
        return keys, opened

    cluster = MemoryCluster(4)
    answers = cluster.run(program)
    first, second = (
        reconstruct(cluster.layout, {i: a[0][j] for i, a in enumerate(answers)}, boolean=True) for j in range(2)
    )
    assert len({*first.tolist(), *second.tolist()}) == 4
    for _, opened in answers:
        for key, rows in zip((first, second), opened, strict=True):
            assert np.array_equal(rows, in_the_clear(key, np.zeros((3, 2), np.uint64)))


@pytest.mark.parametrize("n", SIZES)
def test_rows_to_planes_and_back(n: int) -> None:
    rows = np.random.default_rng(n).integers(0, 1 << 64, (3, n, 2), np.uint64)
    planes = aes.to_planes(rows)
    assert planes.shape == (3, 128, -(-n // 64))
    for r in range(0, n, 7):
        block = rows[1, r].tobytes()
        bits = planes[1, :, r // 64] >> np.uint64(r % 64) & np.uint64(1)
        assert [int(b) for b in bits] == [block[p // 8] >> p % 8 & 1 for p in range(128)]
    assert np.array_equal(aes.to_rows(planes, n), rows)


@each_m
def test_messages_do_not_depend_on_keys_or_blocks(m: int) -> None:
    seen = set()
    rng = np.random.default_rng(m)
    for key, rows in [
        (np.zeros(2, np.uint64), np.zeros((100, 2), np.uint64)),
        (rng.integers(0, 1 << 64, 2, np.uint64), rng.integers(0, 1 << 64, (100, 2), np.uint64)),
    ]:
        cluster = MemoryCluster(m, keep=True, seed=int(key[0] % 7))
        on_shares(cluster, key, rows)
        seen.add(tuple(sorted((f.sender, f.receiver, f.label, f.stamp, f.depth, len(f.payload)) for f in cluster.log)))
    assert len(seen) == 1


def test_inputs_stay_as_they_were() -> None:
    layout = Layout(3)
    rng = np.random.default_rng(0)
    keys = shares_of(layout, np.arange(2), rng, boolean=True)
    planes = [aes.to_planes(rows) for rows in shares_of(layout, np.arange(140).reshape(70, 2), rng, boolean=True)]
    before = [a.copy() for a in (*keys, *planes)]

    async def program(party: Party) -> None:
        await aes.encrypt(party, keys[party.index], planes[party.index])

    MemoryCluster(3).run(program)
    assert all(np.array_equal(a, b) for a, b in zip((*keys, *planes), before, strict=True))
