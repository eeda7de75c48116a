"""Invitations: the code a founder gives to one member, and how that member proves that it has it. Pure: no files.

A code is ``host:port/`` and 56 letters and digits: 128 bits of the founder's fingerprint, to know it by, a secret of
128 bits, and a checksum against slips. Whoever reads a code on its way can come in the invited member's place, until
it was used; so members compare the charter's digest before they sign (meeting_guest.py).

The proof is the three-pass mutual authentication by a keyed check value of ISO/IEC 9798-4, with HMAC-SHA-256, within a
TLS connection whose certificate it names (a channel binding, tls-server-end-point, RFC 5929), so that nobody can pass
it on over a connection of his own:

    founder  hello    a nonce, its public key
    member   join     a nonce, its public key and address, HMAC(key, "joins", all of this), its signature of all of this
    founder  welcome  HMAC(key, "invites", all of this)

The founder keeps the derived HMAC key and not the code. Neither side can be made to say anything about the secret by
somebody who does not have it: TLS has shown the member that it talks to the founder before it sends its value.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parties.errors import CharterInvalid, CodeInvalid
from parties.keys.fingerprints import fingerprint_of, show_public_key
from parties.membership.charter import check_address

__all__ = ["JOIN", "Code", "Terms", "check_proof", "derive", "new_code", "prove", "read_code", "write_code"]

JOIN = "join"
"""The context a joining member's signature is made in."""

_PIN, _SECRET, _SUM = 16, 16, 3  # bytes; 35 together are 56 digits of five bits
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: without I, L, O, U
_ALIKE = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_LONGEST = 400


@dataclass(frozen=True)
class Code:
    """What a code says. The repr shows no secret.

    Attributes:
        address: ``host:port`` or ``[v6]:port`` where the founder waits.
        pin: the first 16 bytes of the founder's fingerprint.
        secret: 16 bytes.
    """

    address: str
    pin: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"<Code of {self.pin.hex()[:16]}... at {self.address}>"

    def pins(self, public: bytes) -> bool:
        """Whether this is the founder's public key."""
        return bytes.fromhex(fingerprint_of(public))[:_PIN] == self.pin


@dataclass(frozen=True)
class Terms:
    """All that both sides must mean alike, in one proof.

    Attributes:
        certificate: the founder's of this connection, DER.
        founder, member: public keys, 32 bytes.
        address: what the member says its node's address is; None: as it was invited.
        nonces: the founder's and the member's, 32 hex digits each.
    """

    certificate: bytes
    founder: bytes
    member: bytes
    address: str | None
    nonces: tuple[str, str]

    def canonical(self) -> bytes:
        """What is signed, and goes under the HMAC: equal terms, and only they, have equal bytes."""
        said = {
            "address": self.address,
            "certificate": hashlib.sha256(self.certificate).hexdigest(),
            "format": "accord join 1",
            "founder": show_public_key(self.founder),
            "member": show_public_key(self.member),
            "nonces": list(self.nonces),
        }
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def new_code(address: str, public: bytes) -> Code:
    """One nobody can guess, of the founder with this public key, who waits there. CodeInvalid for no address."""
    _check_address(address)
    return Code(address, bytes.fromhex(fingerprint_of(public))[:_PIN], secrets.token_bytes(_SECRET))


def write_code(code: Code) -> str:
    """As people pass it on."""
    number = int.from_bytes(code.pin + code.secret + _checksum(code), "big")
    digits = "".join(_DIGITS[number >> shift & 31] for shift in range(275, -1, -5))
    return f"{code.address}/{'-'.join(digits[i : i + 4] for i in range(0, 56, 4))}"


def read_code(text: str) -> Code:
    """The other way round: small letters, blanks and hyphens do not matter, nor O for 0, I and L for 1.

    Raises CodeInvalid, which does not repeat the code: a part is missing, or a letter is wrong.
    """
    address, slash, digits = text.strip().rpartition("/")
    digits = re.sub(r"\s", "", digits[:_LONGEST]).upper().translate(_ALIKE)
    if not slash or len(text) > _LONGEST or len(digits) != 56 or set(digits) - set(_DIGITS):
        raise CodeInvalid("this is no code: it is host:port/ and 14 groups of 4 letters and digits. Copy all of it")
    _check_address(address)
    number = 0
    for digit in digits:
        number = number << 5 | _DIGITS.index(digit)
    content = number.to_bytes(_PIN + _SECRET + _SUM, "big")
    code = Code(address, content[:_PIN], content[_PIN : _PIN + _SECRET])
    if content[_PIN + _SECRET :] != _checksum(code):
        raise CodeInvalid("the code is not as it was made, a slip in one place: copy all of it again")
    return code


def derive(code: Code, founder: bytes) -> tuple[str, bytes]:
    """What a code stands for at this founder: what to call it by, 32 hex digits, and an HMAC key, 32 bytes."""
    made = HKDF(hashes.SHA256(), 48, salt=None, info=b"accord invitation 1\0" + founder).derive(code.secret)
    return made[:16].hex(), made[16:]


def prove(key: bytes, side: str, terms: Terms) -> str:
    """64 hex digits that only who has the key can make; ``side``: "joins" or "invites"."""
    return hmac.new(key, side.encode("ascii") + b"\0" + terms.canonical(), hashlib.sha256).hexdigest()


def check_proof(key: bytes, side: str, terms: Terms, proof: str) -> bool:
    """Whether ``proof`` is prove(key, side, terms), in a time that does not tell where it differs."""
    return hmac.compare_digest(prove(key, side, terms).encode(), proof.encode("utf-8", "replace"))


def _checksum(code: Code) -> bytes:
    said = b"accord code 1\0" + code.address.encode() + b"/" + code.pin + code.secret
    return hashlib.sha256(said).digest()[:_SUM]


def _check_address(address: str) -> None:
    try:
        check_address(address)
    except CharterInvalid as error:
        raise CodeInvalid(f"the code's address: {error}") from None
