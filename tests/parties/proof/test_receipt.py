"""Receipts as documents: one form, to the byte; and whatever is changed in a real one, it is not genuine any more."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import ReceiptUnreadable
from parties.membership.charter_bundle import SignedCharter
from parties.membership.charter_file import read_charter
from parties.proof.receipt import MOST_RECEIPT, charter_parts, read_receipt, write_receipt
from parties.proof.receipt_verify import Verdict, verify_receipt
from tests.parties.consortium import charter, identity, member, signed
from tests.parties.receipts import ASKED, SOFTWARE, made, rewritten
from tests.parties.world import CHARTER

KINDS = sorted(ASKED)
VARIANTS = ("alfa", "delta", "without", "purged", "too_large")
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1 << 70, 1.5, "", "alfa", "bravo", "0" * 64, "0" * 128, "\u0000", "\ud7ff", "x" * 70_000, [], {},
    [[]], ["alfa"], {"alfa": "00"}, {"text": "", "signature": "0" * 128},
)  # fmt: skip


def verdict(content: bytes) -> Verdict | None:
    """None: it cannot be read."""
    try:
        receipt = read_receipt(content)
    except ReceiptUnreadable:
        return None
    return verify_receipt(receipt, SOFTWARE).verdict


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


def parent_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_read_back_as_it_was_written_and_genuine(kind: str, variant: str) -> None:
    content = getattr(made(kind), variant)
    assert write_receipt(read_receipt(content)) == content
    assert verdict(content) is Verdict.GOOD
    assert json.loads(content)["format"] == "accord receipt 1"


def test_there_is_one_form() -> None:
    content = made().alfa
    said = json.loads(content)
    assert rewritten(said) == content
    upper = content.replace(said["job"]["signature"].encode(), said["job"]["signature"].upper().encode())
    for other in (
        content[:-1], content + b"\n", b" " + content, json.dumps(said).encode(), json.dumps(said, indent=1).encode(),
        upper, content.replace(b'"tables": [', b'"tables": [ '), content.replace(b"{", b'{"format": "", ', 1),
        content.replace(b'"format": "accord receipt 1"', b'"format": "accord receipt 2"'),
    ):  # fmt: skip
        assert other != content
        with pytest.raises(ReceiptUnreadable):
            read_receipt(other)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"null", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b'{"format": NaN}', b'"\\ud800"'],
)
def test_what_is_no_receipt(content: bytes) -> None:
    with pytest.raises(ReceiptUnreadable) as raised:
        read_receipt(content)
    assert len(str(raised.value)) < 500


def test_who_left_signed_the_charter_too_and_is_not_in_the_receipt() -> None:
    smaller = charter(*(member(i) for i in range(3)), before=CHARTER)
    text, signatures = charter_parts(SignedCharter(smaller, signed(smaller, 0, 1, 2, 3)))
    assert read_charter(text) == smaller
    assert set(signatures) == {identity(i).fingerprint for i in range(3)}


def test_what_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(ReceiptUnreadable, match="more than"):
        read_receipt(bytes(MOST_RECEIPT + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_no_bit_can_be_flipped(kind: str) -> None:
    content = made(kind).alfa

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, len(content) - 1), st.integers(0, 7))
    def flipped(at: int, bit: int) -> None:
        other = bytearray(content)
        other[at] ^= 1 << bit
        assert verdict(bytes(other)) in (None, Verdict.FALSE)

    flipped()


@pytest.mark.slow
def test_no_byte_can_be_changed() -> None:
    content, random = made().alfa, Random(1)
    for at in range(len(content)):
        other = bytearray(content)
        other[at] ^= 1 << random.getrandbits(3)
        assert verdict(bytes(other)) in (None, Verdict.FALSE), at


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_can_be_cut_out(data: st.DataObject) -> None:
    content = made().alfa
    begin = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(begin + 1, len(content)))
    assert verdict(content[:begin] + content[end:]) in (None, Verdict.FALSE)


@pytest.mark.parametrize("variant", ["alfa", "without"])
def test_nothing_can_be_left_out(variant: str) -> None:
    document = json.loads(getattr(made(), variant))
    for path in places(document):
        other = copy.deepcopy(document)
        del parent_of(other, path)[path[-1]]
        assert verdict(rewritten(other)) in (None, Verdict.FALSE), path


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_nothing_can_be_put_in_another_ones_place(data: st.DataObject) -> None:
    """Any value of any type, anything else of the same receipt, in the form in which receipts are written."""
    content = made("query").alfa
    document = json.loads(content)
    everywhere = list(places(document))
    path = data.draw(st.sampled_from(everywhere))
    other = copy.deepcopy(document)
    if data.draw(st.booleans()):
        source = data.draw(st.sampled_from(everywhere))
        value = copy.deepcopy(parent_of(document, source)[source[-1]])
    else:
        value = data.draw(st.sampled_from(VALUES))
    parent_of(other, path)[path[-1]] = value
    if other != document:
        assert verdict(rewritten(other)) in (None, Verdict.FALSE)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_nothing_can_be_added(data: st.DataObject) -> None:
    document = json.loads(made().alfa)
    path = data.draw(st.sampled_from([p for p in places(document) if isinstance(parent_of(document, p), dict)]))
    name = data.draw(st.sampled_from(["echo", "text", "0" * 64, "", "more"]))
    inner = parent_of(document, path)
    if name not in inner:
        inner[name] = copy.deepcopy(inner[path[-1]])
        assert verdict(rewritten(document)) in (None, Verdict.FALSE)


def test_no_part_of_another_jobs_receipt_fits() -> None:
    one, other = json.loads(made("aggregate").alfa), json.loads(made("query").alfa)
    for part in one:
        mixed = {**one, part: other[part]}
        if mixed != one:
            assert verdict(rewritten(mixed)) is Verdict.FALSE, part


def test_no_part_of_one_member_stands_for_another() -> None:
    document = json.loads(made().alfa)
    for part in ("acceptances", "votes", "shares"):
        names = sorted(document[part])
        for one, another in itertools.pairwise(names):
            other = copy.deepcopy(document)
            other[part][one], other[part][another] = other[part][another], other[part][one]
            assert verdict(rewritten(other)) is Verdict.FALSE
