"""Pseudorandom streams: uniform, equal for equal keys and labels, never used twice."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import LabelReused, OutOfRange
from mpc.prss import Prss, Stream

KEY = bytes(range(32))
labels = st.binary(min_size=12, max_size=12)


def reference(key: bytes, label: bytes, nbytes: int) -> bytes:
    """AES-128-CTR from the counter block label || 0, in one go."""
    aes = HKDFExpand(hashes.SHA256(), 16, b"accord prss aes-128-ctr").derive(key)
    return Cipher(algorithms.AES(aes), modes.CTR(label + bytes(4))).encryptor().update(bytes(nbytes))


@given(labels, st.sampled_from([0, 1, 2, 7, 8191, 8192, 8193, 20000]))
def test_words_are_the_counter_mode_stream(label: bytes, n: int) -> None:
    assert Stream(KEY, "k").words(label, n).tobytes() == reference(KEY, label, 8 * n)


@pytest.mark.parametrize("n", [0, 1, 8191, 8192, 8193, 20000])
@pytest.mark.parametrize("start", [0, 5])
def test_all_ways_to_draw_give_the_same_stream(n: int, start: int) -> None:
    label = b"another label"[:12]
    stream = Stream(KEY, "k").words(label, n)
    filled = np.empty(n, np.uint64)
    Stream(KEY, "k").fill(label, filled)
    base = np.full(n, start, np.uint64)
    xored, added, subtracted = base.copy(), base.copy(), base.copy()
    Stream(KEY, "k").xor_into(label, xored)
    Stream(KEY, "k").add_into(label, added)
    Stream(KEY, "k").add_into(label, subtracted, negative=True)
    assert np.array_equal(filled, stream)
    assert np.array_equal(xored, base ^ stream)
    assert np.array_equal(added, base + stream)
    assert np.array_equal(subtracted, base - stream)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_fill_takes_any_width_and_shape(dtype: type) -> None:
    out = np.zeros((3, 5, 7), dtype)
    Stream(KEY, "k").fill(bytes(12), out)
    assert out.tobytes() == reference(KEY, bytes(12), out.nbytes)


def test_an_interleaved_stream_starts_anew() -> None:
    stream = Stream(KEY, "k")
    a, b = b"a" * 12, b"b" * 12
    first = stream.words(a, 3)  # stops in the middle of a block
    assert stream.words(b, 2).tobytes() == reference(KEY, b, 16)
    assert first.tobytes() == reference(KEY, a, 24)


@pytest.mark.parametrize("again", ["words", "fill", "xor_into", "add_into"])
@pytest.mark.parametrize("n", [0, 4])
def test_a_label_used_twice_raises(again: str, n: int) -> None:
    stream = Stream(KEY, "of (0, 1)")
    label = bytes(12)
    stream.words(label, n)
    with pytest.raises(LabelReused, match=r"of \(0, 1\)"):
        getattr(stream, again)(label, n if again == "words" else np.zeros(n, np.uint64))


def test_the_keys_are_independent_and_runs_start_anew() -> None:
    layout_keys = {(0, 1): bytes([1]) * 32, (0, 2): bytes([2]) * 32}
    prss = Prss(0, layout_keys, {1: bytes([3]) * 32, 2: bytes([4]) * 32}, bytes([5]) * 32)
    runs = [prss, prss.for_run(b"1"), prss.for_run(b"2")]
    drawn = [
        stream.words(bytes(12), 2).tobytes()
        for run in runs
        for stream in (*run.component.values(), *run.pair.values(), run.private)
    ]
    assert len(set(drawn)) == 15
    again = Prss(0, layout_keys, {1: bytes([3]) * 32, 2: bytes([4]) * 32}, bytes([5]) * 32).for_run(b"1")
    assert again.private.words(bytes(12), 2).tobytes() == drawn[9]
    with pytest.raises(LabelReused, match="given out before"):
        prss.for_run(b"1")


def test_repr_shows_no_key() -> None:
    prss = Prss(0, {(0, 1): KEY}, {1: KEY}, KEY)
    for text in (repr(prss), repr(prss.private), str(prss.component[0, 1])):
        assert KEY.hex() not in text and repr(KEY) not in text


def test_too_long_a_stream_is_refused() -> None:
    """Past 2^32 blocks the counter would run into the label, so into another label's stream."""

    class Long:
        nbytes = 1 << 36

    with pytest.raises(OutOfRange, match="under one label"):
        Stream(KEY, "k").fill(bytes(12), Long())  # type: ignore[arg-type]
