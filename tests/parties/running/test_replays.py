"""An identical question gets the answer that was paid for; anything that differs is another question."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import trio

from parties.errors import NotReleased
from parties.jobs.job import Job
from parties.jobs.session import State
from parties.running.replays import question_of
from tests.parties.test_asked_by import ASKED, handlers_of
from tests.parties.test_hostile_member import play
from tests.parties.world import World


def test_the_same_question_again_costs_nothing_and_is_no_job(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        delta = handlers_of(world, "delta")
        first = await delta.submit("ann", ASKED)
        await trio.sleep(5)
        heads = {name: world.nodes[name].store.audit.head for name in world.nodes}
        again = await delta.submit("bob", ASKED.model_copy(update={"key": "two"}))
        assert again.job == first.job and again.replayed and again.state == "RELEASED" and again.answer
        assert not first.replayed and not (await delta.job("bob", first.job)).replayed
        assert {name: world.nodes[name].store.audit.head for name in world.nodes} == heads
        afresh = await delta.submit("bob", ASKED.model_copy(update={"key": "three", "fresh": True}))
        assert afresh.job != first.job and not afresh.replayed
        await trio.sleep(5)
        latest = await delta.submit("bob", ASKED.model_copy(update={"key": "four"}))
        assert latest.job == afresh.job  # the younger one
        other = await delta.submit("bob", ASKED.model_copy(update={"key": "five", "purpose": "another"}))
        assert other.job not in (first.job, afresh.job)
        await world.kill("delta")
        await trio.sleep(1)
        await world.start("delta")
        assert (await handlers_of(world, "delta").submit("eve", ASKED.model_copy(update={"key": "six"}))).replayed

    play(tmp_path, scenario)


def test_what_was_refused_aborted_or_purged_is_asked_anew(tmp_path: Path) -> None:
    async def scenario(world: World) -> None:
        delta = handlers_of(world, "delta")
        first = await delta.submit("ann", ASKED)
        await delta.cancel("ann", first.job)
        await trio.sleep(5)
        assert world.nodes["delta"].store.get(first.job).state is State.ABORTED
        second = await delta.submit("ann", ASKED.model_copy(update={"key": "two"}))
        assert second.job != first.job
        await trio.sleep(5)
        board = world.nodes["delta"].board
        assert (await board.get(second.job)).purged is False and await board.purge(board.clock() - 1000) == 0
        assert await board.purge(board.clock() + 1) == 1
        with pytest.raises(NotReleased, match="purged"):
            await delta.answer("ann", second.job)
        assert (await board.get(second.job)).purged is True
        said = [entry for _, entry in board.store.audit.entries() if entry["what"] == "purged"]
        assert [entry["job"] for entry in said] == [second.job]
        third = await delta.submit("ann", ASKED.model_copy(update={"key": "three"}))
        assert third.job not in (first.job, second.job)

    play(tmp_path, scenario)


def test_predictions_cost_nothing_and_are_computed_anew(tmp_path: Path) -> None:
    """Of the rows as they are by then."""

    async def scenario(world: World) -> None:
        delta = handlers_of(world, "delta")
        asked = ASKED.model_copy(update={"kind": "score"})
        first = await delta.submit("ann", asked)
        await trio.sleep(5)
        again = await delta.submit("ann", asked.model_copy(update={"key": "two"}))
        assert again.job != first.job and not again.replayed

    play(tmp_path, scenario)


JOB = Job(
    charter="0" * 64, id="1" * 32, kind="count", parameters={"a": [1, {"b": 2}]},
    tables=(("alfa", "x"), ("bravo", "y")), published=("2" * 64, "3" * 64),
    results=("delta",), proposer="4" * 64, proposed=10, deadline=60,
)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sum"}, {"parameters": {"a": [1, {"b": 3}]}}, {"parameters": {}}, {"purpose": "another"},
        {"tables": (("bravo", "y"), ("alfa", "x"))}, {"published": ("2" * 64, "5" * 64)}, {"results": ("alfa",)},
        {"proposer": "5" * 64},
    ],
)  # fmt: skip
def test_whatever_changes_the_answer_or_who_gets_it_makes_another_question(change: dict[str, Any]) -> None:
    assert question_of(dataclasses.replace(JOB, **change)) != question_of(JOB)


def test_when_by_whom_and_for_how_long_makes_no_difference() -> None:
    other = dataclasses.replace(JOB, id="6" * 32, proposed=20, deadline=90, analyst="eve", on_loss="wait")
    assert question_of(other) == question_of(JOB)
