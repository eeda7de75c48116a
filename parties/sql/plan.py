"""A query's plan: bound to the job's tables, shared out, priced; the same at every member. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlglot import exp

from parties.data.published import profile_of
from parties.errors import ExpressionUnfit, ParametersInvalid, SqlInvalid
from parties.kinds.kind import PRESENT, Owned, Plan, TableAsk, TableShape
from parties.kinds.kind_join import owners_of, read_hiding
from parties.kinds.parameters import check_known, check_tables, read_noise, whole
from parties.membership.charter import Charter
from parties.sql.counting import counts_rows
from parties.sql.figures import People, Summed
from parties.sql.inputs import column_of, frac_of
from parties.sql.noise import Priced
from parties.sql.on_shares import ends_of
from parties.sql.relations import Tables, table_nodes
from parties.sql.select import Bound, bind
from parties.sql.sharing import Part, Shared, share_out
from parties.sql.text import Sql, read_sql
from protocols.join import Source
from protocols.join_plan import Plan as JoinPlan

__all__ = ["NAME", "Details", "Joining", "named_by_member", "plan_of", "tables_of"]

NAME = "query"
_PARAMETERS = ("sql", "epsilon", "delta", "minimum", "pad", "show_matches")
_MOST_TABLES = 64
_MOST_JOINED = 3


@dataclass(frozen=True)
class Joining:
    """How tables are joined.

    Attributes:
        sources: in the order in which they are joined; the first may have several rows a person.
        relations: of each source, which relation it is.
        how: "inner", or "left" if any is.
        inner: of each source but the first, whether rows without a partner there are left out.
        pad: (epsilon, delta) of the dummies; None: none.
    """

    sources: tuple[Source, ...]
    relations: tuple[int, ...]
    how: str
    inner: tuple[bool, ...]
    pad: tuple[float, float] | None


@dataclass(frozen=True)
class Details:
    """Of a plan: what its program and its answer need."""

    bound: Bound
    shared: Shared
    priced: Priced
    tables: tuple[Owned, ...]
    joining: Joining | None


def tables_of(text: Any, catalogue: Sequence[Owned]) -> tuple[tuple[str, str], ...]:
    """(member, table) of all that a query is about, in the order of its text: Job.tables.

    ``catalogue``: all published tables. A name without a member is that of all who publish such a table, in the
    catalogue's order. Raises SqlInvalid, SqlUnsupported, SqlUnbound.
    """
    sql = read_sql(text)
    tables = Tables(sql, catalogue)
    places = [place for node in table_nodes(sql) for place in tables.places(node)]
    return tuple(dict.fromkeys((catalogue[place].member, catalogue[place].facts.name) for place in places))


def named_by_member(text: Any) -> bool:
    """Whether every table is named with its member, so that others' tables do not matter. Raises as tables_of."""
    return all(node.args.get("db") is not None for node in table_nodes(read_sql(text)))


def plan_of(
    parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter, *, explained: bool = False
) -> Plan:
    """The plan; ``explained``: of what EXPLAIN stands before, too.

    Raises ParametersInvalid, SqlInvalid, SqlUnbound, SqlUnsupported, TableUnfit, and what release raises.
    """
    check_known(NAME, parameters, _PARAMETERS, ("sql", "epsilon"))
    sql = read_sql(parameters["sql"])
    if sql.explains and not explained:
        raise SqlInvalid("sql: EXPLAIN is no job: it is answered where it is asked")
    minimum = whole(NAME, parameters, "minimum", 1, 1 << 40)
    bound = bind(sql, tables, counted=minimum is not None)
    check_tables(NAME, tables, 1, _MOST_TABLES)
    if tables_of(sql.text, tables) != tuple((table.member, table.facts.name) for table in tables):
        raise ParametersInvalid(f"{NAME}: the job's tables are not those of its text, in the text's order")
    try:
        shared = share_out(bound, tables)
        ends = _ends(bound, shared, charter)
    except ExpressionUnfit as error:
        raise sql.unsupported(sql.tree, str(error)) from None
    joining, leaks = _joining(parameters, bound, shared, tables, charter, sql)
    _check_people(bound, tables, sql)
    rows, places = _rows(bound, tables, joining)
    noise = read_noise(NAME, parameters)
    priced = Priced(bound.figures, bound.size, rows, places, minimum, noise, ends)
    counts = counts_rows(bound)
    by_place = {part.place: part for part in shared.parts}
    for i, table in enumerate(tables):
        if i not in by_place and i not in shared.beside:
            raise sql.unsupported(sql.tree, f"{table.name} is named, and nothing is made of it", "leave it out")
    asks = tuple(_ask(by_place.get(i), table, shared.beside.get(i, {}), counts) for i, table in enumerate(tables))
    shapes = () if joining else tuple(_shape(by_place.get(i), table) for i, table in enumerate(tables))
    spent = (0.0, 0.0)
    if joining and joining.pad is not None:
        pairs = len(JoinPlan.pairs(joining.sources, joining.how))
        spent = (pairs * joining.pad[0], pairs * joining.pad[1])
    details = Details(bound, shared, priced, tuple(tables), joining)
    return Plan(
        NAME, asks, shapes, priced.described(), details, spent, leaks, anew=joining is None or joining.pad is None,
        minimum=minimum or 1, text=_text(bound, shared, joining),
    )  # fmt: skip


