"""Public numbers beside secrets: comparisons are exact, checked against fractions; others are refused unsent."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc import MemoryCluster, Party, concatenate, maximum, minimum, publics, stack, where
from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from tests.mpc.helpers import LARGEST, each_m, on_shares, same

Relation = Callable[[Any, Any], Any]

RELATIONS: tuple[Relation, ...] = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)
UFUNCS: tuple[Relation, ...] = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
FRACS = (0, 1, 16, 40)

HUGE: tuple[Any, ...] = (
    np.inf, -np.inf, np.nan, 1e300, -1e300, 2.0**62, -(2.0**62), 2.0**46, -(2.0**46), 5e-324, -5e-324, 0.0, -0.0,
    1 << 62, -(1 << 62), (1 << 62) - 1, 1 << 63, -(1 << 63), (1 << 64) - 1, 1 << 64, -(10**40), (1 << 53) + 1, True,
    np.uint64((1 << 64) - 1), np.int8(-128), np.float16(0.1), np.float32(0.1), np.longdouble(1) / 3,
)  # fmt: skip


def plain(c: Any) -> Any:
    """A fraction, or NaN or infinity."""
    if isinstance(c, float | np.floating):
        return Fraction(*c.as_integer_ratio()) if np.isfinite(c) else float(c)
    return Fraction(int(c))


def exactly(words: Any, frac: int, c: Any, relation: Relation) -> list[bool]:
    """The relation of each X 2^-frac to c, by fractions."""
    return [bool(relation(Fraction(int(v), 1 << frac), plain(c))) for v in words]


def around(c: Any, frac: int) -> Any:
    """Words at and beside c, at 0, and at the ends of the range."""
    exact = plain(c)
    near = [exact * (1 << frac) // 1 + d for d in (-1, 0, 1, 2)] if isinstance(exact, Fraction) else []
    return np.array([0, 1, -1, LARGEST, -LARGEST, *(n for n in near if abs(n) <= LARGEST)], np.int64)


def relate(words: Any, frac: int, c: Any, relations: tuple[Relation, ...] = RELATIONS, m: int = 3) -> Any:
    """Secrets with these words and bits, related to c from both sides."""

    def f(x: SecretArray) -> list[Any]:
        real = SecretArray(x.party, x.share, frac)
        return [r for relation in relations for r in (relation(real, c), relation(c, real))]

    return on_shares(m, f, words)


def check(words: Any, frac: int, c: Any, relations: tuple[Relation, ...] = RELATIONS, m: int = 3) -> None:
    got = relate(words, frac, c, relations, m)
    for i, relation in enumerate(RELATIONS):
        same(got[2 * i], np.array(exactly(words, frac, c, relation)))
        same(got[2 * i + 1], np.array(exactly(words, frac, c, lambda a, b, r=relation: r(b, a))))  # type: ignore[misc]


def test_a_threshold_between_two_values_is_not_rounded_to_one_of_them() -> None:
    x = np.array([6552, 6553, 6554, 6555]) / 2**16
    for c in (0.1, 6553.4 / 2**16, 6553.6 / 2**16):
        for relation, got in zip(RELATIONS, on_shares(3, lambda a, c=c: [r(a, c) for r in RELATIONS], x), strict=True):
            same(got, relation(x, c))
    whole = np.array([-1, 0, 1, 2, LARGEST, -LARGEST])
    for relation, got in zip(RELATIONS, on_shares(3, lambda a: [r(a, 0.5) for r in RELATIONS], whole), strict=True):
        same(got, relation(whole, 0.5))


@pytest.mark.parametrize("frac", FRACS)
@pytest.mark.parametrize("c", HUGE, ids=repr)
def test_comparisons_with_any_real_are_exact(c: Any, frac: int) -> None:
    check(around(c, frac), frac, c)


@each_m
@pytest.mark.parametrize("frac", [0, 16])
def test_for_any_number_of_parties(m: int, frac: int) -> None:
    for c in (0.1, np.nan, -np.inf, 1 << 62):
        check(around(c, frac), frac, c, m=m)


def test_numpys_functions_are_the_operators() -> None:
    for c in (0.1, np.float64(np.nan), np.inf):
        check(around(c, 16), 16, c, UFUNCS)


@settings(max_examples=150)
@given(st.one_of(st.floats(), st.integers(-(1 << 66), 1 << 66), st.floats(-4, 4)), st.sampled_from(FRACS))
def test_bounds_on_words_are_exact(c: Any, frac: int) -> None:
    words = around(c, frac)
    array = publics.public_array(c)
    below, above, at = (f(array, frac).view(np.int64)[()] for f in (publics.below, publics.above, publics.at))
    assert abs(int(below)) <= 1 << 62 and abs(int(above)) <= 1 << 62
    assert [bool(v < below) for v in words] == exactly(words, frac, c, operator.lt)
    assert [bool(above < v) for v in words] == exactly(words, frac, c, operator.gt)
    assert [bool(v == at) for v in words] == exactly(words, frac, c, operator.eq)


@pytest.mark.parametrize(
    "values",
    [
        [0.1, -0.1, np.nan, np.inf, 1e300],
        [(1 << 53) + 1, 1 << 70, -(1 << 70), (1 << 63) + 5, -((1 << 53) + 1)],
        np.array([1 << 70, 3, -(1 << 65), (1 << 62) - 1, 0], object),
        np.array([(1 << 64) - 1, 1 << 63, 1 << 62, (1 << 62) - 1, 0], np.uint64),
        pd.Series([0.1, None, -5.0, 2.0**50, 1 / 3]),
    ],
    ids=str,
)
def test_arrays_are_compared_element_by_element(values: Any) -> None:
    words = np.array([6553, 6554, -((1 << 53) + 1), (1 << 53) + 1, LARGEST], np.int64)
    for frac in (0, 16):
        for i, relation in enumerate(RELATIONS):
            expected = [exactly(words[:, None][r], frac, c, relation) for r in range(5) for c in values]
            got = relate(words[:, None], frac, values)[2 * i]
            same(got, np.array(expected).reshape(5, 5))


def test_bits_beside_reals() -> None:
    for c in (0.5, 0, 1, 1.0, -3, np.nan, np.inf, 1 << 70):
        got = on_shares(3, lambda a, c=c: [r(a > 0, c) for r in RELATIONS[:4]], np.array([0, 1]))
        for relation, result in zip(RELATIONS, got, strict=False):
            same(result, np.array(exactly([0, 1], 0, c, relation)))


def test_comparisons_refuse_what_is_no_number_and_send_nothing() -> None:
    async def program(party: Party) -> None:
        x = await party.input([[1.5, 2.5]], owner=0)
        before = party.transport.traffic.frames_sent
        for relation in RELATIONS:
            for other in ("a", None, 1j, [[1], [1, 2]], {1}, [1, "a"], [1, None], np.datetime64("2020-01-01")):
                with pytest.raises(WrongType):
                    relation(x, other)
            with pytest.raises(ShapeMismatch):
                relation(x, [1 << 70, 1, 2])
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


# -- out of range ------------------------------------------------------------------------------

BIG, REAL = 1 << 62, 2.0**46
# of fixed point x, integers n and bits p, all of shape (2,): what the error says
REFUSED: dict[str, list[tuple[Callable[[Any, Any, Any], Any], str]]] = {
    "added": [
        (lambda x, n, p: x + REAL, "70368744177664.0.*fewer fractional bits"),
        (lambda x, n, p: x - (1 << 46), "70368744177664 "),
        (lambda x, n, p: -REAL - n, "-70368744177664.0"),
        (lambda x, n, p: n + BIG, r"4611686018427387904.*2\^62"),
        (lambda x, n, p: n + (1 << 70), "1180591620717411303424"),
        (lambda x, n, p: np.array([1, -(1 << 70)], object) + n, "-118059.* position 1"),
        (lambda x, n, p: p + REAL, "70368744177664.0"),
        (lambda x, n, p: p - BIG, "4611686018427387904"),
        (lambda x, n, p: x + np.array([0.5, np.nan]), "nan.*position 1.*missing"),
        (lambda x, n, p: p + np.inf, "inf"),
        (lambda x, n, p: concatenate([x, [REAL]]), "70368744177664.0"),
        (lambda x, n, p: stack([n, [1, BIG]]), "46116.*position 1"),
    ],
    "multiplied": [
        (lambda x, n, p: n * REAL, "70368744177664.0"),
        (lambda x, n, p: x * 2.0**62, "4.61168601842738"),
        (lambda x, n, p: p * REAL, "70368744177664.0"),
        (lambda x, n, p: n * -BIG, "-4611686018427387904"),
        (lambda x, n, p: n @ [REAL, 1], "70368744177664.0.*position 0"),
        (lambda x, n, p: [1, np.nan] @ x, "nan"),
        (lambda x, n, p: x.dot([BIG, 1]), "4611686018427387904"),
        (lambda x, n, p: p.dot(REAL), "70368744177664.0"),
        (lambda x, n, p: np.dot(-np.inf, p), "-inf"),
        (lambda x, n, p: p @ [REAL, 1.0], "70368744177664.0"),
    ],
    "divided": [
        (lambda x, n, p: 2.0**45 / x, r"35184372088832.0.*2\^40"),
        (lambda x, n, p: [1, 1 << 40] / n, "1099511627776.*position 1"),
        (lambda x, n, p: 2.0**40 / p, "1099511627776.0"),
        (lambda x, n, p: np.nan / p, "nan"),
        (lambda x, n, p: (1 << 40) // n, r"1099511627776.*2\^36"),
        (lambda x, n, p: -(1 << 36) // p, "-68719476736"),
        (lambda x, n, p: n // [1, 1 << 36], "68719476736.*position 1"),
        (lambda x, n, p: n // ((1 << 29) + 1), r"536870913.*2\^29"),
        (lambda x, n, p: p // [1, 1 << 36], "68719476736"),
        (lambda x, n, p: (1 << 70) % n, "1180591620717411303424"),
        (lambda x, n, p: n % (1 << 70), "1180591620717411303424"),
        (lambda x, n, p: divmod(1 << 50, p), "1125899906842624"),
        (lambda x, n, p: p % 0, "zero"),
        (lambda x, n, p: divmod(n, [1, 0]), "position 1.*zero"),
        (lambda x, n, p: x / 1e-30, r"1e-30.*2\^-62"),
        (lambda x, n, p: n / 1e-15, r"1e-15.*2\^-46"),
        (lambda x, n, p: p / 1e-15, "1e-15"),
        (lambda x, n, p: p / [1.0, 0.0], "0.0.*position 1"),
        (lambda x, n, p: x / np.inf, "inf"),
    ],
    "chosen": [
        (lambda x, n, p: where(p, x, np.nan), "nan"),
        (lambda x, n, p: where(p, REAL, x), "70368744177664.0"),
        (lambda x, n, p: where(p, n, BIG), "4611686018427387904"),
        (lambda x, n, p: where(p, 0.0, [1.0, np.inf]), "inf.*position 1"),
        (lambda x, n, p: where(p, REAL, 0.0), "70368744177664.0"),
        (lambda x, n, p: where(p, p, REAL), "70368744177664.0"),
        (lambda x, n, p: x.clip(0, np.nan), "nan"),
        (lambda x, n, p: x.clip(-np.inf, 1), "-inf"),
        (lambda x, n, p: x.clip(max=REAL), "70368744177664.0"),
        (lambda x, n, p: n.clip(0, BIG), "4611686018427387904"),
        (lambda x, n, p: n.clip(0.5, 1 << 46), "70368744177664 "),
        (lambda x, n, p: p.clip(0, np.nan), "nan"),
        (lambda x, n, p: maximum(x, REAL), "70368744177664.0"),
        (lambda x, n, p: minimum(np.nan, n), "nan"),
        (lambda x, n, p: maximum(p, REAL), "70368744177664.0"),
        (lambda x, n, p: minimum(n, 1 << 70), "1180591620717411303424"),
    ],
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_out_of_range_is_named_and_nothing_is_sent(kind: str) -> None:
    async def program(party: Party) -> None:
        x, n = await party.input([1.5, -2.5], owner=0), await party.input([3, -4], owner=1)
        p = await (n > 0)
        before = party.transport.traffic.frames_sent
        for use, named in REFUSED[kind]:
            with pytest.raises(OutOfRange, match=named):
                pytest.fail(f"{named}: {use(x, n, p)}")
        assert party.transport.traffic.frames_sent == before

    MemoryCluster(3).run(program)


def test_of_a_secret_under_way_what_its_bits_refuse_is_found_before_it_is_used() -> None:
    """The fractional bits of a product that is not awaited are not known yet."""

    async def program(party: Party, refused: bool) -> int:
        x = await party.input([1.5, -2.5], owner=0)
        positive = await (x > 0)
        for use in (
            lambda y: y.clip(0, REAL),
            lambda y: maximum(y, REAL),
            lambda y: where(positive, y, REAL),
            lambda y: y + REAL,
        ):
            y = x * x
            if refused:
                with pytest.raises(OutOfRange, match=r"70368744177664\.0"):
                    await use(y)
                with pytest.raises(OutOfRange, match="nan"):
                    maximum(y, np.nan)
            await y
        return party.transport.traffic.frames_sent

    assert MemoryCluster(3).run(program, [True] * 3) == MemoryCluster(3).run(program, [False] * 3)


@each_m
def test_what_is_in_range_is_taken_up_to_its_end(m: int) -> None:
    most = REAL - 2.0**-7
    x, n = np.array([1.5, -2.5]), np.array([3, -4])
    got = on_shares(
        m,
        lambda a, b: [
            a.clip(-most, most), maximum(b, LARGEST), minimum(a, -most), where(a > 0, a, most), b.clip(-LARGEST, 2),
            (2.0**40 - 1) / (a * 16384 - 4), ((1 << 36) - 1) // b, a / 2.0**70, b // (1 << 70), [(1 << 36) - 1, 1] // b,
        ],
        x, n,
    )  # fmt: skip
    expected = [
        x, np.full(2, LARGEST), np.full(2, -most), np.where(x > 0, x, most), np.clip(n, -LARGEST, 2),
        None, ((1 << 36) - 1) // n, x * 0, np.array([0, -1]), np.array([(1 << 36) - 1, 1]) // n,
    ]  # fmt: skip
    for result, wanted in zip(got, expected, strict=True):
        if wanted is not None:
            np.testing.assert_allclose(
                result, wanted, rtol=0, atol=(m + 1) / 2 * 2.0**-16 if wanted is expected[7] else 0
            )
    np.testing.assert_allclose(got[5], (2.0**40 - 1) / (x * 16384 - 4), rtol=2.0**-16)
