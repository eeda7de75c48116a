"""Published tables, their sources, and what may be asked about them."""

from __future__ import annotations

from mpc.errors import AccordError, UsageError

__all__ = [
    "BoundsMissing",
    "ColumnMissing",
    "ExpressionUnfit",
    "ExtraMissing",
    "FilterInvalid",
    "NotPublished",
    "RowsUnfit",
    "SourceApart",
    "SourceTooLarge",
    "SourceUnreachable",
    "SourceUnreadable",
    "SqlInvalid",
    "SqlUnbound",
    "SqlUnsupported",
    "TableInvalid",
    "TableMissing",
    "TableUnfit",
    "ValueUnfit",
]


class TableInvalid(UsageError):
    """What a member publishes about a table breaks a rule; the text names table, column and field."""


class ExtraMissing(UsageError):
    """A table's source needs a library that is not installed here; the text has the command that installs it."""


class TableMissing(UsageError):
    """There is nothing where a published table is said to be."""


class ColumnMissing(UsageError):
    """A published column is not in the source of its table (any more), or a job names one that is not there."""


class SourceUnreachable(UsageError):
    """The file, database or engine that holds a table cannot be reached, or stopped answering."""


class SourceTooLarge(SourceUnreachable):
    """What an engine would have to hold at once does not fit into the memory it may use. Nothing went to disk."""


class SourceApart(UsageError):
    """A query asks about people of a table that is in another database than the one asked, which takes nothing in."""


class SourceUnreadable(UsageError):
    """A table's source is there, and is not what its name says: a damaged file, mixed kinds of files."""


class ValueUnfit(UsageError):
    """A value does not fit what was published about its column, or is missing and nothing stands for it."""


class FilterInvalid(UsageError):
    """A filter that is malformed, too large, or compares a column with what it cannot hold."""


class NotPublished(AccordError):
    """A job names a table or a column its member does not publish."""


class BoundsMissing(AccordError):
    """A job needs the public bounds of a column that was published without any: noise is measured by them."""


class TableUnfit(UsageError):
    """A published table, or a column, that this kind of job cannot use as it is published."""


class RowsUnfit(UsageError):
    """An owner's own rows are not as it published them: a column is not there, a value outside its bounds.

    No value, place or number of rows is in the text; nothing was sent.
    """


class ExpressionUnfit(UsageError):
    """An expression over columns whose operands do not go together, or whose values have no public bounds."""


class SqlInvalid(UsageError):
    """A text that is no SQL query: where, and what was expected there."""


class SqlUnbound(UsageError):
    """A query names a table, column or category that is not published; the text says which come close."""


class SqlUnsupported(UsageError):
    """A clause of a query that cannot run: which, where, why, and the nearest thing that can."""
