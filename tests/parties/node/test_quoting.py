"""Quotes between members: every owner says what its own rules do, a silent one counts as no, nothing is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from mpc.errors import AccordError
from parties.consent.rules import Rules
from parties.data.published import PublishedTable
from parties.disk.chained_table import CHAIN_SCHEMA
from parties.disk.sqlite_file import SqliteFile
from parties.errors import JobInvalid, JobRefused, PeerUnreachable, TableUnfit
from parties.jobs.job import Job, job_id, read_job
from parties.membership.charter import Member
from parties.models.fitted import Coefficient, FittedLogistic
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ModelRules
from parties.node.catalogue import Catalogue
from parties.node.quoting import Quoting
from parties.planning.costs import load_costs
from parties.planning.job_plans import Plans
from parties.planning.job_work import PUBLISHED
from parties.policies.ledger import Ledger
from parties.policies.policy_store import SignedPolicy, sign_policy
from parties.policies.policy_terms import Limits, Rule
from parties.publishing.publish_policy import policy_of
from parties.wire.meeting import Tables
from parties.wire.model_messages import BroughtIn
from parties.wire.people_messages import Submit, TableChoice
from parties.wire.quote_messages import PlanCard, Quote, Quoted
from tests.parties.consortium import charter, identity, member
from tests.parties.job_tables import stays

CHARTER = charter(*(member(i) for i in range(3)), member(3, "input", "result"))
NOW = 1_800_000_000.0
NAMES = ("alfa", "bravo", "charlie", "delta")


class Nodes:
    """A quoting part each, of members that publish one table each, but delta, and reach each other in memory."""

    def __init__(self, directory: Path) -> None:
        self.tables: dict[str, dict[str, PublishedTable]] = {name: {"stays": stays()} for name in NAMES[:3]}
        self.tables["delta"] = {}
        self.limits = {name: Limits(query=2.0, ever=5.0) for name in NAMES}
        self.rules: dict[str, tuple[Rule, ...]] = {}
        self.silent: set[str] = set()
        self.same: str | None = None
        self.ledgers: dict[str, Ledger] = {}
        self.said: list[Quote] = []
        self.models = {name: ModelAssets(directory / name) for name in NAMES}
        self.parts = {name: self._node(directory, i, name) for i, name in enumerate(NAMES)}

    def _node(self, directory: Path, i: int, name: str) -> Quoting:
        async def inline(call: Callable[..., Any], *values: Any) -> Any:
            return call(*values)

        async def found(job: str) -> None:
            return None

        board: Any = SimpleNamespace(
            me=CHARTER.members[i], charter=CHARTER, identity=identity(i), disk=inline, aside=inline, find=found,
            store=SimpleNamespace(replays=SimpleNamespace(find=lambda job: self.same)),
            clock=lambda: NOW, network=SimpleNamespace(call=self._calls_of(CHARTER.members[i])),
        )  # fmt: skip
        members: Any = SimpleNamespace(client=lambda other: SimpleNamespace(tables=self._tables_of(other)))
        plans = Plans(lambda: (CHARTER,))
        self.ledgers[name] = Ledger(SqliteFile(directory / f"{name}.db", CHAIN_SCHEMA), identity(i).fingerprint)

        def policies(tables: Iterable[str]) -> dict[str, SignedPolicy]:
            made = {table: policy_of(self.tables[name][table], self.limits[name]) for table in tables}
            if name in self.rules:
                made = {table: dataclasses.replace(one, rules=self.rules[name]) for table, one in made.items()}
            return {table: sign_policy(one, identity(i)) for table, one in made.items()}

        own = lambda: self.tables[name]  # noqa: E731
        rules = Rules(
            lambda: CHARTER.members[i], plans, own, policies, self.ledgers[name], lambda: NOW, self.models[name]
        )
        return Quoting(board, Catalogue(board, members, own), plans, rules, load_costs().cost)

    def _tables_of(self, other: Member) -> Callable[..., Any]:
        async def tables(within: float) -> Tables:
            if other.name in self.silent:
                raise PeerUnreachable(other.name, "away")
            catalogue: Any = self.parts[other.name]._catalogue
            return Tables(tables=catalogue._mine())

        return tables

    def _calls_of(self, caller: Member) -> Callable[..., Any]:
        async def call(to: Member, message: Any, job: str = "", *, within: float) -> Quoted:
            if to.name in self.silent:
                raise PeerUnreachable(to.name, "away")
            self.said.append(message)
            return await self.parts[to.name].answer(caller, job, message)

        return call

    async def quote_fresh(self, parameters: Any) -> PlanCard:
        """Of a query, at a node that knows of no tables yet."""
        part: Any = self.parts["delta"]
        part._catalogue._known.clear()
        found: PlanCard = await part.quote("ann", asked(kind="query", parameters=parameters, tables=[]))
        return found

    def quote(self, at: str = "delta", **other: Any) -> PlanCard:
        return trio.run(self.parts[at].quote, "ann", asked(**other))


def asked(**other: Any) -> Submit:
    said: dict[str, Any] = {
        "kind": "aggregate", "parameters": {"figures": ["count", {"mean": "age"}], "by": "ward", "epsilon": 1.0},
        "tables": [TableChoice(member=name, table="stays") for name in NAMES[:2]], "results": ["delta"],
        "deadline": 600, "key": "one",
    }  # fmt: skip
    return Submit(**{**said, **other})


@pytest.fixture
def nodes(tmp_path: Path) -> Nodes:
    return Nodes(tmp_path)


def test_each_owner_says_what_its_own_rules_do(nodes: Nodes) -> None:
    nodes.limits["bravo"] = Limits(query=0.5)
    card = nodes.quote()
    alfa, bravo = card.owners
    assert (alfa.member, bravo.member, card.verdict) == ("alfa", "bravo", "denied")
    assert alfa.tables[0].verdict == "allowed" and alfa.tables[0].left is not None
    assert alfa.tables[0].left.ever == pytest.approx(4.0) and alfa.tables[0].left.analyst is None
    denied = [one for one in bravo.tables[0].clauses if one.verdict == "denied"]
    assert [one.clause for one in denied] == ["query"] and "0.5" in denied[0].remedy
    assert card.epsilon == 1.0 and card.groups == len(stays().columns["ward"].categories)
    assert [(one.name, one.by_rows) for one in card.figures] == [("count", False), ("mean(age)", True)]
    assert all(ledger.chain.head.number == 0 for ledger in nodes.ledgers.values())
    assert card.replays == ""
    nodes.same = "2" * 32
    assert nodes.quote().replays == nodes.same
    nodes.limits["bravo"] = Limits(query=2.0, ask=0.5)
    assert nodes.quote().verdict == "ask"


def test_who_does_not_say_counts_as_no(nodes: Nodes) -> None:
    async def twice() -> tuple[PlanCard, PlanCard]:
        before = await nodes.parts["delta"].quote("ann", asked())
        nodes.silent.add("bravo")  # what it publishes is still known
        return before, await nodes.parts["delta"].quote("ann", asked())

    before, card = trio.run(twice)
    assert before.verdict == "allowed"
    assert card.verdict == "denied" and card.owners[1].error.startswith("PeerUnreachable") and not card.owners[1].tables


def test_an_owner_without_rules_denies(nodes: Nodes) -> None:
    nodes.rules["alfa"] = ()
    card = nodes.quote()
    assert card.verdict == "denied" and {one.verdict for one in card.owners[0].tables[0].clauses} >= {"denied"}


def test_a_models_owner_says_what_its_rules_do(nodes: Nodes) -> None:
    charlie = nodes.models["charlie"]
    terms = [Coefficient("age", None, 0.0, 90.0, 1.5)]
    model = FittedLogistic(terms, 0.5, bound=1.0, spread=2.0, label="died", epsilon=0, delta=0)
    asset = charlie.add(model, "risk", BroughtIn(by="eve", file="x", sha256="0" * 64), NOW)
    named = {"owner": "charlie", "name": "risk", "version": 1, "id": asset.id, "family": "logistic"}
    how: dict[str, Any] = {
        "kind": "score", "parameters": {"model": {**named, **asset.facts.fields}, "features": ["age"]},
        "tables": [TableChoice(member="alfa", table="stays")], "results": ["alfa"],
    }  # fmt: skip
    card = nodes.quote(**how)
    alfa, owner = card.owners
    assert card.verdict == "denied" and alfa.tables[0].verdict == "allowed" and not alfa.models
    assert owner.member == "charlie" and owner.models[0].model == "risk@1" and owner.models[0].verdict == "denied"
    assert [one.clause for one in owner.models[0].clauses if one.verdict == "denied"] == ["member"]
    charlie.set_rules(asset, ModelRules(members=frozenset({"delta"})))
    assert nodes.quote(**how).verdict == "allowed"


def test_a_query_finds_its_tables_and_says_how_it_runs(nodes: Nodes) -> None:
    sql = {"sql": "SELECT COUNT(*) FROM stays WHERE age > 3", "epsilon": 0.5}
    card = nodes.quote(kind="query", parameters=sql, tables=[])
    assert card.tables == [f"{name}.stays" for name in NAMES[:3]] and len(card.owners) == 3
    assert "charlie runs, on its own stays" in card.explained
    nodes.silent.add("charlie")
    with pytest.raises(JobRefused, match="charlie could not be asked what it publishes"):
        trio.run(Nodes.quote_fresh, nodes, sql)
    named = {"sql": "SELECT COUNT(*) FROM alfa.stays", "epsilon": 0.5}
    assert trio.run(Nodes.quote_fresh, nodes, named).tables == ["alfa.stays"]


def test_a_quote_is_answered_to_who_would_propose_it_only(nodes: Nodes) -> None:
    nodes.quote()
    message = nodes.said[-1]
    job = read_job(message.job.encode())

    def answered(peer: int, body: Quote, at: str = "bravo", id_: str = job.id) -> Any:
        return trio.run(nodes.parts[at].answer, CHARTER.members[peer], id_, body)

    assert answered(3, message).tables[0].verdict == "allowed"
    with pytest.raises(JobRefused, match="alfa would not"):
        answered(0, message)
    with pytest.raises(JobInvalid):
        answered(3, message, id_="0" * 32)
    with pytest.raises(JobInvalid, match="descriptions"):
        answered(3, message.model_copy(update={"tables": ["{}", "{}"]}))
    assert answered(3, message, at="charlie").tables == []  # none of its tables: it says nothing


@pytest.mark.parametrize(
    ("change", "error"),
    [({"proposed": int(NOW) - 10_000}, JobRefused), ({"charter": "0" * 64}, JobRefused), ({"deadline": 0}, JobInvalid)],
)
def test_a_job_that_could_not_be_proposed_has_no_quote(nodes: Nodes, change: Any, error: type[AccordError]) -> None:
    nodes.quote()
    job = read_job(nodes.said[-1].job.encode())
    with pytest.raises(error):
        changed = dataclasses.replace(job, **change)
        body = nodes.said[-1].model_copy(update={"job": changed.canonical.decode()})
        trio.run(nodes.parts["bravo"].answer, CHARTER.members[3], job.id, body)


def test_what_cannot_be_asked_is_refused_by_name(nodes: Nodes) -> None:
    with pytest.raises(TableUnfit):
        nodes.quote(parameters={"figures": [{"mean": "nobody"}], "epsilon": 1.0})
    with pytest.raises(JobRefused, match="no table 'people'"):
        nodes.quote(tables=[TableChoice(member="alfa", table="people")])


def test_a_job_that_is_kept_has_a_quote_by_what_was_published_then(nodes: Nodes) -> None:
    part: Any = nodes.parts["delta"]
    job = read_job_of(nodes)
    texts = [part_text for part_text in nodes.said[-1].tables]

    async def found(id_: str) -> Any:
        return SimpleNamespace(job=job)

    part._board.find = found
    part._board.store.facts = lambda id_: {PUBLISHED: texts}
    assert nodes.quote(tables=[]).tables == ["alfa.stays", "bravo.stays"]
    assert job.id == job_id(identity(3).fingerprint, "one")


def read_job_of(nodes: Nodes) -> Job:
    nodes.quote()
    return read_job(nodes.said[-1].job.encode())
