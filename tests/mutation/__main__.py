"""Do tests see when a module is wrong? ``make mutants``, or ``python -m tests.mutation mpc/x.py tests/mpc/test_x.py``.

Every mutant (mutants.py) runs through the tests given, in a process of its own, until one fails: it is killed. Those
that survive are told with their line and change. Ends with 1 if fewer are killed than --least says, in percent.

Tests are collected once. A process is forked from there for each mutant, in which the module's functions, and those of
its classes, take the mutant's code: so most mutants cost no more than the first test that fails.
"""

from __future__ import annotations

import argparse
import ast
import enum
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from tests.mutation.equivalent import EQUIVALENT
from tests.mutation.mutants import Mutant, mutants

_SECONDS = 120  # a mutant that takes longer is killed: it may not end


def main(arguments: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("module", type=Path, help="parties/policies/policy.py, say, from the repository's root")
    parser.add_argument("tests", nargs="+", help="files that are to kill its mutants")
    parser.add_argument("--least", type=float, default=90.0, help="percent to be killed (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    module = importlib.import_module(".".join(asked.module.with_suffix("").parts))
    source = asked.module.read_text()
    found = list(mutants(source, _enumerations(module)))
    same = Mutant(0, "", "", ast.parse(source))
    trial, begun = _Trial(module, same, found, asked.processes), time.monotonic()
    status = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--timeout=0", *asked.tests], [trial])
    if trial.survived is None:
        print(f"the tests fail without any change ({status})")
        return 2
    killed, told = len(found) - len(trial.survived), f"in {time.monotonic() - begun:.0f} s"
    share = 100 * killed / max(1, len(found))
    for one in trial.survived:
        print(f"survived: {asked.module}, {one}{_equivalent(asked.module, one)}")
    print(f"{asked.module}: {killed} of {len(found)} mutants killed, {share:.1f} %, {told}")
    return int(share < asked.least)


class _Trial:
    """A plugin of pytest's: first the tests with the module put in anew as it is, then with each mutant.

    Attributes:
        survived: mutants for which all tests pass, in order; None: they do not pass without one.
    """

    def __init__(self, module: ModuleType, same: Mutant, found: Sequence[Mutant], processes: int) -> None:
        self.survived: list[Mutant] | None = None
        self._module = module
        self._same = same
        self._found = found
        self._processes = processes

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        child = os.fork()
        if not child:
            self._run(session, self._same)
        if not session.testsfailed and os.wait()[1] == 0:
            self.survived = self._all(session)
        return True

    def _all(self, session: pytest.Session) -> list[Mutant]:
        waiting, running, survived = list(enumerate(self._found)), dict[int, int](), list[int]()
        while waiting or running:
            while waiting and len(running) < self._processes:
                number, mutant = waiting.pop(0)
                child = os.fork()
                if not child:
                    self._run(session, mutant)
                running[child] = number
            child, status = os.wait()
            if status == 0:
                survived.append(running[child])
            del running[child]
        return [self._found[number] for number in sorted(survived)]

    def _run(self, session: pytest.Session, mutant: Mutant) -> None:
        """In a process of its own, which ends with 0 if all tests pass."""
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(_SECONDS)
            _become(self._module, mutant)
            items = session.items
            with open(os.devnull, "w") as nowhere:
                session.config.get_terminal_writer()._file = nowhere
                for item, following in zip(items, [*items[1:], None], strict=True):
                    session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                    if session.testsfailed:
                        break
                else:
                    status = 0
        finally:
            os._exit(status)


def _become(module: ModuleType, mutant: Mutant) -> None:
    """The module's functions and classes stay what others imported, with the mutant's code in them."""
    made: dict[str, Any] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(mutant.tree, str(module.__file__), "exec"), made)
    for name, new in made.items():
        old = vars(module).get(name)
        if getattr(old, "__module__", None) != module.__name__ or not _adopted(old, new):
            setattr(module, name, new)


def _adopted(old: Any, new: Any) -> bool:
    """Whether ``old`` does now what ``new`` does."""
    if isinstance(old, FunctionType) and isinstance(new, FunctionType):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__
        return True
    if isinstance(old, property) and isinstance(new, property):
        return _adopted(old.fget, new.fget)
    if inspect.isclass(old) and inspect.isclass(new):
        for name, value in vars(new).items():
            before = vars(old).get(name)
            plain = not (name.startswith("__") or inspect.ismemberdescriptor(value) or isinstance(old, enum.EnumType))
            if not _adopted(before, value) and plain:
                setattr(old, name, value)
        return True
    return False


def _enumerations(module: ModuleType) -> Mapping[str, Sequence[str]]:
    return {name: list(x.__members__) for name, x in vars(module).items() if isinstance(x, enum.EnumType)}


def _equivalent(path: Path, one: Mutant) -> str:
    known = EQUIVALENT.get(str(path), {})
    why = next((why for change, why in known.items() if change in str(one)), "")
    return f"  (equivalent: {why})" if why else ""


if __name__ == "__main__":
    sys.exit(main())
