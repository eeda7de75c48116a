"""A plan card, as programs and notebooks have it: what a job would do, say, cost and take, before it is asked for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from parties.asking.card_html import html_of
from parties.asking.card_text import show_card
from parties.wire.quote_messages import PlanCard

__all__ = ["Card"]

_WIDTH = 100


@dataclass(frozen=True, repr=False)
class Card:
    """Attributes:
    said: all of it, field by field; see quote_messages.PlanCard.

    In a notebook it is shown as tables; ``print`` shows it as text; ``json`` is for other programs.
    """

    said: PlanCard

    @property
    def verdict(self) -> str:
        """Of all owners: "allowed", "ask" (a person has to approve it) or "denied"."""
        return self.said.verdict

    @property
    def allowed(self) -> bool:
        """Whether the job would run without anybody's being asked."""
        return self.said.verdict == "allowed"

    @property
    def epsilon(self) -> float:
        """What it would spend."""
        return self.said.epsilon

    @property
    def seconds(self) -> float:
        """What it would take, about."""
        return self.said.cost.seconds

    @property
    def megabytes(self) -> float:
        """What the compute members would send, about."""
        return self.said.cost.megabytes

    def json(self) -> dict[str, Any]:
        """Plain data."""
        return self.said.model_dump(mode="json")

    def __repr__(self) -> str:
        # A notebook's kernel sets FORCE_COLOR, and rich there would show what is captured as an output of its own.
        console = Console(
            file=io.StringIO(), width=_WIDTH, highlight=False, emoji=False, force_terminal=False, force_jupyter=False
        )
        with console.capture() as capture:
            show_card(console, self.said)
        return capture.get().rstrip()

    def _repr_html_(self) -> str:
        return html_of(self.said)
