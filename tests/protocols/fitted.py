"""What the tests of models share: a program of secrets that is revealed, and the sizes of what is sent in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party
from mpc.arrays import SecretArray
from mpc.exchange import public_share
from mpc.secret import Secret
from mpc.transport import Frame
from protocols import private_model

each_m = pytest.mark.parametrize("m", (3, 4, pytest.param(5, marks=pytest.mark.slow)))  # t = 2: twice as long


def fitted(m: int, body: Callable[..., Any], *columns: Any, frac: Any = None) -> list[Any]:
    """``await body(*secrets)`` revealed: a list of values. Booleans come as bits, None stays None.

    The first party's answer; all must see the same.
    """
    answers = MemoryCluster(m, seed=m).run(program(body, frac), [columns] * m)
    for other in answers[1:]:
        for a, b in zip(answers[0], other, strict=True):
            np.testing.assert_array_equal(a, b)
    return answers[0]


def program(body: Callable[..., Any], frac: Any = None) -> Callable[..., Any]:
    """A program whose inputs are columns that several parties own in turn."""

    async def run(party: Party, columns: Any) -> list[Any]:
        secrets: list[Any] = []
        for j, column in enumerate(columns):
            if column is None:
                secrets.append(None)
            elif np.asarray(column).dtype == np.bool_:
                secrets.append(await (await party.input(np.asarray(column).astype(int), owner=j % party.m) != 0))
            else:
                secrets.append(await party.input(column, owner=j % party.m, frac=frac))
        answer = await body(*secrets)
        return [await party.reveal(v) if isinstance(v, Secret) else v for v in answer]

    return run


def unsafe_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Private models fitted from here on have no noise."""

    def zeros(party: Party, event: Any, shape: tuple[int, ...], stock: Any) -> SecretArray:
        return SecretArray(party, public_share(party, np.zeros(shape, np.uint64)), event.frac)

    monkeypatch.setattr(private_model, "noise_of", zeros)


def sizes_sent(body: Callable[..., Any], *columns: Any, seed: int) -> list[tuple[int, int, int]]:
    """(sender, receiver, bytes) of all messages, sorted: two that are independent may overtake one another."""
    sizes: list[tuple[int, int, int]] = []

    def tap(frame: Frame) -> list[Frame]:
        sizes.append((frame.sender, frame.receiver, len(frame.payload)))
        return [frame]

    MemoryCluster(3, seed=seed, tap=tap).run(program(body), [columns] * 3)
    return sorted(sizes)
