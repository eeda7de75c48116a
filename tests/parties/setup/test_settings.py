"""node.toml: what it says, what holds if it says nothing, and what is refused with the field's name."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.errors import SettingsInvalid
from parties.keys.fingerprints import show_public_key
from parties.setup.listening import Listening
from parties.setup.settings import NodeSettings, default_settings, read_settings
from parties.setup.settings_text import write_settings
from tests.parties.consortium import identity

ANN = show_public_key(identity(7).public)


def test_an_empty_file_will_do() -> None:
    settings = read_settings("", 7700)
    assert settings == default_settings(7700)
    assert str(settings.bind) == "*:7700"
    assert settings.bind.interface is None
    assert str(settings.people_address) == "127.0.0.1:8700"
    assert settings.worker_ports == range(7701, 7717)
    assert (settings.lanes, settings.identity, dict(settings.people)) == (2, None, {})


@pytest.mark.parametrize("port", [1, 7600, 64535, 64536, 65519, 65520, 65535])
def test_the_defaults_are_ports_wherever_the_member_listens(port: int) -> None:
    settings = read_settings(write_settings(default_settings(port), port), port)
    assert settings == default_settings(port)
    assert settings.worker_ports is not None
    assert 1 <= settings.worker_ports.start < settings.worker_ports.stop <= 65536
    assert port not in settings.worker_ports


def test_everything_said() -> None:
    settings = read_settings(
        f'bind = "[::1]:9000"\npeople_address = "localhost:9001"\nworker_ports = "any"\nlanes = 3\nheartbeat = 1\n'
        f'silence = 2.5\nstart_deadline = 60\nrtt = 50\nidentity = "/run/secrets/key"\npassphrase_file = "pass"\n'
        f'[limits]\njobs = 5\ndealt_bytes = 1048576\nmemory = 268435456\nanswer_days = 90\n[people]\nann = "{ANN}"\n'
    )
    assert settings == NodeSettings(
        bind=Listening("::1", 9000),
        people_address=Listening("localhost", 9001),
        worker_ports=None,
        lanes=3,
        heartbeat=1.0,
        silence=2.5,
        start_deadline=60.0,
        most_jobs=5,
        most_dealt_bytes=1 << 20,
        most_memory=1 << 28,
        most_answer_days=90,
        rtt=50.0,
        identity=Path("/run/secrets/key"),
        passphrase_file=Path("pass"),
        people={"ann": identity(7).public},
    )
    assert str(settings.bind) == "[::1]:9000"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lanes", "not TOML"),
        ("lane = 2", "lane: unknown field; there are bind"),
        ("[limits]\nrows = 2", "limits.rows: unknown field; there are jobs"),
        ("limits = 3", r"limits: a table \[limits\]"),
        ("lanes = 0", "lanes: a whole number from 1 to 16"),
        ("lanes = true", "lanes: a whole"),
        ("lanes = 2.0", "lanes: a whole"),
        ("heartbeat = nan", "heartbeat: a number"),
        ("heartbeat = true", "heartbeat: a number"),
        ('heartbeat = "1"', "heartbeat: a number"),
        ("heartbeat = 1", "silence: 1.5 s, but with a heartbeat of 1 s .* at least 2"),
        ("bind = 7600", "bind: a text"),
        ('bind = ""', "bind: a text"),
        ('bind = "7600"', "bind '7600': write host:port"),
        ('bind = "*:0"', "bind"),
        ('bind = "*:65536"', "bind"),
        ('bind = "256.0.0.1:1"', "bind"),
        ('bind = "::1:7600"', "bind"),
        ('bind = "[fe80::1%eth0]:7600"', "bind"),
        ('bind = "[]:7600"', "bind"),
        ('people_address = "127.0.0.1:7600"', "people_address: port 7600 is the one of bind"),
        ('worker_ports = "7610-7601"', "worker_ports '7610-7601': write"),
        ('worker_ports = "1-65536"', "worker_ports"),
        ('worker_ports = "7600-7610"', "port 7600 is the one of bind"),
        ('worker_ports = "8590-8610"', "port 8600 is the one of people_address"),
        ('worker_ports = "7601-7602"\nlanes = 3', "worker_ports: 2 of them, but each of 3 lanes"),
        ("identity = 1", "identity: a text"),
        ('identity = "a\\u0000"', "identity: a path in printable"),
        ("[limits]\njobs = 0", "limits.jobs: a whole number from 1"),
        ("[limits]\nmemory = 1", "limits.memory: a whole"),
        ('[people]\nAnn = "x"', "people.Ann: a name has"),
        ('[people]\nann = "ed25519:00"', "people.ann: a public key is written"),
        ("[people]\nann = 1", "people.ann: a public key is written"),
        (f'[people]\nann = "{ANN}"\nbob = "{ANN}"', "people.bob: its key is another person's"),
    ],
)
def test_what_is_wrong_is_named(text: str, says: str) -> None:
    with pytest.raises(SettingsInvalid, match=says):
        read_settings(text)


def test_a_file_that_is_too_large_or_no_text() -> None:
    for text in (b"#" * ((1 << 20) + 1), b"\xff", "a = " + "[" * 100_000, "a = " + "9" * 5000):
        with pytest.raises(SettingsInvalid):
            read_settings(text)


hosts = st.sampled_from(["*", "127.0.0.1", "::1", "localhost", "node.alfa.example"])
paths = st.none() | st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).map(Path)
seconds = st.floats(0.5, 60, allow_nan=False)


@st.composite
def any_settings(draw: st.DrawFn) -> NodeSettings:
    low = draw(st.integers(9000, 9100))
    people = draw(st.dictionaries(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True),
                                  st.just(b""), max_size=3))  # fmt: skip
    return NodeSettings(
        bind=Listening(draw(hosts), draw(st.integers(1, 4000))),
        people_address=Listening(draw(hosts), draw(st.integers(4001, 8000))),
        worker_ports=draw(st.none() | st.just(range(low, low + draw(st.integers(16, 100))))),
        lanes=draw(st.integers(1, 16)),
        heartbeat=draw(st.floats(0.01, 0.25)),
        silence=draw(seconds),
        start_deadline=draw(st.floats(1, 3600)),
        most_jobs=draw(st.integers(1, 10**6)),
        most_dealt_bytes=draw(st.integers(1 << 20, 1 << 50)),
        most_memory=draw(st.none() | st.integers(1 << 28, 1 << 50)),
        most_answer_days=draw(st.none() | st.integers(1, 36_500)),
        rtt=draw(st.floats(0, 1000)),
        identity=draw(paths),
        passphrase_file=draw(paths),
        people=MappingProxyType({name: identity(i + 1).public for i, name in enumerate(people)}),
    )


@given(any_settings(), st.integers(1, 65535))
def test_what_is_written_is_read_back(settings: NodeSettings, port: int) -> None:
    assert read_settings(write_settings(settings, port), port) == settings


toml = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "bind",
    "people_address",
    "worker_ports",
    "lanes",
    "heartbeat",
    "silence",
    "rtt",
    "identity",
    "limits",
    "people",
]


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    if isinstance(value, str):
        return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in value) + '"'
    return str(value).lower()


@given(st.dictionaries(st.sampled_from(FIELDS), toml, max_size=4))
def test_any_value_is_taken_or_refused_by_name(fields: dict[str, Any]) -> None:
    try:
        read_settings("\n".join(f"{name} = {_toml(value)}" for name, value in fields.items()))
    except SettingsInvalid as error:
        assert any(name in str(error) for name in fields) or "TOML" in str(error)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_bytes_are_settings_or_refused(text: bytes | str) -> None:
    with contextlib.suppress(SettingsInvalid):
        read_settings(text)
