"""Kernels for functions of a shared number that split into products (separable.py). Pure; no parties.

Two parties each compute the same numbers from v and use them as multipliers of random words: one differing bit would
give rubbish. So everything here is + - * on IEEE doubles in a fixed order, with no library function, no fused
multiply-add and no reordering (numba's default), and every machine gets the same bits; tests pin them.

A double |y| < 2^51 becomes an integer by adding 1.5 2^52 and reading the bits: rounding to nearest, and it vectorises.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["exp2_deal", "exp2_follow", "fixed_waves", "waves_deal", "waves_follow", "weights"]

Words = npt.NDArray[np.uint64]
Reals = npt.NDArray[np.float64]

_V = nb.types.Array(nb.uint64, 1, "C")
_P = nb.types.Array(nb.uint64, 2, "C")
_R = nb.types.Array(nb.float64, 1, "C")

_BLOCK = 256
_MAGIC = 6755399441055744.0  # 1.5 * 2^52
_MAGIC_BITS = np.uint64(0x4338000000000000)
_HALF_TURN = 3.14159265358979323846 / 4294967296.0  # of the half angle, for a phase of 32 bits


@nb.njit(inline="always")
def _first(phase: Words, lo: int, n: int, c: Reals, s: Reals) -> None:
    """c, s = cosine and sine of 2 pi phase / 2^64, from the upper 32 bits; error of the k-th harmonic below k^2 2^-35.

    Taylor series of the half angle h, |h| <= pi/2, then cos 2h = 1 - 2 sin^2 h, sin 2h = 2 sin h cos h.
    """
    for i in range(n):
        h = np.float64(np.int32(phase[lo + i] >> np.uint64(32))) * _HALF_TURN
        q = h * h
        a = -7.647163731819816e-13 * q + 1.6059043836821613e-10
        a = a * q - 2.505210838544172e-08
        a = a * q + 2.7557319223985893e-06
        a = a * q - 0.0001984126984126984
        a = a * q + 0.008333333333333333
        a = a * q - 0.16666666666666666
        sine = h + h * q * a
        b = 4.779477332387385e-14 * q - 1.1470745597729725e-11
        b = b * q + 2.08767569878681e-09
        b = b * q - 2.755731922398589e-07
        b = b * q + 2.48015873015873e-05
        b = b * q - 0.001388888888888889
        b = b * q + 0.041666666666666664
        b = b * q - 0.5
        cosine = 1.0 + q * b
        s[i] = 2.0 * sine * cosine
        c[i] = 1.0 - 2.0 * sine * sine


@nb.njit(inline="always")
def _start(odd: bool, n: int, c: Reals, s: Reals, c_last: Reals, s_last: Reals, twice: Reals) -> None:
    """The wave before the first, and the factor of X_next = twice X - X_last."""
    if odd:
        for i in range(n):
            twice[i] = 4.0 * c[i] * c[i] - 2.0
            c_last[i] = c[i]
            s_last[i] = -s[i]
    else:
        for i in range(n):
            twice[i] = 2.0 * c[i]
            c_last[i] = 1.0
            s_last[i] = 0.0


@nb.njit(inline="always")
def _next(n: int, x: Reals, x_last: Reals, twice: Reals) -> None:
    for i in range(n):
        y = twice[i] * x[i] - x_last[i]
        x_last[i] = x[i]
        x[i] = y


@nb.njit([nb.void(_V, nb.boolean, nb.float64, _P)], cache=True, nogil=True)
def waves_deal(phase: Words, odd: bool, scale: float, out: Words) -> None:
    """out (2K, n) = cosine (row 2j) and sine (row 2j + 1) of each harmonic times ``scale``, minus what is in it."""
    count = out.shape[0] // 2
    c, s, cl, sl, tw, y = (
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
    )
    fixed = y.view(np.uint64)
    for lo in range(0, phase.size, _BLOCK):
        n = min(_BLOCK, phase.size - lo)
        _first(phase, lo, n, c, s)
        _start(odd, n, c, s, cl, sl, tw)
        for j in range(count):
            if j > 0:
                _next(n, c, cl, tw)
                _next(n, s, sl, tw)
            for i in range(n):
                y[i] = c[i] * scale + _MAGIC
            for i in range(n):
                out[2 * j, lo + i] = fixed[i] - _MAGIC_BITS - out[2 * j, lo + i]
            for i in range(n):
                y[i] = s[i] * scale + _MAGIC
            for i in range(n):
                out[2 * j + 1, lo + i] = fixed[i] - _MAGIC_BITS - out[2 * j + 1, lo + i]


@nb.njit([nb.void(_V, nb.boolean, _R, _R, _P)], cache=True, nogil=True)
def weights(phase: Words, odd: bool, of_cos: Reals, of_sin: Reals, out: Words) -> None:
    """out (2K, n): what the dealt waves of u are to be multiplied by, from the phase of v.

    a cos k(u+v) + b sin k(u+v) = cos ku (a cos kv + b sin kv) + sin ku (b cos kv - a sin kv). The coefficients come
    scaled by a power of two, |a| + |b| < 2^50.
    """
    count = out.shape[0] // 2
    c, s, cl, sl, tw, y = (
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
    )
    fixed = y.view(np.uint64)
    for lo in range(0, phase.size, _BLOCK):
        n = min(_BLOCK, phase.size - lo)
        _first(phase, lo, n, c, s)
        _start(odd, n, c, s, cl, sl, tw)
        for j in range(count):
            if j > 0:
                _next(n, c, cl, tw)
                _next(n, s, sl, tw)
            a, b = of_cos[j], of_sin[j]
            for i in range(n):
                y[i] = (a * c[i] + b * s[i]) + _MAGIC
            for i in range(n):
                out[2 * j, lo + i] = fixed[i] - _MAGIC_BITS
            for i in range(n):
                y[i] = (b * c[i] - a * s[i]) + _MAGIC
            for i in range(n):
                out[2 * j + 1, lo + i] = fixed[i] - _MAGIC_BITS


@nb.njit([nb.void(_V, nb.boolean, _R, _R, _P, _V)], cache=True, nogil=True)
def waves_follow(phase: Words, odd: bool, of_cos: Reals, of_sin: Reals, dealt: Words, out: Words) -> None:
    """out = the sum over harmonics of ``dealt`` times the weights of this phase, minus what is in it."""
    count = dealt.shape[0] // 2
    c, s, cl, sl, tw, y = (
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
        np.empty(_BLOCK),
    )
    fixed = y.view(np.uint64)
    total = np.empty(_BLOCK, np.uint64)
    for lo in range(0, phase.size, _BLOCK):
        n = min(_BLOCK, phase.size - lo)
        _first(phase, lo, n, c, s)
        _start(odd, n, c, s, cl, sl, tw)
        total[:] = np.uint64(0)
        for j in range(count):
            if j > 0:
                _next(n, c, cl, tw)
                _next(n, s, sl, tw)
            a, b = of_cos[j], of_sin[j]
            for i in range(n):
                y[i] = (a * c[i] + b * s[i]) + _MAGIC
            for i in range(n):
                total[i] += dealt[2 * j, lo + i] * (fixed[i] - _MAGIC_BITS)
            for i in range(n):
                y[i] = (b * c[i] - a * s[i]) + _MAGIC
            for i in range(n):
                total[i] += dealt[2 * j + 1, lo + i] * (fixed[i] - _MAGIC_BITS)
        for i in range(n):
            out[lo + i] = total[i] - out[lo + i]


# -- powers of two ---------------------------------------------------------------------------


@nb.njit(inline="always")
def _power(phase: np.uint64) -> float:
    """2^(8 z) for z = the lower 61 bits of the phase / 2^61, in [1, 256); relative error below 1e-10.

    Taylor series of 2^z = e^(z ln 2), squared three times; the upper 32 of the 61 bits count.
    """
    z = np.float64(np.int64((phase >> np.uint64(29)) & np.uint64(0xFFFFFFFF))) * 1.6138590419663705e-10  # ln 2 / 2^32
    e = 2.505210838544172e-08 * z + 2.755731922398589e-07
    e = e * z + 2.7557319223985893e-06
    e = e * z + 2.48015873015873e-05
    e = e * z + 0.0001984126984126984
    e = e * z + 0.001388888888888889
    e = e * z + 0.008333333333333333
    e = e * z + 0.041666666666666664
    e = e * z + 0.16666666666666666
    e = e * z + 0.5
    e = e * z + 1.0
    e = e * z + 1.0
    e = e * e
    e = e * e
    return e * e


@nb.njit([nb.void(_V, _P)], cache=True, nogil=True)
def exp2_deal(phase: Words, out: Words) -> None:
    """out (n, 8): for the phase 8 a + z of period 64, entry j = 2^(z + 8 ((a + j) mod 8) - 18) minus what is in it.

    The period is 2^64; entries are at most 2^(8 + 56 - 18) = 2^46.
    """
    row = np.empty(8)
    fixed = row.view(np.uint64)
    for i in range(phase.size):
        base = _power(phase[i]) * 3.814697265625e-06  # 2^-18
        a = np.int64(phase[i] >> np.uint64(61))
        for j in range(8):
            row[j] = base * np.float64(1 << (8 * ((a + j) & 7))) + _MAGIC
        for j in range(8):
            out[i, j] = fixed[j] - _MAGIC_BITS - out[i, j]


@nb.njit([nb.void(_V, _P, _V)], cache=True, nogil=True)
def exp2_follow(phase: Words, dealt: Words, out: Words) -> None:
    """out = the entry of ``dealt`` for this phase 8 a + z, times 2^(z + 16), minus what is in it."""
    one = np.empty(1)
    fixed = one.view(np.uint64)
    for i in range(phase.size):
        one[0] = _power(phase[i]) * 65536.0 + _MAGIC
        out[i] = dealt[i, np.int64(phase[i] >> np.uint64(61))] * (fixed[0] - _MAGIC_BITS) - out[i]


def fixed_waves(phase: Words, odd: bool, count: int, bits: int) -> Words:
    """(2 count, n): cosine and sine of each harmonic with so many fractional bits."""
    out: Any = np.zeros((2 * count, phase.size), np.uint64)
    waves_deal(np.ascontiguousarray(phase), odd, float(1 << bits), out)
    return out  # type: ignore[no-any-return]
