"""May a job do that with an owner's table? Pure, clause by clause.

A policy denies what it does not allow; one without rules denies everything. Every clause says what it looked at,
whether it allows that, denies it or wants a person to look at it (`accord approve`), and the way out. A job goes on if
every clause of every table's policy allows it; one that denies ends it, whatever a person says.

What was spent before, the ledger knows (budget.py); here it is a number among others. Terms: policy_terms.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from parties.data.published import KINDS, PublishedColumn, PublishedTable
from parties.policies.policy_terms import TABLE, Asked, Finding, Limits, Models, Policy, Verdict, capability

__all__ = ["check_policy", "verdict_of"]

_MEASURED = ("sum", "group", "train", "predict")
_POSSIBLE: Mapping[str, tuple[str, ...]] = {kind: (*map(capability, uses), "release") for kind, uses in KINDS.items()}


def check_policy(policy: Policy, table: PublishedTable, digest: str, asked: Asked) -> tuple[Finding, ...]:
    """What every clause says of a job, those that deny among them; all of them, in this order.

    1. published   the policy was signed for the table as it is published
    2. use         each column is there, and its kind allows what it is used for
    3. bounds      each column that is measured has public bounds
    4. rule        some rule lets this member do that with that column, for this purpose
    5. receivers   everybody who would receive the answer may
    6. minimum     figures are of groups that are large enough
    7. matches     what compute members learn on the way has noise
    8. query       the job's own epsilon and delta
    9. analyst, period, ever    what would be told in all
    10. model       what is trained, or predicts, and what of it leaves

    Args:
        table: as it is published.
        digest: description.digest_of it.
    """
    return (
        *_published(policy, digest),
        *_columns(table, asked),
        *_rules(policy, asked),
        *_receivers(policy, asked),
        *_minimum(policy, asked),
        *_matches(policy, asked),
        *_query(policy.limits, asked),
        *_in_all(policy.limits, asked),
        *_model(policy.models, asked),
    )


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Denied if any is, else to be asked for if any is; without findings denied."""
    for verdict in (Verdict.DENIED, Verdict.ASK):
        if not findings or any(finding.verdict is verdict for finding in findings):
            return verdict
    return Verdict.ALLOWED


# -- the clauses -----------------------------------------------------------------------------------


def _published(policy: Policy, digest: str) -> Iterator[Finding]:
    remedy = "its owner looks at the table as it is published now and signs anew: `accord policy`"
    yield _finding(
        "published", TABLE, policy.published == digest, "the policy is for the table as it is published", remedy
    )


def _columns(table: PublishedTable, asked: Asked) -> Iterator[Finding]:
    if not any(True for _ in asked.needed):
        yield _finding("use", TABLE, False, "the job says no use of the table", "ask with a figure or a column")
    for name, uses in sorted(asked.uses.items()):
        column = table.columns.get(name)
        if column is None:
            there = ", ".join(table.columns)
            yield _finding("use", name, False, "not published", f"take one of {there}, or ask the owner to publish it")
            continue
        if not uses:
            yield _finding("use", name, False, "the job says no use of the column", "leave it out")
        for use in sorted(uses):
            possible = _POSSIBLE[column.kind]
            yield _finding(
                "use",
                name,
                use in possible,
                f"{use} of a column of kind {column.kind}",
                f"it can be for {', '.join(possible)}",
            )
        if uses & set(_MEASURED):
            yield _bounds(column)


def _bounds(column: PublishedColumn) -> Finding:
    remedy = f"the owner publishes bounds: `accord publish` with --column {column.name}={column.kind}:LOW:HIGH"
    return _finding("bounds", column.name, column.bounded, "public bounds, by which noise is measured", remedy)


def _rules(policy: Policy, asked: Asked) -> Iterator[Finding]:
    for column, use in asked.needed:
        allowing = [rule for rule in policy.rules if rule.covers(column, use, asked)]
        purpose = f" for {asked.purpose}" if asked.purpose else " without a purpose"
        text = f"{use} by {asked.member}{purpose}"
        if not allowing:
            yield Finding("rule", column, Verdict.DENIED, text, _who_may(policy, column, use))
        elif all(rule.ask for rule in allowing):
            yield Finding("rule", column, Verdict.ASK, text, "the owner approves the job: `accord approve`")
        else:
            yield Finding("rule", column, Verdict.ALLOWED, text)


