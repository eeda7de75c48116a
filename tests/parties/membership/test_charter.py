"""Charters: what they may say, how they are written, and that their bytes do not depend on the hand that wrote them."""

from __future__ import annotations

import contextlib
import random
import re
import string
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parties.errors import CharterInvalid
from parties.keys.fingerprints import show_public_key
from parties.membership.charter import ROLES, Charter, Member
from parties.membership.charter_file import read_charter, write_charter
from tests.parties.consortium import NAMES, charter, identity, member

KEYS = [identity(i).public for i in range(6)]


@st.composite
def charters(draw: Any) -> Charter:
    names = draw(st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), min_size=3, max_size=6,
                          unique=True))  # fmt: skip
    members = []
    for i, name in enumerate(names):
        roles = draw(st.sets(st.sampled_from(ROLES), min_size=1)) | ({"compute"} if i < 3 else set())
        place = draw(st.sampled_from([f"host{i}:1", f"10.0.0.{i}:65535", f"[2001:db8::{i + 1}]:80", f"a_b-{i}.c:7600"]))
        absent = "compute" not in roles and draw(st.booleans())
        members.append(Member(name, KEYS[i], frozenset(roles), None if absent else place))
    version = draw(st.integers(1, 10**6))
    title = draw(st.text(string.ascii_letters + "äöß日本\"\\' #=", min_size=1, max_size=20).map(str.strip).filter(bool))
    return Charter(title, version, None if version == 1 else "ab" * 32, 1, tuple(members))


@given(charter=charters(), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_bytes_depend_on_what_is_said_not_on_how(charter: Charter, seed: int) -> None:
    again = read_charter(write_charter(charter))
    assert again == charter
    assert again.canonical == charter.canonical
    rewritten = read_charter(_rewritten(charter, random.Random(seed)))
    assert rewritten.canonical == charter.canonical
    assert rewritten.digest == charter.digest


def _rewritten(charter: Charter, by: random.Random) -> str:
    """The same, by another hand: other order, spaces, quotes, comments, inline tables, line ends."""

    def line(field: str, value: str) -> str:
        return f"{' ' * by.randrange(3)}{field}{' ' * by.randrange(3)}={' ' * by.randrange(3)}{value}  # {by.random()}"

    def text(value: str) -> str:
        escaped = "".join(f"\\u{ord(c):04x}" if by.random() < 0.3 or c in '"\\' else c for c in value)
        return f"'{value}'" if "'" not in value and by.random() < 0.5 else f'"{escaped}"'

    top = [line("consortium", text(charter.consortium)), line("version", str(charter.version))]
    top.append(line("threshold", f"0x{charter.threshold:x}"))
    if charter.previous is not None:
        top.append(line("previous", text(charter.previous)))
    by.shuffle(top)
    tables = []
    for one in charter.members:
        roles = [text(role) for role in one.roles]
        by.shuffle(roles)
        fields = [("key", text(show_public_key(one.key))), ("roles", f"[{', '.join(roles)},]")]
        if one.address is not None:
            fields.append(("address", text(one.address)))
        by.shuffle(fields)
        tables.append([f'["members" . {one.name}]', *(line(*f) for f in fields), ""])
    by.shuffle(tables)
    end = by.choice(["\n", "\r\n"])
    return end.join([*top, *(row for table in tables for row in table)])


@given(one=charters(), other=charters())
@settings(max_examples=60, deadline=None)
def test_two_charters_have_the_same_bytes_only_if_they_are_equal(one: Charter, other: Charter) -> None:
    assert (one == other) == (one.canonical == other.canonical) == (one.digest == other.digest)


def test_a_change_of_any_field_changes_the_digest() -> None:
    first = charter(threshold=1)
    one = first.members[0]
    others = [
        replace(first, consortium="Bank"),
        replace(first, version=2, previous="0" * 64),
        replace(first, version=3, previous="0" * 64),
        replace(first, version=2, previous="1" + "0" * 63),
        replace(charter(*(member(i) for i in range(5)), threshold=1)),
        replace(charter(*(member(i) for i in range(5)), threshold=2)),
        *(
            replace(first, members=(changed, *first.members[1:]))
            for changed in (
                replace(one, name="alfb"),
                replace(one, key=KEYS[5]),
                replace(one, address="alfa.example:7601"),
                replace(one, roles=frozenset({"compute"})),
            )
        ),
    ]
    assert len({c.digest for c in (first, *others)}) == len(others) + 1


def test_known_bytes() -> None:
    """What is signed, to the byte: a change here breaks every charter in force."""
    said = charter(
        member(2, "compute", address="c:1"), member(0, "compute", address="a:1"), member(1, address="[::1]:1")
    )
    keys = [show_public_key(k) for k in KEYS]
    assert said.canonical.decode() == (
        '{"consortium":"Banks","format":"accord charter 1","members":['
        f'{{"address":"a:1","key":"{keys[0]}","name":"alfa","roles":["compute"]}},'
        f'{{"address":"[::1]:1","key":"{keys[1]}","name":"bravo","roles":["compute","input","result"]}},'
        f'{{"address":"c:1","key":"{keys[2]}","name":"charlie","roles":["compute"]}}],'
        '"previous":null,"threshold":1,"version":1}'
    )
    assert [one.name for one in said.compute] == list(NAMES[:3])


GOOD = write_charter(charter(*(member(i) for i in range(4)), member(4, "input", "result", address=None)))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("version = 1", "version = 0", "version 0"),
        ("version = 1", "version = 2", "previous"),
        ("version = 1", 'version = 1\nprevious = "' + "0" * 64 + '"', "version 1 has none"),
        ("version = 1", 'version = 2\nprevious = "00"', "64 hex"),
        ("version = 1", "version = true", "version: a whole number, not bool"),
        ("version = 1", "version = 1.0", "not float"),
        ("version = 1", "version = " + "9" * 5000, "cannot be read"),
        ("version = 1\n", "", "version: missing"),
        ("threshold = 1", "threshold = 0", "threshold 0: with 4 compute members it is 1 to 1"),
        ("threshold = 1", "threshold = 2", "threshold 2: with 4"),
        ("threshold = 1", "treshold = 1", "unknown field 'treshold'"),
        ('"Banks"', '" Banks"', "consortium"),
        ('"Banks"', '""', "consortium"),
        ('"Banks"', '"Ba\\u0000nks"', "consortium"),
        ('"Banks"', '"Ba\\u0308nks"', "NFC"),
        ('"Banks"', '["Banks"]', "a text in quotes, not list"),
        ("[members.alfa]", "[members.Alfa]", "member 'Alfa'"),
        ("[members.alfa]", '[members."alfa "]', "member 'alfa '"),
        ("[members.alfa]", '[members."alfа"]', "a-z"),  # a Cyrillic letter
        ("[members.alfa]", "[members.bravo]", "not TOML"),
        ("[members.alfa]", "[members]\nzulu = 1\n[members.alfa]", "member zulu: a table"),
        ("alfa.example:7600", "alfa.example", "member alfa, address"),
        ("alfa.example:7600", "Alfa.example:7600", "lower case"),
        ("alfa.example:7600", "alfa..example:7600", "address"),
        ("alfa.example:7600", ":7600", "address"),
        ("alfa.example:7600", "a b:7600", "address"),
        ("alfa.example:7600", "alfa.example:0", "port 1 to"),
        ("alfa.example:7600", "alfa.example:07600", "port 1 to"),
        ("alfa.example:7600", "alfa.example:65536", "port 1 to"),
        ("alfa.example:7600", "alfa.example:7600٣", "port 1 to"),
        ("alfa.example:7600", "10.0.0.256:1", "IPv4"),
        ("alfa.example:7600", "10.0.0.01:1", "IPv4"),
        ("alfa.example:7600", "[::0]:1", "short form"),
        ("alfa.example:7600", "[fe80::1%eth0]:1", "brackets"),
        ("alfa.example:7600", "bravo.example:7600", "members alfa and bravo have the same address"),
        (show_public_key(KEYS[0]), show_public_key(KEYS[1]), "members alfa and bravo have the same key"),
        (show_public_key(KEYS[0]), "ed25519:" + "0" * 64, "member alfa, key"),
        (show_public_key(KEYS[0]), "rsa:00", "member alfa, key"),
        ('roles = ["input", "result"]', "roles = []", "member echo, roles"),
        ('roles = ["input", "result"]', 'roles = ["input", "input"]', "each once"),
        ('roles = ["input", "result"]', 'roles = ["input", 1]', "member echo, roles"),
        ('roles = ["input", "result"]', 'roles = ["admin"]', "member echo, roles"),
        ('roles = ["input", "result"]', 'roles = ["compute"]', "member echo, address: missing"),
        ('roles = ["input", "result"]', 'roles = ["input"]\nport = 1', "member echo: unknown field 'port'"),
    ],
)  # fmt: skip
def test_a_rule_broken_is_named_with_member_and_field(old: str, new: str, says: str) -> None:
    read_charter(GOOD)
    assert old in GOOD
    with pytest.raises(CharterInvalid, match=re.escape(says)):
        read_charter(GOOD.replace(old, new, 1))


