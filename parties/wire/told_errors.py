"""Errors as a node tells them, by name and text, back as what they were. Pure: a name is looked up, nothing is run.

The text is the node's, and may quote others'. It is shown as it is, apart from what would move a terminal's cursor;
nobody reads markup in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import mpc.errors
import parties.errors
import protocols.errors
from mpc.errors import AccordError, PartyFailed, PeerError
from parties.errors import JobFailed, NodeCallFailed, NodeFailed, PeerCallFailed, PeerRefusedUs, StillRunning
from protocols.errors import SharesDisagree

__all__ = ["KNOWN", "printable", "told_error"]

_OURS = (NodeCallFailed, JobFailed, StillRunning)  # only a client itself says so


def _known() -> Mapping[str, type[AccordError]]:
    found: dict[str, type[AccordError]] = {}
    for module in (mpc.errors, parties.errors, protocols.errors):
        for name in module.__all__:
            kind = getattr(module, name)
            if isinstance(kind, type) and issubclass(kind, AccordError) and not issubclass(kind, _OURS):
                found[name] = kind
    return MappingProxyType(found)


KNOWN: Mapping[str, type[AccordError]] = _known()
"""Every error a node may name. Of the two that are called KeyInvalid, it is the one about a key in a row."""

_FORMS: tuple[tuple[type[AccordError], str, Callable[[re.Match[str]], tuple[Any, ...]]], ...] = (
    (PeerRefusedUs, r"member (\S+): ([A-Za-z]\w*): (.*)", lambda said: (said[1], said[2], said[3])),
    (PeerCallFailed, r"member (\S+): (.*)", lambda said: (said[1], said[2])),
    (PartyFailed, r"the program failed at party (\d{1,3}) with (\w+): (.*)", lambda s: (int(s[1]), s[2], s[3])),
    (SharesDisagree, r"(.*)", lambda said: ((), said[1])),
    (PeerError, r"(.*)", lambda said: (-1, said[1])),
    (AccordError, r"(.*)", lambda said: (said[1],)),
)
"""How texts of errors with attributes are made, the narrower class first."""


_REFUSALS = ("JobRefused", "PeerRefusedUs", "JobAborted")
_REFUSAL = re.compile(r"(?:member \S+: JobRefused: )?(\S+ refuses): ([A-Za-z]\w*): (.*)", re.DOTALL)
"""How nodes pass on why a member does not take part in a job."""


def told_error(url: str, name: str, text: str, job: str = "") -> AccordError:
    """What to raise for an error a node tells.

    Of the class with that name, with the node's text, if there is one and its texts look so; where a member refused a
    job, of the class of its reason. Else JobFailed; where no job is spoken of, NodeFailed. A note says which job it is
    about, and who told it.
    """
    text = printable(text)
    said = _REFUSAL.fullmatch(text) if name in _REFUSALS else None
    error = None if said is None else _built(KNOWN.get(said[2]), f"{said[1]}: {said[3]}")
    error = error or _built(KNOWN.get(name), text)
    if error is None:
        name = printable(name)
        error = JobFailed(job, name, text) if job else NodeFailed(url, name, text)
    error.add_note(f"job {job}, as the node at {url} tells it" if job else f"as the node at {url} tells it")
    return error


def _built(kind: type[AccordError] | None, text: str) -> AccordError | None:
    if kind is None:
        return None
    for family, form, arguments in _FORMS:
        if issubclass(kind, family):
            said = re.fullmatch(form, text, re.DOTALL)
            return None if said is None else kind(*arguments(said))
    return None


def printable(text: str) -> str:
    """The text without what a terminal takes for orders: control characters are written as Python writes them."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
