"""New streams in the middle of a program: secrets stay, the record of labels does not."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc import MemoryCluster, Party
from mpc.pages import turn_page
from tests.mpc.helpers import each_m


@each_m
def test_secrets_stay_and_the_record_of_labels_starts_anew(m: int) -> None:
    async def program(party: Party) -> Any:
        x = await party.input(np.arange(5), owner=1)
        product = x * x  # under way
        before = party.prss
        await turn_page(party)
        used = [len(s._used) for s in (*party.prss.component.values(), *party.prss.pair.values())]
        again = await party.reveal((product + x * x) < 20)
        labels = {label for s in party.prss.component.values() for label in s._used}
        await turn_page(party)
        bits = await party.reveal(party.random_bits((64,)))
        return party.prss is before, used, again.tolist(), len(labels) > 0, bits.tolist()

    answers = MemoryCluster(m, seed=m).run(program)
    for same, used, again, drawn, bits in answers:
        assert not same and not any(used) and drawn
        assert again == [True, True, True, True, False]  # 2 x^2 < 20
        assert bits == answers[0][4]


def test_streams_of_two_pages_differ_and_are_the_same_at_their_holders() -> None:
    async def program(party: Party) -> Any:
        drawn = []
        for _ in range(3):
            drawn.append({j: s.words(b"a label here", 2).tolist() for j, s in party.prss.pair.items()})
            await turn_page(party)
        return drawn

    answers = MemoryCluster(3, seed=1).run(program)
    for page in range(3):
        assert answers[0][page][1] == answers[1][page][0]
    assert len({tuple(page[1]) for page in answers[0]}) == 3
