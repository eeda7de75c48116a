"""How patient a client is, by a clock of its own: over a wire that is played from a script."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import AccordError
from parties.asking.client_wire import at_once
from parties.asking.node_calls import NodeCalls
from parties.errors import JobRefused, NodeAnswerInvalid, NodeTimedOut, NodeUnreachable, StillRunning
from parties.wire.people_messages import JobProgress

JOB = "ab" * 16
QUIET, BREAK = "quiet", "break"
RUNNING = JobProgress(state="RUNNING")
RELEASED = JobProgress(state="RELEASED", answer=True)


class Reply:
    def __init__(self, wire: Played, status: int, script: list[Any], wait: float) -> None:
        self.status = status
        self._wire, self._script, self._wait = wire, script, wait

    async def parts(self) -> AsyncGenerator[bytes, None]:
        for step in self._script:
            if step == QUIET:
                self._wire.now += self._wait
                raise NodeTimedOut(self._wire.url, "quiet")
            if step == BREAK:
                raise NodeUnreachable(self._wire.url, "broke")
            if isinstance(step, float):
                self._wire.now += step
            else:
                yield step if isinstance(step, bytes) else step.model_dump_json().encode() + b"\n"

    async def close(self) -> None:
        self._wire.closed += 1


class Played:
    """Answers request after request by a script: (status, steps), or an error to raise; the last one for ever."""

    url = "https://127.0.0.1:8600"

    def __init__(self, *script: Any, proven: bool = True) -> None:
        self.script = list(script)
        self.proven = proven
        self.now = 100.0
        self.asked: list[str] = []
        self.pauses: list[float] = []
        self.closed = 0

    async def open(self, method: str, path: str, content: bytes | None, wait: float) -> Reply:
        self.asked.append(path.rpartition("/")[2])
        told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(told, Exception):
            raise told
        return Reply(self, *told, wait)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now

    async def aclose(self) -> None: ...


def calls(wire: Played, **more: Any) -> NodeCalls:
    options: dict[str, Any] = {"timeout": 30.0, "patience": 10.0, "quiet": 20.0, "most_answer": 100, **more}
    return NodeCalls(wire, **options)


def lines(wire: Played, within: float | None = None) -> list[JobProgress]:
    async def all_of() -> list[JobProgress]:
        return [line async for line in calls(wire).progress(JOB, within)]

    return at_once(all_of())


GONE = NodeUnreachable(Played.url, "gone")


def test_a_request_is_sent_again_ever_more_slowly_until_patience_is_over() -> None:
    wire = Played(GONE)
    with pytest.raises(NodeUnreachable):
        at_once(calls(wire).status())
    assert wire.pauses[:5] == [0.1, 0.2, 0.4, 0.8, 1.6] and max(wire.pauses) == 2.0
    assert 10.0 <= wire.now - 100 <= 12.0


def test_a_node_that_never_was_there_gets_no_patience() -> None:
    wire = Played(GONE, proven=False)
    with pytest.raises(NodeUnreachable):
        at_once(calls(wire).status())
    assert wire.pauses == []


def test_quiet_is_no_fault_for_as_long_as_it_takes() -> None:
    wire = Played(*[(200, [RUNNING, QUIET])] * 50, (200, [RELEASED]))
    assert lines(wire) == [RUNNING, RELEASED]
    assert wire.now == 100 + 50 * 20 and wire.pauses == []
    assert wire.closed == 51


def test_breaks_far_apart_do_not_add_up() -> None:
    wire = Played(*[(200, [RUNNING, QUIET]), (200, [RUNNING, BREAK])] * 50, (200, [RELEASED]))
    assert lines(wire) == [RUNNING, RELEASED]
    assert wire.pauses == [0.1] * 50


def test_a_stream_that_breaks_again_and_again_without_news_is_an_error() -> None:
    wire = Played((200, [RUNNING]))
    with pytest.raises(NodeUnreachable):
        lines(wire)
    assert wire.now - 100 <= 12.0


def test_a_stream_without_any_line_is_an_error() -> None:
    with pytest.raises(NodeTimedOut):
        lines(Played((200, [QUIET])))


@pytest.mark.parametrize("script", [[RUNNING, QUIET], [RUNNING, 7.0, RUNNING], [RUNNING], [BREAK]])
def test_waiting_ends_in_time(script: list[Any]) -> None:
    wire = Played((200, script))
    with pytest.raises(StillRunning):
        lines(wire, within=5.0)
    assert 105 <= wire.now <= 107.1


def test_a_line_in_pieces_and_lines_in_one_piece() -> None:
    one, two = (line.model_dump_json().encode() + b"\n" for line in (RUNNING, RELEASED))
    assert lines(Played((200, [one[:5], one[5:] + two[:7], two[7:]]))) == [RUNNING, RELEASED]
    assert lines(Played((200, [one + two]))) == [RUNNING, RELEASED]


def test_a_problem_in_a_stream_is_raised_as_what_it_is() -> None:
    problem = json.dumps({"error": "JobRefused", "text": "no"}).encode() + b"\n"
    with pytest.raises(JobRefused):
        lines(Played((200, [RUNNING, problem])))
    with pytest.raises(JobRefused):
        lines(Played((409, [problem])))


@given(st.lists(st.binary(max_size=40) | st.just(b"\n"), max_size=8))
def test_any_bytes_are_no_progress(parts: list[bytes]) -> None:
    wire = Played((200, [RUNNING, *parts, b"\n"]), (200, [BREAK]))
    with pytest.raises(AccordError):
        lines(wire)


def test_lines_are_bounded() -> None:
    with pytest.raises(NodeAnswerInvalid):
        lines(Played((200, [b"x" * 1000] * 100)))


def result(wire: Played, within: float | None = None) -> bytes:
    return at_once(calls(wire).result(JOB, within, lambda line: None))


def test_a_released_answer_that_is_on_its_way_is_waited_for() -> None:
    view = b'{"job":"%s","kind":"a","state":"RELEASED","proposer":"a","proposed":1,"changed":1,"deadline":1}' % (
        JOB.encode()
    )
    waiting = JobProgress(state="RELEASED")
    wire = Played((200, [waiting, QUIET]), (200, [QUIET]), (200, [view]), (200, [b"{}"]))
    assert result(wire) == b"{}"
    assert wire.asked == ["progress", "answer", JOB, "answer"]
    with pytest.raises(StillRunning):
        result(Played((200, [waiting, QUIET]), (200, [QUIET]), (200, [view])), within=5.0)
    with pytest.raises(NodeTimedOut):
        result(Played((200, [waiting, QUIET]), (200, [QUIET])))


def test_an_answer_that_drips_is_given_up() -> None:
    wire = Played((200, [RELEASED]), (200, [b" ", 20.0] * 50))
    with pytest.raises(NodeTimedOut):
        at_once(calls(wire).answer(JOB)) if wire.script.pop(0) else None
    assert wire.now - 100 <= 40
