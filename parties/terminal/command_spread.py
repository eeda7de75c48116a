"""Parameters of a command that stand for several options: each a dataclass whose fields are options.

    def _jobs(most: Annotated[int, typer.Option("--most")] = 20, *, which: WhichNode, output: Output) -> None: ...

is typed as if all fields of WhichNode, those of the Passphrase within it, and those of Output stood there in its place.
So what many commands have in common is said once, and a command is given it as one thing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from parties.terminal.exit_status import ExitStatus

__all__ = ["spread"]


def spread(command: Callable[..., ExitStatus | None]) -> Callable[..., ExitStatus | None]:
    """The command as typer is to see it. What a dataclass refuses, it refuses when the command is called.

    Names of fields are those of the options, so no two parameters may have one of the same name.
    """
    signature = inspect.signature(command, eval_str=True)
    whole = {p.name: p.annotation for p in signature.parameters.values() if is_dataclass(p.annotation)}
    options = [option for parameter in signature.parameters.values() for option in _options(parameter)]

    @wraps(command)
    def spreading(**given: Any) -> ExitStatus | None:
        made = {name: _made(kind, given) for name, kind in whole.items()}
        return command(**given, **made)

    spreading.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]
    spreading.__annotations__ = {option.name: option.annotation for option in options}
    return spreading


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(parameter.annotation, include_extras=True)
    for one in fields(parameter.annotation):
        default = inspect.Parameter.empty if one.default is MISSING else one.default
        option = inspect.Parameter(
            one.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[one.name]
        )
        yield from _options(option)


def _made(kind: Any, given: dict[str, Any]) -> Any:
    """One of these, of its part of what was typed, which is taken out."""
    hints = get_type_hints(kind)
    return kind(
        **{
            one.name: _made(hints[one.name], given) if is_dataclass(hints[one.name]) else given.pop(one.name)
            for one in fields(kind)
        }
    )
