"""A policy as a person writes it (TOML), as it is signed (canonical JSON), and as fields. Pure, strict.

table = "patients"
minimum = 20                   # figures are of so many rows at least
receivers = ["alfa"]           # without it, all members
exact_matches = false          # whether compute members may learn exactly how many people a join finds

[limits]
query = 1.0                    # epsilon of one job
analyst = 4.0                  # of one analyst within a period
period = 10.0                  # of all within a period
days = 30
ever = 50.0
delta = 1e-5
ask = 0.5                      # above it a person approves

[models]
kinds = ["logistic"]
opens = ["coefficients"]

[[rules]]
columns = ["age", "cost"]      # without it all columns; "" is the table as a whole, whose rows are counted
may = ["sum", "filter", "release"]
members = ["alfa", "bravo"]    # without it, all members
purposes = ["research"]        # without it, any
ask = true                     # a person approves each job
"""

from __future__ import annotations

import tomllib
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from parties.data.published import PublishedTable
from parties.disk.chain import canonical
from parties.disk.toml_text import toml_lines
from parties.errors import PolicyInvalid
from parties.policies.policy_terms import CAPABILITIES, OPENS, TABLE, Limits, Models, Policy, Rule
from parties.wire.message_form import Digest, MemberName, Purpose, Strict

__all__ = ["MOST_POLICY", "check_fits", "policy_bytes", "policy_toml", "read_policy", "read_toml"]

MOST_POLICY = 1 << 18  # bytes
_FORMAT = "accord policy 1"

_Epsilon = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False, strict=False)]
_Column = Annotated[str, StringConstraints(max_length=256)]
_Table = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?$", max_length=32)]
_Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,31}$", max_length=32)]
_Names = Annotated[list[MemberName], Field(min_length=1, max_length=1000)]


class _Rule(Strict):
    may: Annotated[list[_Word], Field(min_length=1, max_length=len(CAPABILITIES))]
    columns: Annotated[list[_Column], Field(min_length=1, max_length=1001)] | None = None
    members: _Names | None = None
    purposes: Annotated[list[Purpose], Field(min_length=1, max_length=100)] | None = None
    ask: bool = False


class _Limits(Strict):
    query: _Epsilon
    analyst: _Epsilon | None = None
    period: _Epsilon | None = None
    days: Annotated[int, Field(ge=1, le=36525)] = 30
    ever: _Epsilon | None = None
    delta: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)] = 1e-5
    ask: _Epsilon | None = None


class _Models(Strict):
    kinds: Annotated[list[_Word], Field(max_length=100)] | None = None
    opens: Annotated[list[_Word], Field(max_length=len(OPENS))] = Field(default_factory=lambda: list(OPENS))


class _Written(Strict):
    """As a person writes it."""

    table: _Table
    limits: _Limits
    rules: Annotated[list[_Rule], Field(max_length=1000)] = Field(default_factory=list)
    minimum: Annotated[int, Field(ge=1, le=1 << 40)] = 1
    receivers: _Names | None = None
    models: _Models = Field(default_factory=_Models)
    exact_matches: bool = False


class _Signed(_Written):
    """As it is signed."""

    format: Annotated[str, StringConstraints(pattern=f"^{_FORMAT}$")]
    published: Digest


def read_toml(text: str | bytes, published: str) -> Policy:
    """What a person wrote, for a table with this digest. Raises PolicyInvalid, which names the field."""
    if len(text) > MOST_POLICY:
        raise PolicyInvalid(f"a policy of more than {MOST_POLICY} bytes")
    try:
        said = tomllib.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as error:
        raise PolicyInvalid(f"the policy is not TOML in UTF-8: {str(error)[:200]}") from None
    return _policy(_validated(_Written, said), published)


