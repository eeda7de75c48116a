"""What the two demonstrations are about: whose rows, what of them is published, what the analyst asks. Plain data."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PLANS", "Plan"]


@dataclass(frozen=True)
class Plan:
    """One consortium of four.

    Attributes:
        title: of the consortium.
        members: the founder first; the last one only deals its rows out, the others compute.
        table, person: the table every member publishes, and its column that tells people apart.
        columns: their public bounds; None: boolean.
        categories: the group column's, or () where it is boolean.
        group: what figures are told by.
        means: what columns; of a boolean it is the share of rows where it is true.
    """

    title: str
    members: tuple[str, str, str, str]
    table: str
    person: str
    columns: dict[str, tuple[float, float] | None]
    categories: tuple[str, ...]
    group: str
    means: tuple[str, ...]

    def publish(self, file: str) -> list[str]:
        """``accord publish`` as a command's words."""
        words = ["publish", self.table, file, "--yes", "--person", self.person, "--capacity", "400"]
        words += ["--allow", "count,sum,group,filter,train", "--epsilon", "4", "--column", f"{self.person}=key:integer"]
        for name, bounds in self.columns.items():
            kind = "boolean" if bounds is None else f"real:{bounds[0]:g}:{bounds[1]:g}"
            words += ["--column", f"{name}={kind}", "--missing", f"{name}={'false' if bounds is None else bounds[0]}"]
        if self.categories:
            words += ["--category", f"{self.group}={','.join(self.categories)}"]
        return words


PLANS = {
    "banks": Plan(
        "Four banks",
        ("north", "south", "west", "coop"),
        "loans",
        "customer",
        {"amount": (0, 20_000), "months": (0, 72), "age": (18, 90), "default": None},
        ("own", "rent", "for free"),
        "housing",
        ("months", "default"),
    ),
    "hospitals": Plan(
        "Four hospitals",
        ("city", "county", "university", "clinic"),
        "samples",
        "patient",
        {"radius": (5, 30), "texture": (5, 40), "smoothness": (0.05, 0.2), "malignant": None},
        (),
        "malignant",
        ("radius", "texture"),
    ),
}
