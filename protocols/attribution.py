"""Which campaigns brought which sales: exposures at one party, conversions at another, credited on shares.

What ADMaP describes with a trusted enclave, without one: no party learns who bought, who saw what, or which of its
people the other knows. Credits come out by campaign, shared, and leave by release.py with noise.

An exposure counts for a conversion of the same person, at the same time or later, within the look-back window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, concatenate, sort_by
from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange
from mpc.exchange import deal, public_share
from mpc.party import Party
from mpc.scope import checksum, current_scope
from protocols.credit import Even, LastTouch, Path, Rule, TimeDecay, UShaped, shared_out
from protocols.errors import ColumnUnfit
from protocols.exact import as_exact, check_rows, is_whole
from protocols.group_by import group_by
from protocols.own_source import read_and_tell
from protocols.source_rows import OwnRows
from protocols.sources import Source, check_sources

__all__ = ["Attribution", "Even", "LastTouch", "Rule", "TimeDecay", "UShaped", "attribute", "most_credit"]

Words = npt.NDArray[np.uint64]

_PERSON_BITS = 61
_MOST_TOUCHES = 64
_PART_BITS = 46  # a part and what it is of: 62 bits in all


def most_credit(each: int, *, high: float = 1, frac: int = 0) -> Fraction:
    """What one person can change all credits by together: the sensitivity for release.

    Args:
        each: conversions of a person that count, as for attribute.
        high: the largest value of a conversion, 1 for ``credits``.
        frac: fractional bits of the value column.

    A conversion gives away at most its value, and by rounding (TimeDecay; fixed-point values) at most one part in 2^10
    of it and 64 times 2^-13 more.
    """
    check_rows(each)
    bound = as_exact(high)
    if bound is None or bound < 0:
        raise OutOfRange(f"high={high!r}: a finite number, not negative")
    return each * (bound * (1 + Fraction(1, 1 << 10)) + Fraction(_MOST_TOUCHES, 1 << 13))


# -- the protocol --------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Attribution:
    """Credits by campaign, (campaigns,), secret.

    Attributes:
        credits: of conversions: their parts, summed up. Integers for LastTouch, else 16 fractional bits.
        values: of the value column; None without one.
    """

    credits: SecretArray
    values: SecretArray | None


async def attribute(
    party: Party,
    exposures: Source,
    conversions: Source,
    mine: Any = None,
    *,
    time: tuple[str, str],
    campaign: str,
    campaigns: int,
    window: int,
    value: str | None = None,
    rule: Rule | None = None,
    touches: int = 8,
    each: int = 1,
) -> Attribution:
    """Credit the conversions of one party to the exposures of another, by campaign. All parties call it.

    Args:
        exposures, conversions: the two tables. Persons may be in each many times.
        mine: the rows, at the two owners; else anything.
        time: the column of times in each, integers with bounds (Column(low, high)), in one unit.
        campaign: the column of campaign numbers, 0 to ``campaigns`` - 1, of the exposures.
        campaigns: how many, public.
        window: exposures more than so long before a conversion do not count for it.
        value: a column of the conversions to share out as well, with bounds: of f fractional bits below 2^(46 - f) and
            for TimeDecay below 2^(46 - max(16, f)), so that no part leaves the range. For LastTouch any.
        rule: LastTouch() by default, Even(), UShaped(), TimeDecay(half_life).
        touches: how many rows of a person (exposures and other conversions) right before a conversion are looked at, 1
            to 64. *Exposures further back get nothing.* Takes time and bytes in proportion.
        each: conversions of a person that count, the first of the table; bounds what a person can change.

    Release: ``release(party, a.credits, mechanism, sensitivity=most_credit(each), to=...)``.

    Rounds, bytes: sort_by of all rows, and for each row, touch and party 35 bytes (LastTouch) to 175 (TimeDecay), with
    values and m = 3. Range: a total below 2^62, or 2^(62 - max(16, f)) but for LastTouch. Leaks: to all how many rows
    each table has, unless its source says ``rows=``. Any t < m/2. Two persons are taken for one with probability n^2 /
    2^62. Error: none for LastTouch; Even and UShaped round each part down to a multiple of 2^-16; TimeDecay 2^-10.
    Raises at the owner before anything is sent: see source_rows.read; at all OutOfRange, ColumnUnfit, UnknownParty.

    1. The owners share their rows: person, time, campaign or value.
    2. Sort all rows by person and time, an exposure before a conversion of the same time.
    3. A row ``d`` places before a conversion counts if it is an exposure of the same person within the window.
    4. The rule shares out each conversion among those; every exposure adds up what it gets.
    5. Sum by campaign.                                                                  (group_by)
    """
    rule = LastTouch() if rule is None else rule
    sources = (replace(exposures, many=False), replace(conversions, many=False))
    check_sources(party, sources)
    _check(sources, time, campaign, campaigns, window, value, rule, touches)
    check_rows(each)
    public = repr([s.public() for s in sources]) + repr((time, campaign, campaigns, window, value, rule, touches, each))
    current_scope().note(checksum(public))
    shared = await party.launch("rows of attribution", lambda: _shared(party, sources, mine, each)).result()
    rows = await _ordered(party, sources, shared, time, campaign, value)
    paths = _paths(rows, window, min(touches, max(0, len(rows.person) - 1)))
    if not paths:  # a single row, or none
        none = SecretArray(party, np.zeros((party.layout.k, campaigns), np.uint64))
        return Attribution(none, None if value is None else none)
    parts = [c for c in await shared_out(rule, paths, rows.value) if c is not None]
    totals = await group_by(rows.campaign, campaigns).totals(parts)
    return Attribution(totals.sums[0], totals.sums[1] if value is not None else None)


def _check(
    sources: tuple[Source, Source], time: Any, campaign: str, campaigns: Any, window: Any, value: str | None,
    rule: Any, touches: Any,
) -> None:  # fmt: skip
    if not isinstance(time, tuple) or len(time) != 2:
        raise ColumnUnfit(f"time={time!r}: the names of two columns, of exposures and of conversions")
    wanted = [(sources[0], time[0]), (sources[1], time[1]), (sources[0], campaign)]
    for source, name in [*wanted, *([(sources[1], value)] if value is not None else [])]:
        if name not in source.columns:
            raise ColumnUnfit(f"no column {name!r} in the source of party {source.owner}")
    for source, name in wanted:
        column = source.columns[name]
        if column.frac or column.low is None:
            raise ColumnUnfit(f"column {name!r} of party {source.owner}: whole numbers with bounds, Column(low, high)")
    if not is_whole(campaigns) or campaigns < 1:
        raise OutOfRange(f"campaigns={campaigns!r}: a positive whole number")
    of = sources[0].columns[campaign]
    if not (of.low == 0 and of.high == campaigns - 1):
        raise ColumnUnfit(f"column {campaign!r}: {campaigns} campaigns have the numbers 0 to {campaigns - 1}")
    if not is_whole(window) or not 0 <= window < 1 << 40:
        raise OutOfRange(f"window={window!r}: a whole number from 0 to below 2^40, in the unit of the times")
    if not isinstance(rule, LastTouch | Even | UShaped | TimeDecay):
        raise OutOfRange(f"rule={rule!r}: LastTouch(), Even(), UShaped() or TimeDecay(half_life)")
    if not is_whole(touches) or not 1 <= touches <= _MOST_TOUCHES:
        raise OutOfRange(f"touches={touches!r}: 1 to {_MOST_TOUCHES}")
    if value is not None:
        _check_value(sources[1], value, rule)
    for source, name in wanted[:2]:
        column = source.columns[name]
        assert column.low is not None and column.high is not None
        if max(abs(column.low), abs(column.high)) >= 1 << 40:
            raise OutOfRange(f"column {name!r} of party {source.owner}: times below 2^40; count them from a later date")


def _check_value(source: Source, name: str, rule: Rule) -> None:
    """Parts are computed with 16 fractional bits more than the value has; those of TimeDecay from parts."""
    column = source.columns[name]
    if column.low is None or column.high is None:
        raise ColumnUnfit(
            f"column {name!r} of party {source.owner}: values to share out have bounds, Column(low, high)"
        )
    if isinstance(rule, LastTouch):
        return
    most = _PART_BITS - (max(FRAC, column.frac) if isinstance(rule, TimeDecay) else column.frac)
    if max(abs(column.low), abs(column.high)) >= 2.0**most:
        raise OutOfRange(
            f"column {name!r} of party {source.owner}: with {rule} and {column.frac} fractional bits values are below "
            f"2^{most}; count them in a larger unit, or with fewer fractional bits"
        )


# -- step 1 --------------------------------------------------------------------------------


async def _shared(party: Party, sources: tuple[Source, Source], mine: Any, each: int) -> list[Words]:
    """Of both tables [person, columns], (k, rows, 1 + columns)."""
    own, counts = await read_and_tell(party, [replace(s, many=True) for s in sources], mine, (0, 0))
    dropping, words = party.label(), None
    if own is not None:
        most = each if party.index == sources[1].owner else None
        words = _with_persons(own, most, party.prss.private.words(dropping, len(own.real)))
    return [
        await deal(party, words if s.owner == party.index else None, s.owner, (n, 1 + len(s.columns)))
        for s, n in zip(sources, counts, strict=True)
    ]


def _with_persons(own: OwnRows, most: int | None, random: Words) -> Words:
    """The rows, persons before them as numbers of 61 bits; those beyond ``most`` of a person are another's."""
    assert own.source is not None
    person = own.tags[own.source, 0]
    if most is not None:
        starts = np.flatnonzero(np.diff(own.source, prepend=-1))
        place = np.arange(len(person)) - np.repeat(starts, np.diff(starts, append=len(person)))
        person = np.where(place < most, person, random)
    return np.concatenate([(person >> np.uint64(64 - _PERSON_BITS))[:, None], own.words], axis=1)


