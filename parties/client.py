"""A member's node, as its analysts' programs use it.

    with Client("https://127.0.0.1:8600", "~/.accord/identity.key") as client:
        client.tables()
        client.mean(["bank-a.accounts", "bank-b.accounts"], "balance", by="region", epsilon=1.0, minimum=20)
        model = client.fit("bank-a.accounts", ["age", "balance"], "default", epsilon=2.0, delta=1e-6)
        model.predict_proba(mine)

Errors are those the node names, of the classes of parties.errors, protocols.errors and mpc.errors: a job that is
refused raises what the member who refused it says. AsyncClient has the same methods, to be awaited, on trio or asyncio.
"""

from __future__ import annotations

import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from parties.asking.client_common import (
    MOST_ANSWER,
    Progress,
    check_id,
    goes_on,
    keeping,
    made,
    open_calls,
    parted,
    quoted,
    watched,
)
from parties.asking.client_questions import Questions
from parties.asking.client_wire import BlockingWire, at_once
from parties.asking.node_calls import NodeCalls
from parties.asking.plan_card import Card
from parties.asking.questions import DEADLINE, Question, submission
from parties.async_client import AsyncClient, AsyncJobHandle
from parties.keys.identity import Identity
from parties.models.fitted import FittedLogistic
from parties.planning.results import frame_of_jobs, frame_of_models, frame_of_tables, model_of
from parties.wire.model_messages import ModelList, OwnModel
from parties.wire.people_messages import Approvals, Consortium, JobList, JobProgress, JobView, NodeStatus

__all__ = ["AsyncClient", "AsyncJobHandle", "Card", "Cards", "Client", "JobHandle"]


class Client(Questions[pd.DataFrame, FittedLogistic]):
    """Asks one node, and waits. Any number of threads may use it. Close it, or use it in a ``with``.

    Args:
        url: https://host:port, the node's address for people.
        identity: this person's; or a path to its file, or to a node's directory.
        node: the node's public key, as `accord fingerprint` prints it there; or its fingerprint, if the key is known
            here. None: the one that known_nodes.toml beside the identity's file has for this address, else the
            identity's own: it is the node's.
        passphrase: of the identity's file.
        timeout: seconds for an answer to a request.
        patience: for how many seconds a node that was there is waited for, when the connection broke.
        connect: seconds for a connection.
        most_answer: bytes of a job's answer.

    Raises at once, calling nobody: AddressInvalid, KeyInvalid, NodeKeyUnknown, and what Identity.load raises. All
    methods raise NodeCallFailed, NotOneOfThePeople, and what the node answers.
    """

    def __init__(
        self,
        url: str,
        identity: Identity | str | Path,
        node: str | bytes | None = None,
        *,
        passphrase: bytes | None = None,
        timeout: float = 30.0,
        patience: float = 30.0,
        connect: float = 5.0,
        most_answer: int = MOST_ANSWER,
    ) -> None:
        self._calls = open_calls(
            BlockingWire, url, identity, node, passphrase,
            timeout=timeout, patience=patience, connect=connect, most_answer=most_answer,
        )  # fmt: skip
        self._member = ""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of the node at {self._calls.wire.url}>"

    def close(self) -> None:
        """Close its connections. Jobs go on."""
        at_once(self._calls.wire.aclose())

    def status(self) -> NodeStatus:
        """How the node is, and the other members as it sees them."""
        return at_once(self._calls.status())

    def consortium(self) -> Consortium:
        """What all members publish, as they describe it."""
        return at_once(self._calls.consortium())

    def tables(self) -> pd.DataFrame:
        """The same, a row a column; see results.frame_of_tables."""
        return frame_of_tables(self.consortium())

    def model_list(self) -> ModelList:
        """This member's models, and what others offer its people to score with."""
        return at_once(self._calls.models())

    def models(self) -> pd.DataFrame:
        """The same, a row a model; see results.frame_of_models."""
        return frame_of_models(self.model_list())

    def model(self, name: str) -> FittedLogistic:
        """One of another member's, member.name, whose owner gives its coefficients away; see results.model_of."""
        return model_of(self.model_list(), name)

    def keep_model(self, job: str, name: str) -> OwnModel:
        """Keep what a released train job gave as a model of this member's, offered to nobody yet. JobInvalid."""
        return at_once(self._calls.keep_model(keeping(job, name)))

    def job_list(self, most: int = 100, before: int | None = None) -> JobList:
        """Jobs this node knows, the latest first; ``before``: what the list before this one said."""
        return at_once(self._calls.jobs(most, before))

    def approvals(self) -> Approvals:
        """Jobs that wait for a person at this node, and why."""
        return at_once(self._calls.approvals())

    def approve(self, job: str, approved: bool = True) -> JobView:
        """Let one of them go on, or not. What a policy denies nobody can approve."""
        return at_once(self._calls.approve(job, approved))

    def jobs(self, most: int = 100) -> pd.DataFrame:
        """The same, a row a job."""
        return frame_of_jobs(self.job_list(most))

    def job(self, id: str) -> JobHandle:
        """One the node knows already: nobody is asked yet. Raises JobInvalid for what is no id."""
        return JobHandle(self._calls, id)

    def submit(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        tables: Sequence[str] = (),
        results: Sequence[str] | None = None,
        *,
        deadline: int = DEADLINE,
        on_loss: str = "abort",
        key: str | None = None,
        purpose: str = "",
        fresh: bool = False,
    ) -> JobHandle:
        """Ask for a job.

        Args:
            kind, parameters: see parties/kinds/kind_*.py, parties/models/kind_score.py and
                parties/sql/kind_query.py. Filters are JSON, see row_filter.py.
            tables: "member.table", in the order the kind wants.
            results: members that receive the answer; None: this node's.
            deadline: seconds it may take, 1 to 30 days.
            on_loss: when a member's node ends: "abort", the job ends too; "wait", it waits for that node, whether it
                waits for a person, has begun (training goes on from its last checkpoint) or not.
            key: the same key again is the same job. None: a random one, drawn now, and kept for as long as this call
                tries; a connection that breaks makes no second job.
            purpose: what for, as the owners' policies have it; "" says nothing.

            fresh: False: an identical question that was answered before gives that answer again, which costs nothing;
                JobHandle.replayed says so. True: it is asked anew, of the rows as they are now, and paid for.

        Raises JobInvalid before anything is sent.
        """
        asked = submission(kind, parameters, tables, results or ["x"], deadline, on_loss, key, purpose, fresh)
        if results is None:
            asked = asked.model_copy(update={"results": [self._own_name()]})
        view = at_once(self._calls.submit(asked))
        return JobHandle(self._calls, view.job, kind, view.replayed)

    def quote(
        self,
        kind: str,
        parameters: Mapping[str, Any],
        tables: Sequence[str] = (),
        results: Sequence[str] | None = None,
        *,
        deadline: int = DEADLINE,
        on_loss: str = "abort",
        purpose: str = "",
    ) -> Card:
        """What ``submit`` of the same would do, cost and take, and what every owner would say. Nothing runs.

        Raises what submitting it does, but for what policies deny: that is on the card.
        """
        asked = submission(kind, parameters, tables, results or [self._own_name()], deadline, on_loss, None, purpose)
        return Card(at_once(self._calls.quote(asked)))

    @property
    def cards(self) -> Cards:
        """The same questions, for their plan cards: ``client.cards.query("SELECT ...", epsilon=1.0)``. Nothing runs."""
        return Cards(self)

    def _own_name(self) -> str:
        self._member = self._member or self.status().member
        return self._member

    def _ask(self, question: Question, how: Mapping[str, Any]) -> Any:
        waiting, submitting = parted(how)
        submitting.setdefault("results", question.results)
        return self.submit(question.kind, question.parameters, question.tables, **submitting).result(**waiting)


