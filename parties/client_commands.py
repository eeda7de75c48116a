"""``accord status``, ``catalogue``, ``jobs``, ``ask``, ``result``, ``cancel``, ``remember``: a node, for its people."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parties.command_options import add_home_option, given_home, told
from parties.errors import JobInvalid
from parties.fingerprints import fingerprint_of, read_public_key, show_fingerprint
from parties.known_nodes import FILE, read_url, remember
from parties.node_at import add_node_options, given_client
from parties.private_files import read_public
from parties.questions import DEADLINE

if TYPE_CHECKING:  # pandas and the engine are not waited for by other commands
    from parties.client import Client, JobHandle

__all__ = ["add_client_commands"]

_HELP = {
    "status": "how a node is, and the other members as it sees them",
    "catalogue": "tables that all members publish",
    "jobs": "jobs a node knows, the latest first",
    "ask": "ask the consortium for a job, and wait for its answer",
    "result": "wait for the answer of a job that was asked for before",
    "cancel": "want a job ended",
}


def add_client_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """All of them, among the commands of ``accord``."""
    runs: Sequence[tuple[str, Callable[[argparse.Namespace, Client], int]]] = (
        ("status", _status), ("catalogue", _catalogue), ("jobs", _jobs), ("ask", _ask), ("result", _result),
        ("cancel", _cancel),
    )  # fmt: skip
    parsers = {}
    for name, run in runs:
        parser = parsers[name] = commands.add_parser(name, help=_HELP[name])
        add_node_options(parser)
        parser.add_argument("--json", action="store_true", help="print JSON, for machines")
        parser.set_defaults(run=lambda given, name=name, run=run: told(name, lambda: _with_client(given, run)))
    parsers["jobs"].add_argument("--most", type=int, default=20, metavar="N", help="how many, 1 to 1000; 20")
    for name in ("result", "cancel"):
        parsers[name].add_argument("job", help="its id, 32 hex digits")
    for name in ("ask", "result"):
        parsers[name].add_argument(
            "--timeout", type=float, metavar="S", help="seconds to wait; it goes on all the same"
        )
    _add_ask_options(parsers["ask"])
    kept = commands.add_parser("remember", help="keep the key of the node at an address, after comparing it")
    kept.add_argument("url", help="https://host:port")
    kept.add_argument("key", help="ed25519:..., as `accord fingerprint` prints it at the node")
    add_home_option(kept)
    kept.set_defaults(run=lambda given: told("remember", lambda: _remember(given)))


def _add_ask_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", help="aggregate, join, train, score")
    parser.add_argument(
        "--parameters",
        required=True,
        metavar="FILE|JSON",
        help="a JSON object, or a file with one; - for stdin",
    )
    parser.add_argument("--table", action="append", default=[], metavar="MEMBER.TABLE", help="in the kind's order")
    parser.add_argument(
        "--result", action="append", metavar="MEMBER", help="who receives the answer; this node's member"
    )
    parser.add_argument("--deadline", type=int, default=DEADLINE, metavar="S", help=f"seconds it may take; {DEADLINE}")
    parser.add_argument("--on-loss", choices=("abort", "wait"), default="abort", help="when a member is lost; abort")
    parser.add_argument("--key", help="the same key again is the same job, not another one")
    parser.add_argument("--no-wait", action="store_true", help="print the job's id, and leave")


def _with_client(given: argparse.Namespace, run: Callable[[argparse.Namespace, Client], int]) -> int:
    with given_client(given) as client:
        return run(given, client)


def _status(given: argparse.Namespace, client: Client) -> int:
    from parties.show_results import plain_console, show_status

    status = client.status()
    if given.json:
        print(status.model_dump_json(indent=1))
    else:
        show_status(plain_console(), status)
    return 0


def _catalogue(given: argparse.Namespace, client: Client) -> int:
    from parties.results import frame_of_tables
    from parties.show_results import plain_console, show_frame

    found = client.consortium()
    if given.json:
        print(found.model_dump_json(indent=1))
        return 0
    frame = frame_of_tables(found)
    show_frame(plain_console(), frame.set_index("table"))
    for member, error in frame.attrs["errors"].items():
        print(f"of {member} not all is here: {error}", file=sys.stderr)
    return 0


def _jobs(given: argparse.Namespace, client: Client) -> int:
    from parties.results import frame_of_jobs
    from parties.show_results import plain_console, show_frame

    found = client.job_list(given.most)
    if given.json:
        print(found.model_dump_json(indent=1))
    else:
        frame = frame_of_jobs(found)
        show_frame(plain_console(), frame[["kind", "state", "proposer", "by", "proposed", "error"]])
    return 0


def _ask(given: argparse.Namespace, client: Client) -> int:
    handle = client.submit(
        given.kind,
        _parameters(given.parameters),
        given.table,
        given.result,
        deadline=given.deadline,
        on_loss=given.on_loss,
        key=given.key,
    )
    if given.no_wait:
        print(json.dumps({"job": handle.id}) if given.json else handle.id)
        return 0
    return _waited(given, handle)


def _result(given: argparse.Namespace, client: Client) -> int:
    return _waited(given, client.job(given.job))


def _cancel(given: argparse.Namespace, client: Client) -> int:
    view = client.job(given.job).cancel()
    print(view.model_dump_json(indent=1) if given.json else f"job {view.job}: {view.state}")
    return 0


def _waited(given: argparse.Namespace, handle: JobHandle) -> int:
    """Wait for the answer and print it; interrupted, the job goes on, and the handle says how to come back to it."""
    from parties.show_results import plain_console, show_result

    try:
        result = handle.result(given.timeout)
    except KeyboardInterrupt:
        return 130
    if given.json:
        print(json.dumps({"job": handle.id, "answer": json.loads(handle.answer())}, indent=1))
    else:
        show_result(plain_console(), result)
    return 0


def _remember(given: argparse.Namespace) -> int:
    home = given_home(given)
    url, key = read_url(given.url), read_public_key(given.key)
    home.make()
    changed = remember(home.directory / FILE, url, key)
    print(f"the node at {url} has the key with this fingerprint: compare all of it with what its operator reads aloud")
    print(show_fingerprint(fingerprint_of(key)))
    if changed:
        print("another key was kept for this address; it is forgotten")
    return 0


def _parameters(text: str) -> dict[str, Any]:
    """A JSON object, from the argument itself, a file, or standard input."""
    if not text.lstrip().startswith("{"):
        text = (sys.stdin.read() if text == "-" else read_public(Path(text)).decode("utf-8", "replace")).strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise JobInvalid(f"--parameters: not JSON: {error}") from None
    if not isinstance(found, dict):
        raise JobInvalid('--parameters: a JSON object, such as {"figures": ["count"], "epsilon": 1.0}')
    return found
