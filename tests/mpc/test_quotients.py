"""From one type to another: each combination is exact, within its error, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party
from mpc.errors import OutOfRange, WrongType
from tests.mpc.helpers import each_m, on_shares, same


@each_m
@pytest.mark.parametrize("frac", [0, 1, 16, 20, 40])
def test_astype_from_every_kind_to_every_kind(m: int, frac: int) -> None:
    x = np.array([0.0, 1.0, -1.0, 1.5, -2.5, 100.25])
    x = np.floor(x) if frac == 0 else np.floor(x * 2.0**frac) / 2.0**frac
    given: Any = x.astype(np.int64) if frac == 0 else x
    fewer, more = 1, 40
    whole, truth, same_bits, wide, narrow, usual = on_shares(
        m,
        lambda a: [
            a.astype(int), a.astype(bool), a.astype("float64", frac or 16), a.astype(float, frac=np.int64(more)),
            a.astype(float, fewer), a.astype(np.float64),
        ],
        given, frac=None if frac == 0 else frac,
    )  # fmt: skip
    same(whole, np.floor(x).astype(np.int64))
    same(truth, x != 0)
    same(same_bits, x)
    same(wide, x)
    t = (m - 1) // 2
    for got, bits in ((narrow, fewer), (usual, 16)):
        assert got.dtype == np.float64
        low = np.floor(x * 2.0**bits) / 2.0**bits
        assert np.all(got <= low) and np.all(got >= low - (t * 2.0**-bits if frac > bits else 0))


def test_astype_of_bits_and_what_it_refuses_before_anything_is_sent() -> None:
    truth = [True, False]
    for got, kind in zip(
        on_shares(3, lambda a: [(a > 0).astype(k) for k in (int, float, bool)], [1, 0]),
        (np.int64, np.float64, np.bool_),
        strict=True,
    ):
        same(got, np.array(truth, kind))

    async def program(party: Party) -> None:
        x = await party.input([1, -2], owner=0)
        p = await (x > 0)
        for secret in (x, p):
            before = party.transport.traffic.frames_sent
            for kind in (str, complex, "M8[D]", object, "nonsense", np.int32, np.uint8, np.uint64, np.float32, "f2"):
                with pytest.raises(WrongType, match="int, float and bool"):
                    secret.astype(kind)
            for kind, frac in ((int, 8), (int, 0), (bool, 16), (bool, 0)):
                with pytest.raises(WrongType, match="go with float"):
                    secret.astype(kind, frac)
            with pytest.raises(OutOfRange, match=r"use astype\(int\)"):
                secret.astype(float, frac=0)
            for wrong in (-1, 41, True, 1.5):
                with pytest.raises(OutOfRange, match="fractional bits"):
                    secret.astype(float, frac=wrong)
            assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)