def _who_may(policy: Policy, column: str, use: str) -> str:
    """Who may do it, and for what, if anybody may."""
    rules = [rule for rule in policy.rules if use in rule.may and (rule.columns is None or column in rule.columns)]
    if not rules:
        return "leave it out, or ask the owner to allow it"
    said = []
    for rule in rules:
        who = "all members" if rule.members is None else ", ".join(sorted(rule.members))
        said.append(who + ("" if rule.purposes is None else f" for {', '.join(sorted(rule.purposes))}"))
    return f"it is allowed to {'; '.join(said)}"


def _receivers(policy: Policy, asked: Asked) -> Iterator[Finding]:
    if not asked.receivers:
        yield _finding("receivers", TABLE, False, "nobody would receive the answer", "name a result member")
    may = policy.receivers
    if may is None and asked.of_rows:  # without noise: only to whom the owner names
        may = frozenset({asked.owner})
    one, all_ = ("predictions for single rows",) * 2 if asked.of_rows else ("the answer", "answers")
    remedy = f"the owner gives {all_} to {', '.join(sorted(may or ())) or 'nobody'}"
    for name in sorted(asked.receivers):
        yield _finding("receivers", TABLE, may is None or name in may, f"{name} would receive {one}", remedy)


def _minimum(policy: Policy, asked: Asked) -> Iterator[Finding]:
    if asked.minimum is not None:
        good = asked.minimum >= policy.minimum
        text = f"figures of groups of {asked.minimum} rows and more"
        yield _finding("minimum", TABLE, good, text, f"ask with a minimum of {policy.minimum}")


def _matches(policy: Policy, asked: Asked) -> Iterator[Finding]:
    if asked.exact:
        text = "compute members would learn exactly how many people match"
        remedy = 'ask with "pad", so that they learn it with noise; or the owner allows it: exact_matches = true'
        yield _finding("matches", TABLE, policy.exact_matches, text, remedy)


def _query(limits: Limits, asked: Asked) -> Iterator[Finding]:
    text = f"epsilon {asked.epsilon:g} of {limits.query:g} a job"
    if not asked.epsilon <= limits.query:
        yield Finding("query", TABLE, Verdict.DENIED, text, f"ask with an epsilon of {limits.query:g} at most")
    elif limits.ask is not None and asked.epsilon > limits.ask:
        remedy = f"the owner approves the job: `accord approve`; up to {limits.ask:g} none is needed"
        yield Finding("query", TABLE, Verdict.ASK, text, remedy)
    else:
        yield Finding("query", TABLE, Verdict.ALLOWED, text)
    text, remedy = f"delta {asked.delta:g} of {limits.delta:g}", f"ask with a delta of {limits.delta:g} at most"
    yield _finding("query", TABLE, asked.delta <= limits.delta, text, remedy)


def _in_all(limits: Limits, asked: Asked) -> Iterator[Finding]:
    days = f"within {limits.days} days"
    for clause, most, spent, whose, remedy in (
        ("analyst", limits.analyst, asked.spent.analyst, f"by {asked.analyst or 'one analyst'} {days}", "wait"),
        ("period", limits.period, asked.spent.period, f"by all {days}", "wait"),
        ("ever", limits.ever, asked.spent.ever, "ever", "the owner alone can raise it: `accord policy`"),
    ):
        if most is not None and asked.epsilon > 0:
            with_it = "unknown" if spent is None else f"{spent:.4g}"
            text = f"epsilon {with_it} with this job of {most:g} {whose}"
            good = spent is not None and spent <= most
            yield _finding(clause, TABLE, good, text, f"ask with a smaller epsilon, or {remedy}")


def _model(models: Models, asked: Asked) -> Iterator[Finding]:
    if asked.model is None:
        return
    kinds = ", ".join(sorted(models.kinds or ())) or "none"
    good = models.kinds is None or asked.model in models.kinds
    yield _finding("model", TABLE, good, f"a model of kind {asked.model}", f"models there may be: {kinds}")
    for name in sorted(asked.opens):
        remedy = f"what may leave: {', '.join(sorted(models.opens)) or 'nothing'}"
        if name == "coefficients":
            remedy += "; a train job opens them, with noise, so until the owner allows that nothing is trained on it"
        yield _finding("model", TABLE, name in models.opens, f"the model's {name} would leave", remedy)


def _finding(clause: str, column: str, good: bool, text: str, remedy: str) -> Finding:
    return Finding(clause, column, Verdict.ALLOWED if good else Verdict.DENIED, text, "" if good else remedy)
