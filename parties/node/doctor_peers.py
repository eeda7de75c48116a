"""What ``accord doctor`` asks the network: are the ports this node's own, and does every other member answer?"""

from __future__ import annotations

import datetime
import email.utils
import errno
import ssl
from dataclasses import dataclass

import trio

from mpc.certificates import client_context
from mpc.errors import AccordError
from parties.errors import PeerRefused
from parties.keys.identity import Identity
from parties.keys.leaf import anchors, issue
from parties.membership.charter import Charter, Member
from parties.membership.trust import peer_of
from parties.node.doctor import Finding, Machine, Patient
from parties.setup.listening import Listening

__all__ = ["peer_findings", "port_findings"]

_DEADLINE = 5.0  # seconds
_CLOCKS = 60.0  # seconds two clocks may differ without a warning
_DAYS = 2 * 86400  # seconds two clocks may differ before certificates are refused (leaf.py)
_QUESTION = b"HEAD / HTTP/1.1\r\nHost: accord\r\nConnection: close\r\n\r\n"
_MOST = 1 << 14  # bytes of an answer


@dataclass(frozen=True)
class _Answer:
    """What somebody at an address showed: its certificate, and a line of HTTP with the date there, if any came."""

    certificate: bytes | None
    date: datetime.datetime | None
    seconds: float


async def port_findings(patient: Patient, identity: Identity | None) -> list[Finding]:
    """Every port this node listens at is free, or held by this very node's daemon."""
    settings = patient.settings
    if settings is None:
        return []
    ours = await _is_ours(settings.bind, patient, identity)
    findings = []
    for name, where in (("bind", settings.bind), ("people_address", settings.people_address)):
        findings.append(await _port(f"{name} of node.toml", where, ours))
    workers = settings.worker_ports
    if workers is not None:
        taken = [port for port in workers if not await _is_free(Listening(settings.bind.host, port))]
        free = len(workers) - len(taken)
        if free >= settings.lanes or ours:
            findings.append(Finding("ports", "good", f"{free} of {len(workers)} worker ports are free"))
        else:
            found = f"only {free} of the worker ports are free, {settings.lanes} are needed"
            findings.append(Finding("ports", "bad", found, "give others: worker_ports in node.toml"))
    return findings


async def peer_findings(patient: Patient, identity: Identity | None, machine: Machine) -> list[Finding]:
    """Every other member with an address: whether it can be reached, who answers, and what its clock says."""
    charter, me = patient.charter, patient.me
    if charter is None or me is None:
        return []
    if identity is None:
        return [Finding("peers", "warning", "not called: the key is encrypted", "give the passphrase")]
    others = [one for one in charter.members if one != me]
    findings: dict[str, Finding] = {}

    async def ask(member: Member) -> None:
        findings[member.name] = await _peer(member, charter, me, identity, machine)

    async with trio.open_nursery() as nursery:
        for member in others:
            nursery.start_soon(ask, member)
    return [findings[member.name] for member in others]


async def _peer(member: Member, charter: Charter, me: Member, identity: Identity, machine: Machine) -> Finding:
    if member.address is None:
        return Finding("peers", "good", f"{member.name} has no address: it calls, nobody calls it")
    where = f"{member.name} at {member.address}"
    tls = client_context(issue(identity, machine.now()), anchors([member.key]))
    try:
        answer = await _ask(member.address, tls)
        peer_of(answer.certificate, charter, me.fingerprint, machine.now(), member.fingerprint)
    except ssl.SSLError as error:
        way_out = "is its address in the charter right, and its key? Is a machine with a TLS proxy in between?"
        return Finding("peers", "bad", f"{where}: another answers, or its certificate is bad ({error.reason})", way_out)
    except PeerRefused as error:
        return Finding("peers", "bad", f"{where}: {error}", "compare the charters and the addresses")
    except (OSError, trio.TooSlowError):
        way_out = "does `accord serve` run there? Names, routes, firewalls?"
        return Finding("peers", "warning", f"{where}: nobody answers", way_out)
    if answer.date is None:
        return Finding(
            "peers", "warning", f"{where}: itself, but it does not answer", "does it go by this charter yet?"
        )
    apart = abs((answer.date - machine.now()).total_seconds())
    if apart > _CLOCKS:
        found = f"{where}: its clock and this one are {apart:.0f} s apart"
        way_out = "one of the two is wrong: an NTP service keeps it right"
        return Finding("peers", "bad" if apart > _DAYS else "warning", found, way_out)
    return Finding("peers", "good", f"{where}: itself, in {1000 * answer.seconds:.0f} ms, clocks agree")


async def _ask(address: str, tls: ssl.SSLContext) -> _Answer:
    """Connect, shake hands, ask something, within five seconds. Raises OSError, ssl.SSLError, trio.TooSlowError."""
    host, _, port = address.rpartition(":")
    begin = trio.current_time()
    with trio.fail_after(_DEADLINE):
        tcp = await trio.open_tcp_stream(host.strip("[]"), int(port))
        stream = trio.SSLStream(tcp, tls)
        try:
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError as error:
                cause = error.__cause__
                raise cause if isinstance(cause, ssl.SSLError) else OSError(errno.ECONNRESET, "hung up") from None
            certificate = stream.getpeercert(binary_form=True)
            date = await _date(stream)
            return _Answer(certificate, date, trio.current_time() - begin)
        finally:
            await trio.aclose_forcefully(stream)


async def _date(stream: trio.SSLStream[trio.SocketStream]) -> datetime.datetime | None:
    received = b""
    try:
        await stream.send_all(_QUESTION)
        while b"\r\n\r\n" not in received and len(received) < _MOST:
            some = await stream.receive_some(4096)
            if not some:
                break
            received += some
    except trio.BrokenResourceError:
        return None  # it does not take this node's certificate
    for line in received.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            try:
                date = email.utils.parsedate_to_datetime(value.strip())
            except ValueError:
                return None
            return date if date.tzinfo is not None else date.replace(tzinfo=datetime.UTC)
    return None


async def _is_ours(bind: Listening, patient: Patient, identity: Identity | None) -> bool:
    """Whether this node's own daemon listens there: it shows a certificate of this node's."""
    if identity is None or patient.charter is None or patient.me is None:
        return False
    tls = client_context(issue(identity), anchors([identity.public]))
    host = "127.0.0.1" if bind.interface in (None, "0.0.0.0") else bind.interface
    try:
        answer = await _ask(str(Listening(str(host), bind.port)), tls)
        return peer_of(answer.certificate, patient.charter, "", _now()).key == identity.public
    except (OSError, trio.TooSlowError, AccordError):
        return False


async def _port(name: str, where: Listening, ours: bool) -> Finding:
    if ours:
        return Finding("ports", "good", f"{where} is held by this node's daemon")
    if await _is_free(where):
        return Finding("ports", "good", f"{where} is free")
    return Finding(
        "ports", "bad", f"{where} is taken, or no address of this machine", f"stop what listens there, or change {name}"
    )


async def _is_free(where: Listening) -> bool:
    try:
        listeners = await trio.open_tcp_listeners(where.port, host=where.interface)
    except OSError:
        return False
    for listener in listeners:
        await listener.aclose()
    return True


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
