"""A node's own rules, asked about a job: its policies, its ledger, what it publishes. They decide for its tables alone.

1. The job's plan is made anew from the job and what is published, as every participant makes it.
2. Each table of this member's is as the job says it is published, and has a policy that this member signed.
3. The ledger says what would be told in all, every clause of every policy is asked (policies/policy.py).
   Where a model of this member's would score, every clause of its rules is (model_rules.py).
4. What is denied is an error; else what a person has to approve, what is charged, and what the log is to tell.

Blocks. Nothing is kept here: see JobStore.accept_job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from parties.consent.model_opinion import ModelOpinion, model_opinion
from parties.data.description import digest_of
from parties.data.published import PublishedTable
from parties.data.row_filter import check_filter, columns_of, read_filter
from parties.data.row_query import RowQuery
from parties.data.table_source import check_beside
from parties.errors import BudgetExhausted, NotPublished, PolicyDenied, PolicyMissing
from parties.jobs.job import Job
from parties.kinds.kind import Plan, TableAsk
from parties.membership.charter import Member
from parties.models.model_assets import ModelAssets
from parties.planning.job_plans import Plans
from parties.planning.job_work import Consent
from parties.policies.budget import Charge, population_of, told_with
from parties.policies.ledger import Ledger
from parties.policies.policy import check_policy, verdict_of
from parties.policies.policy_store import SignedPolicy
from parties.policies.policy_terms import TABLE, TELLS, Asked, Finding, Limits, Spent, Verdict, capability
from protocols.errors import TableChanged

__all__ = ["Opinion", "Rules", "check_published", "check_sources", "uses_of"]

_IN_ALL = ("analyst", "period", "ever")
_NOTHING = Spent(None, None, None)


@dataclass(frozen=True)
class Opinion:
    """What the policy of one table says to a job.

    Attributes:
        table: its name.
        digest: of the policy; '' if there is none.
        limits: of it, likewise.
        asked: what the job asks of the table.
        findings: what every clause says.
    """

    table: str
    digest: str
    limits: Limits | None
    asked: Asked
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Of all clauses."""
        return verdict_of(self.findings)


class Rules:
    """One node's.

    Args:
        me: gives this member, by the charter in force.
        plans: of jobs.
        tables: gives this member's published tables.
        policies: gives those of the tables named that have one, signed by this member.
        ledger: its.
        clock: Unix time in seconds.
        models: this member's; None: it offers none.
    """

    def __init__(
        self,
        me: Callable[[], Member],
        plans: Plans,
        tables: Callable[[], Mapping[str, PublishedTable]],
        policies: Callable[[Iterable[str]], Mapping[str, SignedPolicy]],
        ledger: Ledger,
        clock: Callable[[], float],
        models: ModelAssets | None = None,
    ) -> None:
        self._me = me
        self._plans = plans
        self._tables = tables
        self._policies = policies
        self._ledger = ledger
        self._clock = clock
        self._models = models

    def consent(self, job: Job, tables: Sequence[str]) -> Consent:
        """What they say to a job they allow.

        Raises what the kind's check raises, NotPublished, TableChanged, SourceApart, FilterInvalid, PolicyInvalid,
        PolicyMissing, PolicyDenied, BudgetExhausted, ModelChanged: each with the table or model, the column and the
        way out.
        """
        book = self._ledger.chain.head
        plan, charge, opinions = self.opinions(job, tables)
        for opinion in opinions:
            if not opinion.digest:
                raise PolicyMissing(
                    f"table {opinion.table}: its owner signed no policy for it, so nothing may be done with it; "
                    "`accord policy` writes one"
                )
            if opinion.verdict is Verdict.DENIED:
                raise _denied(opinion)
        model = self.model_opinion(job, plan)
        if model is not None:
            model.check()
        waits = [_told(opinion, finding) for opinion in opinions for finding in _of(opinion, Verdict.ASK)]
        return Consent(
            plan=plan.digest,
            policies={opinion.table: opinion.digest for opinion in opinions},
            charge=charge,
            book=book,
            told={**told_of(job, plan, opinions), **({} if model is None else {"model": model.told})},
            waits="; ".join(waits)[:2000],
        )

    def opinions(self, job: Job, tables: Sequence[str]) -> tuple[Plan, Charge | None, list[Opinion]]:
        """(the plan, what it would be charged, what the policy of each of this member's tables says)."""
        _, plan = self._plans.plan(job, tables)
        me = self._me().name
        asks = [ask for ask in plan.asks if ask.member == me]
        published = self._tables() if asks else {}
        for place, (member, _) in enumerate(job.tables):
            if member == me:
                check_published(job, place, published)
        for ask in asks:
            if ask.query is not None:
                check_sources(ask.query, published[ask.table], published)
        policies = self._policies(ask.table for ask in asks)
        charge = self._charge(job, plan, [published[ask.table] for ask in asks])
        return plan, charge, [self._opinion(job, plan, ask, published, policies, charge) for ask in asks]

    def model_opinion(self, job: Job, plan: Plan) -> ModelOpinion | None:
        """What the rules of this member's model say to a job that would score with it; None where it would not."""
        if plan.model is None or plan.model.owner != self._me().name:
            return None
        if self._models is None:
            raise PolicyDenied(f"model {plan.model.name}: {plan.model.owner} offers none")
        return model_opinion(self._models, job, plan, self._proposer(job))

    def _proposer(self, job: Job) -> str:
        return self._plans.charter_of(job).by_fingerprint[job.proposer].name

    def _charge(self, job: Job, plan: Plan, tables: Sequence[PublishedTable]) -> Charge | None:
        if not tables or plan.epsilon == 0:
            return None
        populations = tuple(sorted({population_of(table) for table in tables}))
        run = plan.spent if plan.spent[0] > 0 else None
        return Charge(job.id, self._clock(), populations, job.proposer, job.analyst, plan.events, run)

    def _opinion(
        self,
        job: Job,
        plan: Plan,
        ask: TableAsk,
        published: Mapping[str, PublishedTable],
        policies: Mapping[str, SignedPolicy],
        charge: Charge | None,
    ) -> Opinion:
        table, signed = published[ask.table], policies.get(ask.table)
        spent = _NOTHING
        if charge is not None and signed is not None:
            spent = told_with(self._ledger.book(), charge, signed.policy.limits)
        asked = Asked(
            member=self._proposer(job),
            analyst=job.analyst,
            purpose=job.purpose,
            uses=uses_of(plan, ask, table),
            counts=ask.counts,
            receivers=frozenset(job.results),
            epsilon=plan.epsilon,
            delta=plan.delta,
            spent=spent,
            minimum=plan.minimum,
            model=plan.family,
            opens=plan.opens,
            exact=plan.exact,
            owner=ask.member,
            of_rows=any(answer.kind == "delivery" for answer in plan.answers),
        )
        if signed is None:
            return Opinion(ask.table, "", None, asked, ())
        findings = check_policy(signed.policy, table, digest_of(table), asked)
        return Opinion(ask.table, signed.digest, signed.policy.limits, asked, findings)


