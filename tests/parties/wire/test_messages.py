"""Messages: what is written is read back, and nothing that differs from the form by anything is taken."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parties.errors import MessageInvalid
from parties.wire.lane_messages import LaneConnect, LaneEntry, LanePrepare
from parties.wire.log_messages import (
    MOST_JOBS,
    AcceptanceQuery,
    AcceptancesQuery,
    Entries,
    EntriesQuery,
    KeptAcceptance,
    KeptAcceptances,
)
from parties.wire.meeting import Beat, CharterAnswer, HelloAnswer
from parties.wire.message_form import Envelope, Message, Strict, read_json
from parties.wire.messages import (
    MESSAGES,
    Abort,
    Accept,
    Ballot,
    Kept,
    Piece,
    Prepare,
    ProgressReport,
    Promise,
    Propose,
    Ready,
    Reserve,
    Run,
    StateQuery,
)
from parties.wire.people_messages import Submit, TableChoice

DIGEST, SIGNATURE = "0f" * 32, "cd" * 64
ACCEPTANCE, VOTE = SIGNATURE + "7b" * 400, SIGNATURE + DIGEST
ENTRY = LaneEntry(member=DIGEST, port=7700, certificate="-----", contribution=DIGEST)
SAMPLES: list[Strict] = [
    LanePrepare(lane=1, epoch=2),
    LaneConnect(lane=1, epoch=2, entries=[ENTRY] * 3),
    Propose(job='{"kind":"count"}', signature=SIGNATURE),
    Reserve(acceptances={"alfa": ACCEPTANCE, "bravo": ACCEPTANCE}),
    Run(lane=0, epoch=1, number=1, checkpoint=Kept(run="0x1x1", step=3)),
    Ready(epoch=1, vote=VOTE),
    Prepare(ballot=Ballot(round=1, member=2)),
    Accept(ballot=Ballot(round=1, member=2), value="release", votes={"alfa": VOTE}),
    Abort(text="bravo is gone"),
    StateQuery(),
    EntriesQuery(log=f"audit:{DIGEST}", after=3, up_to=5),
    Entries(digests=[DIGEST]),
    AcceptancesQuery(jobs=["ab" * 16]),
    KeptAcceptances(digests={"ab" * 16: DIGEST}),
    AcceptanceQuery(member="alfa"),
    KeptAcceptance(acceptance=ACCEPTANCE),
    ProgressReport(operation="join", rounds=3, sent=10**9, fraction=0.5),
    Promise(ballot=Ballot(round=1, member=2), accepted=Ballot(round=0, member=0), value="release"),
    Piece(purpose="answer", name="answer", part=0, parts=1, size=5, sha256=DIGEST),
    HelloAnswer(boot="0" * 32, seen=0, charter=DIGEST, version=1, release="0.1.0", time=1e9),
    CharterAnswer(latest=1, charter="", signatures=""),
    Beat(boot="0" * 32, number=0, charter=DIGEST),
    Submit(
        kind="count",
        parameters={"by": ["a", 1, None, {"deep": True}]},
        tables=[TableChoice(member="alfa", table="patients")],
        results=["alfa"],
        deadline=60,
        key="k",
    ),
]


def enveloped(body: Strict) -> Strict:
    envelope: Any = Envelope
    return typing.cast(Strict, envelope[type(body)](charter=DIGEST, job="ab" * 16, boot="0" * 32, nonce=1, body=body))


def fields(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in a JSON value."""
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [one for key in value for one in fields(value[key], (*path, key))]
    elif isinstance(value, list):
        inner = [one for i, item in enumerate(value) for one in fields(item, (*path, i))]
    return [path, *inner]


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    if not path:
        return to
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], to)
    return copy


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: type(one).__name__)
def test_what_is_written_is_read_back(sample: Strict) -> None:
    whole = enveloped(sample)
    assert read_json(type(whole), whole.model_dump_json()) == whole


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda one: type(one).__name__)
def test_one_field_more_or_less_or_of_another_type_is_refused(sample: Strict) -> None:
    model = type(sample)
    good = json.loads(sample.model_dump_json())
    with pytest.raises(MessageInvalid):
        read_json(model, json.dumps({**good, "more": 1}))
    for name, field in model.model_fields.items():
        if field.is_required():
            with pytest.raises(MessageInvalid, match=name):
                read_json(model, json.dumps({key: value for key, value in good.items() if key != name}))
        if name != "parameters":
            with pytest.raises(MessageInvalid, match=name):
                read_json(model, json.dumps({**good, name: [[0.5]]}))
    for other in (b"", b"[]", b"null", b"1", b"{", b"\xff", json.dumps([good]).encode()):
        with pytest.raises(MessageInvalid):
            read_json(model, other)


