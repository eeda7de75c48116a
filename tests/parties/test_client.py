"""Both clients against a node over real TLS: what comes back, who is refused, and what a broken connection costs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pandas as pd
import pytest
import trio

from mpc.errors import AccordError, PeerLost
from parties.errors import (
    JobConflict,
    JobFailed,
    JobInvalid,
    JobUnknown,
    ModelMissing,
    NodeAnswerInvalid,
    NodeFailed,
    NodeTimedOut,
    NodeUnproven,
    NodeUnreachable,
    NotOneOfThePeople,
    PolicyDenied,
    StillRunning,
)
from parties.wire.people_messages import JobProgress
from protocols.errors import EpsilonInvalid
from tests.parties.people_node import (
    ANN,
    COUNTED,
    FLAVOURS,
    MODELS,
    NODE,
    STRANGER,
    Memory,
    PeopleNode,
    client,
    each,
    got,
    people_node,
    run,
)

RELEASED = JobProgress(state="RELEASED", answer=True, fraction=1.0)
LINES = [
    JobProgress(state="ACCEPTED"),
    JobProgress(state="RUNNING", operation="totals", rounds=3, sent=100, fraction=0.5),
    RELEASED,
]

flavours = pytest.mark.parametrize("flavour", FLAVOURS)


def once(node: PeopleNode, at: str) -> Callable[[str], Awaitable[None]]:
    """Breaks all connections the first time that ``at`` is heard or done."""
    left = [at]

    async def hook(what: str) -> None:
        if what in left:
            left.remove(what)
            node.crash()
            await trio.sleep_forever()

    return hook


def ask(
    flavour: str, test: Callable[[Any, PeopleNode], Awaitable[None]], memory: Memory | None = None, **more: Any
) -> None:
    with people_node(memory or Memory(lines=list(LINES))) as node:

        async def body() -> None:
            async with client(flavour, node.url, **more) as asker:
                await test(asker, node)

        run(flavour, body)


@flavours
def test_a_count_comes_back_as_a_frame(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        told: list[JobProgress] = []
        frame = await got(
            asker.count(["alfa.patients", "bravo.patients"], by="ward", epsilon=1.0, minimum=20, progress=told.append)
        )
        assert told == LINES
        assert list(frame.index) == ["a", "b", "c"] and frame.index.name == "ward"
        assert frame["count"].tolist()[:2] == [12, 40] and pd.isna(frame["count"]["c"])
        assert frame["count.standard_error"]["b"] == 1.5
        assert frame["shown"].tolist() == [True, True, False]
        assert frame.attrs == {"epsilon": 1.0, "delta": 0.0, "job": f"{1:032x}", "kind": "aggregate"}
        asked = next(body for what, _, body in node.memory.heard if what == "submit")
        assert asked.parameters == {"figures": ["count"], "by": "ward", "epsilon": 1.0, "minimum": 20}
        assert [(one.member, one.table) for one in asked.tables] == [("alfa", "patients"), ("bravo", "patients")]
        assert (asked.results, asked.deadline, asked.on_loss) == (["alfa"], 3600, "abort")
        assert {person for _, person, _ in node.memory.heard} == {"ann"}

    ask(flavour, test)


@flavours
def test_models_are_listed_kept_and_named_in_questions(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        frame = await got(asker.models())
        assert list(frame.index) == ["alfa.mine", "bravo.risk", "bravo.stay"]
        assert frame["own"].tolist() == [True, False, False] and frame["version"].tolist() == [1, 2, 1]
        assert frame["lineage"]["alfa.mine"] == f"job {'1' * 32} on alfa.patients"
        assert frame.attrs["errors"] == {"charlie": "is down"} and frame.attrs["strays"] == ["loose.json"]
        assert await got(asker.model_list()) == MODELS
        model = await got(asker.model("bravo.stay"))
        assert model.coef_.tolist() == [[0.5]] and model.label_ == "died"
        with pytest.raises(PolicyDenied, match="its owner keeps its coefficients"):
            await got(asker.model("bravo.risk"))
        with pytest.raises(ModelMissing):
            await got(asker.model("charlie.risk"))
        node.memory.content = b'{"answer": "predict", "predictions": [0, 1]}'
        found = await got(asker.predict("bravo.risk", "alfa.patients", progress=False))
        assert found["predict"].tolist() == [0, 1]
        asked = next(body for what, _, body in node.memory.heard if what == "submit")
        assert asked.parameters == {"model": "bravo.risk", "answer": "predict"} and asked.results == ["alfa"]
        kept = await got(asker.keep_model(found.attrs["job"], "risk"))
        assert kept.offer.name == "risk"
        for job, name in (("x", "risk"), ("0" * 32, "../risk")):
            with pytest.raises(JobInvalid):
                await got(asker.keep_model(job, name))

    ask(flavour, test)


@flavours
def test_a_handle_and_the_lists(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        handle = await got(asker.submit("aggregate", {"epsilon": 1}, ["alfa.patients"], ["bravo"], key="mine"))
        assert (
            await got(asker.submit("aggregate", {"epsilon": 1}, ["alfa.patients"], ["bravo"], key="mine"))
        ).id == handle.id
        with pytest.raises(JobConflict):
            await got(asker.submit("aggregate", {"epsilon": 2}, ["alfa.patients"], ["bravo"], key="mine"))
        assert await got(handle.state()) == "RELEASED"
        assert await each(handle.progress()) == LINES
        assert json.loads(await got(handle.answer())) == COUNTED
        assert await got(handle.receipt()) == await got(handle.receipt(without_result=True)) == node.memory.proof
        assert [body for what, _, body in node.memory.heard if what == "receipt"] == [
            (handle.id, False), (handle.id, True)
        ]  # fmt: skip
        same = await got(asker.job(handle.id).result(progress=False))
        assert same.attrs["kind"] == "aggregate"
        jobs = await got(asker.jobs())
        assert list(jobs.index) == [handle.id] and jobs["state"][handle.id] == "RELEASED"
        assert (await got(asker.status())).member == "alfa"
        tables = await got(asker.tables())
        assert tables[["table", "column", "low"]].values.tolist()[1] == ["alfa.patients", "age", 0]
        assert tables.attrs["errors"] == {"bravo": "not reached"}
        assert (await got(handle.cancel())).state == "ABORTED"

    ask(flavour, test)


@flavours
@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        ("PolicyDenied", "table patients of bravo: 1 at most", PolicyDenied),
        ("EpsilonInvalid", "epsilon 0: above 0", EpsilonInvalid),
        ("PeerLost", "party 2 died", PeerLost),
        ("Expired", "its deadline of 3 s passed", JobFailed),
        ("SystemExit", "3", JobFailed),
        ("AddressInvalid", "[red]x[/red] \x1b[2J", None),
    ],
)
def test_an_aborted_job_raises_its_cause(flavour: str, error: str, cause: str, kind: type[AccordError] | None) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        with pytest.raises(kind or AccordError) as caught:
            await got(asker.count("alfa.patients", epsilon=1.0, progress=False))
        assert kind is None or type(caught.value) is kind
        assert cause.replace("\x1b", "\\x1b") in str(caught.value)
        assert f"{1:032x}" in caught.value.__notes__[0]
        assert [what for what, _, _ in node.memory.heard if what == "answer"] == []

    ask(flavour, test, Memory(lines=[JobProgress(state="ABORTED", error=error, cause=cause)]))


@flavours
def test_what_is_no_job_is_not_sent(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        for parameters, tables, how in (
            ({}, ["patients"], {}),
            ({}, ["alfa."], {}),
            ({"x": float("nan")}, [], {}),
            ({"x": object()}, [], {}),
            ({"x": "y" * (1 << 20)}, [], {}),
            ({}, [], {"deadline": 0}),
            ({}, [], {"on_loss": "panic"}),
            ({}, [], {"key": ""}),
        ):
            with pytest.raises(JobInvalid):
                await got(asker.submit("aggregate", parameters, tables, **how))
        with pytest.raises(JobInvalid):
            await got(asker.submit("A", {}))
        assert node.memory.heard == []

    ask(flavour, test)


@flavours
@pytest.mark.parametrize("at", ["before", "after"])
def test_a_node_that_restarts_while_it_is_asked_has_one_job(flavour: str, at: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        setattr(node.memory, at, once(node, "submit"))
        await got(asker.count("alfa.patients", epsilon=1.0, progress=False))
        submitted = [body for what, _, body in node.memory.heard if what == "submit"]
        assert len(submitted) == 2 and submitted[0] == submitted[1]
        assert len(node.memory.keys) == 1

    ask(flavour, test)


@flavours
def test_each_call_draws_its_own_key(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        for _ in range(2):
            await got(asker.submit("aggregate", {}))
        assert len(node.memory.keys) == 2

    ask(flavour, test)


@flavours
def test_progress_goes_on_when_its_stream_breaks(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        node.memory.after = once(node, "line 1")
        handle = await got(asker.submit("aggregate", {}))
        lines = await each(handle.progress())
        assert [what for what, _, _ in node.memory.heard if what == "progress"] == ["progress"] * 2
        assert lines[:2] == LINES[:2] and lines[-1] == RELEASED

    ask(flavour, test)


@flavours
def test_waiting_ends_and_the_job_goes_on(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        async def quiet(what: str) -> None:
            if what == "line 1":
                await trio.sleep_forever()

        node.memory.after = quiet
        handle = await got(asker.submit("aggregate", {}))
        with pytest.raises(StillRunning) as caught:
            await got(handle.result(timeout=0.2, progress=lambda line: None))
        assert handle.id in str(caught.value)
        assert isinstance(caught.value, TimeoutError)
        node.memory.after = None
        assert (await got(handle.result(progress=False)))["count"]["b"] == 40

    ask(flavour, test)


@flavours
def test_a_node_that_does_not_answer(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        async def stuck(what: str) -> None:
            await trio.sleep_forever()

        await got(asker.status())
        node.memory.before = stuck
        with pytest.raises(NodeTimedOut) as caught:
            await got(asker.submit("aggregate", {}, results=["alfa"], key="mine"))
        assert "key='mine'" in caught.value.__notes__[0]
        handle = asker.job("0" * 32)
        with pytest.raises(NodeTimedOut):
            await each(handle.progress())

    ask(flavour, test, timeout=0.2)


@flavours
def test_answers_are_bounded(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        with pytest.raises(NodeAnswerInvalid, match="more than 1000 bytes"):
            await got(asker.count("alfa.patients", epsilon=1.0, progress=False))

    ask(flavour, test, Memory(lines=[RELEASED], content=b" " * (1 << 20) + b"{}"), most_answer=1000)


@flavours
@pytest.mark.parametrize("content", [b"", b"[]", b'{"rows": 3}', b"\xff", json.dumps({**COUNTED, "more": 1}).encode()])
def test_an_answer_of_another_form_is_named(flavour: str, content: bytes) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        with pytest.raises(NodeAnswerInvalid, match="none of kind aggregate"):
            await got(asker.count("alfa.patients", epsilon=1.0, progress=False))

    ask(flavour, test, Memory(lines=[RELEASED], content=content))


@flavours
def test_errors_of_the_node_are_named(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        with pytest.raises(JobUnknown):
            await got(asker.job("0" * 32).state())
        with pytest.raises(JobUnknown):
            await each(asker.job("0" * 32).progress())

        async def fault(what: str) -> None:
            raise ValueError("a secret")

        node.memory.before = fault
        with pytest.raises(NodeFailed) as caught:
            await got(asker.status())
        assert "secret" not in str(caught.value)

    ask(flavour, test)


@flavours
def test_a_node_with_another_key_hears_nothing(flavour: str) -> None:
    with people_node(served_as=STRANGER) as node:

        async def body() -> None:
            async with client(flavour, node.url) as asker:
                with pytest.raises(NodeUnproven):
                    await got(asker.status())
                with pytest.raises(NodeUnproven):
                    await got(asker.submit("aggregate", {}, results=["alfa"]))

        run(flavour, body)
        assert node.memory.heard == []


@flavours
def test_who_is_none_of_the_people_is_told(flavour: str) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        with pytest.raises(NotOneOfThePeople, match=STRANGER.public.hex()):
            await got(asker.status())
        assert node.memory.heard == []

    ask(flavour, test, who=STRANGER)


@flavours
def test_nobody_there_is_said_at_once(flavour: str) -> None:
    with people_node() as node:
        url = node.url

    async def body() -> None:
        async with client(flavour, url, patience=3600.0) as asker:
            with pytest.raises(NodeUnreachable) as caught:
                await got(asker.submit("aggregate", {}, results=["alfa"]))
            assert not hasattr(caught.value, "__notes__")

    run(flavour, body)


@flavours
def test_a_node_that_was_there_is_waited_for_so_long(flavour: str) -> None:
    async def body(url: str, node: PeopleNode) -> None:
        async with client(flavour, url, patience=0.3) as asker:
            await got(asker.status())
            node.stop()
            with pytest.raises(NodeUnreachable) as caught:
                await got(asker.submit("aggregate", {}, results=["alfa"], key="mine"))
            assert "key='mine'" in caught.value.__notes__[0]

    node = PeopleNode(Memory(), NODE, {"ann": ANN.public})
    node.start()
    run(flavour, lambda: body(node.url, node))


def test_the_nodes_own_key_is_one_of_the_people() -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        assert (await got(asker.status())).member == "alfa"
        assert node.memory.heard == [("status", "node", None)]

    ask("blocking", test, who=NODE, node=None)


def test_interrupted_it_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    async def test(asker: Any, node: PeopleNode) -> None:
        def interrupt(line: JobProgress) -> None:
            raise KeyboardInterrupt

        handle = asker.submit("aggregate", {})
        with pytest.raises(KeyboardInterrupt) as caught:
            handle.result(progress=interrupt)
        assert handle.id in caught.value.__notes__[0]
        assert handle.result(progress=False) is not None

    ask("blocking", test)
