"""What the examples' command lines have in common: options, and where the parties run."""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from examples.archives import CACHE
from mpc.memory import MemoryCluster
from protocols.errors import EpsilonInvalid
from protocols.exact import check_epsilon

__all__ = ["PARTIES", "Parser", "add_model", "add_rows", "run"]

PARTIES = 3
EPSILON_LEAST = 0.001
PICTURES = CACHE.parent / "pictures"


class Parser(argparse.ArgumentParser):
    """With --epsilon and, unless there is no such way to run it, --in-memory; says what is wrong in one line."""

    def __init__(self, name: str, doc: str | None, *, epsilon: float = 1.0, in_memory: bool = True) -> None:
        super().__init__(prog=f"python -m examples.{name}", description=str(doc).split("\n")[0])
        usual = f"for everything released together (default {epsilon:g})"
        self.add_argument("--epsilon", type=_epsilon, default=epsilon, help=usual)
        if in_memory:
            self.add_argument("--in-memory", action="store_true", help="three parties in one process, without TLS")

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def add_rows(parser: Parser, what: str) -> None:
    """The option for a smaller run."""
    parser.add_argument("--rows", type=_positive, metavar="N", help=f"the first N {what} only (default: all)")


def add_model(parser: Parser, name: str) -> None:
    """The options of the examples of models."""
    parser.add_argument(
        "--compare",
        action="store_true",
        help="unsafe: open the coefficients too, and compare them with a fit in the open",
    )
    default = PICTURES / f"{name}.png"
    parser.add_argument("--plot", metavar="FILE.png", type=Path, default=default, help="where to draw the picture")


def _epsilon(text: str) -> float:
    """The number of the command line, or what is wrong with it."""
    try:
        epsilon = float(check_epsilon(float(text)))
    except EpsilonInvalid as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except ValueError:
        raise argparse.ArgumentTypeError(f"epsilon {text!r}: a number, such as 0.5") from None
    if epsilon < EPSILON_LEAST:
        raise argparse.ArgumentTypeError(f"epsilon {text}: below {EPSILON_LEAST} every figure here is noise only")
    return epsilon


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a positive whole number")
    return int(text)


def run(
    program: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    in_memory: bool,
    progress: Callable[[int, str], None],
    seed: int | bytes | None = None,
) -> tuple[list[Any], Any]:
    """(each party's answer, the cluster with its traffic and seconds). A seed is for tests, in memory."""
    progress(0, f"1/5 starting {PARTIES} " + ("parties in this process" if in_memory else "nodes over mutual TLS"))
    if in_memory:
        memory = MemoryCluster(PARTIES, seed=secrets.token_bytes(32) if seed is None else seed, progress=progress)
        return memory.run(program, inputs), memory
    from mpc.cluster import LocalCluster

    with LocalCluster(PARTIES, progress=progress) as cluster:
        return cluster.run(program, inputs), cluster