def read_policy(content: bytes | str) -> Policy:
    """What policy_bytes gave; it may come from another member. Raises PolicyInvalid for anything else."""
    if len(content) > MOST_POLICY:
        raise PolicyInvalid(f"a policy of more than {MOST_POLICY} bytes")
    try:
        signed = _Signed.model_validate_json(content)
    except ValidationError as error:
        raise PolicyInvalid(_told(error)) from None
    policy = _policy(signed, signed.published)
    if policy_bytes(policy) != (content if isinstance(content, bytes) else content.encode("utf-8", "replace")):
        raise PolicyInvalid("a policy in another form than the one that is signed")
    return policy


def policy_bytes(policy: Policy) -> bytes:
    """The bytes that are signed; equal for equal policies, and only for them."""
    return canonical({"format": _FORMAT, "published": policy.published, **_fields(policy)})


def policy_toml(policy: Policy) -> str:
    """As a person writes it: read_toml reads it back."""
    fields = _fields(policy)
    rules, limits, models = fields.pop("rules"), fields.pop("limits"), fields.pop("models")
    lines = [*toml_lines(fields), "", "[limits]", *toml_lines(limits), "", "[models]", *toml_lines(models)]
    for rule in rules:
        lines += ["", "[[rules]]", *toml_lines(rule)]
    return "\n".join(lines) + "\n"


def check_fits(policy: Policy, table: PublishedTable) -> None:
    """PolicyInvalid where it names a column the table has not: a slip of the pen would deny, or allow, by accident."""
    for rule in policy.rules:
        for name in sorted(rule.columns or ()):
            if name != TABLE and name not in table.columns:
                there = ", ".join(table.columns)
                raise PolicyInvalid(f"policy of table {policy.table}, rules, columns: {name!r} is none of {there}")


def _fields(policy: Policy) -> dict[str, Any]:
    limits, models = policy.limits, policy.models
    rules: list[dict[str, Any]] = []
    for rule in policy.rules:
        lists = {"columns": rule.columns, "members": rule.members, "purposes": rule.purposes}
        given = {name: sorted(value) for name, value in lists.items() if value is not None}
        rules.append({"may": sorted(rule.may), **given, **({"ask": True} if rule.ask else {})})
    fields: dict[str, Any] = {"table": policy.table, "minimum": policy.minimum}
    if policy.receivers is not None:
        fields["receivers"] = sorted(policy.receivers)
    if policy.exact_matches:
        fields["exact_matches"] = True
    numbers = {name: getattr(limits, name) for name in ("query", "analyst", "period", "days", "ever", "delta", "ask")}
    fields["limits"] = {name: value for name, value in numbers.items() if value is not None}
    fields["models"] = {} if models.kinds is None else {"kinds": sorted(models.kinds)}
    fields["models"]["opens"] = sorted(models.opens)
    fields["rules"] = rules
    return fields


def _policy(written: _Written, published: str) -> Policy:
    what = f"policy of table {written.table}"
    for rule in written.rules:
        _known(rule.may, CAPABILITIES, f"{what}, rules, may")
    _known(written.models.opens, OPENS, f"{what}, models, opens")
    if written.limits.ask is not None and written.limits.ask >= written.limits.query:
        raise PolicyInvalid(f"{what}, limits, ask: below query, or leave it out")
    return Policy(
        table=written.table,
        published=published,
        rules=tuple(
            Rule(frozenset(r.may), _set(r.columns), _set(r.members), _set(r.purposes), r.ask) for r in written.rules
        ),
        limits=Limits(**written.limits.model_dump()),
        minimum=written.minimum,
        receivers=_set(written.receivers),
        models=Models(_set(written.models.kinds), frozenset(written.models.opens)),
        exact_matches=written.exact_matches,
    )


def _set(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def _known(given: list[str], known: tuple[str, ...], what: str) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise PolicyInvalid(f"{what}: {', '.join(unknown)}; there are {', '.join(known)}")


def _validated(model: type[_Written], said: Any) -> _Written:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise PolicyInvalid(_told(error)) from None


def _told(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ", ".join(str(part)[:64] for part in first["loc"][:8]) or "the policy"
    return f"the policy, {where}: {first['msg'][:200]}"
