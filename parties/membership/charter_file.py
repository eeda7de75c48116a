"""``consortium.toml``: a charter as a person writes it. Pure: text in, a charter out.

    consortium = "Nordic banks"
    version = 1
    threshold = 1

    [members.alfa]
    key = "ed25519:..."                 # as `accord fingerprint` prints it
    address = "accord.alfa.example:7600"
    roles = ["compute", "input", "result"]

Version 2 and up also state ``previous``, the digest of the version before.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

from parties.errors import CharterInvalid, KeyInvalid
from parties.keys.fingerprints import read_public_key, show_public_key
from parties.membership.charter import ROLES, Charter, Member

__all__ = ["read_charter", "write_charter"]

_FIELDS = ("consortium", "version", "previous", "threshold", "members")
_MEMBER_FIELDS = ("key", "address", "roles")
_MOST = 1 << 20  # bytes
_MOST_DOTS = 64  # in a line: the parser's time for a key grows with their square, hours for a.a.a... of a MiB

T = TypeVar("T")


def read_charter(text: bytes | str) -> Charter:
    """The charter in a TOML text in UTF-8. Local, reads nothing else.

    Raises CharterInvalid, which names the member and field: not TOML, a field missing, unknown or of another type, or a
    rule of charter.Charter broken.
    """
    if len(text) > _MOST:
        raise CharterInvalid(f"the charter has more than {_MOST} bytes")
    try:
        given = text.decode("utf-8") if isinstance(text, bytes) else text
        if max(line.count(".") for line in given.split("\n")) > _MOST_DOTS:
            raise CharterInvalid(
                f"the charter has a line with more than {_MOST_DOTS} dots; a member's fields go below it"
            )
        table = tomllib.loads(given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CharterInvalid(f"the charter is not TOML in UTF-8: {str(error)[:200]}") from None
    except ValueError as error:  # a number with too many digits, a date that is none
        raise CharterInvalid(f"the charter has a value that cannot be read: {error}") from None
    _check_fields("the charter", table, _FIELDS)
    members = _take("the charter", table, "members", dict)
    return Charter(
        consortium=_take("the charter", table, "consortium", str),
        version=_take("the charter", table, "version", int),
        previous=_take("the charter", table, "previous", str) if "previous" in table else None,
        threshold=_take("the charter", table, "threshold", int),
        members=tuple(_read_member(name, fields) for name, fields in members.items()),
    )


def write_charter(charter: Charter) -> str:
    """A TOML text that read_charter reads back to an equal charter: a place to begin, for the next version say."""
    lines = [f"consortium = {_quote(charter.consortium)}", f"version = {charter.version}"]
    if charter.previous is not None:
        lines.append(f'previous = "{charter.previous}"')
    lines.append(f"threshold = {charter.threshold}")
    for member in charter.members:
        roles = ", ".join(f'"{role}"' for role in ROLES if role in member.roles)
        lines += ["", f"[members.{member.name}]", f'key = "{show_public_key(member.key)}"', f"roles = [{roles}]"]
        if member.address is not None:
            lines.append(f'address = "{member.address}"')
    return "\n".join(lines) + "\n"


def _read_member(name: str, fields: Any) -> Member:
    where = f"member {name}"
    if not isinstance(fields, dict):
        raise CharterInvalid(f"{where}: a table [members.{name}] with {', '.join(_MEMBER_FIELDS)}")
    _check_fields(where, fields, _MEMBER_FIELDS)
    try:
        key = read_public_key(_take(where, fields, "key", str))
    except KeyInvalid as error:
        raise CharterInvalid(f"{where}, key: {error}") from None
    roles = _take(where, fields, "roles", list)
    if not all(isinstance(role, str) for role in roles) or len(set(roles)) != len(roles):
        raise CharterInvalid(f"{where}, roles: a list of {', '.join(ROLES)}, each once at most")
    address = _take(where, fields, "address", str) if "address" in fields else None
    return Member(name, key, frozenset(roles), address)


def _check_fields(where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for field in table:
        if field not in known:
            raise CharterInvalid(f"{where}: unknown field {field!r}; there are {', '.join(known)}")


def _take(where: str, table: Mapping[str, Any], field: str, kind: type[T]) -> T:
    value = table.get(field)
    if value is None:
        raise CharterInvalid(f"{where}, {field}: missing")
    if type(value) is not kind:  # not isinstance: true is no number here
        named = {str: "a text in quotes", int: "a whole number", list: "a list", dict: "tables [members.NAME]"}[kind]
        raise CharterInvalid(f"{where}, {field}: {named}, not {type(value).__name__}")
    if isinstance(value, int) and value.bit_length() > 63:  # as long a one, in hex say, cannot even be told of
        raise CharterInvalid(f"{where}, {field}: a whole number of at most 63 bits")
    return value


def _quote(text: str) -> str:
    """A TOML basic string of printable characters."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
