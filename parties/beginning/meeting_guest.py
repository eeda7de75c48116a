"""A member comes to the founder with its code, and leaves with a charter in force.

1. Call the founder, ask who it is, and hang up unless the code pins that key.
2. Call again, over TLS that takes a certificate of that key's only, and prove the code and its own key.
3. Wait for the others; look at the charter; sign it, once its operator has compared its digest with the others.
4. Take everybody's signatures, and put it in force.

It stops and comes again as often as it must: what it signed is on disk, and the code is good for the same key.

Everybody reads the same digest aloud: then everybody has the same text; each node has found its own key in it; so every
key in it is the one of the member who is on the telephone, and nobody was put in another's place, by the founder
neither.
"""

from __future__ import annotations

import secrets
import ssl
from collections.abc import Awaitable, Callable

import trio

from mpc.certificates import client_context
from mpc.errors import AccordError
from parties.beginning.invitation import JOIN, Code, Terms, check_proof, derive, prove
from parties.beginning.meeting_wire import (
    BEAT,
    FIRST,
    FOUNDERS,
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
from parties.errors import FounderUnreachable, InvitationRefused, MeetingBroken
from parties.keys.fingerprints import read_public_key, show_public_key
from parties.keys.identity import Identity
from parties.keys.leaf import anchors, issue
from parties.membership.charter import Charter, Member
from parties.membership.charter_file import read_charter
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import read_signatures, write_signatures

__all__ = ["Guest"]

_DIAL = 10.0  # seconds
_SILENCE = 4 * BEAT
_PAUSE = 1.0


class Guest:
    """One member, on its way in.

    Args:
        code: its own.
        identity, store: its own.
        address: of its node, where it is another than the founder has; None: the same.
        confirm: shows the operator the founder's public key, the charter and this member in it; whether to sign.
        say: a line for the operator.
    """

    def __init__(
        self,
        code: Code,
        identity: Identity,
        store: CharterStore,
        confirm: Callable[[bytes, Charter, Member], Awaitable[bool]],
        say: Callable[[str], None],
        address: str | None = None,
    ) -> None:
        self._code = code
        self._identity = identity
        self._store = store
        self._confirm = confirm
        self._say = say
        self._address = address
        self._said = ""

    async def run(self, patience: float) -> Charter:
        """Join, and give the charter, which is in force here then.

        Args:
            patience: seconds in which the founder must be reached, and again whenever the connection is lost.

        Raises FounderUnreachable, MeetingBroken when the patience is at its end; InvitationRefused if the founder does
        not take the code or somebody declines; CharterNotInForce, CharterInvalid for a charter no member should sign.
        """
        give_up = trio.current_time() + patience
        while True:
            try:
                founder = await self._who()
                stream = await self._dial(founder)
                try:
                    pipe, certificate = Pipe(stream), stream.getpeercert(binary_form=True)
                    welcome = await self._introduce(pipe, founder, certificate)
                    give_up = trio.current_time() + patience
                    return await self._attend(pipe, founder, welcome)
                finally:
                    await trio.aclose_forcefully(stream)
            except (FounderUnreachable, MeetingBroken) as error:
                if self._has_joined():
                    return self._store.current  # and the founder waits for nobody any more
                if trio.current_time() >= give_up:
                    raise
                self._tell(f"{error}; trying again")
            await trio.sleep(_PAUSE)

    def _has_joined(self) -> bool:
        """Whether a charter of this founder's that names this member is in force here."""
        return any(
            self._identity.fingerprint in charter.by_fingerprint
            and any(self._code.pins(member.key) for member in charter.members)
            for charter in self._store.chain[:1]
        )

    def _tell(self, text: str) -> None:
        """Say it, unless it was the last thing said."""
        if text != self._said:
            self._said = text
            self._say(text)

    async def _who(self) -> bytes:
        """The founder's public key, of which the code has 128 bits of the fingerprint."""
        stream = await self._dial(None)
        try:
            hello = await Pipe(stream).receive(Hello, most=FIRST, deadline=_DIAL)
            key = read_public_key(hello.key)
        finally:
            await trio.aclose_forcefully(stream)
        if not self._code.pins(key):
            raise InvitationRefused(
                f"who answers at {self._code.address} is not who made the code: somebody is in between, or the founder "
                "has another identity now. Nothing was sent; ask for a code over another way"
            )
        return key

    async def _dial(self, founder: bytes | None) -> trio.SSLStream[trio.SocketStream]:
        """A TLS connection to who has this key; None: to whoever is there."""
        context = client_context(issue(self._identity), anchors([founder or self._identity.public]))
        if founder is None:
            context.verify_mode = ssl.CERT_NONE  # only to be told the key, which the code tells right from wrong
        host, _, port = self._code.address.rpartition(":")
        where = self._code.address
        try:
            with trio.fail_after(_DIAL):
                stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
        except (OSError, trio.TooSlowError):
            raise FounderUnreachable(
                f"nobody answers at {where}: does `accord invite --wait` run there, and does its firewall let you in?"
            ) from None
        tls = trio.SSLStream(stream, context)
        try:
            with trio.fail_after(_DIAL):
                await tls.do_handshake()
        except (trio.BrokenResourceError, trio.TooSlowError):
            await trio.aclose_forcefully(tls)
            raise FounderUnreachable(f"who answers at {where} is not the founder, or does not want to talk") from None
        except BaseException:
            await trio.aclose_forcefully(tls)
            raise
        return tls

    async def _introduce(self, pipe: Pipe, founder: bytes, certificate: bytes | None) -> Welcome:
        """Prove the code and this member's key to it, and have it prove that it made the code."""
        hello = await pipe.receive(Hello, most=FIRST, deadline=_DIAL)
        handle, key = derive(self._code, founder)
        nonces = (hello.nonce, secrets.token_hex(16))
        terms = Terms(certificate or b"", founder, self._identity.public, self._address, nonces)
        await pipe.send(
            Join(
                invitation=handle,
                key=show_public_key(self._identity.public),
                address=self._address,
                nonce=nonces[1],
                proof=prove(key, "joins", terms),
                signature=self._identity.sign(JOIN, terms.canonical()).hex(),
            )
        )
        answer = await pipe.receive(Welcome, Refused, most=FOUNDERS, deadline=_DIAL)
        if isinstance(answer, Refused):
            why = answer.reason if answer.reason.isprintable() else ""
            raise InvitationRefused(why or "the founder does not know this code: it was replaced, or is another's")
        assert isinstance(answer, Welcome)
        if not check_proof(key, "invites", terms, answer.proof):
            raise InvitationRefused("the founder did not prove that it made the code: ask it for another")
        return answer

    async def _attend(self, pipe: Pipe, founder: bytes, welcome: Welcome) -> Charter:
        """Until the charter is in force here. The operator may think while messages go on."""
        self._tell(f"{welcome.founder!r} invites this node into {welcome.consortium!r} as {welcome.name!r}")
        charter: Charter | None = None
        failure: AccordError | None = None
        async with trio.open_nursery() as nursery:

            async def consider(seen: Charter, me: Member) -> None:
                nonlocal failure
                try:
                    await self._sign(pipe, founder, seen, me)
                except AccordError as error:
                    failure = error
                    nursery.cancel_scope.cancel()

            try:
                while True:
                    message = await pipe.receive(Progress, Draft, InForce, Declined, most=FOUNDERS, deadline=_SILENCE)
                    if isinstance(message, Declined):
                        raise InvitationRefused(f"member {message.who!r} declined the charter: nothing is in force")
                    if isinstance(message, Progress):
                        self._tell(_waiting(message))
                    elif isinstance(message, Draft) and charter is None:
                        charter = read_charter(message.charter)
                        me = self._check(charter, founder, welcome)
                        self._store.propose(charter)
                        self._store.merge(read_signatures(message.signatures.encode()))
                        nursery.start_soon(consider, charter, me)
                    elif isinstance(message, InForce):
                        charter = self._finish(message)
                        await pipe.send(Ack())
                        break
            except AccordError as error:
                failure = failure or error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        assert charter is not None
        return charter

    async def _sign(self, pipe: Pipe, founder: bytes, charter: Charter, me: Member) -> None:
        known = self._store.chain[:1] == (charter,) or self._store.find(charter.digest).signed
        if not known and not await self._confirm(founder, charter, me):
            await pipe.send(Declined(who=me.name))
            raise InvitationRefused("declined here: nothing was signed")
        if not self._store.chain:
            mine = self._store.sign(charter.digest, self._identity)
            await pipe.send(Answer(signatures=write_signatures(mine).decode("ascii")))

    def _check(self, charter: Charter, founder: bytes, welcome: Welcome) -> Member:
        """This member in the charter. InvitationRefused unless it is as it was invited."""
        me = next((one for one in charter.members if one.key == self._identity.public), None)
        address = welcome.address if self._address is None else self._address
        as_invited = Member(welcome.name, self._identity.public, frozenset(welcome.roles), address)
        if me != as_invited or founder not in [one.key for one in charter.members]:
            raise InvitationRefused("the charter does not name this node's key as it was invited, or not the founder's")
        if charter.consortium != welcome.consortium:
            raise InvitationRefused("the charter is of another consortium than the invitation: ask the founder")
        return as_invited

    def _finish(self, message: InForce) -> Charter:
        signatures = read_signatures(message.signatures.encode())
        self._store.merge(signatures)
        self._store.adopt()
        if self._store.current.digest != signatures.digest and self._store.chain[0].digest != signatures.digest:
            raise InvitationRefused("another charter is in force here than at the founder: compare them")
        return self._store.current


def _waiting(progress: Progress) -> str:
    if not progress.missing:
        return "waiting for the founder to confirm the charter"
    verb = "join" if progress.stage == "joining" else "sign"
    return f"waiting for {', '.join(map(repr, progress.missing))} to {verb}"  # repr: whatever a founder sends
