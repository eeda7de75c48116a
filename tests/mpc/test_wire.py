"""The header: its exact bytes, and every way in which it can be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import FrameInvalid, FrameOversized
from mpc.wire import CONTROL_LIMIT, HEADER_BYTES, Kind, check, label_of_pc, pack, pc_of_label, unpack

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


def test_exact_bytes() -> None:
    header = pack(Kind.DATA, 0x0102, 0x03040506, 7, b"abcdefghijkl", 0x10)
    assert header == bytes.fromhex("0101 0201 06050403 07000000") + b"abcdefghijkl" + bytes.fromhex("10000000")
    assert len(header) == HEADER_BYTES == 28


@given(st.sampled_from(Kind), U16, U32, U32, st.binary(min_size=12, max_size=12), U32, st.integers(0, 9))
def test_unpack_is_the_inverse_of_pack(
    kind: Kind, run: int, stamp: int, depth: int, label: bytes, length: int, offset: int
) -> None:
    header = pack(kind, run, stamp, depth, label, length)
    assert unpack(bytes(offset) + header, offset) == (kind, 1, run, stamp, depth, label, length)


@given(st.integers(-(2**63), 2**63 - 1))
def test_program_counters_are_labels(pc: int) -> None:
    assert len(label_of_pc(pc)) == 12
    assert pc_of_label(label_of_pc(pc)) == pc


@pytest.mark.parametrize("kind", list(Kind))
def test_length_is_limited(kind: Kind) -> None:
    limit = 1 << 20 if kind in (Kind.DATA, Kind.MPYC) else CONTROL_LIMIT
    check(unpack(pack(kind, 0, 0, 0, bytes(12), limit)), 2, 1 << 20)
    with pytest.raises(FrameOversized, match="party 2") as caught:
        check(unpack(pack(kind, 0, 0, 0, bytes(12), limit + 1)), 2, 1 << 20)
    assert caught.value.peer == 2


@pytest.mark.parametrize("kind", [0, 8, 255])
def test_unknown_kind(kind: int) -> None:
    with pytest.raises(FrameInvalid, match="party 1"):
        check(unpack(pack(kind, 0, 0, 0, bytes(12), 0)), 1, 1 << 20)


def test_other_version() -> None:
    header = bytearray(pack(Kind.DATA, 0, 0, 0, bytes(12), 0))
    header[1] = 2
    with pytest.raises(FrameInvalid, match="version 2"):
        check(unpack(header), 1, 1 << 20)
