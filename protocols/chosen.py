"""One of several models, and which one is secret: each is asked, and one answer is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from mpc.arrays import SecretArray
from mpc.errors import ShapeMismatch
from mpc.shapes import stack
from protocols.columns import as_numbers

__all__ = ["ChosenModel", "marks_of"]


async def marks_of(index: SecretArray, size: int) -> SecretArray:
    """(size,), integers: 1 at a secret place, (), else 0. Rounds: 8 (m = 3). Leaks nothing."""
    return await as_numbers(index.reshape(1) == np.arange(size))


class ChosenModel:
    """Models fitted alike, of which a secret one counts.

    Args:
        models: fitted, all with as many columns.
        marks: (models,), 1 for the one that counts, else 0: marks_of.

    Rounds: those of one model, and 1. Sends: the messages of all models, and 8 bytes an answer. Leaks nothing.
    """

    def __init__(self, models: Sequence[Any], marks: SecretArray) -> None:
        self.models, self.marks = list(models), marks

    @property
    def classes(self) -> Any:
        """The public labels, where the models have such; AttributeError otherwise."""
        return self.models[0].classes

    async def predict(self, X: Any) -> SecretArray:
        """Its predictions."""
        return await self._asked("predict", X)

    async def predict_proba(self, X: Any) -> SecretArray:
        """Its probabilities."""
        return await self._asked("predict_proba", X)

    async def decision_function(self, X: Any) -> SecretArray:
        """Its decisions."""
        return await self._asked("decision_function", X)

    async def attribute(self, name: str) -> SecretArray:
        """A secret attribute of it, such as "coef_"; ShapeMismatch where its shape depends on the model."""
        return await self._kept([getattr(model, name) for model in self.models], name)

    async def _asked(self, name: str, X: Any) -> SecretArray:
        return await self._kept(await asyncio.gather(*(getattr(model, name)(X) for model in self.models)), name)

    async def _kept(self, parts: Sequence[SecretArray], what: str) -> SecretArray:
        shapes = {(await part).shape for part in parts}
        if len(shapes) > 1:
            raise ShapeMismatch(f"{what} of shapes {sorted(shapes)}: which it is, would tell which model was chosen")
        (shape,) = shapes
        kept: SecretArray = self.marks @ stack(parts).reshape(len(parts), -1)
        return await kept.reshape(shape)
