"""100,000 mutated inputs, always the same: each becomes a value, or an error its parser documents, in little memory.

Many more, and others: ``make fuzz``.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from tests.fuzz.mutations import BYTES, JSON, replaced_everywhere
from tests.fuzz.target import MOST, Target, attempt, inputs
from tests.fuzz.targets import regressions, shared, targets

COUNT = 100_000
NAMES = sorted(targets())

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of a certificate, by its parser


@pytest.mark.parametrize("name", NAMES)
def test_good_inputs_are_taken(name: str) -> None:
    for seed in targets()[name].seeds:
        targets()[name].run(seed)


@pytest.mark.parametrize("name", NAMES)
def test_every_mutated_input_is_dealt_with(name: str) -> None:
    target = targets()[name]
    faults = [fault for data in inputs(target, shared(COUNT)[name], 1) if (fault := attempt(target, data)) is not None]
    assert faults == []


@pytest.mark.parametrize("name", [name for name in NAMES if targets()[name].mutate is JSON and name != "tabled"])
def test_a_value_of_any_type_in_any_place_of_json(name: str) -> None:
    target = targets()[name]
    changed = dict.fromkeys(  # "tabled" would be "plan" and "description" again, for half a minute
        data for seed in target.seeds for data in replaced_everywhere(seed)
    )
    assert [fault for data in changed if (fault := attempt(target, data)) is not None] == []


def test_they_are_as_many_as_is_said() -> None:
    assert sum(shared(COUNT).values()) >= COUNT


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_bounded_by_the_input(name: str) -> None:
    target = targets()[name]
    least, each = target.memory
    tracemalloc.start()
    try:
        for data in (*target.seeds, *inputs(target, 60, 2)):
            begun = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            assert attempt(target, data) is None
            taken = tracemalloc.get_traced_memory()[1] - begun
            assert taken <= least + each * len(data), f"{taken} bytes for {len(data)}: {data[:200]!r}"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "path"), regressions(), ids=lambda one: getattr(one, "name", None))
def test_what_failed_once_does_not_again(name: str, path: Path) -> None:
    assert attempt(targets()[name], path.read_bytes()) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_more_inputs(name: str) -> None:
    target = targets()[name]
    faults = [fault for data in inputs(target, shared(5 * COUNT)[name], 3) if (fault := attempt(target, data))]
    assert faults == []


# -- that a fault is found -------------------------------------------------------------------------


def _target(run: object) -> Target:
    return Target("broken", (b"0123456789",), BYTES, run, (ValueError,))  # type: ignore[arg-type]


def test_another_error_and_a_failed_check_are_faults() -> None:
    def documented(data: bytes) -> None:
        raise ValueError("no")

    def another(data: bytes) -> None:
        raise KeyError("a")

    def wrong(data: bytes) -> None:
        assert data == b"", "not what it was"

    def talkative(data: bytes) -> None:
        raise ValueError("x" * 10_000)

    assert attempt(_target(documented), b"1") is None
    for run, what in ((another, "KeyError"), (wrong, "not what it was"), (talkative, "a text of 10000")):
        fault = attempt(_target(run), b"1")
        assert fault is not None and what in fault.what and fault.data == b"1"


def test_an_input_that_takes_much_memory_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([1000, 1001 + MOST, 0, MOST])
    monkeypatch.setattr("tests.fuzz.target._held", lambda: next(held))
    fault = attempt(_target(lambda data: None), b"1")
    assert fault is not None and fault.what == f"{MOST + 1} bytes of memory for 1 bytes of input"
    assert attempt(_target(lambda data: None), b"1") is None


def test_inputs_are_the_same_for_the_same_seed_and_differ() -> None:
    for target in targets().values():
        made = list(inputs(target, 50, 7))
        assert made == list(inputs(target, 50, 7))
        assert made != list(inputs(target, 50, 8))
        assert len(set(made)) > 30
