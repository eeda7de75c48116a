"""What all secret arrays have in common: a party, a shape, and a result that may still be under way.

An *operation* takes a place in the program, may send, and starts at once; what it returns can be used in further
operations before it is done. A *local* function only rearranges or adds components; it takes no place.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from mpc.errors import NotTransferable, ShapePending, UsageError, WrongType
from mpc.provenance import describe
from mpc.scope import Operation, checksum, current_scope

if TYPE_CHECKING:
    from mpc.party import Party

__all__ = ["Secret", "local", "operation", "settled", "twin"]

S = TypeVar("S", bound="Secret")
Shape = tuple[int, ...]


class Secret:
    """Base of SecretArray and SecretBits. Awaiting one gives itself, when its result is there.

    What a program can see of it, its shape and type, never depends on when messages arrive: it is known when it
    follows from what was known at the call, and else once the program awaited the secret itself. Operations
    therefore work on a :func:`twin` of an operand that is pending.
    """

    __slots__ = ("_depth", "_operation", "_shape", "_tag", "party")
    outside: ClassVar[str] = "a secret, which has no meaning outside the run: reveal it first"
    __array_ufunc__: ClassVar[None] = None  # numpy's operators leave the work to ours

    def __init__(self, party: Party, shape: Shape | None) -> None:
        self.party = party
        self._shape = shape
        self._operation: Operation[Any] | None = None
        self._depth = 0
        self._tag = 0

    def __init_subclass__(cls) -> None:
        # By identity: asyncio.gather and sets of tasks need a hash. A class that defines == loses it, so it is put
        # back; no dictionary calls our ==, which starts an operation: hashes of different living objects differ.
        cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    # -- to be given by subclasses --

    @classmethod
    def _pending(cls: type[S], party: Party, operation: Operation[Any], shape: Shape | None) -> S:
        raise NotImplementedError

    def _adopt(self, other: Any) -> None:
        raise NotImplementedError

    # -- state --

    @property
    def ready(self) -> bool:
        """Whether the program knows shape and type: it followed at once from what is known, or was awaited."""
        return self._operation is None

    @property
    def tag(self) -> int:
        """Where it comes from: a checksum of the operation that made it and of that one's operands."""
        return self._tag or (0 if self._operation is None else self._operation.scope.stamp)

    def stray(self) -> UsageError:
        """The error for a secret used where it does not belong."""
        if self.party.over:
            return UsageError("this secret belongs to a run that is over: within a run use its own secrets only")
        return WrongType("operands of different parties or runs: a secret lives within one run of one party")

    def __copy__(self: S) -> S:
        return self

    def __deepcopy__(self: S, memo: Any) -> S:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise NotTransferable("a secret cannot be pickled, it lives within one run of one party: reveal it first")

    def _take(self, value: Any) -> None:
        operation, self._operation = self._operation, None
        if operation is not None:
            self._tag = self._tag or operation.scope.stamp
            self._depth = max(operation.scope.depth, value._depth)
            self._shape = value._shape
            self._adopt(value)

    async def settle(self) -> None:
        """Wait for the result; the running scope becomes as deep as it."""
        if self._operation is not None:
            if self.party.over and not self._operation.done:
                raise self.stray()
            value = await self._operation.result()
            self._take(value)
        if not self.party.over:
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
        """Shape; of an input without a shape given, and what is computed from it, ShapePending before it is awaited."""
        if self._shape is None:
            raise ShapePending("the shape of an input is known here only after it arrived: await the array first")
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
        n = len(self)  # now: ShapePending at the call
        return (self[i] for i in range(n))  # type: ignore[index]


def _secrets(values: Any) -> list[Secret]:
    found: list[Secret] = []
    for v in values:
        if isinstance(v, Secret):
            found.append(v)
        elif isinstance(v, (list, tuple)):
            found.extend(_secrets(v))
    return found


def twin(x: S) -> S:
    """The secret itself, or one with the same result to come: it can be settled without the program noticing."""
    if x._operation is None:
        return x
    other = type(x)._pending(x.party, x._operation, x._shape)
    other._tag = x.tag
    return other


def _snapshot(value: Any) -> Any:
    """Operands as they are now: an operation may read them when the caller has long changed them.

    Public arrays are copied; a pending secret is replaced by its twin.
    """
    if isinstance(value, Secret):
        return twin(value)
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
    """The party of these operands, which go into the history of the calling scope."""
    party = operands[0].party
    for s in operands:
        if s.party is not party or party.over:
            raise next((o for o in operands if o.party.over), s).stray()
    scope = current_scope()
    for s in operands:
        scope.note(s.tag)
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
            scope = current_scope()
            describe(scope, (*args, *options.values()))
            known = _shape_if_known(shape, operands, args, options)
            pending = any(s._operation is not None for s in operands)

            async def run() -> Any:
                for s in operands:
                    await s.settle()
                if shape is not None and known is None:
                    shape(*args, **options)
                return await settled(await body(*args, **options))

            started = party.launch(body.__name__, run, hold=pending)
            result = kind._pending(party, started, known)
            if not scope.program:
                _here(result)
            return result

        return call

    return decorate


def _here(x: Secret) -> bool:
    """Inside an operation: take the result if it has come."""
    if x._operation is not None and x._operation.done:
        x._take(x._operation.value)
    return x._operation is None


def local(kind: type[S], shape: Callable[..., Shape] | None = None) -> Callable[[Callable[..., Any]], Callable[..., S]]:
    """Decorator for a plain function of settled secrets that neither sends nor draws randomness."""

    def decorate(body: Callable[..., Any]) -> Callable[..., S]:
        name = checksum(body.__name__)

        @functools.wraps(body)
        def call(*args: Any, **options: Any) -> S:
            operands = _secrets((*args, *options.values()))
            party = _party(operands)
            scope = current_scope()
            describe(scope, (*args, *options.values()))
            tag = scope.note(name)
            known = _shape_if_known(shape, operands, args, options)
            ready = all(s._operation is None if scope.program else _here(s) for s in operands)
            if ready:
                result = body(*args, **options)
                scope.history = tag  # whatever the body called
                result._tag = tag
                result._depth = max(s._depth for s in operands)
                return result  # type: ignore[no-any-return]
            args, options = _snapshot(args), {name: _snapshot(value) for name, value in options.items()}
            operands = _secrets((*args, *options.values()))

            async def run() -> Any:
                for s in operands:
                    await s.settle()
                return body(*args, **options)

            result = kind._pending(party, party.defer(run), known)
            result._tag = tag
            return result

        return call

    return decorate
