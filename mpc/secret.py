"""What all secret arrays have in common: a party, a shape, and a result that may still be under way.

An *operation* takes a place in the program, may send, and starts at once; what it returns can be used in further
operations before it is done. A *local* function only rearranges or adds components; it takes no place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from mpc.errors import ShapePending, WrongType
from mpc.party import Operation, current_scope

if TYPE_CHECKING:
    from mpc.party import Party

__all__ = ["Secret", "local", "operation", "settled"]

S = TypeVar("S", bound="Secret")
Shape = tuple[int, ...]


class Secret:
    """Base of SecretArray and SecretBits. Awaiting one gives itself, when its result is there."""

    __slots__ = ("_depth", "_operation", "_shape", "party")
    __array_ufunc__: ClassVar[None] = None  # numpy's operators leave the work to ours
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, party: Party, shape: Shape | None) -> None:
        self.party = party
        self._shape = shape
        self._operation: Operation[Any] | None = None
        self._depth = 0

    # -- to be given by subclasses --

    @classmethod
    def _pending(cls: type[S], party: Party, operation: Operation[Any], shape: Shape | None) -> S:
        raise NotImplementedError

    def _adopt(self, other: Any) -> None:
        raise NotImplementedError

    # -- state --

    @property
    def ready(self) -> bool:
        """Whether the result is here."""
        if self._operation is not None and self._operation.done:
            self._take(self._operation.value)
        return self._operation is None

    def _take(self, value: Any) -> None:
        operation, self._operation = self._operation, None
        if operation is not None:
            self._depth = max(operation.scope.depth, value._depth)
            self._shape = value._shape
            self._adopt(value)

    async def settle(self) -> None:
        """Wait for the result; the running scope becomes as deep as it."""
        if self._operation is not None:
            value = await self._operation.result()
            self._take(value)
        scope = current_scope()
        scope.depth = max(scope.depth, self._depth)

    async def _settled(self: S) -> S:
        await self.settle()
        return self

    def __await__(self: S) -> Generator[Any, Any, S]:
        return self._settled().__await__()

    # -- numpy's habits --

    @property
    def shape(self) -> Shape:
        """Shape; of an input whose owner has not announced it yet, ShapePending."""
        if self._shape is None and not self.ready:
            raise ShapePending("the shape of an input is known here only after it arrived: await the array first")
        assert self._shape is not None
        return self._shape

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        n = 1
        for d in self.shape:
            n *= d
        return n

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a secret without dimensions")
        return self.shape[0]

    def __bool__(self) -> bool:
        raise WrongType("a secret cannot decide a Python condition: use where(condition, x, y), or reveal it first")

    def __int__(self) -> int:
        raise WrongType("a secret cannot become a Python number: reveal it first")

    __float__ = __index__ = __complex__ = __int__

    def __array__(self, *args: Any, **options: Any) -> Any:
        raise WrongType("a secret cannot become a numpy array: reveal it first, or use the methods it has itself")

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]


def _secrets(values: Any) -> list[Secret]:
    found: list[Secret] = []
    for v in values:
        if isinstance(v, Secret):
            found.append(v)
        elif isinstance(v, (list, tuple)):
            found.extend(_secrets(v))
    return found


def _snapshot(value: Any) -> Any:
    """Public arrays as they are now: an operation may read them when the caller has long changed them."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list):
        return [_snapshot(v) for v in value]
    if isinstance(value, tuple):
        return tuple(_snapshot(v) for v in value)
    return value


def _shape_if_known(
    infer: Callable[..., Shape] | None, operands: list[Secret], args: Any, options: Any
) -> Shape | None:
    if infer is None or any(s._shape is None for s in operands):
        return None
    return infer(*args, **options)


def _party(operands: list[Secret]) -> Party:
    party = operands[0].party
    if any(s.party is not party for s in operands):
        raise WrongType("operands of different parties or runs: a secret lives within one run of one party")
    return party


async def settled(value: Any) -> Any:
    """The value, or tuple of values, with every secret in it settled."""
    for s in _secrets((value,)):
        await s.settle()
    return value


def operation(
    kind: type[S], shape: Callable[..., Shape] | None = None
) -> Callable[[Callable[..., Coroutine[Any, Any, Any]]], Callable[..., S]]:
    """Decorator for ``async def body(x, y, ...)`` that gives a secret of class ``kind``.

    The body finds its secret operands settled. ``shape(x, y, ...)`` gives the result's shape from operands whose shapes
    are known, and raises ShapeMismatch: before anything is sent.
    """

    def decorate(body: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., S]:
        @functools.wraps(body)
        def call(*args: Any, **options: Any) -> S:
            args, options = _snapshot(args), {name: _snapshot(value) for name, value in options.items()}
            operands = _secrets((*args, *options.values()))
            party = _party(operands)
            known = _shape_if_known(shape, operands, args, options)

            async def run() -> Any:
                for s in operands:
                    await s.settle()
                if shape is not None and known is None:
                    shape(*args, **options)
                return await settled(await body(*args, **options))

            started = party.launch(body.__name__, run)
            result = kind._pending(party, started, known)
            _ = result.ready
            return result

        return call

    return decorate


def local(kind: type[S], shape: Callable[..., Shape] | None = None) -> Callable[[Callable[..., Any]], Callable[..., S]]:
    """Decorator for a plain function of settled secrets that neither sends nor draws randomness."""

    def decorate(body: Callable[..., Any]) -> Callable[..., S]:
        @functools.wraps(body)
        def call(*args: Any, **options: Any) -> S:
            operands = _secrets((*args, *options.values()))
            party = _party(operands)
            ready = all(s.ready for s in operands)
            known = _shape_if_known(shape, operands, args, options)
            if ready:
                result = body(*args, **options)
                result._depth = max(s._depth for s in operands)
                return result  # type: ignore[no-any-return]
            args, options = _snapshot(args), {name: _snapshot(value) for name, value in options.items()}

            async def run() -> Any:
                for s in operands:
                    await s.settle()
                return body(*args, **options)

            return kind._pending(party, party.defer(run), known)

        return call

    return decorate