def _text(bound: Bound, shared: Shared, joining: Joining | None) -> str:
    """The bound query in one form of writing: equal texts are equal programs and equal answers."""
    source = bound.source
    said = [
        ("group", bound.groups), ("figures", bound.figures), ("aggregates", bound.aggregates), ("items", bound.items),
        ("having", bound.having), ("order", bound.order), ("limit", bound.limit), ("offset", bound.offset),
        ("left", source.left), ("shared", shared.where, shared.groups, shared.figures, sorted(shared.places.items())),
        ("leaves", sorted(shared.leaves.items())), ("keys", shared.keys), ("parts", [p.inputs for p in shared.parts]),
    ]  # fmt: skip
    joined = (
        None if joining is None else ([s.public() for s in joining.sources], joining.how, joining.inner, joining.pad)
    )
    return repr((*said, joined))


def _ask(part: Part | None, table: Owned, beside: Mapping[str, frozenset[str]], counts: bool) -> TableAsk:
    """``beside``: what its owner looks at it for as it reads another."""
    uses = dict(beside)
    for name, more in () if part is None else part.uses.items():
        uses[name] = uses.get(name, frozenset()) | more
    query = None if part is None else part.query
    return TableAsk(table.member, table.facts.name, uses, counts, query=query, beside=part is None)


def _shape(part: Part | None, table: Owned) -> TableShape:
    if part is None:
        return TableShape(0, ())
    columns = tuple((one.name, frac_of(one)) for one in part.inputs)
    return TableShape(table.facts.capacity, ((PRESENT, 0), *columns))


def _ends(bound: Bound, shared: Shared, charter: Charter) -> dict[int, tuple[Fraction, Fraction]]:
    """See Priced.ends."""
    if not shared.joins:
        return {}
    pairs = enumerate(zip(bound.figures, shared.figures, strict=True))
    return {k: ends_of(of, charter.threshold) for k, (figure, of) in pairs if isinstance(figure, Summed) and of}


def _rows(bound: Bound, tables: Sequence[Owned], joining: Joining | None) -> tuple[int, int]:
    """(the most rows of a person, the most rows there can be)."""
    if joining is None:
        branches = bound.source.relations[0].branches
        return sum(b.rows for b in branches), sum(tables[b.place].facts.capacity for b in branches)
    first = bound.source.relations[joining.relations[0]].branches[0]
    return first.rows, tables[first.place].facts.capacity


def _check_people(bound: Bound, tables: Sequence[Owned], sql: Sql) -> None:
    """People of several tables are told apart by one profile, or not at all."""
    if not any(isinstance(figure, People) for figure in bound.figures):
        return
    branches = bound.source.relations[0].branches
    profiles = {str(tables[b.place].facts.columns[tables[b.place].facts.person].profile) for b in branches}
    if len(profiles) > 1:
        raise sql.unsupported(
            next(sql.tree.find_all(exp.Distinct)),
            f"keys of several profiles ({', '.join(sorted(profiles))})",
            "count people of tables whose keys have one profile",
        )  # fmt: skip


def _joining(
    parameters: Mapping[str, Any],
    bound: Bound,
    shared: Shared,
    tables: Sequence[Owned],
    charter: Charter,
    sql: Sql,
) -> tuple[Joining | None, tuple[str, ...]]:
    source = bound.source
    if not shared.joins:
        if parameters.get("pad") is not None or parameters.get("show_matches", False) is not False:
            raise ParametersInvalid(f"{NAME}: pad and show_matches are for joins, and this query has none")
        return None, ()
    node = sql.tree.args["from_"]
    if len(source.relations) > _MOST_JOINED:
        raise sql.unsupported(node, f"a join of {len(source.relations)} tables", f"join {_MOST_JOINED} at most")
    if any(len(relation.branches) != 1 for relation in source.relations):
        raise sql.unsupported(node, "a join of a union of tables", "name one member's table on each side: member.table")
    many = [i for i, relation in enumerate(source.relations) if relation.branches[0].rows > 1]
    left = any(source.left)
    if len(many) > 1 or (many and left and many != [0]):
        names = ", ".join(tables[source.relations[i].branches[0].place].name for i in many)
        raise sql.unsupported(
            node, f"a join in which a person has several rows in {names}",
            "only one table may repeat a person, of LEFT JOIN the first; a derived table with GROUP BY of the person "
            "key makes one row of several",
        )  # fmt: skip
    order = [*many, *(i for i in range(len(source.relations)) if i not in many)]
    parts = {part.relation: part for part in shared.parts}
    joined = [tables[parts[i].place] for i in order]
    owners = owners_of(joined, charter)
    pad, leaks = read_hiding(parameters, charter)
    profiles = [table.facts.columns[table.facts.person].profile for table in joined]
    for table, profile in zip(joined, profiles, strict=True):
        if profile != profiles[0]:
            raise sql.unsupported(
                node, f"people of {table.name} are told apart by profile {profile}, others by {profiles[0]}",
                "join tables whose keys have one profile",
            )  # fmt: skip
    sources = []
    for i, table, owner in zip(order, joined, owners, strict=True):
        columns = {one.name: column_of(one) for one in parts[i].inputs}
        profile_ = profile_of(table.facts.columns[table.facts.person])
        many_rows = source.relations[i].branches[0].rows > 1
        sources.append(Source(owner, {"key": profile_}, columns, rows=table.facts.capacity, many=many_rows))
    inner = tuple(not source.left[i] for i in order[1:])
    return Joining(tuple(sources), tuple(order), "left" if left else "inner", inner, pad), leaks
