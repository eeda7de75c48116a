"""Whether somebody who comes with an invitation is admitted, clause by clause. Pure."""

from __future__ import annotations

import secrets

from parties.beginning.founding import Founding, Invitation
from parties.beginning.invitation import JOIN, Terms, check_proof, prove
from parties.beginning.meeting_wire import Join
from parties.errors import CharterInvalid, FoundingInvalid, InvitationRefused, KeyInvalid, SignatureInvalid
from parties.keys.fingerprints import read_public_key, verify
from parties.membership.charter import Member

__all__ = ["admit"]


def admit(
    founding: Founding, join: Join, nonce: str, certificate: bytes, founder: bytes, now: float
) -> tuple[str, Founding, str]:
    """Who it is, the founding with that member in it, and the founder's proof for it.

    Args:
        nonce, certificate, founder: the founder's in this connection: what it said hello with, its certificate (DER),
            its public key.
        now: unix time.

    1. There is an invitation it goes by, and it knows the code; else it is told nothing, not even which of the two.
    2. It has the key that it says is its identity.
    3. Nobody came with this code under another key; it is not expired, unless this very member came in time.
    4. Its key and its address are nobody else's, and its address is one.
    Raises InvitationRefused, with the reason if 1 holds.
    """
    invitation = next((one for one in founding.invitations.values() if one.id == join.invitation), None)
    try:
        member = read_public_key(join.key)
    except KeyInvalid:
        raise InvitationRefused from None
    terms = Terms(certificate, founder, member, join.address, (nonce, join.nonce))
    key = secrets.token_bytes(32) if invitation is None else bytes.fromhex(invitation.key)
    if not check_proof(key, "joins", terms, join.proof) or invitation is None:
        raise InvitationRefused
    try:
        verify(member, JOIN, terms.canonical(), bytes.fromhex(join.signature))
    except SignatureInvalid:
        raise InvitationRefused("the signature is not of the key it says it is of") from None
    admitted = founding
    if invitation.joined is None:
        if now >= invitation.expires:
            raise InvitationRefused("the code has expired: ask for another (`accord invite` again)")
        admitted = _join(founding, invitation, join, member, founder)
    elif invitation.joined != join.key:
        raise InvitationRefused("the code was used already, under another key: if not by you, tell the founder at once")
    elif join.address not in (None, invitation.address):
        raise InvitationRefused(f"it came with the address {invitation.address} before: come with that one again")
    return invitation.name, admitted, prove(key, "invites", terms)


def _join(founding: Founding, invitation: Invitation, join: Join, member: bytes, founder: bytes) -> Founding:
    taken = {one.joined for one in founding.invitations.values()}
    if member == founder or join.key in taken:
        raise InvitationRefused("this key is another member's already: `accord init` in another directory makes one")
    address = invitation.address if join.address is None else join.address
    try:
        Member(invitation.name, member, frozenset(invitation.roles), address)
        founding.check_address(invitation.name, address)
    except (CharterInvalid, FoundingInvalid) as error:
        raise InvitationRefused(str(error)) from None
    return founding.changed(invitation.name, joined=join.key, address=address)
