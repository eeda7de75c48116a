"""What each row counts by its class, as scikit-learn's class_weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import mpc
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange
from mpc.quotients import rescale
from protocols.columns import constant
from protocols.fixed_point import product, scale_bits

__all__ = ["check_class_weight", "class_weights", "most_weight"]


def check_class_weight(class_weight: Any, classes: Sequence[Any]) -> None:
    """OutOfRange unless it is None, "balanced", or weights from 0 to 16 for some of the classes."""
    if isinstance(class_weight, Mapping):
        if set(class_weight) - set(classes):
            raise OutOfRange(f"class_weight={class_weight!r}: labels that are not among {classes!r}")
        if not all(0 <= w <= 16 for w in class_weight.values()):
            raise OutOfRange(f"class_weight={class_weight!r}: weights from 0 to 16")
    elif class_weight not in (None, "balanced"):
        raise OutOfRange(f'class_weight={class_weight!r}: None, "balanced" or a weight for each label')


def most_weight(class_weight: Any, sample_weight: Any) -> float:
    """What a row counts on average, at most, as far as is public: sample weights 2 (estimator.row_weights)."""
    of_class = max([1.0, *class_weight.values()]) if isinstance(class_weight, Mapping) else 1.0
    return float(of_class) * (1.0 if sample_weight is None else 2.0)


async def class_weights(
    class_weight: Any,
    classes: Sequence[Any],
    target: SecretArray,
    here: SecretArray | None,
    weights: SecretArray | None,
) -> SecretArray | None:
    """What each row counts, (n,), with the weight of its class; None where all count alike.

    Args:
        class_weight: checked by check_class_weight. classes: public.
        target: 0 or 1, (n,) for two classes, else (n, K).
        here, weights: as estimator.row_weights gives them.
    """
    if class_weight is None:
        return weights
    n, number = target.shape[0], len(classes)
    bits = min(16, 28 - scale_bits(n))
    marks = mpc.stack([1 - target, target], axis=1) if number == 2 else target
    if isinstance(class_weight, Mapping):
        words = [round(class_weight.get(c, 1.0) * 2**bits) for c in classes]
        of_class = constant(target, np.array(words), bits)
    else:
        rows = marks.sum(axis=0) if here is None else here @ marks
        of_class = rescale(rows.sum() / (rows * number), bits)
    each: SecretArray = marks @ of_class
    counts = here if weights is None else weights
    return await (each if counts is None else product(each, counts, bits))
