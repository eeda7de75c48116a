"""MemoryCluster: deterministic by seed, a tap on every message, every failure named and none hung."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, taps
from mpc.errors import OutOfRange, PartyFailed, ProgramDiverged, UsageError, WrongType
from mpc.outcomes import RunTimedOut
from mpc.transport import Frame
from tests.mpc import programs

INPUTS = [np.arange(5), np.arange(5)[::-1].copy(), None]


def check(answers: list[Any]) -> None:
    assert [int(a) for a, _ in answers] == [10] * len(answers)
    assert answers[0][1] is None and answers[1][1] is None
    assert answers[2][1].tolist() == [True, True, False, False, False]


def frames(seed: int, runs: int = 1) -> list[tuple[int, int, bytes, int, int, bytes]]:
    cluster = MemoryCluster(seed=seed, keep=True)
    for _ in range(runs):
        cluster.run(programs.product_and_less, INPUTS)
    return [(f.sender, f.receiver, f.label, f.stamp, f.depth, f.payload) for f in cluster.log]


@pytest.mark.parametrize("m", [3, 4, 5])
def test_answers(m: int) -> None:
    check(MemoryCluster(parties=m).run(programs.product_and_less, INPUTS + [None] * (m - 3)))


def test_the_same_seed_gives_the_same_frames() -> None:
    first = frames(1)
    assert first and first == frames(1)


def test_another_seed_gives_other_payloads_of_the_same_sizes() -> None:
    one, two = frames(1), frames(2)
    assert [(*f[:5], len(f[5])) for f in one] == [(*f[:5], len(f[5])) for f in two]
    assert all(a[5] != b[5] for a, b in zip(one, two, strict=True) if len(a[5]) > 80)


def test_a_second_run_has_other_randomness() -> None:
    assert [f[5] for f in frames(1)] != [f[5] for f in frames(1, runs=2)]


@pytest.mark.parametrize("program", programs.DIVERGENCES, ids=lambda p: p.__name__)
def test_divergence_is_found(program: Callable[..., Any]) -> None:
    cluster = MemoryCluster()
    with pytest.raises(ProgramDiverged):
        cluster.run(program, timeout=20)
    cluster.run(programs.squares)


def test_the_programs_own_error_comes_as_it_is() -> None:
    with pytest.raises(KeyError, match="no such column") as caught:
        MemoryCluster().run(programs.raises)
    assert caught.value.__notes__ == ["at party 1"]


def test_a_usage_error_names_the_party() -> None:
    with pytest.raises(OutOfRange) as caught:
        MemoryCluster().run(programs.out_of_range)
    assert caught.value.__notes__ == ["at party 1"]


def test_a_failure_caught_elsewhere_is_not_the_cause() -> None:
    async def program(party: Any) -> Any:
        if party.index == 2:
            raise LookupError("first")
        try:
            return await party.reveal(party.random_integers((3,), 8) * 3)
        except PartyFailed as told:
            assert (told.index, told.kind) == (2, "LookupError")
            raise

    with pytest.raises(LookupError, match="first"):
        MemoryCluster().run(program)


def test_timeout() -> None:
    with pytest.raises(RunTimedOut):
        MemoryCluster().run(programs.sleeps, timeout=0.1)


def test_no_false_alarm_while_something_else_is_awaited() -> None:
    async def program(party: Any) -> Any:
        if party.index == 1:
            await asyncio.sleep(0.3)  # several looks of the watch
        if party.index == 2:
            await asyncio.to_thread(lambda: __import__("time").sleep(0.3))
        return await party.reveal(party.random_integers((3,), 8) * 2)

    MemoryCluster().run(program)


def test_wrong_number_of_inputs_and_no_coroutine() -> None:
    with pytest.raises(UsageError, match="2 inputs for 3 parties"):
        MemoryCluster().run(programs.echo, [1, 2])
    with pytest.raises(WrongType, match="async def"):
        MemoryCluster().run(lambda party: 5)  # type: ignore[arg-type, return-value]


def test_in_a_notebook_there_is_a_loop_already() -> None:
    async def cell() -> list[Any]:
        return MemoryCluster().run(programs.product_and_less, INPUTS)

    check(asyncio.run(cell()))


def test_reports_and_traffic() -> None:
    heard: list[tuple[int, str]] = []
    cluster = MemoryCluster(progress=lambda i, text: heard.append((i, text)))
    cluster.run(programs.reports)
    assert sorted(heard) == [(i, f"{what} {i}") for i in range(3) for what in ("all", "half")]
    cluster.run(programs.product_and_less, INPUTS)
    assert sum(t.bytes_sent for t in cluster.traffic) == sum(t.bytes_received for t in cluster.traffic) > 0
    assert cluster.seconds > 0


# -- taps


def test_count_sees_what_traffic_counts() -> None:
    seen = taps.count()
    cluster = MemoryCluster(tap=seen)
    cluster.run(programs.product_and_less, INPUTS)
    for i, traffic in enumerate(cluster.traffic):
        assert traffic.frames_sent == sum(n for (s, _), n in seen.frames.items() if s == i)
        assert traffic.bytes_sent == sum(n for (s, _), n in seen.bytes.items() if s == i)


@pytest.mark.parametrize("n", [0, 3, 9])
def test_a_dropped_frame_is_found(n: int) -> None:
    cluster = MemoryCluster(tap=taps.drop(taps.nth(n)))
    with pytest.raises(ProgramDiverged, match="drop no message"):
        cluster.run(programs.product_and_less, INPUTS, timeout=20)
    check(cluster.run(programs.product_and_less, INPUTS))  # the tap drops one frame only


@pytest.mark.parametrize(
    "options",
    [
        {"delay": 0.005},
        {"tap": taps.delay(taps.link(0, 1), 0.07)},
        {"tap": taps.chain(taps.count(), taps.delay(taps.every, 0.002), taps.count())},
        {"tap": taps.delay(taps.link(receiver=2), 0.002), "delay": 0.001},
    ],
)
def test_delay_changes_nothing_but_time(options: dict[str, Any]) -> None:
    check(MemoryCluster(**options).run(programs.product_and_less, INPUTS))


def test_delayed_frames_that_nobody_asked_for_are_found() -> None:
    with pytest.raises(ProgramDiverged):
        MemoryCluster(delay=0.05).run(programs.one_more_unawaited, timeout=20)


def test_an_altered_payload_alters_the_result_and_another_size_is_refused() -> None:
    def flip(payload: bytes) -> bytes:
        return bytes([payload[0] ^ 1]) + payload[1:]

    async def program(party: Any) -> Any:
        return await party.reveal(party.random_integers((1,), 8) * 0)

    honest = MemoryCluster().run(program)
    assert all(a.tolist() == [0] for a in honest)
    seen: list[Frame] = []

    def last(frame: Frame) -> list[Frame]:
        seen.append(frame)
        return [frame]

    MemoryCluster(tap=last).run(program)
    tapped = MemoryCluster(tap=taps.alter(taps.nth(len(seen) - 1), flip)).run(program)
    assert sum(a.tolist() != [0] for a in tapped) == 1  # at its receiver: semi-honest, so not detected
    with pytest.raises(ProgramDiverged):
        MemoryCluster(tap=taps.alter(taps.nth(len(seen) - 1), lambda b: b + b"x")).run(program)