def check_sources(query: RowQuery, table: PublishedTable, mine: Mapping[str, PublishedTable]) -> None:
    """SourceApart unless the engine of each table can be given the people that its rows are compared with."""
    for one in query.among:
        other = mine[one.table]
        check_beside(table.source, f"table {table.name}", other.source, f"table {other.name}")
        check_sources(one.query, other, mine)


def uses_of(plan: Plan, ask: TableAsk, table: PublishedTable) -> dict[str, frozenset[str]]:
    """What each column is used for, as policies name it: those of the filter too, and what of them leaves.

    Raises FilterInvalid for a filter that the table cannot be asked with.
    """
    where = None if ask.where is None else read_filter(ask.where)
    check_filter(where, table)
    found = {name: set(map(capability, uses)) for name, uses in ask.uses.items()}
    for name in columns_of(where):
        found.setdefault(name, set()).add("filter")
    if any(answer.kind != "delivery" for answer in plan.answers):
        for uses in found.values():
            if uses & TELLS:
                uses.add("release")
    return {name: frozenset(uses) for name, uses in found.items()}


def check_published(job: Job, place: int, mine: Mapping[str, PublishedTable]) -> None:
    """NotPublished, TableChanged unless this member's table is published as the job says it is."""
    (owner, name), digest = job.tables[place], job.published[place]
    if name not in mine:
        raise NotPublished(f"table {name!r}: {owner} publishes no such table")
    if digest_of(mine[name]) != digest:
        raise TableChanged(f"table {name} of {owner} was published anew: look at it, and ask again")


def told_of(job: Job, plan: Plan, opinions: Sequence[Opinion]) -> dict[str, object]:
    """For the log: what is asked of which column, how much is told, and how much in all."""
    return {
        "proposer": job.proposer,
        "analyst": job.analyst,
        "purpose": job.purpose,
        "kind": job.kind,
        "receivers": list(job.results),
        "epsilon": plan.epsilon,
        "delta": plan.delta,
        "tables": {
            o.table: {
                "columns": {name: sorted(uses) for name, uses in sorted(o.asked.uses.items())},
                "counts": o.asked.counts,
                "spent": asdict(o.asked.spent),
                "left": asdict(_NOTHING if o.limits is None else o.limits.left(o.asked.spent)),
            }
            for o in opinions
        },
    }


def _of(opinion: Opinion, verdict: Verdict) -> list[Finding]:
    return [finding for finding in opinion.findings if finding.verdict is verdict]


def _told(opinion: Opinion, finding: Finding) -> str:
    column = f", column {finding.column}" if finding.column != TABLE else ""
    return f"table {opinion.table}{column}, {finding.clause}: {finding.text}; {finding.remedy}"


def _denied(opinion: Opinion) -> PolicyDenied | BudgetExhausted:
    findings = _of(opinion, Verdict.DENIED)
    text = "; also ".join(_told(opinion, finding) for finding in findings[:5])
    exhausted = all(finding.clause in _IN_ALL for finding in findings)
    return BudgetExhausted(text) if exhausted else PolicyDenied(text)
