"""What a party brings into a join, as everybody knows it: whose table, its key, the bounds of its columns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mpc.encoding import check_frac
from mpc.errors import OutOfRange, WrongType
from mpc.party import Party
from protocols.errors import ColumnUnfit
from protocols.exact import is_whole
from protocols.keys import AGGREGATES
from protocols.own_rows import check_bounds
from protocols.profiles import Profile

__all__ = ["MOST_ROWS", "Column", "Source", "check_sources"]

MOST_ROWS = 1 << 29
"""Of one source, fillers included."""


@dataclass(frozen=True)
class Column:
    """A column of numbers that goes along with a key. Public: every party gives the same.

    Args:
        low, high: bounds of the values, both or neither: a value outside is an error at the owner (to cut it instead,
            use clip_rows before). They are what a sensitivity is made of, aggregate.sensitivity_of(low, high).
        frac: fractional bits, 0 for integers, and for floats that are whole numbers.
        combine: in a source with ``distinct``, what the owner makes of the values of a key's rows before anything else:
            "sum", "mean", "min", "max", "first", "last" or "count". The bounds are those of the result.
    """

    low: float | None = None
    high: float | None = None
    frac: int = 0
    combine: str | None = None

    def __post_init__(self) -> None:
        check_frac(self.frac)
        if (self.low is None) != (self.high is None):
            raise OutOfRange(f"bounds {self.low!r} to {self.high!r} of a column: give both or neither")
        if self.low is not None:
            check_bounds(self.low, self.high)
        if self.combine is not None and self.combine not in AGGREGATES:
            raise OutOfRange(f"combine={self.combine!r} of a column: {', '.join(AGGREGATES)}, or None")


@dataclass(frozen=True)
class Source:
    """One party's table in a join. Public: every party gives the same.

    Args:
        owner: the party that has the rows.
        key: name of each key column at the owner, with the profile that makes it comparable. Rows whose key is missing
            in any part never match.
        columns: the columns of numbers that go along.
        rows: a public number of rows to fill up to, so that not even how many there are is told. None tells it.
        many: several rows may have one key. Of the sources of a join one may have that, the first.
        distinct: several rows may have one key, and the owner makes one row of them first, each column by its
            ``combine``.
    """

    owner: int
    key: Mapping[str, Profile]
    columns: Mapping[str, Column] = field(default_factory=dict)
    rows: int | None = None
    many: bool = False
    distinct: bool = False

    def __post_init__(self) -> None:
        key: object = self.key
        if not isinstance(key, Mapping) or not key:
            raise WrongType("key of a source: a mapping from column names to profiles, such as {'email': EMAIL_PAIR}")
        for name, profile in self.key.items():
            if isinstance(profile, type) or not isinstance(profile, Profile):
                raise WrongType(
                    f"key column {name!r}: a profile of protocols.profiles or protocols.people, such as TEXT or "
                    f'Phone("DE"), not {profile!r}'
                )
        columns: object = self.columns
        if not isinstance(columns, Mapping):
            raise WrongType("columns of a source: a mapping from names to Column, such as {'age': Column(0, 120)}")
        for name, column in self.columns.items():
            if not isinstance(column, Column):
                raise WrongType(f"column {name!r} of a source: a Column, not {type(column).__name__}")
            if (column.combine is not None) != self.distinct:
                raise OutOfRange(
                    f"column {name!r}: combine= goes with distinct=True of its source, and one needs the other"
                )
        if self.many and self.distinct:
            raise OutOfRange(
                "many=True keeps the rows of one key, distinct=True makes one of them: give one of the two"
            )
        if self.rows is not None and (not is_whole(self.rows) or not 1 <= self.rows <= MOST_ROWS):
            raise OutOfRange(f"rows={self.rows!r} of a source: a whole number from 1 to {MOST_ROWS}, or None")

    def public(self) -> str:
        """All of it in words, to be compared between parties."""
        key = [(name, str(profile)) for name, profile in self.key.items()]
        columns = [(name, c.low, c.high, c.frac, c.combine) for name, c in self.columns.items()]
        return repr((self.owner, key, columns, self.rows, self.many, self.distinct))


def check_sources(party: Party, sources: Sequence[Source]) -> None:
    """UnknownParty, OutOfRange, WrongType, ColumnUnfit unless these sources can be joined."""
    if not isinstance(sources, Sequence):
        raise WrongType(f"sources of a join: a list of Source, not {type(sources).__name__}")
    if len(sources) < 2:
        raise OutOfRange(f"a join of {len(sources)} sources: at least two")
    for s in sources:
        if not isinstance(s, Source):
            raise WrongType(f"sources of a join: a list of Source, not of {type(s).__name__}")
        party.check_index(s.owner, "owner")
    owners = [s.owner for s in sources]
    if len(set(owners)) != len(owners):
        raise OutOfRange(f"owners {owners}: each once; a party joins tables of its own by itself, in the open")
    profiles = [list(s.key.values()) for s in sources]
    for s, p in zip(sources, profiles, strict=True):
        if [x.name for x in p] != [x.name for x in profiles[0]]:  # options, such as Phone's region, are an owner's own
            raise ColumnUnfit(
                f"the key of party {s.owner} has profiles {[str(x) for x in p]}, that of party {sources[0].owner} "
                f"{[str(x) for x in profiles[0]]}: keys are equal only under the same profiles in the same order"
            )
    names = [name for s in sources for name in s.columns]
    twice = sorted({name for name in names if names.count(name) > 1}, key=str)
    if twice:
        raise ColumnUnfit(
            f"columns {twice} are in several sources: rename them, a joined column needs a name of its own"
        )
    if any(s.many for s in sources[1:]):
        raise OutOfRange(
            "many=True: only the first source of a join may repeat keys; use aggregate_rows for the others"
        )
