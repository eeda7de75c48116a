"""Charters on disk: what comes into force, what is signed once only, and what a crash or a changed file does to it."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.disk.locking import held
from parties.errors import (
    CharterDamaged,
    CharterInvalid,
    CharterMissing,
    CharterNotInForce,
    FileUnusable,
    SignatureInvalid,
)
from parties.membership import charter_store
from parties.membership.charter import Charter
from parties.membership.charter_bundle import Bundle, SignedCharter, read_bundle, write_bundle
from parties.membership.charter_disk import read_kept
from parties.membership.charter_store import CharterStore
from parties.membership.signatures import Signatures
from parties.setup.home import Home
from tests.parties.consortium import charter, identity, member, signed

ONE = charter()
FOUR = tuple(member(i) for i in range(4))
TWO = charter(*FOUR, before=ONE)
OTHER_TWO = charter(*FOUR[:3], member(4), before=ONE)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "node")


def founded(home: Home, *charters: Charter) -> CharterStore:
    """Of member 0, with these in force, signed here."""
    store = CharterStore(home)
    for one in charters or (ONE,):
        store.propose(one)
        store.sign(one.digest, identity(0))
        store.merge(signed(one, *range(len(one.members))))
        assert store.adopt() == [one]
    return store


def test_from_a_proposal_to_a_charter_in_force(home: Home) -> None:
    store = CharterStore(home)
    assert (store.chain, store.proposals) == ((), ())
    assert not home.directory.exists()  # reading makes nothing
    with pytest.raises(CharterMissing, match="accord join"):
        _ = store.current
    store.propose(ONE)
    store.propose(ONE)
    assert store.sign(ONE.digest, identity(0)) == signed(ONE, 0)
    assert store.adopt() == []
    store.merge(signed(ONE, 1))
    assert [p.signed for p in store.proposals] == [True]
    assert CharterStore(home).proposals == store.proposals
    store.merge(signed(ONE, 2))
    assert store.adopt() == [ONE]
    assert store.current == ONE
    assert store.proposals == ()
    assert CharterStore(home).chain == (ONE,)
    assert sorted(p.name for p in home.charter.iterdir()) == [
        "0001.sig.json",
        "0001.toml",
        "lock",
        "proposed",
        "signed",
    ]
    assert list((home.charter / "proposed").iterdir()) == []
    store.propose(ONE)  # no news
    store.merge(signed(ONE, 1))
    assert store.proposals == ()
    assert store.adopt() == []


def test_a_chain_of_versions(home: Home) -> None:
    store = founded(home, ONE, TWO)
    assert CharterStore(home).chain == (ONE, TWO)
    three = charter(*FOUR[:3], before=TWO)
    store.propose(three)
    store.merge(signed(three, 0, 1, 2))  # who leaves need not sign; nor has member 0 signed it here
    assert store.adopt() == [three]


def test_what_does_not_follow_is_refused(home: Home) -> None:
    store = founded(home)
    for other in (charter(*FOUR), charter(before=TWO), charter(*FOUR, before=charter(*FOUR))):
        with pytest.raises(CharterNotInForce, match="follow"):
            store.propose(other)
    assert store.proposals == ()


def test_two_of_one_version_are_not_both_signed(home: Home) -> None:
    store = founded(home)
    for one in (TWO, OTHER_TWO):
        store.propose(one)
    store.sign(TWO.digest, identity(0))
    assert store.sign(TWO.digest, identity(0)) == signed(TWO, 0)
    with pytest.raises(CharterNotInForce, match="Withdraw"):
        store.sign(OTHER_TWO.digest, identity(0))
    again = CharterStore(home)
    with pytest.raises(CharterNotInForce, match="Withdraw"):
        again.sign(OTHER_TWO.digest, identity(0))
    again.withdraw(TWO.digest)
    again.sign(OTHER_TWO.digest, identity(0))
    with pytest.raises(CharterNotInForce, match="Withdraw"):  # to take the withdrawal back now would be both
        again.sign(TWO.digest, identity(0))
    again.merge(signed(TWO, 1, 2, 3))
    assert again.adopt() == []  # everybody signed it, but this node said it would not act on it
    again.merge(signed(OTHER_TWO, 1, 2, 4))
    assert again.adopt() == [OTHER_TWO]
    assert again.proposals == ()


def test_a_withdrawal_is_taken_back_by_signing_again(home: Home) -> None:
    store = founded(home)
    store.propose(TWO)
    store.sign(TWO.digest, identity(0))
    store.withdraw(TWO.digest[:8])
    store.withdraw(TWO.digest)
    assert [p.withdrawn for p in CharterStore(home).proposals] == [True]
    bundle = Bundle((SignedCharter(ONE, signed(ONE, 0, 1, 2)), SignedCharter(TWO, signed(TWO, 0, 1, 2, 3))))
    with pytest.raises(CharterNotInForce, match=f"accord charter sign {TWO.digest[:16]}"):
        store.take(bundle)
    assert store.current == ONE
    store.sign(TWO.digest, identity(0))
    assert store.adopt() == [TWO]


def test_only_a_member_signs(home: Home) -> None:
    store = CharterStore(home)
    store.propose(ONE)
    with pytest.raises(CharterNotInForce, match="not named"):
        store.sign(ONE.digest, identity(5))
    assert not (home.charter / "signed").exists()


def test_a_bad_signature_is_refused_and_none_of_its_file_kept(home: Home) -> None:
    store = CharterStore(home)
    store.propose(ONE)
    good = signed(ONE, 1)
    bad = Signatures(ONE.digest, {**good.by, identity(2).fingerprint: bytes(64)})
    for wrong in (bad, Signatures(ONE.digest, {identity(5).fingerprint: bytes(64)})):
        with pytest.raises(SignatureInvalid):
            store.merge(wrong)
    assert dict(store.proposals[0].signatures.by) == {}
    with pytest.raises(CharterMissing):
        store.merge(signed(TWO, 1))


def test_a_proposal_is_found_by_its_first_digits(home: Home) -> None:
    store = CharterStore(home)
    store.propose(ONE)
    assert store.find(ONE.digest[:8]).charter == ONE
    for digits in (ONE.digest[:7], "", "0" * 64):
        with pytest.raises(CharterMissing, match=ONE.digest[:16]):
            store.find(digits)


# -- from member to member ---------------------------------------------------------------------


def test_a_new_member_takes_the_whole_chain(home: Home, tmp_path: Path) -> None:
    old = founded(home)
    old.propose(TWO)
    old.sign(TWO.digest, identity(0))
    new = CharterStore(Home(tmp_path / "delta"))
    assert new.take(read_bundle(write_bundle(old.bundle()))) == [ONE]
    new.sign(TWO.digest, identity(3))
    assert old.take(read_bundle(write_bundle(new.bundle()))) == []
    old.merge(signed(TWO, 1, 2))
    assert old.adopt() == [TWO]
    assert new.take(old.bundle()) == [TWO]
    assert new.chain == old.chain == (ONE, TWO)
    assert new.take(old.bundle()) == []


def test_another_consortiums_chain_is_refused(home: Home, tmp_path: Path) -> None:
    store = founded(home)
    other = founded(Home(tmp_path / "other"), charter(title="Hospitals"))
    with pytest.raises(CharterNotInForce, match="another consortium"):
        store.take(other.bundle())
    gap = Bundle(founded(Home(tmp_path / "more"), ONE, TWO).bundle().chain[1:])
    with pytest.raises(CharterNotInForce, match="get that first"):
        CharterStore(Home(tmp_path / "empty")).take(gap)
    unsigned = Bundle((SignedCharter(ONE, signed(ONE, 0, 1)),))
    with pytest.raises(CharterNotInForce, match="not signed by charlie"):
        CharterStore(Home(tmp_path / "empty")).take(unsigned)
    overtaken = Bundle((), (SignedCharter(charter(title="Hospitals"), Signatures("0" * 64)),))
    assert store.take(overtaken) == []


def test_a_title_that_is_not_ascii_travels() -> None:
    one = charter(title="Bänke “Nord” \\ 東")
    assert read_bundle(write_bundle(Bundle((), (SignedCharter(one, signed(one, 0)),)))).proposals[0].charter == one


def test_rubbish_is_no_bundle() -> None:
    good = write_bundle(Bundle((SignedCharter(ONE, signed(ONE, 0)),)))
    wrong = [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        good.replace(b"charters 1", b"charters 2"),
        good + b" " * (1 << 20),
    ]
    wrong += [good.replace(b'"chain"', b'"chains"'), good.replace(b"consortium", b"consortia")]
    wrong += [good.replace(b'"charter":', b'"chart":'), b'{"chain": 1, "format": "accord charters 1", "proposals": []}']
    for content in wrong:
        with pytest.raises(CharterInvalid):
            read_bundle(content)


@given(st.data())
def test_any_file_is_a_bundle_or_refused(data: st.DataObject) -> None:
    """A good one with some bytes changed, put in or cut out."""
    content = bytearray(write_bundle(Bundle((SignedCharter(ONE, signed(ONE, 0)),), (SignedCharter(TWO, signed(TWO)),))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        put = data.draw(st.binary(max_size=3) | st.sampled_from([rb"\ud800", b"null", b"{}", b"1e999", b"[]"]))
        content[at : at + data.draw(st.integers(0, 40))] = put
    with contextlib.suppress(CharterInvalid):
        read_bundle(bytes(content))


# -- the disk ----------------------------------------------------------------------------------


class Crash(Exception):
    """The process ends here."""


@pytest.fixture
def crash_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """The process ends after n more changes of the disk."""
    write, remove = charter_store.write_atomically, charter_store.remove
    left = 10**9

    def at(n: int) -> None:
        nonlocal left
        left = n

    def counted(change: Callable[..., None]) -> Callable[..., None]:
        def changed(*args: object, **kwargs: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            change(*args, **kwargs)

        return changed

    monkeypatch.setattr(charter_store, "write_atomically", counted(write))
    monkeypatch.setattr(charter_store, "remove", counted(remove))
    yield at


def sign(store: CharterStore) -> None:
    store.sign(TWO.digest, identity(0))


def sign_again(store: CharterStore) -> None:
    store.sign(TWO.digest, identity(0))
    store.withdraw(TWO.digest)
    store.sign(TWO.digest, identity(0))


def adopt(store: CharterStore) -> None:
    if store.current == ONE:
        store.sign(TWO.digest, identity(0))
        store.merge(signed(TWO, 1, 2, 3))
    store.adopt()  # the other proposal is overtaken, and goes


def take(store: CharterStore) -> None:
    three = charter(*FOUR[:3], before=TWO)
    chain = tuple(SignedCharter(c, signed(c, *range(len(c.members)))) for c in (ONE, TWO, three))
    store.take(Bundle(chain))


@pytest.mark.parametrize("work", [sign, sign_again, adopt, take])
def test_after_a_crash_at_any_write_the_same_again_finishes(
    tmp_path: Path, crash_at: Callable[[int], None], work: Callable[[CharterStore], None]
) -> None:
    begun = founded(Home(tmp_path / "begun"))
    for proposal in (TWO, OTHER_TWO):
        begun.propose(proposal)

    def begin(name: str) -> Home:
        crash_at(10**9)
        shutil.copytree(tmp_path / "begun", tmp_path / name)
        return Home(tmp_path / name)

    whole = begin("whole")
    work(CharterStore(whole))
    for n in itertools.count():
        home = begin(str(n))
        crash_at(n)
        try:
            work(CharterStore(home))
            break
        except Crash:
            pass
        crash_at(10**9)
        after = CharterStore(home)  # what is there is consistent
        for p in after.proposals:  # no signature was made here that is not noted
            assert work is take or p.signed or identity(0).fingerprint not in p.signatures.by
        work(after)
        assert read_kept(home.charter) == read_kept(whole.charter)
        assert _files(home) == _files(whole)
    assert n >= 2


def _files(home: Home) -> set[str]:
    return {str(p.relative_to(home.charter)) for p in home.charter.rglob("*") if p.is_file()}


CHANGES: dict[str, tuple[str, Callable[[bytes], bytes | None]]] = {
    "another threshold": ("0001.toml", lambda text: text.replace(b"Banks", b"Tanks")),
    "no TOML": ("0002.toml", lambda text: b"x"),
    "a text that is gone": ("0001.toml", lambda text: None),
    "signatures that are gone": ("0002.sig.json", lambda text: None),
    "a signature less": ("0001.sig.json", lambda text: text.replace(b"signatures 1", b"signatures 2")),
    "another version's signatures": ("0001.sig.json", lambda text: text.replace(ONE.digest.encode(), b"0" * 64)),
    "a signed text": (f"signed/{ONE.digest}.toml", lambda text: text.replace(b"7600", b"7601")),
    "a proposal": ("proposed/DIGEST.toml", lambda text: text.replace(b"7600", b"7601")),
    "a proposal's signatures": ("proposed/DIGEST.sig.json", lambda text: text[:-30] + b"0" + text[-29:]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_named_with_the_way_out(home: Home, change: str) -> None:
    store = founded(home, ONE, TWO)
    three = charter(*FOUR[:3], before=TWO)
    store.propose(three)
    store.sign(three.digest, identity(0))
    name, edit = CHANGES[change]
    path = home.charter / name.replace("DIGEST", three.digest)
    edited = edit(path.read_bytes())
    assert edited != path.read_bytes()
    if edited is None:
        path.unlink()
    else:
        path.write_bytes(edited)
    for act in (lambda: CharterStore(home), store.adopt):
        with pytest.raises(CharterDamaged, match=f"(?s){path.name.split('.')[0]}.*accord charter export"):
            act()


def test_what_a_crash_left_beside_is_not_read(home: Home) -> None:
    store = founded(home)
    for name in (".0002.toml.12ab", "proposed/.x.toml.12ab", "0002.sig.json"):
        (home.charter / name).write_bytes(b"half")
    store.reload()
    assert store.chain == (ONE,)
    store.propose(TWO)
    store.sign(TWO.digest, identity(0))
    store.merge(signed(TWO, 1, 2, 3))
    assert store.adopt() == [TWO]


def test_one_process_writes_at_a_time(home: Home) -> None:
    founded(home)
    times = iter([0.0, 1.0, 5.0])
    waiting = CharterStore(home, monotonic=lambda: next(times))
    holder = os.open(home.charter / "lock", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(FileUnusable, match="another process has held"):
        waiting.propose(TWO)
    assert next(times, None) is None
    os.close(holder)
    CharterStore(home).propose(TWO)


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    times = iter([0.0, 5.0])
    again = held(tmp_path / "lock", lambda: next(times))
    with held(tmp_path / "lock"), pytest.raises(FileUnusable, match="another process"), again:
        pass
    with held(tmp_path / "lock"):
        pass
    with pytest.raises(FileUnusable, match="cannot be opened"), held(tmp_path / "none" / "lock"):
        pass


def test_two_that_are_open_see_each_others_changes(home: Home) -> None:
    a, b = founded(home), CharterStore(home)
    a.propose(TWO)
    a.sign(TWO.digest, identity(0))
    assert b.proposals == ()
    b.propose(OTHER_TWO)
    with pytest.raises(CharterNotInForce, match="Withdraw"):
        b.sign(OTHER_TWO.digest, identity(0))
    a.merge(signed(TWO, 1, 2, 3))
    a.adopt()
    b.reload()
    assert b.current == TWO


def test_a_disk_that_fails_is_a_named_error(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = founded(home)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(FileUnusable, match="No space left"):
            store.propose(TWO)
    assert store.current == ONE
    store.propose(TWO)
