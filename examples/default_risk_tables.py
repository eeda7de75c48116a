"""Taiwan's credit cards as a bank, a bureau and an issuer would have them, for default_risk.py. Plaintext."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from examples.risk import Plan
from examples.risk_rows import Plain, matrix
from mpc.encoding import FRAC
from protocols.aggregate import clip_rows
from protocols.join import Column, Source
from protocols.own_rows import encode_codes
from protocols.profiles import INTEGERS

__all__ = [
    "BANK",
    "BUREAU",
    "CATEGORIES",
    "DEPTH",
    "ISSUER",
    "NAMES",
    "NUMBERS",
    "TREES",
    "common_rows",
    "grow",
    "own_columns",
    "sources",
    "split",
]

ISSUER, BUREAU, BANK = range(3)
NAMES = ("issuer", "bureau", "bank")

KNOWN = (0.95, 0.9, 0.95)
"""The chance of a customer of the data set to be known to each of the three, drawn independently of each other."""
PAST = 0.1
"""Of the customers: those of the past, whom the bureau's trees are grown from; none of them is in the join."""
SPLIT_SEED = 2005

MONEY = 10_000
MONTHS = ("Sep", "Aug", "Jul", "Jun", "May", "Apr")
BILL, PAID, LIMIT, AGE, STATUS = (-20, 100), (0, 90), (0, 110), (18, 100), (-2, 8)
"""Bounds agreed beforehand: money in 10,000 New Taiwan dollars, age in years, status in months behind."""

Bounds = tuple[int, int]
ISSUERS: dict[str, tuple[str, Bounds]] = {
    **{f"bill_{j + 1}": (f"bill of {month}", BILL) for j, month in enumerate(MONTHS)},
    **{f"paid_{j + 1}": (f"paid in {month}", PAID) for j, month in enumerate(MONTHS)},
}
BUREAUS = {f"status_{j + 1}": (f"months behind in {month}", STATUS) for j, month in enumerate(MONTHS)}
BANKS = {"limit": ("limit", LIMIT), "age": ("age", AGE), "woman": ("woman", (0, 1))}
"""Each party's columns of numbers, with their names here and their bounds."""
NUMBERS = BANKS | BUREAUS | ISSUERS

CATEGORIES = (
    ("education", ("university", "graduate school", "high school", "other education")),
    ("marriage", ("married", "single", "other marital status")),
)
"""The bank's. What is in no other category is in the last one."""

TREES, DEPTH = 40, 3
"""Of the bureau's model; public."""


def split(clients: pd.DataFrame) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """(each party's own columns of the customers it knows, in an order of its own; customers of the past)."""
    rng = np.random.default_rng(SPLIT_SEED)
    past = rng.random(len(clients)) < PAST
    known = (rng.random((len(clients), len(KNOWN))) < KNOWN) & ~past[:, None]
    columns = ([*ISSUERS, "default"], [*BUREAUS], [*BANKS, *(name for name, _ in CATEGORIES)])
    tables = [
        clients.loc[known[:, i], ["client", *names]].sample(frac=1, random_state=i, ignore_index=True)
        for i, names in enumerate(columns)
    ]
    return tables, clients[past]


def sources(capacity: int) -> list[Source]:
    """The tables of the join; keys are unique in each. The number goes along, secret, to tell rows apart."""
    key = {"client": INTEGERS}
    of = [{name: Column(*bounds, frac=FRAC) for name, (_, bounds) in own.items()} for own in (ISSUERS, BUREAUS, BANKS)]
    of[ISSUER] |= {"default": Column(0, 1), "number": Column()}
    of[BANK] |= {name: Column(0, len(names) - 1) for name, names in CATEGORIES}
    return [Source(i, key, columns, rows=capacity) for i, columns in enumerate(of)]


def own_columns(owner: int, table: pd.DataFrame) -> dict[str, Any]:
    """An owner's columns as the join takes them, cut to the bounds agreed. In its own process only."""
    found: dict[str, Any] = {"client": table["client"].to_numpy()}
    for name, (_, bounds) in (ISSUERS, BUREAUS, BANKS)[owner].items():
        unit = MONEY if bounds in (BILL, PAID, LIMIT) else 1
        found[name] = clip_rows(table[name].to_numpy(np.float64) / unit, *bounds, what=name)
    if owner == ISSUER:
        found |= {"default": table["default"].to_numpy(), "number": table["client"].to_numpy()}
    if owner == BANK:
        for name, names in CATEGORIES:
            codes = encode_codes(table[name], names[:-1], what=name)
            found[name] = np.where(codes < 0, len(names) - 1, codes)
    return found


def common_rows(tables: list[pd.DataFrame]) -> tuple[Plain, npt.NDArray[np.int64]]:
    """The joined table in the open, and each row's number: in a demonstration, or where one has all columns."""
    issuer, bureau, bank = (pd.DataFrame(own_columns(i, table)) for i, table in enumerate(tables))
    common = issuer.merge(bureau, on="client").merge(bank, on="client")
    codes = common[[name for name, _ in CATEGORIES]].to_numpy(np.int64)
    return Plain(common[list(NUMBERS)].to_numpy(np.float64), codes, common["default"].to_numpy()), common[
        "client"
    ].to_numpy()


def grow(plan: Plan, past: pd.DataFrame) -> Any:
    """The bureau's model, a GradientBoostingClassifier grown in the open from customers of the past."""
    from sklearn.ensemble import GradientBoostingClassifier

    rows, _ = common_rows([past] * 3)
    model = GradientBoostingClassifier(n_estimators=TREES, max_depth=DEPTH, random_state=0)
    return model.fit(matrix(plan, rows.numbers, rows.codes), rows.outcome)
