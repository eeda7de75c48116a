"""Three hospitals of which two wait for the third: what the notebook of its data engineer begins with."""

from __future__ import annotations

import shlex

from examples.at_work import AtWork
from examples.consortium_tables import PERSON, TABLE, Study, parts, publish_arguments, study_of
from examples.datasets import load_support2

__all__ = ["HOSPITALS", "publish_line", "study", "the_others", "two_hospitals"]

TITLE = "Three hospitals"
HOSPITALS = ("harbour", "lakeside", "northgate")
EPSILON = 2.0
"""What each lets one job spend at most."""


def study() -> Study:
    """What the hospitals agreed to publish, and what of it is asked."""
    return study_of(load_support2())


def two_hospitals() -> AtWork:
    """Harbour has founded the consortium and invited both others; lakeside is joining; northgate has its code ($CODE),
    harbour's fingerprint ($FINGERPRINT), and its patients in northgate.parquet. Raises CommandFailed."""
    return AtWork(TITLE, HOSPITALS, _prepare)


def the_others(hospitals: AtWork) -> None:
    """Once the third has joined: the other two publish their patients, and serve."""
    founded, agreed = hospitals.founded, study()
    for name in ("invite-wait", "join-lakeside"):
        founded.running.finish(name)
    founded.publish({
        name: publish_arguments(agreed, hospitals.directory / f"{name}.parquet", EPSILON) for name in HOSPITALS[:2]
    })  # fmt: skip
    founded.remember()
    for name in HOSPITALS[:2]:
        hospitals.serve(name)


def publish_line(file: str = "northgate.parquet") -> str:
    """What the engineer types, with what all hospitals agreed on."""
    agreed = study()
    columns = " \\\n    ".join(shlex.join(column.spec) for column in agreed.columns)
    return (
        f"publish {TABLE} {file} --yes --person {PERSON} --column {PERSON}=key:integer \\\n"
        f"    --capacity {agreed.capacity} --epsilon {EPSILON:g} --minimum 50 --allow count,sum,group,filter,train \\\n"
        f"    {columns}"
    )


def _prepare(hospitals: AtWork) -> None:
    founded = hospitals.founded
    for name, rows in zip(HOSPITALS, parts(study(), len(HOSPITALS)), strict=True):
        rows.to_parquet(hospitals.directory / f"{name}.parquet", index=False)
    founded.begin()
    _, lakeside, northgate = founded.members
    joining = founded.invite(lakeside)
    hospitals.variables = {"CODE": founded.code(northgate), "FINGERPRINT": founded.fingerprint}
    founded.running.start("invite-wait", *founded.waiting())
    founded.running.start("join-lakeside", *joining)
