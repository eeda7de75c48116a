"""What a cluster is told wrongly is said before any process starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, MemoryCluster, cluster
from mpc.errors import OutOfRange, ThresholdTooLarge, TooFewParties, TooManyParties, UsageError, WrongType

WRONG: list[tuple[dict[str, Any], type[UsageError], str]] = [
    ({"seed": 1}, UsageError, "no setting 'seed'; only a MemoryCluster has that"),
    ({"delay": 0.1}, UsageError, "only a MemoryCluster"),
    ({"hearbeat": 1.0}, UsageError, "no setting 'hearbeat'. Settings of its nodes: farewell_deadline"),
    ({"index": 1}, UsageError, "no setting 'index'"),
    ({"listener": None}, UsageError, "no setting 'listener'"),
    ({"parties": 3.0}, WrongType, "parties=3.0"),
    ({"parties": "3"}, WrongType, "parties='3'"),
    ({"parties": None}, WrongType, "parties=None"),
    ({"parties": np.True_}, WrongType, "parties="),
    ({"parties": 2}, TooFewParties, "2 parties"),
    ({"parties": -3}, TooFewParties, "-3 parties"),
    ({"parties": 1000}, TooManyParties, "1000 parties"),
    ({"threshold": 1.0}, WrongType, "threshold=1.0"),
    ({"threshold": "1"}, WrongType, "threshold='1'"),
    ({"threshold": 2}, ThresholdTooLarge, "threshold 2"),
    ({"rtt": -1}, OutOfRange, "rtt=-1"),
    ({"rtt": "3"}, WrongType, "rtt='3'"),
    ({"heartbeat": 0}, OutOfRange, "heartbeat=0"),
    ({"heartbeat": float("nan")}, OutOfRange, "heartbeat=nan"),
    ({"silence": None}, WrongType, "silence=None"),
    ({"silence": float("inf")}, OutOfRange, "silence=inf"),
    ({"start_deadline": -1.0}, OutOfRange, "start_deadline=-1.0"),
    ({"farewell_deadline": 0}, OutOfRange, "farewell_deadline=0"),
    ({"max_frame": 1.5}, WrongType, "max_frame=1.5"),
    ({"mailbox_limit": 0}, OutOfRange, "mailbox_limit=0"),
    ({"sec_param": True}, OutOfRange, "sec_param=True"),
    ({"unsafe_peek": 1}, WrongType, "unsafe_peek=1"),
    ({"progress": "loud"}, WrongType, "progress='loud'"),
]


@pytest.mark.parametrize(("told", "error", "text"), WRONG, ids=lambda v: str(v) if isinstance(v, dict) else "")
def test_wrong_settings(
    told: dict[str, Any], error: type[UsageError], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(cluster, "launch", lambda *told: started.append(told))
    with pytest.raises(error, match=text) as caught:
        LocalCluster(**told)
    assert type(caught.value) is error and not started


def test_right_settings() -> None:
    made = LocalCluster(
        np.int64(5),
        np.int8(1),
        rtt=np.float64(3),
        silence=2,
        sec_param=np.int64(40),
        unsafe_peek=True,  # type: ignore[arg-type]
    )
    assert (made.m, made.layout.t) == (5, 1)
    assert {k: made._settings[k] for k in ("rtt", "threshold", "sec_param", "unsafe_peek")} == {
        "rtt": 3.0,
        "threshold": 1,
        "sec_param": 40,
        "unsafe_peek": True,
    }


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ((3.0,), WrongType),
        (("3",), WrongType),
        ((3, 1.0), WrongType),
        ((3, True), WrongType),
        ((1000,), TooManyParties),
    ],
)
def test_the_same_in_memory(told: Any, error: type[UsageError]) -> None:
    with pytest.raises(error):
        MemoryCluster(*told)


@pytest.mark.parametrize("inputs", [5, "abc", b"abc", {0: 1, 1: 2, 2: 3}, {1, 2, 3}, iter([1, 2, 3])])
def test_inputs_come_in_order(inputs: Any) -> None:
    async def program(party: Any, mine: Any) -> Any:
        return mine

    with pytest.raises(WrongType, match="a list with one for each party"):
        MemoryCluster().run(program, inputs)
    assert MemoryCluster().run(program, (1, 2, 3)) == [1, 2, 3]
