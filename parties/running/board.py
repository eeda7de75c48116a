"""What all parts of a node that deal with jobs have in common: who it is, its store, and who waits for which job.

The store's calls block on the disk, so they are made in a thread, one after another. Whoever waits for a job is woken
after each change of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import trio

from mpc.errors import AccordError
from parties.calls.network import Network
from parties.disk.chain import Head
from parties.errors import JobRefused, JobUnknown, PeerCallFailed, PeerRefusedUs, StoreFailed
from parties.jobs.decision import Value
from parties.jobs.job import Job, coordinator, participants
from parties.jobs.job_signatures import check_votes, sign_acceptance
from parties.jobs.session import Event, Standing, State
from parties.jobs.statement import Statement
from parties.keys.identity import Identity
from parties.membership.charter import Charter, Member
from parties.planning.job_work import Consent
from parties.running.job_records import JobRecord
from parties.running.job_store import JobStore
from parties.wire.message_form import Message

__all__ = ["Board"]

P = ParamSpec("P")
T = TypeVar("T")
UNKNOWN = "0" * 64
"""Of a program whose digest nobody looked for."""
_ASIDE = 4  # calls at once that are not of the store
_REMEMBERED = 1000  # jobs
_WITHIN = 5.0  # seconds for one try to tell somebody something
_AGAIN = 0.5  # seconds until the next


class Board:
    """One node's jobs.

    Args:
        identity: this member's.
        charter: gives the charter in force.
        store: its jobs on disk.
        network: the way to the other members.
        clock: Unix time in seconds.
        aside: does what blocks; by default calls of the store in one thread, and others in others, so that a plan that
            takes long keeps no vote waiting.
        chain: gives the charters that were in force here, the one in force last; by default that one alone.
        software: digest of the program this node runs (software.py).

    Attributes:
        changed: set at the next change of any job; another one from then on.
        failed: set when the disk failed: a node that cannot keep what it says has to stop.
        failure: that error.
    """

    def __init__(
        self,
        identity: Identity,
        charter: Callable[[], Charter],
        store: JobStore,
        network: Network,
        clock: Callable[[], float],
        aside: Callable[[Callable[[], Any]], Awaitable[Any]] | None = None,
        chain: Callable[[], Sequence[Charter]] | None = None,
        software: str = UNKNOWN,
    ) -> None:
        self.identity = identity
        self.software = software
        self.store = store
        self.network = network
        self.clock = clock
        self._charter = charter
        self._chain = chain or (lambda: (charter(),))
        one, some = trio.CapacityLimiter(1), trio.CapacityLimiter(_ASIDE)
        self._disk = aside or (lambda call: trio.to_thread.run_sync(call, limiter=one))
        self._aside = aside or (lambda call: trio.to_thread.run_sync(call, limiter=some))
        self._records: dict[str, JobRecord] = {}
        store.forgotten = self._forgotten
        self._news: weakref.WeakValueDictionary[str, trio.Event] = weakref.WeakValueDictionary()  # as long as awaited
        self.changed = trio.Event()
        self.failed = trio.Event()
        self.failure: StoreFailed | None = None

    @property
    def charter(self) -> Charter:
        """In force."""
        return self._charter()

    @property
    def me(self) -> Member:
        """This member by the charter in force. JobRefused if it is none any more."""
        member = self.charter.by_fingerprint.get(self.identity.fingerprint)
        if member is None:
            raise JobRefused("this node is no member by the charter in force")
        return member

    @property
    def index(self) -> int | None:
        """Among the compute members; None: it does not compute."""
        return self.index_of(self.identity.fingerprint)

    @property
    def coordinates(self) -> bool:
        """Whether this is compute member 0."""
        return self.index == 0

    def charter_of(self, job: Job) -> Charter:
        """The charter the job was made under, which says who decides about it, whatever came in force since.

        The one in force if it was never in force here.
        """
        return next((charter for charter in self._chain() if charter.digest == job.charter), self.charter)

    def index_of(self, fingerprint: str, job: Job | None = None) -> int | None:
        """Of a compute member, of this job's or by the charter in force; None for others."""
        charter = self.charter if job is None else self.charter_of(job)
        for i, member in enumerate(charter.compute):
            if member.fingerprint == fingerprint:
                return i
        return None

    def takes_part(self, member: Member, job: Job) -> bool:
        """Whether this member is a participant."""
        return any(m.fingerprint == member.fingerprint for m in participants(job, self.charter_of(job)))

    def others(self, job: Job) -> list[Member]:
        """The other participants, whoever of them is a member still."""
        known = self.charter.by_fingerprint
        taking = (m.fingerprint for m in participants(job, self.charter_of(job)))
        return [known[who] for who in taking if who in known and who != self.identity.fingerprint]

    def other_computers(self, job: Job) -> list[Member]:
        """The job's other compute members."""
        return [m for m in self.charter_of(job).compute if m.fingerprint != self.identity.fingerprint]

    def coordinator(self) -> Member:
        """Compute member 0."""
        return coordinator(self.charter)

    # -- the store ---------------------------------------------------------------------------------

    async def disk(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call of the store's, in a thread, to its end."""
        try:
            answer: T = await self._disk(lambda: call(*args, **kwargs))
            return answer
        except StoreFailed as error:
            self.failure = self.failure or error
            self.failed.set()
            raise

    async def aside(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call that blocks or computes, to its end."""
        answer: T = await self._aside(lambda: call(*args, **kwargs))
        return answer

    async def step(self, job_id: str, event: Event, cause: str, **with_it: Any) -> Standing:
        """JobStore.step, now; whoever waits for the job is woken. Raises IllegalStep, StoreFailed."""

        def step() -> Standing:
            standing = self.store.step(job_id, event, cause, self.clock(), **with_it)
            self._look(job_id)
            return standing

        standing = await self.disk(step)
        self.wake(job_id)
        return standing

    async def accept(self, job: Job, consent: Consent, facts: Mapping[str, Any]) -> bytes:
        """This node's acceptance, kept with all it stands on. Raises IllegalStep, LedgerMoved, StoreFailed."""

        def sign(head: Head) -> bytes:
            said = Statement(job.digest, consent.plan, head, self.software, consent.policies)
            return sign_acceptance(said, self.identity)

        def accept() -> bytes:
            acceptance = self.store.accept_job(job.id, self.me.name, consent, self.clock(), sign, facts)
            self._look(job.id)
            return acceptance

        acceptance = await self.disk(accept)
        self.wake(job.id)
        return acceptance

    async def release(self, job: Job, votes: Mapping[str, bytes], cause: str) -> Standing:
        """The job is RELEASED here, and its proof kept with it. There is no other way there.

        What is proved is that every compute member has its share and wants it released. That a majority decided so, and
        not to abort what all had voted for, is the word of who tells it.

        Args:
            votes: 64 bytes each, by compute member's name.

        Raises SignatureInvalid, and nothing changes, unless all compute members signed; IllegalStep, StoreFailed.
        """
        check_votes(job, self.charter_of(job), votes)
        return await self.step(job.id, Event.DECIDE_RELEASE, cause, votes=votes)

    async def decide(self, job: Job, value: Value, votes: Mapping[str, bytes], cause: str) -> Standing:
        """What the compute members decided: :meth:`release`, or an abort, which needs no proof."""
        if value is Value.RELEASE:
            return await self.release(job, votes, cause)
        return await self.step(job.id, Event.DECIDE_ABORT, cause)

    async def find(self, job_id: str) -> JobRecord | None:
        """The job as it is kept. Asked often, so it is remembered: all changes go through :meth:`step`."""
        known = self._records.get(job_id)
        return known if known is not None else await self.disk(self._look, job_id)

    async def get(self, job_id: str) -> JobRecord:
        """The same, or JobUnknown."""
        record = await self.find(job_id)
        if record is None:
            raise JobUnknown(f"there is no job {job_id[:32]!r} at this node")
        return record

    def _look(self, job_id: str) -> JobRecord | None:
        """Read it anew. In the thread of the disk, so that what is remembered follows the order of changes."""
        record = self.store.find(job_id)
        self._records.pop(job_id, None)
        if record is not None:
            while len(self._records) >= _REMEMBERED:
                self._records.pop(next(iter(self._records)))
            self._records[job_id] = record
        return record

    async def forget(self) -> int:
        """Jobs that ended before they began, a month ago and more, are let go of; of how many. See unbegun_jobs.py."""

        def forget() -> int:
            gone = self.store.unbegun.forget(self.clock())
            for job_id in gone:
                self._forgotten(job_id)
            return len(gone)

        return await self.disk(forget)

    async def purge(self, before: float) -> int:
        """Shares and answers of jobs that ended before this Unix time are deleted; of how many jobs."""

        def purge() -> int:
            purged = self.store.answers.purge(before, self.clock())
            if purged:
                self._records.clear()
            return purged

        return await self.disk(purge)

    def _forgotten(self, job_id: str) -> None:
        self._records.pop(job_id, None)

    async def state(self, job_id: str) -> State | None:
        """Where it is; None if it is not here."""
        record = await self.find(job_id)
        return None if record is None else record.state

    async def begun(self, job_id: str) -> bool:
        """Whether it ever ran here."""
        return any(change.event is Event.RUN for change in await self.disk(self.store.history, job_id))

    async def tell(self, member: Member, job: Job, message: Message[Any]) -> None:
        """Tell a member something that it has to know, whenever it is there, until the job's deadline.

        Raises PeerRefusedUs, what it answers if it does not take it.
        """
        with trio.move_on_after(max(_WITHIN, job.expires - self.clock())):
            while True:
                try:
                    await self.network.call(member, message, job.id, within=_WITHIN)
                    return
                except PeerRefusedUs:
                    raise
                except PeerCallFailed:
                    await trio.sleep(_AGAIN)
                    await self.network.await_there(member)

    # -- waiting -----------------------------------------------------------------------------------

    def wake(self, job_id: str) -> None:
        """Something about the job changed."""
        event = self._news.pop(job_id, None)
        if event is not None:
            event.set()
        self.changed.set()
        self.changed = trio.Event()

    def news(self, job_id: str) -> trio.Event:
        """Set at the job's next change. Ask for it before you look where the job is."""
        return self._news.setdefault(job_id, trio.Event())

    async def until(self, job_id: str, *states: State) -> JobRecord:
        """Wait until it is in one of these states, or at its end; the record then."""
        while True:
            news = self.news(job_id)
            record = await self.get(job_id)
            if record.state in states or record.state.terminal:
                return record
            await news.wait()

    async def unless_over(self, job_id: str, work: Callable[[], Awaitable[T]]) -> T | None:
        """What it gives; None if the job came to its end before, and it is cancelled."""
        answer: T | None = None
        error: AccordError | None = None
        async with trio.open_nursery() as nursery:

            async def until_over() -> None:
                await self.until(job_id)
                nursery.cancel_scope.cancel()

            nursery.start_soon(until_over)
            try:
                answer = await work()
            except AccordError as raised:
                error = raised
            nursery.cancel_scope.cancel()
        if error is not None:
            raise error
        return answer
