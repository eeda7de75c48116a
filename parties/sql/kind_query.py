"""Query: SQL over tables nobody sees whole. Every member's node reads the text by itself and finds the same plan.

    {"sql": "SELECT ward, COUNT(*), AVG(age) FROM stays WHERE age >= 18 GROUP BY ward", "epsilon": 1.0, "minimum": 20}

Optional: ``delta`` for Gaussian noise, ``minimum`` (rows of a group that is shown, by its noised count), and of joins
``pad`` or ``show_matches`` as kind_join.py has them. Job.tables are those the text mentions, in its order: tables_of.

Neighbouring data: all rows of one person, in all the tables. A person is one key where tables are joined or people are
counted; in a union one person's rows are those of all tables together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpc.party import Party
from parties.kinds.kind import Kind, Outcome, Owned, Plan, Talk, Work
from parties.kinds.parameters import check_known
from parties.membership.charter import Charter
from parties.sql.answer import answer
from parties.sql.explain import expected, explain
from parties.sql.plan import NAME, named_by_member, plan_of, tables_of
from parties.sql.program import encode, run

__all__ = ["QUERY", "tables_of"]


def check(parameters: Mapping[str, Any], tables: Sequence[Owned], charter: Charter) -> Plan:
    """The plan; see sql.plan.plan_of for what it raises. Pure."""
    return plan_of(parameters, tables, charter)


async def program(party: Party, line: Talk, work: Work) -> Outcome:
    """What every compute member runs; see sql.program.run."""
    return await run(party, line, work)


def tables(parameters: Mapping[str, Any], catalogue: Sequence[Owned]) -> tuple[tuple[tuple[str, str], ...], bool]:
    """See Kind.tables. Raises ParametersInvalid, SqlInvalid, SqlUnsupported, SqlUnbound. Pure."""
    check_known(NAME, parameters, parameters, ("sql",))
    return tables_of(parameters["sql"], catalogue), named_by_member(parameters["sql"])


QUERY = Kind(NAME, check, encode, program, answer, tables=tables, expects=expected, explain=explain)
