"""The one door through which MPyC is imported, and the repairs it needs.

Importing MPyC parses ``sys.argv``, configures the root logger, exchanges the event loop policy and makes a
runtime. A library must not do that to its host, so the import happens here, shielded. Then four things
of MPyC, all reached through module globals, are put right for the whole process:

- ``mpyc.runtime.pickle``: bytes from peers were unpickled, which runs any code a peer likes. They go
  through :mod:`mpc.codec` instead.
- ``asyncoro._reconcile``: an exception in an MPyC coroutine stopped the event loop. Now it arrives where the
  coroutine's result is awaited.
- ``Runtime``, ``sectypes``: a function that refers to ``mpyc.runtime.mpc``, or to a secure type, could not be sent to
  another process. Both go by name.
- ``_SharesTallier`` and ``SecureObject.set_share``: an exception in a share was raised inside a callback, and
  whoever waited for the share waited for ever. Now it is passed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import sys
import types
import warnings
from asyncio import Future
from collections.abc import Iterator
from typing import Any

from mpc import codec
from mpc.errors import NotTransferable

__all__ = ["asyncoro", "point_to", "runtime", "thresha"]


@contextlib.contextmanager
def _shielded() -> Iterator[None]:
    """Undo what the import of MPyC does to the process."""
    root = logging.getLogger()
    argv, handlers, level = sys.argv, root.handlers[:], root.level
    policy = asyncio.get_event_loop_policy()
    loop = asyncio._get_running_loop()
    handler = loop.get_exception_handler() if loop is not None else None
    sys.argv = ["accord", "--no-log"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of numpy, about what MPyC imports from it
            yield
    finally:
        sys.argv, root.handlers[:] = argv, handlers
        root.setLevel(level)
        asyncio.set_event_loop_policy(policy)
        if loop is not None:
            loop.set_exception_handler(handler)


def _reconcile(declared: Any, task: asyncio.Task[Any]) -> None:
    """Give the result of an MPyC coroutine, or its exception, to the placeholders it returned."""
    asyncoro.runtime._pc_level -= 1
    if barriers := getattr(asyncoro.runtime, "barriers", None):
        barriers.wake()
    if declared is None:
        return
    if task.cancelled():
        _fail(declared, asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        _fail(declared, error)
    else:
        try:
            _give(declared, task.result())
        except Exception as unfit:  # the coroutine returned something that does not fit its declaration
            _fail(declared, unfit)


def _fail(declared: Any, error: BaseException) -> None:
    if isinstance(declared, (list, tuple)):
        for one in declared:
            _fail(one, error)
    elif isinstance(declared, asyncoro.SecureObject):
        _fail(declared.share, error)
        if isinstance(declared.share, Future) and not declared.share.cancelled():
            declared.share.exception()  # seen: it surfaces where something made of this share is awaited
    elif isinstance(declared, Future) and not declared.done():
        if isinstance(error, asyncio.CancelledError):
            declared.cancel()
        else:
            declared.set_exception(error)


def _outcome(source: Future[Any], target: Future[Any]) -> None:
    """What became of ``source`` becomes of ``target``."""
    if target.done():
        return
    if source.cancelled():
        target.cancel()
    elif (error := source.exception()) is not None:
        target.set_exception(error)
        target.exception()
    else:
        target.set_result(source.result())


def _set_share(self: Any, value: Any) -> None:
    """See SecureObject.set_share of MPyC."""
    if not isinstance(value, Future):
        self.share.set_result(value)
    elif value.done():
        _outcome(value, self.share)
    else:
        value.add_done_callback(lambda done: _outcome(done, self.share))


def _decrement(self: Any, done: Future[Any]) -> None:
    """See _SharesTallier._decrement of MPyC."""
    if self.done():
        return
    if done.cancelled() or done.exception() is not None:
        _outcome(done, self)
        return
    self.tally -= 1
    if not self.tally:
        try:
            self.set_result(asyncoro._get_results(self.obj))
        except Exception as error:
            self.set_exception(error)


class _Adopted:
    """What MPyC's global object ``mpc`` becomes: another name of the node that was adopted.

    Programs have it from ``from mpyc.runtime import mpc``, maybe long before there was a node, so the object itself has
    to change. Left as it was it is a runtime of one party, that computes alone.
    """

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        return getattr(asyncoro.runtime, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(asyncoro.runtime, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return _global_object, ()


def _global_object() -> Any:
    """This process's ``mpyc.runtime.mpc``."""
    return runtime.mpc


def point_to(node: Any) -> None:
    """Make ``node`` the runtime MPyC's secure types compute with: they find it in module globals.

    Programs that use MPyC's global object ``mpc`` compute with it as well.
    """
    import mpyc.mpctools
    import mpyc.random
    import mpyc.secgroups
    import mpyc.seclists
    import mpyc.secpols
    import mpyc.sectypes
    import mpyc.statistics

    for module in (
        mpyc.sectypes,
        asyncoro,
        mpyc.mpctools,
        mpyc.seclists,
        mpyc.secpols,
        mpyc.secgroups,
        mpyc.random,
        mpyc.statistics,
    ):
        module.runtime = node
    object.__setattr__(runtime.mpc, "__class__", _Adopted)


def _by_name(self: Any) -> tuple[Any, tuple[()]]:
    """What is pickled of MPyC's runtime is that it is the one: a program that uses it finds that of its process."""
    if self is not runtime.mpc:
        raise NotTransferable("a runtime of MPyC lives in its process: only the one in mpyc.runtime.mpc has a name")
    return _global_object, ()


def _named_type(name: str) -> Any:
    """A secure type by its name, as it is pickled: made here if it was made only in the process it comes from."""
    found = re.fullmatch(r"(Array)?(SecInt|SecFxp)(\d+)(?::(\d+))?(?:\((\d+)\))?", name)
    if found is None:
        raise AttributeError(f"module 'mpyc.sectypes' has no attribute {name!r}")
    made = getattr(sectypes, found[2])(*(int(n) for n in found.groups()[2:] if n is not None))
    return made.array if found[1] else made


with _shielded():
    from mpyc import asyncoro, runtime, sectypes, thresha

_give = vars(asyncoro)["__reconcile"]
runtime.Runtime.__reduce__ = _by_name
sectypes.__getattr__ = _named_type
runtime.pickle = types.SimpleNamespace(dumps=codec.dumps, loads=codec.loads)
asyncoro._reconcile = _reconcile
asyncoro._SharesTallier._decrement = _decrement
asyncoro.SecureObject.set_share = _set_share
