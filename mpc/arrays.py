"""SecretArray and SecretBits: numpy's habits on shares.

A SecretArray is an array of integers (dtype int64) or of fixed-point numbers with ``frac`` fractional bits (dtype
float64). A SecretBits is an array of booleans, what comparisons give. Operators start at once and return at once.
What each costs and leaks is said where it is computed: elementwise.py, quotients.py, relations.py, reductions.py,
functions.py, sorting.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpc import bits
from mpc.errors import ShapePending
from mpc.party import Operation
from mpc.secret import Secret, Shape

if TYPE_CHECKING:
    from mpc.party import Party

__all__ = ["SecretArray", "SecretBits"]

Words = npt.NDArray[np.uint64]


class SecretArray(Secret):  # noqa: PLW1641 - a secret has no hash
    """Shared integers or fixed-point numbers.

    Args:
        party: whose share this is.
        share: components (k, *shape), uint64.
        frac: fractional bits.
    """

    __slots__ = ("_frac", "_share")

    def __init__(self, party: Party, share: Words, frac: int = 0) -> None:
        super().__init__(party, share.shape[1:])
        self._share: Words | None = share
        self._frac: int | None = frac

    @classmethod
    def _pending(cls, party: Party, operation: Operation[Any], shape: Shape | None) -> SecretArray:
        self = cls.__new__(cls)
        Secret.__init__(self, party, shape)
        self._operation = operation
        self._share = self._frac = None
        return self

    def _adopt(self, other: SecretArray) -> None:
        self._share, self._frac = other._share, other._frac

    @property
    def share(self) -> Words:
        """This party's components; only inside operations, where the array is settled."""
        assert self._share is not None
        return self._share

    @property
    def frac(self) -> int:
        """Fractional bits; ShapePending while not known here."""
        if self._frac is None and not self.ready:
            raise ShapePending("the type of this array is known only after its operands arrived: await it first")
        assert self._frac is not None
        return self._frac

    @property
    def dtype(self) -> np.dtype[Any]:
        """int64, or float64 for fixed point."""
        return np.dtype(np.int64 if self.frac == 0 else np.float64)

    def __repr__(self) -> str:
        shape = self._shape if self._shape is not None else "?"
        kind = "?" if self._frac is None else "int64" if self._frac == 0 else f"fixed point, {self._frac} bits"
        return f"<SecretArray {shape} {kind}, party {self.party.index}>"

    # -- arithmetic --

    def __add__(self, other: Any) -> SecretArray:
        return _e.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> SecretArray:
        return _e.subtract(self, other)

    def __rsub__(self, other: Any) -> SecretArray:
        return _e.subtract(other, self)

    def __neg__(self) -> SecretArray:
        return _e.negative(self)

    def __pos__(self) -> SecretArray:
        return self

    def __mul__(self, other: Any) -> SecretArray:
        return _e.multiply(self, other)

    __rmul__ = __mul__

    def __matmul__(self, other: Any) -> SecretArray:
        return _e.matmul(self, other)

    def __rmatmul__(self, other: Any) -> SecretArray:
        return _e.matmul(other, self)

    def __truediv__(self, other: Any) -> SecretArray:
        return _q.divide(self, other)

    def __rtruediv__(self, other: Any) -> SecretArray:
        return _q.divide(other, self)

    def __floordiv__(self, other: Any) -> SecretArray:
        return _q.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> SecretArray:
        return _q.floor_divide(other, self)

    def __pow__(self, exponent: int) -> SecretArray:
        return _e.power(self, exponent)

    def __abs__(self) -> SecretArray:
        return _r.absolute(self)

    # -- comparison --

    def __lt__(self, other: Any) -> SecretBits:
        return _l.less(self, other)

    def __gt__(self, other: Any) -> SecretBits:
        return _l.less(other, self)

    def __le__(self, other: Any) -> SecretBits:
        return ~_l.less(other, self)

    def __ge__(self, other: Any) -> SecretBits:
        return ~_l.less(self, other)

    def __eq__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return _l.equal(self, other)

    def __ne__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return ~_l.equal(self, other)

    # -- shape --

    def __getitem__(self, key: Any) -> SecretArray:
        return _s.take_items(self, key)

    def reshape(self, *shape: Any) -> SecretArray:
        """Same elements in C order, another shape."""
        return _s.reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def transpose(self, *axes: int) -> SecretArray:
        """Axes reversed, or in the order given."""
        return _s.transpose(self, axes or None)

    @property
    def T(self) -> SecretArray:  # noqa: N802 - numpy's name
        return _s.transpose(self, None)

    def ravel(self) -> SecretArray:
        return _s.reshape(self, (-1,))

    def astype(self, kind: Any, frac: int | None = None) -> SecretArray:
        """To ``float`` (``frac`` bits, default 16) or ``int`` (rounded down)."""
        return _q.astype(self, kind, frac)

    # -- reductions and the like --

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> SecretArray:
        """Sum over axes. Local."""
        return _s.sum_(self, axis, keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> SecretArray:
        """Mean over axes, fixed point."""
        return _r.mean(self, axis, keepdims)

    def cumsum(self, axis: int | None = None) -> SecretArray:
        """Running sums. Local."""
        return _s.cumsum(self, axis)

    def dot(self, other: Any) -> SecretArray:
        """As numpy.dot for one and two dimensions."""
        return _e.matmul(self, other)

    def min(self, axis: int | None = None) -> SecretArray:
        return _r.minimum_of(self, axis)

    def max(self, axis: int | None = None) -> SecretArray:
        return _r.maximum_of(self, axis)

    def argmin(self, axis: int | None = None) -> SecretArray:
        return _r.argmin(self, axis)

    def argmax(self, axis: int | None = None) -> SecretArray:
        return _r.argmax(self, axis)

    def clip(self, low: Any = None, high: Any = None) -> SecretArray:
        return _r.clip(self, low, high)

    def any(self, axis: int | None = None) -> SecretBits:
        return (self != 0).any(axis)

    def all(self, axis: int | None = None) -> SecretBits:
        return (self != 0).all(axis)

    def sort(self, axis: int = -1) -> SecretArray:
        """Sorted copy along an axis (numpy.sort, not in place)."""
        return _o.sort(self, axis)

    def argsort(self, axis: int = -1) -> SecretArray:
        """Secret positions that would sort, stable."""
        return _o.argsort(self, axis)


class SecretBits(Secret):  # noqa: PLW1641 - a secret has no hash
    """Shared booleans, 64 to a word.

    Args:
        party: whose share this is.
        words: packed components (k, ceil(size/64)), uint64, C order.
        shape: the array's shape.
    """

    __slots__ = ("_words",)

    def __init__(self, party: Party, words: Words, shape: Shape) -> None:
        super().__init__(party, shape)
        self._words: Words | None = words

    @classmethod
    def _pending(cls, party: Party, operation: Operation[Any], shape: Shape | None) -> SecretBits:
        self = cls.__new__(cls)
        Secret.__init__(self, party, shape)
        self._operation = operation
        self._words = None
        return self

    def _adopt(self, other: SecretBits) -> None:
        self._words = other._words

    @property
    def words(self) -> Words:
        """This party's packed components; only inside operations."""
        assert self._words is not None
        return self._words

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.bool_)

    def unpacked(self) -> npt.NDArray[np.bool_]:
        """Components as booleans (k, *shape)."""
        return np.stack([bits.unpack(w, self.size) for w in self.words]).reshape(self.party.layout.k, *self.shape)

    @classmethod
    def packed(cls, party: Party, bools: npt.NDArray[np.bool_]) -> SecretBits:
        """From components as booleans (k, *shape)."""
        return cls(party, np.stack([bits.pack(b) for b in bools]), bools.shape[1:])

    def __repr__(self) -> str:
        return f"<SecretBits {self._shape if self._shape is not None else '?'}, party {self.party.index}>"

    def __and__(self, other: Any) -> SecretBits:
        return _l.logical_and(self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> SecretBits:
        return ~_l.logical_and(~self, _l.invert_public(other))

    __ror__ = __or__

    def __xor__(self, other: Any) -> SecretBits:
        return _l.logical_xor(self, other)

    __rxor__ = __xor__

    def __eq__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return ~_l.logical_xor(self, other)

    def __ne__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return _l.logical_xor(self, other)

    def __invert__(self) -> SecretBits:
        return _l.invert(self)

    def to_array(self) -> SecretArray:
        """As integers 0 and 1 (bit injection: 2 rounds, 8 bytes an element and party for m = 3)."""
        return _l.as_integers(self)

    def astype(self, kind: Any, frac: int | None = None) -> SecretArray:
        """To ``int`` or ``float``."""
        return _q.astype(self.to_array(), kind, frac)

    def __mul__(self, other: Any) -> SecretArray:
        return _e.multiply(self, other)

    __rmul__ = __mul__

    def __add__(self, other: Any) -> SecretArray:
        return _e.add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> SecretArray:
        return _e.subtract(self, other)

    def __rsub__(self, other: Any) -> SecretArray:
        return _e.subtract(other, self)

    def __getitem__(self, key: Any) -> SecretBits:
        return _s.take_bits(self, key)

    def reshape(self, *shape: Any) -> SecretBits:
        """Same bits in C order, another shape. Local."""
        return _s.reshape_bits(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def transpose(self, *axes: int) -> SecretBits:
        return _s.transpose_bits(self, axes or None)

    @property
    def T(self) -> SecretBits:  # noqa: N802 - numpy's name
        return _s.transpose_bits(self, None)

    def ravel(self) -> SecretBits:
        return _s.reshape_bits(self, (-1,))

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> SecretArray:
        """How many are set."""
        return self.to_array().sum(axis, keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> SecretArray:
        return self.to_array().mean(axis, keepdims)

    def all(self, axis: int | None = None) -> SecretBits:
        """AND over an axis, or over all. Rounds: log2 of the length."""
        return _r.all_(self, axis)

    def any(self, axis: int | None = None) -> SecretBits:
        """OR over an axis, or over all."""
        return ~_r.all_(~self, axis)


# The operators above and the modules below need each other; the classes come first.
from mpc import elementwise as _e  # noqa: E402
from mpc import quotients as _q  # noqa: E402
from mpc import reductions as _r  # noqa: E402
from mpc import relations as _l  # noqa: E402
from mpc import shapes as _s  # noqa: E402
from mpc import sorting as _o  # noqa: E402