class Cards(Questions[Card, Card]):
    """Client.cards."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _ask(self, question: Question, how: Mapping[str, Any]) -> Card:
        asking = quoted(question, how)
        return self._client.quote(question.kind, question.parameters, question.tables, **asking)


class JobHandle:
    """One job.

    Attributes:
        id: 32 hex digits.
        replayed: whether it was asked for before, by an identical question.
    """

    def __init__(self, calls: NodeCalls, id: str, kind: str = "", replayed: bool = False) -> None:
        self.id = check_id(id)
        self._calls = calls
        self._kind = kind
        self.replayed = replayed

    def __repr__(self) -> str:
        return f"<JobHandle {self.id}>"

    def view(self) -> JobView:
        """All the node says of it."""
        return at_once(self._calls.job(self.id))

    def state(self) -> str:
        """PROPOSED, ACCEPTED, RESERVED, RUNNING, RELEASED or ABORTED."""
        return self.view().state

    def progress(self) -> Generator[JobProgress, None, None]:
        """A line now and at every change, up to the last, whatever connections break meanwhile."""
        lines = self._calls.progress(self.id)
        try:
            while True:
                try:
                    line = at_once(anext(lines))
                except StopAsyncIteration:
                    return
                yield line
        finally:
            at_once(lines.aclose())

    def cancel(self) -> JobView:
        """Want it ended; it may be released all the same, if that was decided."""
        return at_once(self._calls.cancel(self.id))

    def result(self, timeout: float | None = None, progress: Progress = True) -> Any:
        """Wait for the answer: see results.read_answer.

        Args:
            timeout: seconds; None: until it is over.
            progress: True: a bar on stderr, if that is a terminal and it takes longer than a second. Or what to call
                with each line.

        Raises what the job was aborted for, JobFailed if that has no name here, StillRunning. Interrupted, the job goes
        on, and its id is said.
        """
        try:
            with watched(self.id, progress) as tell:
                content = at_once(self._calls.result(self.id, timeout, tell))
        except KeyboardInterrupt as error:
            error.add_note(goes_on(self.id))
            if progress is True:
                print(f"\n{goes_on(self.id)}", file=sys.stderr)
            raise
        kind = self._kind or self.view().kind
        return made(self._calls.wire.url, kind, content, self.id)

    def answer(self) -> bytes:
        """The answer as the node has it, JSON. Raises NotReleased if it is not there (yet)."""
        return at_once(self._calls.answer(self.id))

    def receipt(self, without_result: bool = False) -> bytes:
        """What proves afterwards who asked, who agreed by which rules, and what came out: a JSON document that
        `accord verify` judges without any node. The same every time.

        Args:
            without_result: without all that tells of the answer. Else whoever has the receipt has the answer.

        Raises NotReleased if the answer is not there (yet), JobRefused where it is for others, ReceiptIncomplete.
        """
        return at_once(self._calls.receipt(self.id, without_result))
