"""An analyst's container: asks the founder's node over its people's network, prints a table, draws a picture.

python analyst.py banks|hospitals            ask
python analyst.py banks|hospitals introduce  make a key, once, and leave its public part at the desk
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd
from plans import PLANS, Plan

from mpc.errors import AccordError
from parties.client import Client
from parties.keys.fingerprints import show_public_key
from parties.setup.home import Home
from parties.setup.new_node import own_identity

EPSILON = 4.0
DESK = Path("/desk")


def introduce() -> None:
    """The public key, for the node's settings."""
    identity = own_identity(Home(), None)
    beside = DESK / ".analyst.pub"
    beside.write_text(show_public_key(identity.public))
    os.replace(beside, DESK / "analyst.pub")
    print(f"the analyst's public key: {show_public_key(identity.public)}")


def client(plan: Plan) -> Client:
    """Of the founder's node, which gave its key at the desk."""
    try:
        node = (DESK / "node.pub").read_text()
    except FileNotFoundError:
        sys.exit("the consortium has not begun: docker compose --profile banks|hospitals up")
    return Client(f"https://{plan.members[0]}:8600", Home().directory, node, patience=120.0)


def ask(plan: Plan, asker: Client) -> pd.DataFrame:
    """Counts and means of all four members' rows by group, with noise; nobody has seen anybody's rows."""
    tables = [f"{member}.{plan.table}" for member in plan.members]
    figures = ["count", *({"mean": column} for column in plan.means)]
    return asker.aggregate(tables, figures, by=plan.group, epsilon=EPSILON, minimum=20)


def show(plan: Plan, answer: pd.DataFrame) -> None:
    """The table: each figure and its 95% interval."""
    print(f"{plan.title}, {plan.table} of {', '.join(plan.members)}; epsilon {EPSILON:g}, 95% intervals\n")
    names = ["count", *(f"mean({column})" for column in plan.means)]
    shown = {
        name: [
            f"{row[name]:,.4g} ({row[f'{name}.low']:,.4g} to {row[f'{name}.high']:,.4g})" if row["shown"] else "-"
            for _, row in answer.iterrows()
        ]
        for name in names
    }
    print(pd.DataFrame(shown, index=answer.index).to_string())


def draw(plan: Plan, answer: pd.DataFrame, path: Path) -> None:
    """A panel a figure, bars with their 95% intervals."""
    from matplotlib.figure import Figure

    names = ["count", *(f"mean({column})" for column in plan.means)]
    seen = answer[answer["shown"]]
    picture = Figure(figsize=(3.6 * len(names), 3.4), layout="constrained")
    for axes, name in zip(picture.subplots(1, len(names)), names, strict=True):
        value = seen[name].astype(float)
        ends = [value - seen[f"{name}.low"].astype(float), seen[f"{name}.high"].astype(float) - value]
        axes.bar([str(group) for group in seen.index], value, yerr=ends, capsize=4, color="#4c78a8")
        axes.set_title(name)
        axes.set_xlabel(plan.group)
        axes.spines[["top", "right"]].set_visible(False)
    picture.suptitle(f"{plan.title}: {plan.table}, epsilon {EPSILON:g}")
    picture.savefig(path)


def main(which: str, what: str = "ask") -> None:
    if what == "introduce":
        introduce()
        return
    plan, path = PLANS[which], Path("/plots") / f"{which}.svg"
    try:
        with client(plan) as asker:
            answer = ask(plan, asker)
    except AccordError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    show(plan, answer)
    draw(plan, answer, path)
    print(f"\nplotted in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
