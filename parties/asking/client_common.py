"""What the blocking and the other client have in common: how they begin, and what they make of an answer."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from parties.asking.client_wire import Wire
from parties.asking.known_nodes import FILE, find_key, load_known, read_url
from parties.asking.node_calls import NodeCalls
from parties.asking.progress_bar import ProgressBar
from parties.asking.questions import Question
from parties.errors import JobInvalid, MessageInvalid, NodeAnswerInvalid
from parties.keys.identity import Identity
from parties.planning.results import read_answer
from parties.setup.home import Home
from parties.wire.message_form import read_json
from parties.wire.model_messages import Keep
from parties.wire.people_messages import JobProgress

__all__ = [
    "MOST_ANSWER",
    "Progress",
    "check_id",
    "goes_on",
    "keeping",
    "made",
    "open_calls",
    "parted",
    "quoted",
    "watched",
]

MOST_ANSWER = 256 << 20
"""Bytes of a job's answer, if nothing else is said."""

Progress = bool | Callable[[JobProgress], None]


def check_id(job: str) -> str:
    """The id, or JobInvalid: it becomes part of a path."""
    if not re.fullmatch("[0-9a-f]{32}", str(job)):
        raise JobInvalid("a job's id has 32 digits of 0-9a-f; jobs() shows those the node knows")
    return job


def open_calls(
    make: Callable[[str, Identity, bytes, float], Wire],
    url: str,
    identity: Identity | str | Path,
    node: str | bytes | None,
    passphrase: bytes | None,
    *,
    timeout: float,
    patience: float,
    connect: float,
    most_answer: int,
) -> NodeCalls:
    """The way to a node. Nobody is called. See Client for the arguments."""
    url = read_url(url)
    known: Mapping[str, bytes] = {}
    if not isinstance(identity, Identity):
        path = Path(identity).expanduser()
        home = path if path.is_dir() else path.parent
        known = load_known(home / FILE)
        identity = Home(path).load_identity(passphrase=passphrase) if path.is_dir() else Identity.load(path, passphrase)
    wire = make(url, identity, find_key(node, url, identity.public, known), connect)
    return NodeCalls(wire, timeout=timeout, patience=patience, quiet=timeout, most_answer=most_answer)


@contextlib.contextmanager
def watched(job: str, progress: Progress) -> Generator[Callable[[JobProgress], None] | None, None, None]:
    """Whom to tell the lines of progress, if anybody."""
    if progress is True:
        with ProgressBar(f"job {job[:8]}") as bar:
            yield bar
    else:
        yield None if progress is False else progress


def made(url: str, kind: str, content: bytes, job: str) -> Any:
    try:
        return read_answer(kind, content, job)
    except MessageInvalid as error:
        raise NodeAnswerInvalid(url, f"the answer of job {job} is none of kind {kind}: {error}") from None


def keeping(job: str, name: str) -> Keep:
    """The message, or JobInvalid."""
    try:
        return read_json(Keep, json.dumps({"job": check_id(job), "name": name}))
    except MessageInvalid as error:
        raise JobInvalid(f"a model's name is 1 to 64 of a-z, 0-9, and within _ and -: {error}") from None


def goes_on(job: str) -> str:
    return f"job {job} goes on: client.job({job!r}).result() or `accord result {job}` asks for it again"


def parted(how: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is about waiting, and what is about submitting."""
    waiting = {name: how[name] for name in ("timeout", "progress") if name in how}
    return waiting, {name: value for name, value in how.items() if name not in waiting and value is not None}


def quoted(question: Question, how: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of a question beside it, as ``quote`` takes it: not what is about waiting or submitting."""
    _, submitting = parted(how)
    for name in ("key", "fresh"):
        submitting.pop(name, None)
    submitting.setdefault("results", question.results)
    return submitting
