"""Long secrets on disk: what was written is read, in pieces, or nothing is believed."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpc.errors import WrongType
from parties.disk import sealed_file
from parties.disk.sealed_file import SealedFile
from parties.errors import FileMissing, FileUnusable

KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "_PIECE", 16)


def at(path: Path, key: bytes = KEY, context: bytes = b"job 1") -> SealedFile:
    return SealedFile(path / "part", key, context)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.binary(max_size=40), max_size=6))
def test_what_was_written_is_read_in_bounded_pieces(tmp_path: Path, pieces: list[bytes]) -> None:
    one = pickle.loads(pickle.dumps(at(tmp_path)))  # as a worker gets it
    one.store(pieces)
    read = list(one)
    assert b"".join(read) == b"".join(pieces) and all(len(piece) <= 16 for piece in read)
    assert one.path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["part"]


def test_it_is_encrypted_and_never_twice_alike(tmp_path: Path) -> None:
    found = set()
    for _ in range(2):
        at(tmp_path).store([b"secret" * 20])
        found.add(at(tmp_path).path.read_bytes())
    assert len(found) == 2 and not any(b"secret" in content for content in found)
    assert KEY.hex() not in repr(at(tmp_path)) and repr(KEY) not in repr(at(tmp_path))


@pytest.mark.parametrize("change", [{"key": bytes(32)}, {"context": b"job 2"}])
def test_another_key_or_context_does_not_open_it(tmp_path: Path, change: Any) -> None:
    at(tmp_path).store([b"secret"])
    with pytest.raises(FileUnusable, match="belongs to something else"):
        list(at(tmp_path, **change))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.data())
def test_no_change_goes_unnoticed(tmp_path: Path, data: Any) -> None:
    one = at(tmp_path)
    one.store([bytes(range(70))])
    raw = one.path.read_bytes()
    start = 37  # behind the header
    blocks = [raw[start + 36 * i : start + 36 * (i + 1)] for i in range(5)]
    how = data.draw(st.sampled_from(["flip", "cut", "more", "swap", "drop", "double"]))
    if how == "flip":
        changed = bytearray(raw)
        changed[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    elif how == "cut":
        changed = bytearray(raw[: data.draw(st.integers(0, len(raw) - 1))])
    elif how == "more":
        changed = bytearray(raw + data.draw(st.binary(min_size=1, max_size=40)))
    else:
        i, j = data.draw(st.sampled_from([(0, 1), (1, 3), (2, 4)]))
        kept = list(blocks)
        if how == "swap":
            kept[i], kept[j] = kept[j], kept[i]
        elif how == "drop":
            del kept[i]
        else:
            kept.insert(i, kept[i])
        changed = bytearray(raw[:start] + b"".join(kept))
    one.path.write_bytes(bytes(changed))
    with pytest.raises(FileUnusable):
        list(one)


def test_what_is_not_written_to_its_end_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = at(tmp_path)
    with pytest.raises(KeyError), one.write() as take:
        take(b"half of it")
        raise KeyError
    with pytest.raises(FileMissing):
        list(one)
    one.store([b"first"])

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileUnusable, match="No space left"):
        one.store([b"second"])
    assert b"".join(one) == b"first" and [p.name for p in tmp_path.iterdir()] == ["part"]


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(WrongType, match="32 bytes"):
        SealedFile(Path("part"), b"short", b"")