@pytest.mark.parametrize(
    ("path", "bad"),
    [
        (("charter",), DIGEST.upper()),
        (("charter",), DIGEST + "\n"),
        (("charter",), DIGEST[1:]),
        (("job",), "AB" * 16),
        (("job",), None),
        (("boot",), ""),
        (("nonce",), 0),
        (("nonce",), -1),
        (("nonce",), 1.0),
        (("nonce",), "1"),
        (("nonce",), True),
        (("nonce",), 2**53),
        (("nonce",), 10**30),
        (("body", "ballot", "round"), 10**9 + 1),
        (("body", "ballot", "member"), -1),
        (("body", "value"), "RELEASE"),
        (("body", "votes"), {"Alfa": VOTE}),
        (("body", "votes"), {"alfa": VOTE[1:]}),
        (("body", "votes"), {f"m{i}": VOTE for i in range(1001)}),
    ],
)
def test_bounds(path: tuple[str, ...], bad: Any) -> None:
    envelope = enveloped(Accept(ballot=Ballot(round=1, member=2), value="release", votes={"alfa": VOTE}))
    good = json.loads(envelope.model_dump_json())
    with pytest.raises(MessageInvalid, match=path[-1] if path[-1] != "votes" else "votes"):
        read_json(type(envelope), json.dumps(changed(good, path, bad)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_is_read_or_refused_by_name(data: st.DataObject) -> None:
    whole = enveloped(data.draw(st.sampled_from(SAMPLES)))
    good = whole.model_dump_json().encode()
    how = data.draw(st.sampled_from(["bytes", "splice", "value"]))
    if how == "bytes":
        content = data.draw(st.binary(max_size=80))
    elif how == "splice":
        at, cut = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, 20))
        content = good[:at] + data.draw(st.binary(max_size=20)) + good[at + cut :]
    else:
        value = json.loads(good)
        content = json.dumps(changed(value, data.draw(st.sampled_from(fields(value))), data.draw(JSON))).encode()
    try:
        read = read_json(type(whole), content)
    except MessageInvalid as error:
        assert len(str(error)) < 1000
    else:
        assert read_json(type(whole), read.model_dump_json()) == read


def test_a_deep_or_wide_body_is_refused() -> None:
    model = type(enveloped(StateQuery()))
    for content in (b"[" * 10**6, b'{"a":' * 10**5, b'{"a":1,' * 10**5, b"9" * 10**6, b'"' + b"\\" * 10**6):
        with pytest.raises(MessageInvalid):
            read_json(model, content)
    for inner in (b"[" * 10**5, b'{"a":' * 1000 + b"1" + b"}" * 1000):
        with pytest.raises(MessageInvalid):
            read_json(Submit, SAMPLES[-1].model_dump_json().encode().replace(b"[", inner, 1))


def test_a_refusal_quotes_nothing_that_was_sent() -> None:
    for content in (b'{"charter":"topsecret"}', b'{"job": topsecret}', b'{"body":{"x":"topsecret"}}'):
        with pytest.raises(MessageInvalid) as caught:
            read_json(Envelope[StateQuery], content)
        assert "topsecret" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_every_message_has_a_route_of_its_own_and_room_for_its_largest() -> None:
    paths = [message.path for message in MESSAGES]
    assert len(set(paths)) == len(paths)
    subclasses = {
        one
        for generic in Message.__subclasses__()
        for one in (generic, *generic.__subclasses__())
        if "path" in vars(one)
    }
    assert subclasses == set(MESSAGES)
    job = '"' * (1 << 19)
    largest: list[Message[Any]] = [
        Propose(job=job, signature=SIGNATURE, tables=[job[: 1 << 18]] * 2),
        Reserve(acceptances={f"m{i:031}": ACCEPTANCE for i in range(1000)}),
        Accept(ballot=Ballot(round=1, member=2), value="release", votes={f"m{i:031}": VOTE for i in range(1000)}),
        LaneConnect(
            lane=1,
            epoch=2,
            entries=[LaneEntry(member=DIGEST, port=7700, certificate="\n" * 4096, contribution=DIGEST)] * 32,
        ),
        Abort(text="\u00e9" * 2000, job=job, signature=SIGNATURE),
        AcceptancesQuery(jobs=["ab" * 16] * MOST_JOBS),
        ProgressReport(operation="x" * 200, rounds=2**53 - 1, sent=2**53 - 1, fraction=0.1),
    ]
    for message in largest:
        assert len(enveloped(message).model_dump_json().encode()) <= message.most
