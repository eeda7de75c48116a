"""What an owner makes of a key before it is hashed, so that equal people have equal bytes. Plaintext; nothing is sent.

A profile turns a column into canonical bytes, one piece a row, or None where the row has no key: a missing value (None,
NaN, NaT, pandas' NA, masked), or what the profile says is none. Owners agree on a profile; each has a name that goes
into the hash, so equal bytes of different profiles (the integer 12 and the text "12") differ.

| profile | takes | canonical bytes | no key |
|---|---|---|---|
| `RAW` | bytes | as they are | - |
| `TEXT` | text | Unicode NFC, UTF-8; case and spaces count | "" |
| `INTEGERS` | integers, whole floats | 16 bytes, two's complement, little end first | - |
| `EMAIL_PAIR` | text | SHA-256 of the UTF-8 text, A to Z in lower case | blank |
| `EMAIL_ADMAP` | text | the same, trimmed first | blank |
| `Phone(region)` | text | E.164: +, country code, number | no possible number |
| `NAME` (people.py) | text | folded case; no accents, no punctuation; single spaces | nothing left |
| `DATE` (people.py) | dates, ISO text | YYYY-MM-DD | blank, no such day |

Emails: IAB Tech Lab, PAIR, "Canonical representation of Common Match keys", Table 1 (lower case for ASCII characters,
SHA-256, no salt); ADMaP, "Mapping Protocol Inputs", Table 1 (the same after trimming leading and trailing spaces).
Neither removes dots or +tags, so neither is done here. Both also ask for phone numbers in E.164.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from protocols.errors import KeyInvalid
from protocols.key_columns import Canonical, each_text, known_types, read_column, wrong

__all__ = [
    "EMAIL_ADMAP",
    "EMAIL_PAIR",
    "INTEGERS",
    "RAW",
    "TEXT",
    "Integers",
    "Phone",
    "Profile",
]


@runtime_checkable
class Profile(Protocol):
    """One way to write a key. ``name`` is part of the hash, so two profiles never meet by accident."""

    name: ClassVar[str]

    def canonical(self, column: Any, what: str) -> Canonical:
        """One piece of bytes a row, None where there is no key. ``what`` names the column, for errors.

        Raises KeyInvalid for a column of another kind, or of mixed kinds.
        """
        ...


@dataclass(frozen=True)
class Raw:
    """Bytes, exactly; no bytes at all are a key like any other. numpy's `S` drops zero bytes at the end, not `V`."""

    name: ClassVar[str] = "raw"

    def canonical(self, column: Any, what: str) -> Canonical:
        values, missing = read_column(column, what)
        plain = values.dtype.kind == "V" and values.dtype.names is None
        if not plain and not known_types(values, missing) <= {bytes, np.bytes_}:
            raise wrong(what, "bytes", values, missing, "encode text, or take another profile")
        return [None if gone else bytes(v) for v, gone in zip(values.tolist(), missing.tolist(), strict=True)]


@dataclass(frozen=True)
class Text:
    """Text, exactly, but for the two ways Unicode has to write an accent (NFC)."""

    name: ClassVar[str] = "text"

    def canonical(self, column: Any, what: str) -> Canonical:
        normalize = unicodedata.normalize
        return each_text(column, what, lambda text: normalize("NFC", text).encode() or None)


