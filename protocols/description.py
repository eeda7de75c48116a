"""What everybody knows of a sealed answer: shapes, grids, what its noise is charged as, how it is read. Pure.

It follows from what was asked and from what is public of the tables, so every party, and a member who computes nothing,
finds the same one beforehand. Two descriptions are equal exactly if their JSON is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpc.bits import plane_words
from mpc.errors import OutOfRange, UsageError
from protocols.accounting import Event
from protocols.errors import DescriptionInvalid
from protocols.exact import is_whole
from protocols.released import Reals, Released, noised, quotient

__all__ = ["KINDS", "MOST_WORDS", "Description", "MeanScale", "Opened", "Slot"]

Opened = Released | Reals | None

KINDS = ("figures", "mean", "derived", "delivery")
MOST_WORDS = 1 << 24
"""Of one sealed answer, in each component."""
_MOST_AXES = 8
_MOST_BYTES = 1 << 20
_MOST_EVENTS = 64


@dataclass(frozen=True)
class Slot:
    """One shared array of an answer.

    Attributes:
        shape: of the array.
        frac: fractional bits, 0 for integers and for bits.
        boolean: whether it is bits, 64 to a word, whose components are joined by XOR.
    """

    shape: tuple[int, ...]
    frac: int = 0
    boolean: bool = False

    def __post_init__(self) -> None:
        whole = len(self.shape) <= _MOST_AXES and all(is_whole(d) and d >= 0 for d in self.shape)
        if not whole or math.prod(max(1, d) for d in self.shape) > MOST_WORDS:
            raise OutOfRange(f"a sealed array of shape {self.shape}: at most {_MOST_AXES} axes, {MOST_WORDS} elements")
        flag: object = self.boolean  # it may be read from a peer's text
        if not (isinstance(flag, bool) and is_whole(self.frac) and 0 <= self.frac <= 40 * (not flag)):
            raise OutOfRange(f"a sealed array with {self.frac!r} fractional bits: 0 to 40, none for bits")

    @property
    def size(self) -> int:
        """Elements."""
        return math.prod(self.shape)

    @property
    def words(self) -> int:
        """Words of one component."""
        return plane_words(self.size) if self.boolean else self.size


@dataclass(frozen=True)
class MeanScale:
    """How sums of distances and counts become means: released.quotient.

    Attributes:
        centre, low, high: one number, or one a column (``columns``).
        columns: whether one count stands beside several totals, on the last axis.
    """

    centre: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    columns: bool = False

    def __post_init__(self) -> None:
        ends = (self.centre, self.low, self.high)
        columns: Any = self.columns
        one = columns is True or (columns is False and len(self.low) == 1)
        if len({len(end) for end in ends}) > 1 or not self.low or not one:
            raise OutOfRange("the bounds of means: one of each, or one of each a column")
        numbers: list[Any] = [x for end in ends for x in end]
        if any(not isinstance(x, float) or not math.isfinite(x) for x in numbers):
            raise OutOfRange("the bounds of means: finite numbers")
        if any(low >= high for low, high in zip(self.low, self.high, strict=True)):
            raise OutOfRange("the bounds of means: the lower one first, and not the same")

    def means(self, total: Released, count: Released) -> Released:
        """See released.quotient."""
        centre, low, high = (np.array(end) if self.columns else end[0] for end in (self.centre, self.low, self.high))
        return quotient(total, count, centre, low, high, over=(..., None) if self.columns else ())


@dataclass(frozen=True)
class Description:
    """One sealed answer.

    Attributes:
        kind: "figures": with noise, read as a Released. "mean": two of those, total and count, that become one.
            "derived": what was computed of noised figures and public numbers alone. "delivery": without noise.
        slots: the shared arrays: figures; total and count; the values. Then, with a minimum, which are shown.
        events: what the noise is charged as: of figures its own and perhaps the minimum's; of a mean those of total and
            count; of what is derived what it is derived from, where it is charged here; of a delivery none.
        scale: of a mean.
    """

    kind: str
    slots: tuple[Slot, ...]
    events: tuple[Event, ...] = ()
    scale: MeanScale | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OutOfRange(f"a sealed answer of kind {self.kind!r}: one of {', '.join(KINDS)}")
        values = 2 if self.kind == "mean" else 1
        flags = self.slots[values:]
        gated = self.kind in ("figures", "mean")
        if len(self.slots) < values or len(flags) > gated or any(not flag.boolean for flag in flags):
            raise OutOfRange(f"a sealed answer of kind {self.kind}: {values} arrays, flags behind them at most once")
        if gated and any(slot.boolean for slot in self.slots[:values]):
            raise OutOfRange("noised figures are numbers, not bits")
        most = {"figures": (1, 2), "mean": (2, 2), "derived": (0, _MOST_EVENTS), "delivery": (0, 0)}[self.kind]
        if not most[0] <= len(self.events) <= most[1] or (self.kind == "mean") != (self.scale is not None):
            raise OutOfRange(f"a sealed answer of kind {self.kind} with {len(self.events)} charges does not fit")
        if gated:
            shapes = [slot.shape for slot in self.slots]
            if self.kind == "mean" and self.scale is not None and self.scale.columns:
                shapes[0] = shapes[0][:-1] if shapes[0][-1:] == (len(self.scale.low),) else (-1,)
            grids = [slot.frac for slot in self.slots[:values]]
            if len(set(shapes)) > 1 or any(e.frac != f for e, f in zip(self.events, grids, strict=False)):
                raise OutOfRange(f"a sealed answer of kind {self.kind}: shapes or grids that do not fit each other")
        if sum(slot.words for slot in self.slots) > MOST_WORDS:
            raise OutOfRange(f"a sealed answer of more than {MOST_WORDS} words: seal it in parts")

    def read(self, opened: Sequence[Any]) -> Opened:
        """What the opened arrays say, in the order of the slots; None for each where this party received nothing."""
        if self.kind in ("derived", "delivery"):
            values: Reals | None = opened[0]
            return values
        if self.scale is None:
            return noised(self.events, opened[0], opened[1] if len(opened) > 1 else None)
        shown = opened[2] if len(opened) > 2 else None
        total, count = (noised((event,), x, shown) for event, x in zip(self.events, opened[:2], strict=True))
        return self.scale.means(total, count)

    @functools.cached_property
    def json(self) -> str:
        """As text in ASCII; keys sorted, no spaces."""
        said: dict[str, Any] = {
            "events": [event.to_json() for event in self.events],
            "format": 1,
            "kind": self.kind,
            "scale": None,
            "slots": [[list(slot.shape), slot.frac, slot.boolean] for slot in self.slots],
        }
        if self.scale is not None:
            s = self.scale
            said["scale"] = [list(s.centre), list(s.low), list(s.high), s.columns]
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the JSON, hex."""
        return hashlib.sha256(self.json.encode("ascii")).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Description:
        """The description written by :attr:`json`, or DescriptionInvalid for anything else."""
        given: Any = text
        if not isinstance(given, str) or len(text) > _MOST_BYTES:
            raise DescriptionInvalid(f"the description of a sealed answer: text of at most {_MOST_BYTES} characters")
        try:
            said = json.loads(text)
            if said.pop("format") != 1:
                raise DescriptionInvalid("the description of a sealed answer: of another format; update this node")
            events = tuple(Event.from_json(event) for event in said.pop("events")[: _MOST_EVENTS + 1])
            slots = tuple(Slot(tuple(shape), frac, boolean) for shape, frac, boolean in said.pop("slots")[:4])
            scale = said.pop("scale")
            if scale is not None:
                centre, low, high, columns = scale
                scale = MeanScale(tuple(centre), tuple(low), tuple(high), columns)
            made = cls(said.pop("kind"), slots, events, scale)
        except DescriptionInvalid:
            raise
        except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError, UsageError) as error:
            raise DescriptionInvalid(f"not the description of a sealed answer: {type(error).__name__}") from None
        if made.json != text:
            raise DescriptionInvalid("the description of a sealed answer: not in the form it is written in")
        return made
