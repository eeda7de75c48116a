"""SecretArray and SecretBits: numpy's habits on shares.

A SecretArray is an array of integers (dtype int64) or of fixed-point numbers with ``frac`` fractional bits (dtype
float64). A SecretBits is an array of booleans, what comparisons give. Operators start at once and return at once; those
both have are in operators.py. What each costs and leaks is said where it is computed: elementwise.py, quotients.py,
relations.py, reductions.py, functions.py, sorting.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
import numpy.typing as npt

import mpc  # its modules need the classes below; they come when a method is called
from mpc import bits
from mpc.errors import ShapePending, WrongType
from mpc.numpy_array import named_refusals
from mpc.operators import Operators
from mpc.party import Operation
from mpc.secret import Secret, Shape

if TYPE_CHECKING:
    import mpc.elementwise
    import mpc.moments
    import mpc.quotients
    import mpc.reductions
    import mpc.relations
    from mpc.party import Party

__all__ = ["SecretArray", "SecretBits"]

Words = npt.NDArray[np.uint64]

_BITS_HAVE_NO_SIGN = "+ and - before bits: ~ is not, .to_array() gives the numbers 0 and 1"


@named_refusals
class SecretArray(Operators):  # noqa: PLW1641 - a secret has no hash
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

    # -- numbers only --

    def __neg__(self) -> SecretArray:
        return mpc.elementwise.negative(self)

    def __pos__(self) -> SecretArray:
        return self

    def __abs__(self) -> SecretArray:
        return mpc.reductions.absolute(self)

    def __round__(self, decimals: int = 0) -> SecretArray:
        return mpc.moments.round_(self, decimals)

    def __eq__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return mpc.relations.equal(self, other)

    def __ne__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return ~mpc.relations.equal(self, other)

    def __and__(self, other: Any) -> Any:
        raise WrongType(mpc.relations.NUMBERS_ARE_NO_BITS)

    __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __and__

    def __invert__(self) -> Any:
        raise WrongType(mpc.relations.NUMBERS_ARE_NO_BITS)

    @overload
    def astype(self, kind: type[bool] | Literal["bool", "?"], frac: None = None) -> SecretBits: ...
    @overload
    def astype(self, kind: Any, frac: int | None = None) -> SecretArray: ...
    def astype(self, kind: Any, frac: int | None = None) -> SecretArray | SecretBits:
        """To ``float`` (``frac`` bits, 1 to 40, default 16), ``int`` (rounded down) or ``bool`` (x != 0).

        Raises WrongType for other types, those of other sizes too, and for ``frac`` beside int or bool, OutOfRange for
        other ``frac``: before anything is sent. Rounds: none to float with as many bits or more; to fewer bits 2, an
        error of t in the last place; to int or bool those of comparisons.
        """
        to = mpc.quotients.kind_of(kind, frac)
        return self != 0 if to == "b" else mpc.quotients.astype(self, to, frac)


@named_refusals
class SecretBits(Operators):  # noqa: PLW1641 - a secret has no hash
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

    # -- bits only --

    def __and__(self, other: Any) -> SecretBits:
        return mpc.relations.logical_and(self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> SecretBits:
        return ~mpc.relations.logical_and(~self, mpc.relations.invert_public(other))

    __ror__ = __or__

    def __xor__(self, other: Any) -> SecretBits:
        return mpc.relations.logical_xor(self, other)

    __rxor__ = __xor__

    def __eq__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return ~mpc.relations.logical_xor(self, other)

    def __ne__(self, other: Any) -> SecretBits:  # type: ignore[override]
        return mpc.relations.logical_xor(self, other)

    def __invert__(self) -> SecretBits:
        return mpc.relations.invert(self)

    def __neg__(self) -> Any:
        raise WrongType(_BITS_HAVE_NO_SIGN)

    __pos__ = __neg__

    def __abs__(self) -> SecretBits:
        return self

    def to_array(self) -> SecretArray:
        """As integers 0 and 1 (bit injection: 2 rounds, 8 bytes an element and party for m = 3)."""
        return mpc.relations.as_integers(self)

    @overload
    def astype(self, kind: type[bool] | Literal["bool", "?"], frac: None = None) -> Self: ...
    @overload
    def astype(self, kind: Any, frac: int | None = None) -> SecretArray: ...
    def astype(self, kind: Any, frac: int | None = None) -> SecretArray | Self:
        """To ``int``, ``float`` or ``bool``, as SecretArray.astype."""
        to = mpc.quotients.kind_of(kind, frac)
        return self if to == "b" else mpc.quotients.astype(self.to_array(), to, frac)