def test_too_few_compute_parties_or_too_many_components() -> None:
    with pytest.raises(CharterInvalid, match="2 members have the role compute"):
        charter(member(0), member(1), member(2, "input"))
    many = tuple(Member(f"m{i}", identity(i).public, frozenset({"compute"}), f"h{i}:1") for i in range(11))
    with pytest.raises(CharterInvalid, match=r"threshold 5.*components"):
        charter(*many, threshold=5)
    assert charter(*many, threshold=2).threshold == 2


@given(at=st.integers(0, len(GOOD) - 1), junk=st.binary(max_size=4), cut=st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_rubbish_is_refused_by_name(at: int, junk: bytes, cut: int) -> None:
    raw = GOOD.encode()
    with contextlib.suppress(CharterInvalid):
        read_charter(raw[:at] + junk + raw[at + cut :])


@pytest.mark.parametrize(
    "rubbish", [b"\xff\xfe", b"a=" + b"[" * 100_000, b"x" * (1 << 20) + b"y", b"", b"a = 2026-99-99"]
)
def test_what_is_no_charter_at_all(rubbish: bytes) -> None:
    with pytest.raises(CharterInvalid):
        read_charter(rubbish)


@pytest.mark.parametrize(
    "key", ["a" + ".a" * 500_000, '"a"' + '."a"' * 200_000, "[" + "a." * 500_000 + "a]\nb", "a" + " . a" * 200_000]
)
def test_a_key_of_many_parts_is_refused_before_it_is_parsed(key: str) -> None:
    """A charter comes from other members and in receipts, and the parser would take hours for one line."""
    with pytest.raises(CharterInvalid, match="a line with more than 64 dots"):
        read_charter(f"{key} = 1\n")
