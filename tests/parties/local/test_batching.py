"""Questions become requests: in their order, none lost, none twice, within the terms."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.local.batching import Batches, Question
from protocols.errors import RequestRefused
from protocols.inquiry import Book, Terms

KINDS: tuple[Any, ...] = ("predict", "predict_proba")


def question(kind: Any, n: int, start: int = 0) -> Question:
    return Question(kind, np.arange(start, start + n, dtype=float)[:, None], Future())


def batches(**terms: Any) -> Batches:
    return Batches(Terms((1,), {"predict": 2, "predict_proba": 0}, **terms), 1)


def test_one_alone_goes_out_at_once_and_the_rest_together() -> None:
    it = batches(at_once=1)
    questions = [question("predict", n) for n in (1, 2, 3)]
    it.ask(questions[0])
    first = it.next()
    assert first is not None and (first.number, first.rows, first.owner) == (1, 1, 1)
    for q in questions[1:]:
        it.ask(q)
    assert it.next() is None and len(it) == 3
    assert it.back(1) == questions[:1] and it.back(1) == []
    second = it.next()
    assert second is not None and (second.number, second.rows) == (2, 5)
    assert second.values.tolist() == [[0], [1], [0], [1], [2]]
    assert it.back(2) == questions[1:] and len(it) == 0 and it.next() is None


def test_in_a_hurry_all_go_out() -> None:
    it = batches(at_once=1)
    for kind in ("predict", "predict_proba", "predict"):
        it.ask(question(kind, 1))
    numbers = [r.number for r in iter(lambda: it.next(hurry=True), None)]
    assert numbers == [1, 2, 3]
    assert len(it.drop()) == 3 and len(it) == 0 and it.next() is None


def test_what_the_terms_forbid_is_not_taken_in() -> None:
    it = batches(most_rows=4, allowance=5)
    for wrong in (question("guess", 1), question("predict", 5), question("predict", 0)):
        with pytest.raises(RequestRefused):
            it.ask(wrong)
    it.ask(question("predict", 4))
    with pytest.raises(RequestRefused, match="1 of the 5"):
        it.ask(question("predict", 2))
    it.ask(question("predict", 1))
    assert len(it) == 2


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 40), st.booleans()), max_size=30),
    st.integers(1, 3),
    st.integers(40, 300),
)
def test_all_go_out_in_order_and_every_party_lets_them_in(asked: list[Any], at_once: int, most: int) -> None:
    terms = {"at_once": at_once, "most_rows": most, "allowance": max(1, sum(n for _, n, _ in asked))}
    it, book = batches(**terms), Book(Terms((1,), {"predict": 2, "predict_proba": 0}, **terms))
    questions, sent, out, rows = [], [], [], 0

    def send() -> None:
        while (r := it.next()) is not None:
            book.enter(r)
            out.append(r)
            assert len(out) <= at_once and r.rows <= max(256, 40) and len(r.values) == r.rows

    for kind, n, answered in asked:
        questions.append(question(kind, n, rows))
        rows += n
        it.ask(questions[-1])
        send()
        if answered and out:
            sent += it.back(out.pop(0).number)
            send()
    while out:
        sent += it.back(out.pop(0).number)
        send()
    assert sent == questions and len(it) == 0 and book.rows == rows
