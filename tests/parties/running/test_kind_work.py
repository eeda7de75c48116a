"""What a node does in a job, checked again where time has passed: tables as they were consented to."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from parties.consent.rules import Rules
from parties.data.description import describe, digest_of
from parties.data.published import PublishedTable
from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import NotPublished
from parties.jobs.job import Job, job_id
from parties.kinds.kind import TableInput
from parties.models.model_assets import ModelAssets
from parties.planning.job_plans import Plans
from parties.planning.job_work import PUBLISHED
from parties.policies.ledger import Ledger
from parties.policies.policy_store import SignedPolicy, sign_policy
from parties.publishing.publish_policy import policy_of
from parties.running.kind_work import KindWork, part_name
from protocols.errors import TableChanged
from tests.parties.consortium import charter, identity, member
from tests.parties.job_tables import stays

CHARTER = charter(*(member(i) for i in range(3)), member(3, "input", "result"))


def node(tmp_path: Path, tables: dict[str, PublishedTable], texts: list[str]) -> KindWork:
    """delta's, which does not compute."""

    async def disk(call: Callable[..., Any], *values: Any) -> Any:
        return call(*values)

    board: Any = SimpleNamespace(
        me=CHARTER.members[3],
        index=None,
        charter=CHARTER,
        disk=disk,
        aside=disk,
        store=SimpleNamespace(facts=lambda job: {PUBLISHED: texts}),
    )
    nothing: Any = None
    plans = Plans(lambda: (CHARTER,))
    file = SqliteFile(tmp_path / "ledger.db", CHAIN_SCHEMA)
    ledger = Ledger(file, identity(3).fingerprint)

    def policies(names: Iterable[str]) -> dict[str, SignedPolicy]:
        return {name: sign_policy(policy_of(tables[name]), identity(3)) for name in names}

    rules = Rules(lambda: CHARTER.members[3], plans, lambda: tables, policies, ledger, lambda: 1_800_000_000.0)
    return KindWork(board, plans, rules, lambda: tables, nothing, nothing, ModelAssets(tmp_path), None, nothing)


def of(table: PublishedTable) -> Job:
    return Job(
        charter=CHARTER.digest,
        id=job_id(identity(3).fingerprint, "one"),
        kind="aggregate",
        parameters={"figures": ["count"], "epsilon": 1.0},
        tables=(("delta", table.name),),
        published=(digest_of(table),),
        results=("delta",),
        proposer=identity(3).fingerprint,
        proposed=1_800_000_000,
        deadline=600,
    )


def test_a_table_published_anew_or_withdrawn_after_the_consent_is_not_read(tmp_path: Path) -> None:
    source = tmp_path / "stays.csv"
    source.write_text("person,age\n1,2\n")
    table = dataclasses.replace(stays(), source=str(source))
    tables = {table.name: table}
    job, texts = of(table), [describe(table).decode()]
    work = node(tmp_path, tables, texts)

    async def ends(error: type[Exception], call: Callable[[], Awaitable[Any]]) -> None:
        with pytest.raises(error):
            await call()

    async def main() -> None:
        await work.consent(job, texts)
        tables[table.name] = dataclasses.replace(table, epsilon_a_job=0.5)
        await ends(TableChanged, lambda: work.deal(job))
        await ends(TableChanged, lambda: work.consent(job, texts))
        del tables[table.name]
        await ends(NotPublished, lambda: work.deal(job))

    trio.run(main)


def test_a_table_that_is_only_looked_at_is_not_dealt_and_has_to_be_as_it_was_consented_to(tmp_path: Path) -> None:
    here, other = tmp_path / "stays.csv", tmp_path / "visits.csv"
    here.write_text("person,age\n1,20\n2,30\n3,40\n")
    other.write_text("person,age\n2,50\n3,5\n")
    mine = dataclasses.replace(stays(), source=str(here))
    visits = dataclasses.replace(stays(), name="visits", source=str(other))
    tables = {table.name: table for table in (mine, visits)}
    text = "SELECT SUM(age) FROM delta.stays WHERE person IN (SELECT person FROM delta.visits WHERE age > 9)"
    job = dataclasses.replace(
        of(mine),
        kind="query",
        parameters={"sql": text, "epsilon": 1.0},
        tables=(("delta", "stays"), ("delta", "visits")),
        published=(digest_of(mine), digest_of(visits)),
    )
    work = node(tmp_path, tables, [describe(mine).decode(), describe(visits).decode()])
    sent: list[str] = []

    async def send_part(member: Any, job_id: str, purpose: str, name: str, part: int, content: bytes) -> None:
        assert content
        sent.append(name)

    work._board.network = SimpleNamespace(send_part=send_part)  # type: ignore[assignment]

    async def main() -> None:
        await work.consent(job, [describe(mine).decode(), describe(visits).decode()])
        await work.deal(job)
        assert set(sent) == {part_name(0)}
        _, plan = await work._planned(job)
        rows = work._own.all(*work._reading(job, plan, 0))
        assert [list(values) for values in rows.values()] == [[30], [1]]
        assert await work._input(job, plan, 1) == TableInput(None)
        tables["visits"] = dataclasses.replace(visits, epsilon_a_job=0.5)
        with pytest.raises(TableChanged, match="table visits of delta was published anew"):
            await work.deal(job)

    trio.run(main)
