"""What of a node follows from the charter when it is put together."""

from __future__ import annotations

from parties.daemon import part_of
from tests.parties.consortium import charter, member


def test_a_charter_that_makes_another_member_the_coordinator_changes_the_part_of_both() -> None:
    first, second = charter(*(member(i) for i in (1, 2, 3))), charter(*(member(i) for i in (0, 1, 2, 3)))
    of = {m.name: m for m in second.members}
    assert part_of(of["bravo"], first) == (True, True, of["bravo"].address)
    assert part_of(of["bravo"], second) == (True, False, of["bravo"].address)
    assert part_of(of["charlie"], first) == part_of(of["charlie"], second)
    moved = member(2, address="elsewhere.example:1")
    assert part_of(moved, second) != part_of(of["charlie"], second)
