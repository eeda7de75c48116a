"""``accord status``, ``catalogue``, ``jobs``, ``ask``, ``result``, ``cancel``, ``remember``: a node, for its people.

What is typed is in commands/node.py, commands/ask.py and commands/remember.py. Each function raises what Client does.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parties.asking.known_nodes import FILE, read_url, remember
from parties.asking.questions import DEADLINE
from parties.disk.private_files import read_public
from parties.errors import JobInvalid, JobRefused
from parties.keys.fingerprints import fingerprint_of, read_public_key, show_fingerprint, show_public_key
from parties.setup.home import Home
from parties.terminal.command_completion import keep_for_completion
from parties.terminal.command_options import WhichNode
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus
from parties.terminal.node_at import open_client

if TYPE_CHECKING:  # pandas and the engine are not waited for by other commands
    from parties.client import Client, JobHandle

__all__ = [
    "Asking",
    "CardFirst",
    "ask",
    "cancel",
    "catalogue",
    "jobs",
    "read_parameters",
    "remember_node",
    "result",
    "status",
]


class CardFirst(enum.Enum):
    """Whether a job's plan card is shown before it is asked for.

    Attributes:
        IF_PEOPLE: where somebody sits at a terminal, who then says whether to go on.
        ONLY: and nothing is asked for.
        NO: it is not.
    """

    IF_PEOPLE = "if people"
    ONLY = "only"
    NO = "no"


@dataclass(frozen=True)
class Asking:
    """A job somebody asks for: as Client.submit takes it, and how to wait.

    Attributes:
        card: see CardFirst.
        explain: whether the card says how it runs, too.
        fresh: whether an identical question is asked anew.
        timeout: seconds to wait for the answer; None: as long as it takes.
        wait: False to leave as soon as the job has an id.
    """

    kind: str
    parameters: Mapping[str, Any]
    tables: Sequence[str] = ()
    results: Sequence[str] | None = None
    deadline: int | None = None
    on_loss: str = "abort"
    key: str | None = None
    purpose: str = ""
    timeout: float | None = None
    wait: bool = True
    card: CardFirst = CardFirst.NO
    explain: bool = False
    fresh: bool = False


def status(which: WhichNode, output: Output) -> None:
    """How a node is, and the other members as it sees them."""
    from parties.terminal.show_results import show_status

    with open_client(which) as client:
        found = client.status()
    output.result(found.model_dump_json(indent=1))
    if not output.json:
        show_status(output.console(), found)


def catalogue(which: WhichNode, output: Output) -> None:
    """Tables that all members publish. Whose could not be asked for is said on standard error."""
    with open_client(which) as client:
        found = client.consortium()
    names = [f"{member.member}.{table.description.get('name')}" for member in found.members for table in member.tables]
    keep_for_completion(Home(which.home).directory, tables=names)
    output.result(found.model_dump_json(indent=1))
    if output.json:
        return
    from parties.planning.results import frame_of_tables
    from parties.terminal.show_results import show_frame

    frame = frame_of_tables(found)
    show_frame(output.console(), frame.set_index("table"))
    for member, error in frame.attrs["errors"].items():
        output.warn(f"of {member} not all is here: {error}")


def jobs(which: WhichNode, most: int, output: Output) -> None:
    """Jobs a node knows, the latest first."""
    with open_client(which) as client:
        found = client.job_list(most)
    keep_for_completion(Home(which.home).directory, jobs=[job.job for job in found.jobs])
    output.result(found.model_dump_json(indent=1))
    if output.json:
        return
    from parties.planning.results import frame_of_jobs
    from parties.terminal.show_results import show_frame

    frame = frame_of_jobs(found)
    show_frame(output.console(), frame[["kind", "state", "proposer", "by", "proposed", "error"]])


Then = Callable[["Client", "JobHandle", Any], Mapping[str, Any]]
"""What is done with an answer that came; what it gives stands beside the answer in JSON."""


def ask(which: WhichNode, asking: Asking, output: Output, then: Then | None = None, *, show: bool = True) -> ExitStatus:
    """Ask for a job, and wait for its answer. First its plan card, as it says.

    Args:
        then: see Then.
        show: whether people see the answer.
    """
    with open_client(which) as client:
        if asking.card is CardFirst.ONLY or (asking.card is CardFirst.IF_PEOPLE and _people_there(output)):
            status = _shown(client, asking, output)
            if status is not None:
                return status
        handle = client.submit(
            asking.kind,
            asking.parameters,
            asking.tables,
            asking.results,
            deadline=DEADLINE if asking.deadline is None else asking.deadline,
            on_loss=asking.on_loss,
            key=asking.key,
            purpose=asking.purpose,
            fresh=asking.fresh,
        )
        if handle.replayed:
            output.warn(f"asked before, and not paid for again: the answer of job {handle.id}; --fresh asks anew")
        keep_for_completion(Home(which.home).directory, jobs=[handle.id])
        if asking.wait:
            after = None if then is None else lambda found: then(client, handle, found)
            return _waited(handle, asking.timeout, output, after, show)
    output.result({"job": handle.id})
    if not output.json:
        output.say(handle.id)
    return ExitStatus.GOOD


def result(which: WhichNode, job: str, timeout: float | None, output: Output) -> ExitStatus:
    """Wait for the answer of a job that was asked for before."""
    with open_client(which) as client:
        return _waited(client.job(job), timeout, output)


def cancel(which: WhichNode, job: str, output: Output) -> None:
    """Want a job ended."""
    with open_client(which) as client:
        view = client.job(job).cancel()
    output.result(view.model_dump_json(indent=1))
    if not output.json:
        output.say(f"job {view.job}: {view.state}")


def remember_node(home: Home, url: str, key: str, output: Output) -> None:
    """Keep the key of the node at an address. Raises AddressInvalid, KeyInvalid, FileUnusable."""
    at, public = read_url(url), read_public_key(key)
    home.make()
    changed = remember(home.directory / FILE, at, public)
    output.say(
        f"the node at {at} has the key with this fingerprint: compare all of it with what its operator reads aloud",
        show_fingerprint(fingerprint_of(public)),
    )
    if changed:
        output.say("another key was kept for this address; it is forgotten")
    output.result(
        {
            "url": at,
            "fingerprint": fingerprint_of(public),
            "public_key": show_public_key(public),
            "replaced_another": changed,
        }
    )


def read_parameters(text: str) -> dict[str, Any]:
    """A JSON object, from the text itself, the file it names, or standard input for -. JobInvalid, FileUnusable."""
    if not text.lstrip().startswith("{"):
        text = (sys.stdin.read() if text == "-" else read_public(Path(text)).decode("utf-8", "replace")).strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JobInvalid(f"--parameters: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise JobInvalid('--parameters: a JSON object, such as {"figures": ["count"], "epsilon": 1.0}')
    return found


def _people_there(output: Output) -> bool:
    return not output.json and sys.stdin.isatty() and sys.stdout.isatty()


def _shown(client: Client, asking: Asking, output: Output) -> ExitStatus | None:
    """Show the plan card. None: go on; else how the command ends."""
    from parties.asking.card_text import show_card

    deadline = DEADLINE if asking.deadline is None else asking.deadline
    card = client.quote(
        asking.kind, asking.parameters, asking.tables, asking.results,
        deadline=deadline, on_loss=asking.on_loss, purpose=asking.purpose,
    )  # fmt: skip
    if not output.json:
        show_card(output.console(), card.said, explain=asking.explain)
    denied = ExitStatus.REFUSED if card.verdict == "denied" else None
    if asking.card is CardFirst.ONLY:
        output.result(card.json())
        return denied or ExitStatus.GOOD
    if denied is not None:
        return denied
    try:
        typed = output.asked("ask for it? [Y/n] ").strip().lower()
    except EOFError:
        typed = "n"
    if typed in ("", "y", "yes"):
        return None
    output.say("nothing was asked for")
    return ExitStatus.GOOD


def _waited(
    handle: JobHandle,
    timeout: float | None,
    output: Output,
    then: Callable[[Any], Mapping[str, Any]] | None = None,
    show: bool = True,
) -> ExitStatus:
    """Wait for the answer and print it; interrupted, the job goes on, and the handle says how to come back to it.

    An answer that is for other members only is said to be, once the job is released.
    """
    from parties.terminal.show_results import show_result

    try:
        found = handle.result(timeout)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    except JobRefused as error:
        if handle.state() != "RELEASED":
            raise
        output.result({"job": handle.id, "answer": None})
        output.say(f"released: {error}")
        return ExitStatus.GOOD
    if show and not output.json:
        show_result(output.console(), found)
    more = {} if then is None else then(found)
    if output.json:
        output.result({"job": handle.id, "answer": json.loads(handle.answer()), **more})
    else:
        output.say(f"job {handle.id}; `accord receipt {handle.id}` gives what proves it")
    return ExitStatus.GOOD
