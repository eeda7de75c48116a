"""What is opened and sent in a program: for tests that nothing is, or nothing but a release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party
from mpc.transport import Frame

Body = Callable[..., Any]


def opened_in(monkeypatch: pytest.MonkeyPatch, body: Body, *columns: Any) -> tuple[list[Any], list[str]]:
    """(what each party gets, the shapes opened by Party.reveal at party 0) of ``await body(party, *secrets)``."""
    shapes: list[str] = []
    reveal = Party.reveal

    def noted(party: Party, x: Any, *rest: Any, **options: Any) -> Any:
        if party.index == 0:
            shapes.append(str(x.shape))
        return reveal(party, x, *rest, **options)

    monkeypatch.setattr(Party, "reveal", noted)
    return run(3, body, *columns), shapes


def run(m: int, body: Body, *columns: Any, tap: Any = None, seed: int = 1) -> list[Any]:
    """``await body(party, *secrets)`` at each party; booleans become SecretBits, None stays None."""

    async def program(party: Party) -> Any:
        secrets: list[Any] = []
        for j, column in enumerate(columns):
            if column is None:
                secrets.append(None)
                continue
            bits = np.asarray(column).dtype == np.bool_
            x = await party.input(np.asarray(column) + 0, owner=j % party.m)
            secrets.append(await (x != 0) if bits else x)
        return await body(party, *secrets)

    return MemoryCluster(m, seed=seed, tap=tap).run(program)


def frames_of(body: Body, *columns: Any) -> list[tuple[int, int, int]]:
    """(sender, receiver, bytes) of all frames, sorted."""
    sizes: list[tuple[int, int, int]] = []

    def tap(frame: Frame) -> list[Frame]:
        sizes.append((frame.sender, frame.receiver, len(frame.payload)))
        return [frame]

    run(3, body, *columns, tap=tap)
    return sorted(sizes)


def refuses_before_sending(body: Body, error: type[Exception], match: str, *columns: Any) -> None:
    """``body`` raises, and no frame is sent but those of the inputs."""

    async def nothing(party: Party, *secrets: Any) -> None:
        return None

    async def refused(party: Party, *secrets: Any) -> None:
        with pytest.raises(error, match=match):
            await body(party, *secrets)

    assert frames_of(refused, *columns) == frames_of(nothing, *columns)
