"""What a fit says of its progress: every step, and inside long ones once a second."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster
from protocols.linear import LinearRegression, Ridge
from protocols.logistic import LogisticRegression
from protocols.private_logistic import PrivateLogisticRegression
from protocols.progress import Progress
from tests.protocols.fitted import program


def _reports(model: Any) -> list[list[str]]:
    said: list[list[str]] = [[], [], []]
    r = np.random.default_rng(0)
    x, y = r.normal(size=(30, 2)), r.integers(0, 2, 30)

    async def body(X: Any, Y: Any) -> Any:
        await model().fit(X, Y)
        return []

    MemoryCluster(3, progress=lambda i, text: said[i].append(text)).run(program(body), [(x, y)] * 3)
    return [[text for text in each if "of the next" not in text] for each in said]  # said on a slow machine only


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(("solver", "unit"), [("newton", "step"), ("sgd", "epoch")])
def test_every_step(solver: str, unit: str, classes: int) -> None:
    said = _reports(lambda: LogisticRegression(solver=solver, max_iter=2, classes=tuple(range(classes))))
    assert said[0] == [f"LogisticRegression: {unit} {k} of 2" for k in range(3)]
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize("kind", [LinearRegression, Ridge])
def test_stages_of_a_linear_model(kind: Any) -> None:
    assert _reports(kind)[0] == [f"{kind.__name__}: stage {k} of 3" for k in range(4)]


@pytest.mark.parametrize("batch_size", [None, 10])
def test_epochs_of_a_private_model(batch_size: int | None) -> None:
    said = _reports(lambda: PrivateLogisticRegression(max_iter=2, batch_size=batch_size))
    assert said[0] == [f"private fit: epoch {k} of 2" for k in range(3)]


def test_inside_a_long_step() -> None:
    said: list[str] = []
    now = 0.0

    class Watched:
        def report(self, text: str) -> None:
            said.append(text)

    progress = Progress(Watched(), "fit", "epoch", 4, clock=lambda: now)  # type: ignore[arg-type]
    progress.say(0)
    for now in (0.2, 0.9, 1.3, 1.9, 2.4, 2.6):
        progress.within(0, now / 3)
    progress.say(1)
    assert said == [
        "fit: epoch 0 of 4", "fit: epoch 0 of 4, and 43% of the next", "fit: epoch 0 of 4, and 80% of the next",
        "fit: epoch 1 of 4",
    ]  # fmt: skip
