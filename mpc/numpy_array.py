"""What SecretArray and SecretBits have in common with numpy's arrays: indexing, shapes, and numpy's own functions.

Everything here moves components about and is local; numpy's functions on a secret go through numpy_habits.py.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from mpc.errors import WrongType
from mpc.secret import Secret

__all__ = ["NumpyArray", "call_as_numpy", "named_refusals"]

C = TypeVar("C", bound=type)

_INSTEAD = (
    "use where(mask, x, 0).sum() for what a secret mask holds, and mpc.take(x, indices) for rows in a secret order"
)


def call_as_numpy(name: str, ours: Callable[..., Any], args: Any, options: Mapping[str, Any]) -> Any:
    """``ours`` in numpy's place. WrongType, not TypeError, for arguments of numpy's that it does not take."""
    try:
        return ours(*args, **options)
    except TypeError:
        try:
            inspect.signature(ours).bind(*args, **options)
        except TypeError as error:
            raise WrongType(f"{name} of a secret: {error}; give only what the secret's own function takes") from None
        raise


def named_refusals(cls: C) -> C:
    """Class decorator: its public methods are called by :func:`call_as_numpy`."""

    def named(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **options: Any) -> Any:
            return call_as_numpy(method.__name__, method, args, options)

        return call

    for name, method in list(vars(cls).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(cls, name, named(method))
    return cls


def _check_order(order: Any) -> None:
    if order != "C":
        raise WrongType(f"order={order!r} of a secret's elements: 'C' only; transpose it first")


def _has_secret(key: Any) -> bool:
    if isinstance(key, slice):
        return any(isinstance(k, Secret) for k in (key.start, key.stop, key.step))
    return isinstance(key, Secret) or (isinstance(key, (tuple, list)) and any(map(_has_secret, key)))


@named_refusals
class NumpyArray(Secret):
    """Base of SecretArray and SecretBits: shape methods, and numpy's functions and ufuncs on secrets."""

    __slots__ = ()
    __pandas_priority__ = 10_000  # pandas leaves operators with a secret to the secret

    def __array_ufunc__(  # type: ignore[override]
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        from mpc.numpy_habits import call_ufunc

        return call_ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, options: Any) -> Any:
        from mpc.numpy_habits import call_function

        return call_function(function, args, options)

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise WrongType(
            "a secret cannot become a numpy array, nor an index into one: reveal it first, or use its own methods; "
            + _INSTEAD
        )

    def __index__(self) -> int:
        raise WrongType(f"a secret cannot become a Python number or an index: reveal it first; {_INSTEAD}")

    def __getitem__(self, key: Any) -> Self:
        from mpc.shapes import take_items

        if _has_secret(key):
            raise WrongType(f"an index must be public, as the shape of the result would show a mask: {_INSTEAD}")
        return take_items(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise WrongType(
            "a secret is never changed in place: for x[x > 3] = 0 write x = where(x > 3, 0, x), for x[i] = value write "
            "x = mpc.concatenate([x[:i], [value], x[i + 1:]])"
        )

    def __format__(self, spec: str) -> str:
        if spec:
            raise WrongType(f"a secret has no digits to show as {spec!r}: reveal it first")
        return str(self)

    def reshape(self, *shape: Any, order: str = "C") -> Self:
        """Same elements in C order, another shape. Local."""
        from mpc.shapes import reshape

        _check_order(order)
        return reshape(self, shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape)

    def transpose(self, *axes: Any) -> Self:
        """Axes reversed, or in the order given. Local."""
        from mpc.shapes import transpose

        return transpose(self, axes)

    @property
    def T(self) -> Self:  # noqa: N802 - numpy's name
        return self.transpose()

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        """As numpy.swapaxes. Local."""
        from mpc.shapes import swapaxes

        return swapaxes(self, axis1, axis2)

    def squeeze(self, axis: int | tuple[int, ...] | None = None) -> Self:
        """Without the axes of length one. Local."""
        from mpc.shapes import squeeze

        return squeeze(self, axis)

    def ravel(self, order: str = "C") -> Self:
        """All elements in one dimension, C order. Local."""
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> Self:
        """As ravel: secrets are never changed in place."""
        return self.reshape(-1, order=order)

    def copy(self) -> Self:
        """The same secret once more. Local."""
        return self[...]

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """Elements at public indices, as numpy.take. Local. For secret ones: mpc.take."""
        from mpc.shapes import take_along

        if _has_secret(indices):
            raise WrongType("take: these indices are secret; mpc.take(x, indices) takes rows in a secret order")
        return take_along(self, indices, axis)
