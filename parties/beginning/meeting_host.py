"""The founder waits for the members it invited, until one charter is in force at all of them.

It listens only while this runs. Strangers learn the founder's public key, whose fingerprint its certificate states
anyway, and that it founds something; no name, no title, no member. What it has reached is on disk at every step
(founding.json, the charter store), so it may be stopped, or crash, and be run again, and members come again with the
same codes.
"""

from __future__ import annotations

import contextlib
import secrets
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import trio
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mpc.certificates import server_context
from mpc.errors import AccordError
from parties.beginning.founding import Founding, changing, read_founding
from parties.beginning.meeting_admission import admit
from parties.beginning.meeting_wire import (
    BEAT,
    FIRST,
    MEMBERS,
    Ack,
    Answer,
    Declined,
    Draft,
    Hello,
    InForce,
    Join,
    Pipe,
    Progress,
    Refused,
    Welcome,
)
from parties.errors import CharterInvalid, CharterMissing, InvitationRefused, MeetingBroken, SignatureInvalid
from parties.keys.attempts import Attempts
from parties.keys.fingerprints import fingerprint_of, read_public_key, show_fingerprint, show_public_key
from parties.keys.identity import Identity
from parties.keys.leaf import anchors, issue
from parties.membership.charter import Charter
from parties.membership.charter_file import write_charter
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import Signatures, read_signatures, write_signatures
from parties.membership.trust import missing_signers
from parties.setup.home import Home

__all__ = ["Host"]

_MOST_STRANGERS, _MOST_FROM_ONE = 64, 16  # connections at once, before any proof
_FIRST_DEADLINE = 10.0  # seconds, for a handshake and a proof
_FAREWELL = 2.0  # seconds, to tell everybody that it ends


