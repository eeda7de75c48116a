"""The discrete Laplace law as its geometric-bit sampler realises it, in integers. Pure."""

from __future__ import annotations

import decimal
import functools
import math
from dataclasses import dataclass
from fractions import Fraction

from protocols.errors import GridOverflow, SensitivityInvalid
from protocols.exact import check_epsilon, is_whole
from protocols.law import Law, Pmf

__all__ = ["LaplaceLaw", "laplace_law"]

_NOISE_BITS = 61
_ENUMERABLE = 14


@dataclass(frozen=True)
class LaplaceLaw(Law):
    """The geometric-bit sampler as realised: X = 0, or a sign times 1 + sum of 2^i g_i, all coins independent.

    Attributes:
        epsilon: nominal, exact.
        sensitivity: in steps of the grid.
        precision: l; a coin with threshold T comes up with probability T / 2^l.
        bits: thresholds of g_0, g_1, ...
        nonzero: threshold of the coin that says X is not 0.
        distance: how far in total variation this law is from the ideal discrete Laplace law, at most.
    """

    epsilon: Fraction
    sensitivity: int
    precision: int
    bits: tuple[int, ...]
    nonzero: int
    distance: Fraction

    @property
    def reach(self) -> int:
        """The largest |X|."""
        return 1 << len(self.bits)

    @property
    def variance(self) -> Fraction:
        """E[X^2], exact: the coins are independent, so no enumeration is needed."""
        one = 1 << self.precision
        chance = [Fraction(t, one) for t in self.bits]
        mean = 1 + sum(p * (1 << i) for i, p in enumerate(chance))
        spread = sum(p * (1 - p) * (1 << 2 * i) for i, p in enumerate(chance))
        return Fraction(self.nonzero, one) * (mean * mean + spread)

    def tail(self, h: int) -> float:
        """P(|X| > h), h >= 0, to float precision: bits from the top, P(G >= h) for their number G."""
        if h >= self.reach:
            return 0.0
        one = float(1 << self.precision)
        above, same = 0.0, 1.0
        for i in reversed(range(len(self.bits))):
            p = self.bits[i] / one
            if h >> i & 1:
                same *= p
            else:
                above += same * p
                same *= 1.0 - p
        return self.nonzero / one * (above + same)

    def pmf(self) -> Pmf | None:
        """Exact, for up to 14 bits of noise."""
        return _exact(self) if len(self.bits) <= _ENUMERABLE else None

    def coins(self) -> tuple[int, ...]:
        """Precision and thresholds."""
        return (self.precision, self.nonzero, *self.bits)


@functools.lru_cache(64)
def _exact(law: LaplaceLaw) -> Pmf:
    k, one = len(law.bits), 1 << law.precision
    values = [law.nonzero]
    for t in law.bits:
        values = [q * (one - t) for q in values] + [q * t for q in values]
    zero = 2 * (one - law.nonzero) << law.precision * k
    return Pmf(-law.reach, (*reversed(values), zero, *values), law.precision * (k + 1) + 1)


@functools.lru_cache(maxsize=1024, typed=True)
def laplace_law(epsilon: float | Fraction, sensitivity: int, lambda_: int = 40) -> LaplaceLaw:
    """Thresholds for discrete Laplace noise: P(X = x) proportional to alpha^|x|, alpha = e^(-epsilon/sensitivity).

    Dwork et al., Our Data, Ourselves, Eurocrypt 2006, section 4: the bits of a geometric variable are independent,
    bit i set with probability 1 / (1 + e^(2^i/b)), b = sensitivity/epsilon. With k = ceil(log2(b ln2 (lambda+2)))
    bits the tail cut off is below 2^-(lambda+2), and with l = lambda + ceil(log2(k+1)) + 1 bits a coin the
    rounding of all thresholds adds up to less than that again.

    Raises EpsilonInvalid, SensitivityInvalid; GridOverflow where noise above 2^61 steps would be possible.
    """
    epsilon = check_epsilon(epsilon)
    if not is_whole(sensitivity) or sensitivity < 1:
        raise SensitivityInvalid(f"sensitivity {sensitivity!r}: a positive whole number of steps of the grid")
    sensitivity = int(sensitivity)
    with decimal.localcontext(decimal.Context(prec=80 + lambda_ // 3, Emax=10**12, Emin=-(10**12))) as context:
        rate = decimal.Decimal(epsilon.numerator) / decimal.Decimal(epsilon.denominator * sensitivity)
        width = decimal.Decimal(2).ln() * (lambda_ + 2) / rate
        k = 1
        while (1 << k) < width:
            k += 1
        if k > _NOISE_BITS:
            raise GridOverflow(
                f"epsilon {float(epsilon):g} with sensitivity {sensitivity} steps needs noise of {k} bits, at most "
                f"{_NOISE_BITS} fit: use a larger epsilon, tighter clipping, or fewer fractional bits"
            )
        precision = lambda_ + math.ceil(math.log2(k + 1)) + 1
        one = decimal.Decimal(1 << precision)
        alpha = (-rate).exp()
        chances = [1 / (1 + (rate * (1 << i)).exp()) for i in range(k)]
        chances.append(2 * alpha / (1 + alpha))
        thresholds = [min(int((one * p).to_integral_value()), (1 << precision) - 1) for p in chances]
        rounding = sum((abs(t / one - p) for t, p in zip(thresholds, chances, strict=True)), decimal.Decimal(0))
        cut = (-rate * (1 << k)).exp()
        off = Fraction(rounding + cut) + Fraction(k + 4, 10 ** (context.prec - 4))  # the last: of this arithmetic
        distance = Fraction(math.ceil(off * (1 << 2 * precision)), 1 << 2 * precision)
    return LaplaceLaw(epsilon, sensitivity, precision, tuple(thresholds[:k]), thresholds[k], distance)
