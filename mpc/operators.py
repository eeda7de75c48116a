"""Operators and methods that numbers and bits have in common: arithmetic, order, reductions, sorts.

Bits count as 0 and 1 where numbers are needed; the result is bits where numpy gives booleans for booleans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import mpc  # its modules need the classes below; they come when a method is called
from mpc.errors import WrongType
from mpc.numpy_array import NumpyArray, named_refusals

if TYPE_CHECKING:
    import mpc.elementwise
    import mpc.floor
    import mpc.moments
    import mpc.quotients
    import mpc.reductions
    import mpc.relations
    import mpc.sorting
    from mpc.arrays import SecretArray, SecretBits

__all__ = ["Axes", "Operators"]

Axes = int | tuple[int, ...] | None


@named_refusals
class Operators(NumpyArray):
    """Base of SecretArray and SecretBits: what they compute. Costs and leaks are said where it is computed."""

    __slots__ = ()

    # -- arithmetic --

    def __add__(self, other: Any) -> SecretArray:
        return mpc.elementwise.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> SecretArray:
        return mpc.elementwise.subtract(self, other)

    def __rsub__(self, other: Any) -> SecretArray:
        return mpc.elementwise.subtract(other, self)

    def __mul__(self, other: Any) -> SecretArray:
        return mpc.elementwise.multiply(self, other)

    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> SecretArray:
        return mpc.elementwise.matmul(self, other)

    def __rmatmul__(self, other: Any) -> SecretArray:
        return mpc.elementwise.matmul(other, self)

    def __truediv__(self, other: Any) -> SecretArray:
        return mpc.quotients.divide(self, other)

    def __rtruediv__(self, other: Any) -> SecretArray:
        return mpc.quotients.divide(other, self)

    def __floordiv__(self, other: Any) -> SecretArray:
        return mpc.floor.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> SecretArray:
        return mpc.floor.floor_divide(other, self)

    def __mod__(self, other: Any) -> SecretArray:
        return mpc.moments.remainder(self, other)

    def __rmod__(self, other: Any) -> SecretArray:
        return mpc.moments.remainder(other, self)

    def __divmod__(self, other: Any) -> tuple[SecretArray, SecretArray]:
        return mpc.moments.divide_with_remainder(self, other)

    def __rdivmod__(self, other: Any) -> tuple[SecretArray, SecretArray]:
        return mpc.moments.divide_with_remainder(other, self)

    def __pow__(self, exponent: Any) -> SecretArray:
        return mpc.moments.power(self, exponent)

    def __rpow__(self, base: Any) -> SecretArray:
        return mpc.moments.power(base, self)

    def __lshift__(self, other: Any) -> Any:
        raise WrongType("a secret has no shifts: use x * 2**k for x << k, x // 2**k for x >> k, with a public k")

    __rlshift__ = __rshift__ = __rrshift__ = __lshift__

    def round(self, decimals: int = 0) -> SecretArray:
        """To the nearest integers; see moments.round_."""
        return mpc.moments.round_(self, decimals)

    def dot(self, other: Any) -> SecretArray:
        """As numpy.dot; see elementwise.dot."""
        return mpc.elementwise.dot(self, other)

    # -- order --

    def __lt__(self, other: Any) -> SecretBits:
        return mpc.relations.less(self, other)

    def __gt__(self, other: Any) -> SecretBits:
        return mpc.relations.less(other, self)

    def __le__(self, other: Any) -> SecretBits:
        return mpc.relations.less_equal(self, other)

    def __ge__(self, other: Any) -> SecretBits:
        return mpc.relations.less_equal(other, self)

    def min(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Smallest over axes; see reductions.minimum_of. Of bits: whether all are set."""
        return mpc.reductions.minimum_of(self, axis, keepdims)

    def max(self, axis: Axes = None, keepdims: bool = False) -> Self:
        """Largest over axes; see reductions.minimum_of. Of bits: whether any is set."""
        return mpc.reductions.maximum_of(self, axis, keepdims)

    def argmin(self, axis: int | None = None, *, keepdims: bool = False) -> SecretArray:
        """Position of the first smallest along an axis, or in all."""
        return mpc.reductions.argmin(self, axis, keepdims)

    def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> SecretArray:
        """Position of the first largest along an axis, or in all. Of bits: of the first that is set, else 0."""
        return mpc.reductions.argmax(self, axis, keepdims)

    def clip(self, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> SecretArray:
        """Between two bounds; ``min`` and ``max`` are numpy's names for low and high. See reductions.clip."""
        return mpc.reductions.clip(self, low, high, min, max)

    def sort(self, axis: int | None = -1, kind: Any = None, *, stable: Any = None, descending: bool = False) -> Self:
        """Sorted copy along an axis; None: of all elements (numpy.sort, not in place). See sorting.sort.

        ``kind`` and ``stable`` are numpy's and change nothing: every sort here is stable.
        """
        del kind, stable
        return mpc.sorting.sort(self, axis, descending)

    def argsort(
        self, axis: int | None = -1, kind: Any = None, *, stable: Any = None, descending: bool = False
    ) -> SecretArray:
        """Secret positions that would sort; equal ones keep their order, descending too. See sort."""
        del kind, stable
        return mpc.sorting.argsort(self, axis, descending)

    # -- sums and the like --

    def sum(self, axis: Axes = None, keepdims: bool = False) -> SecretArray:
        """Sum over axes, local; of bits: how many are set."""
        return mpc.reductions.sum_(self, axis, keepdims)

    def cumsum(self, axis: int | None = None) -> SecretArray:
        """Running sums, local; of bits: how many are set so far."""
        return mpc.reductions.cumsum(self, axis)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> SecretArray:
        """Mean over axes, fixed point; see reductions.mean. Of bits: the fraction that is set."""
        return mpc.reductions.mean(self, axis, keepdims)

    def var(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> SecretArray:
        """Variance over axes, by their length less ``ddof``, fixed point; see moments.var."""
        return mpc.moments.var(self, axis, ddof, keepdims)

    def std(self, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> SecretArray:
        """Standard deviation, the square root of var."""
        return mpc.moments.std(self, axis, ddof, keepdims)

    def any(self, axis: Axes = None, keepdims: bool = False) -> SecretBits:
        """Whether any is set, or not 0, over axes or over all. Rounds: log2 of the length. Leaks nothing."""
        return mpc.reductions.any_(self, axis, keepdims)

    def all(self, axis: Axes = None, keepdims: bool = False) -> SecretBits:
        """Whether all are set, or none is 0, over axes or over all. Rounds: log2 of the length. Leaks nothing."""
        return mpc.reductions.all_(self, axis, keepdims)
