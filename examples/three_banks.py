"""Three banks with a table of credit cards each, which found a consortium: what the notebooks about banks ask.

The clients are Taiwan's of 2005 (tables.load_credit_default), each at one bank. What they owe is per unit of their
limit. Bounds are agreed beforehand, and what lies beyond counts as the bound.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from examples.at_work import AtWork
from examples.tables import load_credit_default

__all__ = ["BANKS", "FEATURES", "SEGMENTS", "TABLE", "card_clients", "cards_of", "held_out", "three_banks"]

TITLE = "Three banks"
BANKS = ("north", "middle", "south")
SHARES = (0.45, 0.35, 0.2)
TABLE = "cards"
SEGMENTS = ("starter", "standard", "premium")
LIMITS = (50_000, 200_000)
"""New Taiwan dollars; a limit above the first is no starter's any more, and so on."""
FEATURES = ("age", "credit", "behind", "late", "owed")
"""Of the model of default."""

SPLIT_SEED = 2005
HELD_OUT = 0.2
"""Of north's clients: a file of its own, of which nothing is published."""

BOUNDS = {"age": (18, 80), "credit": (0, 500), "behind": (0, 4), "late": (0, 6), "owed": (0, 1)}

POLICY = """
table = "cards"
minimum = 50                     # nothing is told of fewer clients
receivers = ["north"]

[limits]
query = 4.0                      # epsilon of one job
analyst = 8.0                    # of all of one analyst, within 30 days
ever = 30.0
delta = 1e-5
{ask}
[models]
kinds = ["logistic"]
opens = ["coefficients"]

[[rules]]                        # reports: who counts what, by what
columns = {counted}
may = ["count", "group", "sum", "filter", "release"]
purposes = ["report"]

[[rules]]                        # a model of default
columns = ["age", "credit", "behind", "late", "owed", "default"]
may = ["train", "release"]
purposes = ["risk-model"]
"""


def card_clients() -> pd.DataFrame:
    """All clients, with the bank and whether it holds them out: what nobody has, but a demonstration.

    Columns: client; segment, one of SEGMENTS; age, years; credit, thousands of dollars; behind, months in September;
    late, in how many of six months; owed, the bill by the limit; default, whether the next payment was missed.
    """
    raw = load_credit_default()["clients"]
    status = raw[[f"status_{month}" for month in range(1, 7)]].to_numpy()
    rng = np.random.default_rng(SPLIT_SEED)
    bank = rng.choice(BANKS, size=len(raw), p=SHARES)
    return pd.DataFrame({
        "client": raw["client"],
        "segment": np.array(SEGMENTS)[np.searchsorted(LIMITS, raw["limit"])],
        "age": raw["age"],
        "credit": raw["limit"] / 1000,
        "behind": np.maximum(status[:, 0], 0),
        "late": (status > 0).sum(axis=1),
        "owed": (raw["bill_1"] / raw["limit"]).round(4),
        "default": raw["default"].astype(bool),
        "bank": bank,
        "held_out": (bank == BANKS[0]) & (rng.random(len(raw)) < HELD_OUT),
    })  # fmt: skip


def cards_of(clients: pd.DataFrame, bank: str) -> pd.DataFrame:
    """The file of one bank, as it publishes it."""
    own = clients[(clients["bank"] == bank) & ~clients["held_out"]]
    return own.drop(columns=["bank", "held_out"]).reset_index(drop=True)


def held_out(clients: pd.DataFrame) -> pd.DataFrame:
    """North's clients of whom it publishes nothing."""
    return clients[clients["held_out"]].drop(columns=["bank", "held_out"]).reset_index(drop=True)


def publish_words(capacity: int, file: str) -> list[str]:
    """Of `accord publish`."""
    words = ["publish", TABLE, file, "--yes", "--person", "client", "--column", "client=key:integer"]
    words += ["--capacity", str(capacity), "--epsilon", "4", "--allow", "count,sum,group,filter,train"]
    words += ["--category", f"segment={','.join(SEGMENTS)}", "--column", "default=boolean"]
    for name, (low, high) in BOUNDS.items():
        words += ["--column", f"{name}=real:{low}:{high}"]
    return words


def policy_of(bank: str) -> str:
    """TOML. South keeps its clients' limits out of reports, and looks at what costs more than epsilon 2."""
    counted = ["", "segment", "default", *(["credit"] if bank != "south" else [])]
    ask = "ask = 2.0                        # above it a person approves\n" if bank == "south" else ""
    return POLICY.format(ask=ask, counted=json.dumps(counted))


def three_banks() -> AtWork:
    """The consortium, with everybody's table and policy published and all nodes up. Raises CommandFailed."""
    return AtWork(TITLE, BANKS, _prepare)


def _prepare(banks: AtWork) -> None:
    clients, founded = card_clients(), banks.founded
    founded.found()
    publishing, signing = {}, {}
    for bank in BANKS:
        own = cards_of(clients, bank)
        file, policy = banks.directory / f"{bank}.parquet", banks.directory / f"{bank}.toml"
        own.to_parquet(file, index=False)
        policy.write_text(policy_of(bank))
        publishing[bank] = publish_words(1 << (len(own) - 1).bit_length(), str(file))
        signing[f"policy-{bank}"] = ["policy", TABLE, "--set", str(policy), "--home", str(banks.homes[bank])]
    founded.publish(publishing)
    founded.accord(signing)
    founded.remember()
    banks.serve_all()