class Host:
    """One meeting.

    Args:
        home, identity: of the founder; it has a founding.
        store: its charters.
        confirm: shows the charter with everybody in it to the operator, who has compared its digest with the others.
        say: a line for the operator.
        now: unix time, for codes that expire.
        attempts: of strangers.
    """

    def __init__(
        self,
        home: Home,
        identity: Identity,
        store: CharterStore,
        confirm: Callable[[Charter], Awaitable[bool]],
        say: Callable[[str], None],
        now: Callable[[], float] = time.time,
        attempts: Attempts | None = None,
    ) -> None:
        self._home = home
        self._identity = identity
        self._store = store
        self._confirm = confirm
        self._say = say
        self._now = now
        self._attempts = attempts or Attempts(time.monotonic)
        self._strangers: Counter[str] = Counter()
        self._present: dict[str, trio.CancelScope] = {}
        self._failure: AccordError | None = None
        self._changed = trio.Event()
        self._proposed: Charter | None = None
        self._declined: str | None = None
        credentials = issue(identity)
        self._certificate = x509.load_pem_x509_certificate(credentials.certificate).public_bytes(
            serialization.Encoding.DER
        )
        self._tls = server_context(credentials, anchors([identity.public]))
        self._tls.verify_mode = ssl.CERT_NONE  # a member's key is not known before it has come

    async def run(self, listeners: list[trio.SocketListener]) -> Charter:
        """Wait for all, have the charter confirmed, sign it, collect all signatures; give it when all have it in force.

        Raises InvitationRefused if somebody declines, here or there; CharterInvalid for members that make no charter;
        as CharterStore and read_founding do.
        """
        charter, failure = None, None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, self._meet, listeners)
            try:
                charter = await self._until_in_force()
                await self._until(lambda: all(one.settled for one in self._founding.invitations.values()))
            except AccordError as error:
                failure = error
                with trio.move_on_after(_FAREWELL):
                    while self._present:
                        await self._changed.wait()
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        assert charter is not None
        return charter

    @property
    def _founding(self) -> Founding:
        return read_founding(self._home)

    async def _until_in_force(self) -> Charter:
        if self._store.chain:
            return self._store.chain[0]
        await self._until(lambda: not self._founding.missing())
        charter = self._founding.charter(self._identity.public)
        signed = any(p.signed and p.charter == charter for p in self._store.proposals)
        if not signed and not await self._confirm(charter):
            self._decline(self._founding.name)
            raise InvitationRefused("the charter was not confirmed here: nothing was signed. Mend it and wait again")
        self._store.propose(charter)
        self._store.sign(charter.digest, self._identity)
        self._proposed = charter
        self._news()
        await self._until(lambda: bool(self._store.adopt() or self._store.chain))
        self._news()
        return charter

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            if self._failure is not None:
                raise self._failure
            if self._declined is not None:
                raise InvitationRefused(
                    f"member {self._declined} declined the charter: ask why. `accord charter withdraw` takes this "
                    "node's own signature out of the way of another charter"
                )
            await self._changed.wait()

    def _news(self) -> None:
        """Wake everybody who waits for a change."""
        self._changed.set()
        self._changed = trio.Event()

    def _decline(self, who: str) -> None:
        self._declined = who
        self._news()

    # -- one connection ------------------------------------------------------------------------

    async def _meet(self, stream: trio.SocketStream) -> None:
        """A stranger, until it has proved that it is not. Whatever it does, only its connection ends."""
        tls = trio.SSLStream(stream, self._tls, server_side=True)
        try:
            pipe = Pipe(tls)
            name = await self._greet(pipe, str(stream.socket.getpeername()[0]))
            if name is not None:
                await self._attend(pipe, name)
        except (MeetingBroken, OSError):
            return
        except AccordError as error:  # this node's own disk, say
            self._failure = error
            self._news()
        finally:
            await trio.aclose_forcefully(tls)

    async def _greet(self, pipe: Pipe, place: str) -> str | None:
        """Say hello, and judge what comes. Gives the name of a member that has proved who it is."""
        if self._strangers[place] >= _MOST_FROM_ONE or self._strangers.total() >= _MOST_STRANGERS:
            return None
        if not self._attempts.allowed(place):
            return None
        self._strangers[place] += 1
        try:
            with trio.move_on_after(_FIRST_DEADLINE):
                return await self._judge(pipe, place)
            return None
        finally:
            self._strangers[place] -= 1
            self._strangers += Counter()  # forget who is at zero

    async def _judge(self, pipe: Pipe, place: str) -> str | None:
        nonce = secrets.token_hex(16)
        mine = self._identity.public
        await pipe.send(Hello(key=show_public_key(mine), nonce=nonce))
        join = await pipe.receive(Join, most=FIRST)
        try:
            with changing(self._home) as write:
                founding = self._founding
                name, after, proof = admit(founding, join, nonce, self._certificate, mine, self._now())
                if after != founding:
                    write(after)  # before it is told so
        except InvitationRefused as refused:
            self._attempts.failed(place)
            await pipe.send(Refused(reason=str(refused)[:300]))
            return None
        if after != founding:
            self._say(
                f"{name} has come. Its fingerprint:\n{show_fingerprint(fingerprint_of(read_public_key(join.key)))}"
            )
        one = after.invitations[name]
        await pipe.send(
            Welcome(
                proof=proof,
                consortium=after.consortium,
                founder=after.name,
                name=name,
                address=one.address,
                roles=one.roles,
            )
        )
        self._news()
        return name

    async def _attend(self, pipe: Pipe, name: str) -> None:
        """Tell a member what happens, and take its signature, until it goes or has all it came for.

        Who comes twice is told on the newer connection; the older one may be half open.
        """
        async with trio.open_nursery() as nursery:
            scope = nursery.cancel_scope
            if name in self._present:
                self._present[name].cancel()
            self._present[name] = scope
            try:
                nursery.start_soon(self._listen, pipe, name, scope)
                with contextlib.suppress(MeetingBroken):
                    await self._tell(pipe)
                scope.cancel()
            finally:
                if self._present.get(name) is scope:
                    del self._present[name]
                self._news()

    async def _tell(self, pipe: Pipe) -> None:
        drafted = False
        while True:
            changed = self._changed
            if self._declined is not None:
                await pipe.send(Declined(who=self._declined))
                return
            if self._store.chain:
                await pipe.send(InForce(signatures=_text(self._store.bundle().chain[0].signatures)))
                await trio.sleep_forever()  # until it acknowledges, or is gone
            if self._proposed is not None and not drafted:
                drafted = True
                signatures = self._store.find(self._proposed.digest).signatures
                await pipe.send(Draft(charter=write_charter(self._proposed), signatures=_text(signatures)))
            await pipe.send(self._progress())
            with trio.move_on_after(BEAT):
                await changed.wait()

    async def _listen(self, pipe: Pipe, name: str, scope: trio.CancelScope) -> None:
        try:
            while True:
                match await pipe.receive(Answer, Declined, Ack, most=MEMBERS):
                    case Answer(signatures=text):
                        self._store.merge(read_signatures(text.encode()))
                        self._say(f"{name} has signed")
                        self._news()
                    case Declined():
                        self._decline(name)
                    case Ack():
                        self._settle(name)
                        break
        except (MeetingBroken, SignatureInvalid, CharterInvalid, CharterMissing):
            if self._declined is None:
                self._say(f"{name} has gone; it may come again with its code")
        except AccordError as error:
            self._failure = error
            self._news()
        scope.cancel()

    def _settle(self, name: str) -> None:
        if not self._store.chain:
            raise MeetingBroken("nothing is in force yet")
        with changing(self._home) as write:
            write(self._founding.changed(name, settled=True))
        self._say(f"the charter is in force at {name}")
        self._news()

    def _progress(self) -> Progress:
        if self._proposed is None:
            return Progress(stage="joining", missing=self._founding.missing())
        missing = missing_signers(self._proposed, self._store.find(self._proposed.digest).signatures)
        return Progress(stage="signing", missing=[member.name for member in missing])


def _text(signatures: Signatures) -> str:
    return write_signatures(signatures).decode("ascii")
