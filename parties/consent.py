"""May these published tables serve this job? Pure, clause by clause; what is not allowed is denied.

A job of any kind comes down to: which columns of which table are used how, who receives, how much epsilon it spends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from parties.errors import BoundsMissing, EpsilonTooLarge, NotPublished, ReceiverDenied, UseDenied
from parties.published import KINDS, USES, PublishedColumn, PublishedTable
from parties.row_filter import Filter, check_filter, columns_of
from protocols.exact import check_epsilon

__all__ = ["Request", "TableUse", "check_consent"]

_MEASURED = ("sum", "group", "train", "score")
"""Uses whose noise or encoding needs to know within what a value lies."""


@dataclass(frozen=True)
class TableUse:
    """What a job does with one table.

    Attributes:
        table: its name, at the member whose consent is asked.
        uses: for each column all it is used for, of published.USES. Columns of the filter need not be here.
        counts: whether rows or people are counted, as they are, or for a mean or a minimum of people.
        where: which rows; None: all.
    """

    table: str
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    counts: bool = False
    where: Filter | None = None


@dataclass(frozen=True)
class Request:
    """What a job asks of one member.

    Attributes:
        tables: what it does with each of the member's tables.
        epsilon: what it spends in all; of every table, as all go into one answer. 0: nothing with noise leaves, as of
            predictions for the rows' own member only.
        receivers: names of the members that would receive the answer.
    """

    tables: tuple[TableUse, ...]
    epsilon: float
    receivers: frozenset[str]


def check_consent(request: Request, published: Mapping[str, PublishedTable]) -> None:
    """Nothing if all of the request is allowed. Raises at the first clause that is not, and names it and the way out.

    1. Every table, and every column, is published.                                    NotPublished
    2. A use is one there is, and can be of a column of this kind.                     UseDenied
    3. A column that is measured has public bounds.                                    BoundsMissing
    4. Its member lists the use at the column; `count` at the table.                   UseDenied
    5. The filter compares columns with what they can hold.                            FilterInvalid
    6. The epsilon is a number above 0 and at most what the table allows one job; or 0, where the only use is score.
                                                                                       EpsilonInvalid, EpsilonTooLarge
    7. There is somebody to receive, and the table's member gives each of them.        ReceiverDenied
    """
    if not request.tables:
        raise UseDenied("the job uses no table of this member: there is nothing to consent to")
    for use in request.tables:
        table = published.get(use.table)
        if table is None:
            raise NotPublished(f"table {use.table!r}: not published here; its member publishes it: `accord publish`")
        _check_columns(use, table)
        check_filter(use.where, table)
        scored = not use.counts and all(uses <= {"score", "filter"} for uses in use.uses.values())
        if request.epsilon != 0 or not scored:
            _check_epsilon(request.epsilon, table)
        _check_receivers(request.receivers, table)


def _check_columns(use: TableUse, table: PublishedTable) -> None:
    wanted = {name: set(uses) for name, uses in use.uses.items()}
    for name in columns_of(use.where):
        wanted.setdefault(name, set()).add("filter")
    if not wanted and not use.counts:
        raise UseDenied(f"table {table.name}: the job says no use of it; one that needs no column is count")
    if use.counts and not table.counts:
        raise UseDenied(
            f"table {table.name}, uses: its member does not allow count; `accord publish` with --allow count does"
        )
    for name in sorted(wanted):
        column = table.columns.get(name)
        if column is None:
            raise NotPublished(
                f"table {table.name}, column {name!r}: not published; there are {', '.join(table.columns)}"
            )
        if not wanted[name]:
            raise UseDenied(f"table {table.name}, column {name}: the job says no use of it")
        for one in sorted(wanted[name]):
            _check_use(one, column, f"table {table.name}, column {name}")


def _check_use(use: str, column: PublishedColumn, what: str) -> None:
    if use not in USES:
        raise UseDenied(f"{what}: there is no use {use!r}; there are {', '.join(USES)}")
    if use not in KINDS[column.kind]:
        possible = ", ".join(KINDS[column.kind])
        raise UseDenied(f"{what}, kind: {use} cannot be of a column of kind {column.kind}, only {possible}")
    if use in _MEASURED and not column.bounded:
        raise BoundsMissing(
            f"{what}, low and high: {use} needs bounds, and none are published; its member publishes them: "
            f"`accord publish` with --column {column.name}={column.kind}:LOW:HIGH"
        )
    if use not in column.uses:
        raise UseDenied(
            f"{what}, uses: its member allows {', '.join(sorted(column.uses)) or 'nothing'}, not {use}; `accord "
            "publish` with --allow changes it"
        )


def _check_epsilon(epsilon: float, table: PublishedTable) -> None:
    if check_epsilon(epsilon) > check_epsilon(table.epsilon_a_job):
        raise EpsilonTooLarge(
            f"table {table.name}, epsilon_a_job: the job spends {epsilon!r}, its member allows "
            f"{table.epsilon_a_job!r}; ask with less, or the member to publish more"
        )


def _check_receivers(receivers: frozenset[str], table: PublishedTable) -> None:
    if not receivers:
        raise ReceiverDenied(f"table {table.name}: nobody is to receive the answer; name a result member")
    if table.results_to is None:
        return
    denied = sorted(receivers - table.results_to)
    if denied:
        raise ReceiverDenied(
            f"table {table.name}, results_to: its member gives answers to {', '.join(sorted(table.results_to))}, not "
            f"to {', '.join(denied)}; name others, or ask the member to list them"
        )