@dataclass(frozen=True)
class Integers:
    """Integers from -2^127 to 2^127 - 1 of any type; equal ones are equal whatever holds them.

    Floats count if every one is whole and so small that a float of their type tells it from its neighbours.
    """

    name: ClassVar[str] = "integer"

    def canonical(self, column: Any, what: str) -> Canonical:
        words, missing = self.blocks(column, what)
        raw = words.tobytes()
        return [None if gone else raw[16 * i : 16 * i + 16] for i, gone in enumerate(missing.tolist())]

    def blocks(self, column: Any, what: str) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """The canonical bytes as words (n, 2), the low one first, zero where the second array (n,) says missing."""
        values, missing = read_column(column, what)
        types = known_types(values, missing)
        if types and all(issubclass(kind, (float, np.floating)) for kind in types):
            values = _whole(values, missing, what)
        elif not all(issubclass(kind, (int, np.integer)) and kind is not bool for kind in types):
            raise wrong(what, "integers", values, missing, 'make it one type, say astype("Int64")')
        if values.dtype.kind not in "iu":
            return _wide(values, missing, what), missing
        words = np.zeros((len(values), 2), np.uint64)
        if values.dtype.kind == "i":
            signed = words.view(np.int64)
            signed[:, 0] = values
            np.right_shift(signed[:, 0], 63, out=signed[:, 1])
        else:
            words[:, 0] = values
        if missing.any():
            words[missing] = 0
        return words, missing


def _whole(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_], what: str) -> npt.NDArray[Any]:
    if values.dtype.kind != "f":
        values = np.where(missing, 0.0, values).astype(np.float64)
    known = np.where(missing, 0, values)
    limit = 2.0 ** min(np.finfo(values.dtype).nmant + 1, 62)
    if not (np.abs(known) < limit).all() or not (known == np.rint(known)).all():
        raise KeyInvalid(
            f"{what}: floats that are no integers, or too large to be sure which; "
            'read the column as integers (pandas: dtype "Int64")'
        )
    return known.astype(np.int64)


def _wide(values: npt.NDArray[Any], missing: npt.NDArray[np.bool_], what: str) -> npt.NDArray[np.uint64]:
    numbers = np.where(missing, 0, values).tolist() if missing.any() else values.tolist()
    try:
        raw = b"".join([int(v).to_bytes(16, "little", signed=True) for v in numbers])
    except OverflowError:
        raise KeyInvalid(f"{what}: integers of more than 128 bits; write them as text") from None
    return np.frombuffer(bytearray(raw), np.uint64).reshape(-1, 2)


@dataclass(frozen=True)
class EmailPair:
    """PAIR: ASCII in lower case, then SHA-256. Spaces count, unless there is nothing else."""

    name: ClassVar[str] = "email-pair"

    def canonical(self, column: Any, what: str) -> Canonical:
        return each_text(column, what, lambda text: _sha256(text.encode().lower()) if text.strip() else None)


@dataclass(frozen=True)
class EmailAdmap:
    """ADMaP: spaces (and tabs and line ends) trimmed from both ends, ASCII in lower case, then SHA-256."""

    name: ClassVar[str] = "email-admap"

    def canonical(self, column: Any, what: str) -> Canonical:
        return each_text(column, what, lambda text: _sha256(text.encode().strip().lower()) if text.strip() else None)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(frozen=True)
class Phone:
    """Phone numbers as people write them, in E.164, by `phonenumbers` (metadata of every country's own habits).

    region: two letters of ISO 3166, the country of numbers written without one; None: such numbers are no key.
    It is each owner's own: the canonical form does not depend on it. What cannot be a whole number of its country, by
    its length, or has more than 15 digits, is no key; extensions are dropped. About 25 us a number.
    """

    region: str | None = None
    name: ClassVar[str] = "phone"

    def canonical(self, column: Any, what: str) -> Canonical:
        import phonenumbers

        if self.region is not None and self.region not in phonenumbers.SUPPORTED_REGIONS:
            raise KeyInvalid(f"{what}: region {self.region!r}: two capital letters of a country (ISO 3166), or None")

        def standard(text: str) -> bytes | None:
            try:
                number = phonenumbers.parse(text, self.region)
            except phonenumbers.NumberParseException:
                return None
            if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
                return None  # among others a number without its area code, which many people share
            written = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
            return written.encode() if len(written) <= 16 else None

        return each_text(column, what, standard)


RAW = Raw()
TEXT = Text()
INTEGERS = Integers()
EMAIL_PAIR = EmailPair()
EMAIL_ADMAP = EmailAdmap()
