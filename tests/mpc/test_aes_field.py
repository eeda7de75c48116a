"""The maps AES consists of, against the definitions of FIPS 197, byte by byte."""

from __future__ import annotations

import numpy as np
import pytest

from mpc import aes_field
from mpc.plane_maps import Form, Linear

BYTES = np.arange(256)
ONE_PARTY = np.ones((1, 1), np.bool_)


def planes_of(values: np.ndarray, count: int) -> np.ndarray:
    """Bits of every value as planes of whole words, each bit in a word of its own."""
    return ((np.asarray(values)[None] >> np.arange(count)[:, None]) & 1).astype(np.uint64)


def values_of(planes: np.ndarray) -> np.ndarray:
    return (planes.astype(np.int64) << np.arange(len(planes))[:, None]).sum(axis=0)


def apply(layer: Linear, planes: np.ndarray) -> np.ndarray:
    return layer.of_components(planes[None])[0]


def product(form: Form, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty((1, form.back.outputs, x.shape[1]), np.uint64)
    form.product(x[None, None], y[None, None], ONE_PARTY, out)
    return out[0]


def times(a: int, b: int) -> int:
    """The product by FIPS 197, 4.2: sums of doubled bytes."""
    total = 0
    while b:
        if b & 1:
            total ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return total


def sbox(a: int) -> int:
    """By FIPS 197, 5.1.1: the inverse, then each bit the sum of five, and 0x63."""
    inverse = next((b for b in range(256) if times(a, b) == 1), 0)
    bits = [inverse >> i & 1 for i in range(8)]
    out = [bits[i] ^ bits[(i + 4) % 8] ^ bits[(i + 5) % 8] ^ bits[(i + 6) % 8] ^ bits[(i + 7) % 8] for i in range(8)]
    return sum(bit << i for i, bit in enumerate(out)) ^ 0x63


def state(rng: np.random.Generator, n: int = 64) -> np.ndarray:
    return rng.integers(0, 256, (16, n))


def planes_of_state(values: np.ndarray) -> np.ndarray:
    return np.concatenate([planes_of(byte, 8) for byte in values])


def test_multiply_and_power() -> None:
    for a in range(0, 256, 5):
        assert [aes_field.multiply(a, b) for b in range(256)] == [times(a, b) for b in range(256)]
    assert aes_field.power(3, 255) == 1 != aes_field.power(3, 85)
    assert aes_field.power(0, 0) == 1


def test_the_basis_is_normal_at_each_step() -> None:
    for count, order in ((2, 2), (4, 4), (8, 16)):
        basis = aes_field.basis(count)
        half = count // 2
        assert [aes_field.power(b, order) for b in basis[:half]] != list(basis[:half])
        for b, c, below in zip(basis[:half], basis[half:], aes_field.basis(half), strict=True):
            e = aes_field.multiply(b, aes_field.power(below, 254))
            assert c == aes_field.multiply(aes_field.power(e, order), below)
            assert e ^ aes_field.power(e, order) == 1
        span = {0}
        for b in basis:
            span |= {v ^ b for v in span}
        assert len(span) == 1 << count
        assert all(aes_field.power(v, 1 << count) == v for v in span)


def test_the_forms_give_the_inverse_and_the_sbox() -> None:
    norm, norm_below, quotient_below, quotient = aes_field.forms()
    blocks = np.tile(BYTES, (16, 1))
    x = apply(aes_field.block_to_tower(), planes_of_state(blocks))[:8]
    a = product(norm, x, x)
    inverse = product(quotient, product(quotient_below, product(norm_below, a, a), a), x)
    back = apply(aes_field.block_from_tower(), np.tile(inverse, (16, 1)))[:8]
    inverses = values_of(back)
    assert inverses[0] == 0
    assert all(times(int(b), int(i)) == 1 for b, i in zip(BYTES[1:], inverses[1:], strict=True))
    final = apply(aes_field.final_layer(), np.tile(inverse, (16, 1)))[:8]
    assert np.array_equal(values_of(final) ^ 0x63, [sbox(b) for b in range(256)])


def test_numbers_of_products_and_bits() -> None:
    """9, 3, 6 and 18 ANDs, and what is linear in the two norms as products of a sum with itself."""
    assert [len(f.left) for f in aes_field.forms()] == [9 + 4, 3 + 2, 6, 18]
    assert [int((f.left == f.right).all(axis=1).sum()) for f in aes_field.forms()[:2]] == [4, 2]
    assert [f.back.outputs for f in aes_field.forms()] == [4, 2, 4, 8]


def test_coordinates_and_back() -> None:
    planes = planes_of_state(state(np.random.default_rng(1)))
    there = apply(aes_field.block_to_tower(), planes)
    assert np.array_equal(apply(aes_field.block_from_tower(), there), planes)
    assert not np.array_equal(there, planes)
    for byte in (0, 1, 0x63, 0xFF):
        assert np.array_equal(aes_field.constant(byte), apply(aes_field.block_to_tower(), planes_of_state(
            np.full((16, 1), byte)))[:8, 0] == 1)  # fmt: skip


@pytest.mark.parametrize("last", [False, True])
def test_the_layers_are_those_of_fips_197(last: bool) -> None:
    """Of bytes before the affine map, as SubBytes less its constant, ShiftRows and MixColumns define them."""
    values = state(np.random.default_rng(2))
    affine = np.array([sbox(times_inverse(b)) ^ 0x63 for b in range(256)])
    s = affine[values].reshape(4, 4, -1)  # column, row
    shifted = np.stack([[s[(c + r) % 4, r] for r in range(4)] for c in range(4)])
    if not last:
        two, three = (np.array([times(b, f) for b in range(256)]) for f in (2, 3))
        shifted = np.stack(
            [two[shifted[:, r]] ^ three[shifted[:, (r + 1) % 4]] ^ shifted[:, (r + 2) % 4] ^ shifted[:, (r + 3) % 4]
             for r in range(4)], axis=1)  # fmt: skip
    expected = planes_of_state(shifted.reshape(16, -1))
    planes = apply(aes_field.block_to_tower(), planes_of_state(values))
    if last:
        assert np.array_equal(apply(aes_field.final_layer(), planes), expected)
    else:
        assert np.array_equal(apply(aes_field.block_from_tower(), apply(aes_field.round_layer(), planes)), expected)


def times_inverse(a: int) -> int:
    return next((b for b in range(256) if times(a, b) == 1), 0)


def test_products_that_are_not_enough() -> None:
    with pytest.raises(ValueError, match="not enough"):
        aes_field._solve(np.eye(2, 4, dtype=np.bool_), np.ones((1, 4), np.bool_))
