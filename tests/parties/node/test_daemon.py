"""What of a node follows from the charter when it is put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parties.actions.serve_command import make_daemon
from parties.node.daemon import part_of
from tests.parties.consortium import charter, member
from tests.parties.real_nodes import ALL, made


def test_a_charter_that_makes_another_member_the_coordinator_changes_the_part_of_both() -> None:
    first, second = charter(*(member(i) for i in (1, 2, 3))), charter(*(member(i) for i in (0, 1, 2, 3)))
    of = {m.name: m for m in second.members}
    assert part_of(of["bravo"], first) == (True, True, of["bravo"].address)
    assert part_of(of["bravo"], second) == (True, False, of["bravo"].address)
    assert part_of(of["charlie"], first) == part_of(of["charlie"], second)
    moved = member(2, address="elsewhere.example:1")
    assert part_of(moved, second) != part_of(of["charlie"], second)


@pytest.mark.parametrize("told_first", [True, False])
def test_who_is_told_to_end_does_not_begin_anew_under_another_charter(tmp_path: Path, told_first: bool) -> None:
    consortium = made(tmp_path, {}, (ALL, ALL, ALL, ALL))
    daemon = make_daemon(consortium["charlie"].home)
    members = [replace(one, roles=frozenset({"input"})) if one == daemon.me else one for one in daemon.charter.members]
    another = charter(*members, before=daemon.charter)
    if told_first:
        daemon.stop()
    daemon._agreed(another)
    assert daemon.anew is not told_first
    daemon.stop()
    assert not daemon.anew
