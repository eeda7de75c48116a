"""What jobs have told of an owner's people, and what one more would make of it. Pure: no files, no clock.

The unit of privacy is a person across all of a member's tables that know it by the same key: these are one
*population*, and what a job on any of them tells is charged to it. A charge is counted from the moment it is reserved,
before anything is computed. When the job is over it is settled: all of it stays if the answer was released; what a run
tells on the way (Plan.spent), if only that may have happened; nothing, if nothing did.

Together charges cost what their privacy losses compose to (protocols/composition.py), at the delta of the policy.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from parties.data.published import PublishedTable
from parties.errors import LogBroken
from parties.policies.policy_terms import Limits, Spent
from protocols.accounting import Event, Promise
from protocols.composition import composed_epsilon
from protocols.errors import EventInvalid
from protocols.exact import check_delta, round_up

__all__ = ["ALL", "NOTHING", "RUN", "Book", "Charge", "Cost", "epsilon_of", "population_of", "told_with"]

ALL, RUN, NOTHING = "all", "run", "nothing"
"""What of a reserved charge stays."""

_DAY = 86400.0
_UNIT = 1 << 120

Cost = Event | Promise


@dataclass(frozen=True)
class Charge:
    """What one job tells.

    Attributes:
        job: its id.
        at: when it was reserved, Unix time in seconds.
        populations: whom it is about, see population_of.
        member: fingerprint of the member whose people asked.
        analyst: who of them, as that member's node says; '' if it does not.
        figures: of the noise on the answers.
        run: of what a run tells on the way: (epsilon, delta), or None.
    """

    job: str
    at: float
    populations: tuple[str, ...]
    member: str
    analyst: str
    figures: tuple[Cost, ...]
    run: tuple[float, float] | None = None

    @property
    def costs(self) -> tuple[Cost, ...]:
        """All of it."""
        return self.figures if self.run is None else (*self.figures, Promise(*self.run))

    @property
    def content(self) -> dict[str, Any]:
        """For the ledger; :meth:`read` reads it. Beside an event stands what it promises, should its law change."""
        figures = [[e.to_json(), *map(round_up, _promise(e))] for e in self.figures if isinstance(e, Event)]
        assert len(figures) == len(self.figures), "a charge that was read is not written again"
        run = None if self.run is None else list(self.run)
        return {
            "what": "reserve", "job": self.job, "at": self.at, "populations": list(self.populations),
            "member": self.member, "analyst": self.analyst, "figures": figures, "run": run,
        }  # fmt: skip


def population_of(table: PublishedTable) -> str:
    """By which a table's people are known: all tables of a member with one profile of keys are about the same ones."""
    return table.columns[table.person].profile or ""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A charge, what of it counts, and the sum of what that promises, in units (_units)."""

    charge: Charge
    costs: tuple[Cost, ...]
    epsilon: int
    delta: int


class Book:
    """All charges of one member, from its ledger's entries."""

    def __init__(self) -> None:
        self._open: dict[str, _Counted] = {}
        self._kept: list[_Counted] = []
        self._read = functools.lru_cache(4096)(_read_figure)  # the same figures are asked for again and again

    def copy(self) -> Book:
        """As it is now."""
        made = Book()
        made._open, made._kept, made._read = dict(self._open), list(self._kept), self._read
        return made

    def apply(self, entry: Mapping[str, Any]) -> None:
        """The next entry. LogBroken for one that is none of a ledger's, or settles what is not open."""
        try:
            if entry["what"] == "reserve":
                charge = self._charge(entry)
                if charge.job in self._open:
                    raise LogBroken(f"ledger: job {charge.job} is reserved twice")
                self._open[charge.job] = _counted(charge, charge.costs)
            else:
                charge = self._open.pop(entry["job"]).charge
                kept = {ALL: charge.costs, RUN: charge.costs[len(charge.figures) :], NOTHING: ()}[entry["charged"]]
                if kept:
                    self._kept.append(_counted(charge, kept))
        except (KeyError, TypeError, ValueError):
            raise LogBroken(f"ledger: no entry of a ledger's: {str(entry.get('what'))[:40]}") from None

    def is_open(self, job: str) -> bool:
        """Whether it is reserved and not settled."""
        return job in self._open

    @property
    def open_jobs(self) -> tuple[str, ...]:
        """Those."""
        return tuple(self._open)

    def costs(
        self, populations: Iterable[str], since: float = 0.0, analyst: tuple[str, str] | None = None
    ) -> list[Cost]:
        """Of all charges to any of these populations, reserved ones too.

        Args:
            since: those from then on.
            analyst: (member, analyst): those of this one.
        """
        return [cost for one in self._about(populations, since, analyst) for cost in one.costs]

    def units(
        self, populations: Iterable[str], since: float = 0.0, analyst: tuple[str, str] | None = None
    ) -> tuple[int, int]:
        """(epsilon, delta) of the same, summed up, in units."""
        epsilon = delta = 0
        for one in self._about(populations, since, analyst):
            epsilon += one.epsilon
            delta += one.delta
        return epsilon, delta

    def _about(self, populations: Iterable[str], since: float, analyst: tuple[str, str] | None) -> Iterator[_Counted]:
        about = set(populations)
        for one in (*self._kept, *self._open.values()):
            charge = one.charge
            mine = analyst is None or (charge.member, charge.analyst) == analyst
            if mine and charge.at >= since and not about.isdisjoint(charge.populations):
                yield one

    @property
    def populations(self) -> tuple[str, ...]:
        """Those that anything was charged to."""
        return tuple(sorted({p for one in (*self._kept, *self._open.values()) for p in one.charge.populations}))

    def analysts(self, population: str) -> tuple[tuple[str, str], ...]:
        """(member, analyst) of those whose jobs were charged to it."""
        charges = (one.charge for one in self._about((population,), -math.inf, None))
        return tuple(sorted({(charge.member, charge.analyst) for charge in charges}))

    def _charge(self, entry: Mapping[str, Any]) -> Charge:
        costs = tuple(self._read(*figure) for figure in entry["figures"])
        run = entry["run"]
        return Charge(
            entry["job"], float(entry["at"]), tuple(entry["populations"]), entry["member"], entry["analyst"],
            costs, None if run is None else (run[0], run[1]),
        )  # fmt: skip


