"""The helper's matching against a dictionary, also on tags made up to hurt it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.matching import match

Tags = Any


def _expected(a: Tags, b: Tags) -> list[int]:
    first: dict[tuple[int, int], int] = {}
    for j, tag in enumerate(b.tolist()):
        first.setdefault(tuple(tag), j)
    return [first.get(tuple(tag), -1) for tag in a.tolist()]


@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 2, 5, 1000]))
def test_match_finds_the_first_equal_tag(seed: int, n: int, m: int, kinds: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << 64, (kinds, 2), np.uint64)
    a, b = values[rng.integers(0, kinds, n)], values[rng.integers(0, kinds, m)]
    assert match(a, b).tolist() == _expected(a, b)


@pytest.mark.parametrize("word", [0, 1])
def test_tags_that_agree_in_one_word_are_different(word: int) -> None:
    b = np.zeros((1000, 2), np.uint64)
    b[:, word] = np.arange(1000)
    a = b[::-1].copy()
    a[:, 1 - word] += np.arange(1000, dtype=np.uint64) % np.uint64(2)
    assert match(a, b).tolist() == _expected(a, b)


def test_tags_chosen_to_collide_cost_no_more() -> None:
    """Without the helper's own random numbers these 2^17 tags would all begin at one place: 2^33 steps."""
    n = 1 << 17
    b = np.zeros((n, 2), np.uint64)
    b[:, 0] = np.arange(n, dtype=np.uint64) << np.uint64(40)
    assert match(b, b).tolist() == list(range(n))
    b = b[:, ::-1].copy()
    assert match(b, b).tolist() == list(range(n))


def test_tags_that_differ_in_their_upper_bits_only_have_places_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows a part, as of very large tables. If the lower bits of a product were the place: 2^35 steps."""
    monkeypatch.setattr("protocols.matching._MOST", 1)
    n = 1 << 18
    b = np.zeros((n, 2), np.uint64)
    b[:, 1] = np.arange(n, dtype=np.uint64) << np.uint64(46)
    started = time.monotonic()
    assert match(b, b).tolist() == list(range(n))
    assert time.monotonic() - started < 5


def test_all_tags_equal() -> None:
    tags = np.ones((1 << 16, 2), np.uint64)
    assert not match(tags, tags).any()