# -- step 2 --------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class _Rows:
    """All rows in order. ``twice``: the time, doubled. ``value``: 0 for exposures; None without a value column."""

    person: SecretArray
    twice: SecretArray
    sold: SecretBits
    campaign: SecretArray
    value: SecretArray | None


async def _ordered(
    party: Party, sources: tuple[Source, Source], shared: list[Words], time: tuple[str, str], campaign: str,
    value: str | None,
) -> _Rows:  # fmt: skip
    """By person and time. The time is sorted doubled, and one more for a conversion: exposures come first."""
    counts = [x.shape[1] for x in shared]
    sold = np.repeat([False, True], counts)

    def column(i: int, name: str, frac: int = 0) -> SecretArray:
        place = 1 + list(sources[i].columns).index(name)
        return SecretArray(party, np.ascontiguousarray(shared[i][:, :, place]), frac)

    person = concatenate([SecretArray(party, np.ascontiguousarray(x[:, :, 0])) for x in shared])
    twice = 2 * concatenate([column(0, time[0]), column(1, time[1])])
    carried = [
        SecretBits(party, public_share(party, bits.pack(sold)), sold.shape),
        concatenate([column(0, campaign), np.full(counts[1], -1)]),
    ]
    if value is not None:
        frac = sources[1].columns[value].frac
        none = SecretArray(party, np.zeros((party.layout.k, counts[0]), np.uint64), frac)
        carried.append(concatenate([none, column(1, value, frac)]))
    most = max(abs(b) for i in (0, 1) for c in (sources[i].columns[time[i]],) for b in (c.low, c.high) if b is not None)
    (persons, stamps), (flags, codes, *values) = sort_by(
        [person, twice + sold.astype(np.int64)], carried, bits=[_PERSON_BITS, (2 * int(most) + 1).bit_length()]
    )
    return _Rows(persons, stamps - flags.to_array(), flags, codes, values[0] if values else None)


# -- step 3 --------------------------------------------------------------------------------


def _paths(rows: _Rows, window: int, touches: int) -> list[Path]:
    """For d = 1, 2, ...: which conversions have an exposure that counts d places before them, and how old it is."""
    n, paths = len(rows.person), []
    next_is_same = rows.person[1:] == rows.person[:-1]
    same = next_is_same
    for d in range(1, touches + 1):
        if d > 1:
            same = same[1:] & next_is_same[: n - d]
        age = rows.twice[d:] - rows.twice[:-d]
        paths.append(Path(d, same & (age <= 2 * window) & rows.sold[d:] & ~rows.sold[:-d], age))
    return paths
