"""A HELLO is taken apart with distrust: whatever a peer sends ends in a Greeting or in FrameInvalid."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc import codec
from mpc.agreement import Introduction
from mpc.errors import FrameInvalid
from mpc.greeting import Greeting

GOOD: list[Any] = [1, 0, 3, 1, 1 << 26, b"session", bytes(32), bytes(range(32))]


def test_there_and_back() -> None:
    greeting = Greeting(1, 0, 3, 1, 1 << 26, b"session", Introduction(bytes(32), bytes(range(32))))
    assert Greeting.unpack(greeting.pack()) == greeting
    assert Greeting.unpack(codec.dumps(GOOD)) == greeting


@pytest.mark.parametrize("place", range(len(GOOD)))
@pytest.mark.parametrize("value", [-1, 1 << 32, True, 1.0, None, "", b"", [0] * 32, "x" * 32, bytes(31)])
def test_one_field_that_is_none(place: int, value: Any) -> None:
    if place == 5 and type(value) is bytes:
        return  # a session may be any bytes; that it is this party's is judged
    fields = [*GOOD[:place], value, *GOOD[place + 1 :]]
    with pytest.raises(FrameInvalid):
        Greeting.unpack(codec.dumps(fields))


@pytest.mark.parametrize("fields", [GOOD[:-1], [*GOOD, 1], 7, {}, dict.fromkeys(range(8))])
def test_another_number_of_fields(fields: Any) -> None:
    with pytest.raises(FrameInvalid):
        Greeting.unpack(codec.dumps(fields))


@given(st.binary(max_size=100))
def test_any_bytes(payload: bytes) -> None:
    with contextlib.suppress(FrameInvalid):
        Greeting.unpack(payload)