def told_with(book: Book, charge: Charge, limits: Limits) -> Spent:
    """What would be told with this charge and all before it, at the policy's delta, of all its populations' people.

    Rounded up. Where the sum of what is promised keeps a limit, that sum; else what the losses compose to, which can
    take seconds; None where there is no limit.
    """
    own = _units(charge.costs)

    def told(most: float | None, since: float = 0.0, who: tuple[str, str] | None = None) -> float | None:
        if most is None:
            return None
        before = book.units(charge.populations, since, who)
        together = before[0] + own[0], before[1] + own[1]
        costs = lambda: [*book.costs(charge.populations, since, who), *charge.costs]  # noqa: E731
        return _epsilon(together, costs, limits.delta, most)

    since = charge.at - _DAY * limits.days
    return Spent(
        analyst=told(limits.analyst, since, (charge.member, charge.analyst)),
        period=told(limits.period, since),
        ever=told(limits.ever),
    )


def epsilon_of(costs: list[Cost], delta: float, enough: float | None = None) -> float:
    """What they cost together at this delta; the plain sum, if it is not above ``enough``, or nobody limits it."""
    return _epsilon(_units(costs), lambda: costs, delta, enough)


def _epsilon(summed: tuple[int, int], costs: Callable[[], list[Cost]], delta: float, enough: float | None) -> float:
    epsilon = Fraction(summed[0], _UNIT)
    if Fraction(summed[1], _UNIT) <= check_delta(delta) and (enough is None or epsilon <= enough):
        return round_up(epsilon)
    return composed_epsilon(costs(), delta)


def _counted(charge: Charge, costs: tuple[Cost, ...]) -> _Counted:
    return _Counted(charge, costs, *_units(costs))


def _units(costs: Iterable[Cost]) -> tuple[int, int]:
    """(epsilon, delta) of what they promise, summed up: whole numbers of 1 / _UNIT, rounded up. Ledgers are long."""
    epsilon = delta = 0
    for cost in costs:
        one = _promise(cost)
        epsilon += math.ceil(one[0] * _UNIT)
        delta += math.ceil(one[1] * _UNIT)
    return epsilon, delta


def _promise(cost: Cost) -> tuple[Fraction, Fraction]:
    epsilon, delta = cost.promise
    return epsilon, max(delta, cost.delta)


def _read_figure(text: str, epsilon: float, delta: float) -> Cost:
    try:
        return Event.from_json(text)
    except EventInvalid:
        json.loads(text)
        return Promise(epsilon, delta)
