"""What others could learn from a published table, in words: shown before it is published. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from parties.data.published import PublishedColumn, PublishedTable

__all__ = ["NEVER", "Exposure", "exposures"]

NEVER = (
    "Nobody is told where the table is, how many rows it has, or any value in it. Whatever a job releases has noise "
    "that hides whether any one person is in the table, as far as the job's epsilon goes; many jobs tell more than one."
)

_LEARNT = {
    "count": "from {who}: how many different keys there are, with noise",
    "sum": "from {who}: sums and means, with noise that hides a change of {change} by one person",
    "group": "from {who}: how many rows, or what sums, there are {groups}, with noise",
    "filter": "from {who}: all other figures of only those rows whose value compares in a way they choose",
    "join": "from {who}: figures of the rows whose key another member has too; never which keys these are",
    "train": "from {who}: a model that was fitted to the column, with noise if the job says so",
    "score": "from {who}: predictions, or their quality, of a model that looks at the column",
}


@dataclass(frozen=True)
class Exposure:
    """One line: column "" is the table as a whole, use "" is what is known without any job."""

    column: str
    use: str
    learnt: str


def exposures(table: PublishedTable) -> list[Exposure]:
    """What others could learn, by column and use."""
    who = "a job" if table.results_to is None else f"a job for {', '.join(sorted(table.results_to))}"
    rows = "1 row" if table.rows_a_person == 1 else f"{table.rows_a_person} rows"
    told = [
        Exposure(
            "",
            "",
            f"in the clear: the table's name, at most {table.capacity} rows, {rows} a person, "
            f"epsilon {table.epsilon_a_job:g} a job",
        )
    ]
    if table.counts:
        told.append(Exposure("", "count", f"from {who}: how many rows or people there are, with noise"))
    for name, column in table.columns.items():
        told.append(Exposure(name, "", f"in the clear: {_said(column)}"))
        for use in sorted(column.uses):
            change, groups = _change(column, table.rows_a_person), _groups(column)
            told.append(Exposure(name, use, _LEARNT[use].format(who=who, change=change, groups=groups)))
    return told


def _said(column: PublishedColumn) -> str:
    said = f"{column.kind} {column.profile}" if column.profile else column.kind
    if column.low is not None:
        said += f" from {column.low} to {column.high}"
    if column.categories:
        said += f": {', '.join(map(str, column.categories))}"
    return said + (f"; a missing value counts as {column.missing}" if column.missing is not None else "")


def _groups(column: PublishedColumn) -> str:
    if column.kind in ("boolean", "category"):
        return f"in each of {len(column.categories) or 2} groups"
    return "for each value, or range of values they choose"


def _change(column: PublishedColumn, rows: int) -> str:
    if column.kind == "boolean":
        return str(rows)
    if isinstance(column.low, int | float) and isinstance(column.high, int | float):
        return f"{rows * max(abs(column.low), abs(column.high), column.high - column.low):g}"
    return f"{rows} x the range of dates"
