"""What a receipt says of jobs of every kind: which column for what, which noise, how much in all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parties.data.description import describe, digest_of
from parties.disk.chain import Head, audit_log
from parties.jobs.statement import Statement
from parties.planning.job_plans import Plans
from parties.planning.kinds import KINDS
from parties.proof.receipt_facts import facts_of
from protocols.exact import round_up
from tests.fuzz.text_targets import JOBS
from tests.parties.consortium import NAMES, charter, identity, member
from tests.parties.job_tables import stays
from tests.parties.made_jobs import job

CHARTER = charter(*(member(i) for i in range(4)))
QUERY = ("query", {"sql": "SELECT COUNT(*), MAX(cost) FROM stays WHERE died", "epsilon": 2.0}, 2)


def test_jobs_of_every_kind_are_there() -> None:
    assert {kind for kind, _, _ in (*JOBS, QUERY)} == set(KINDS)


@pytest.mark.parametrize(("kind", "parameters", "count"), [*JOBS, QUERY])
def test_every_table_column_and_noise_is_told(kind: str, parameters: dict[str, Any], count: int) -> None:
    table = stays()
    asked = job(
        charter=CHARTER.digest, kind=kind, parameters=parameters, results=("alfa",),
        tables=tuple((NAMES[i], table.name) for i in range(count)), published=(digest_of(table),) * count,
    )  # fmt: skip
    texts = [describe(table).decode()] * count
    _, plan = Plans(lambda: (CHARTER,)).plan(asked, texts)
    statements = {
        NAMES[i]: Statement(
            asked.digest, plan.digest, Head(audit_log(identity(i).fingerprint), i + 1, "e" * 64), "f" * 64,
            {table.name: f"{i}" * 64},
        )
        for i in range(4)
    }  # fmt: skip
    facts = facts_of(asked, CHARTER, texts, plan, statements)
    assert [(one["member"], one["table"]) for one in facts.tables] == list(asked.tables)
    assert [one["policy"] for one in facts.tables] == [f"{i}" * 64 for i in range(count)]
    for one, ask in zip(facts.tables, plan.asks, strict=True):
        assert set(one["columns"]) >= set(ask.uses) and set(one["columns"]) <= set(table.columns)
    assert len(facts.mechanisms) == len(plan.events)
    assert all(one["standard_deviation"] > 0 and one["figures"] >= 1 for one in facts.mechanisms)
    assert facts.epsilon >= round_up(facts.beside[0]) and facts.beside == list(plan.spent)
    assert facts.log == {"alfa": 1, "bravo": 2, "charlie": 3, "delta": 4}
    assert json.loads(json.dumps(facts.fields)) == facts.fields
