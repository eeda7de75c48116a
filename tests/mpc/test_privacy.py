"""No coalition of t parties learns anything from what it sees; and these tests do find a leak.

How a coalition's view is tested: see views.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mpc import MemoryCluster, Party, aes, aes_field, arithmetic, bits, concatenate, exchange, grouping, where
from mpc.arrays import SecretArray, SecretBits
from mpc.convert import gate
from mpc.decompose import to_bits
from mpc.errors import LabelReused
from mpc.party import Scope, current_scope
from mpc.prss import Prss, Stream
from mpc.sharing import default_threshold
from mpc.transport import Frame
from mpc.truncate import sum_and_round, truncate
from tests.mpc.helpers import LARGEST, each_m
from tests.mpc.views import (
    CoalitionCluster,
    bit_columns,
    coalitions,
    histograms,
    homogeneity,
    nibbles,
    positions,
    relations,
    uniform,
    uniformity,
)


def sparse(every: Sequence[tuple[Any, ...]], step: int) -> list[Any]:
    """Each ``step``-th in `make test`, the others in `make test-all`."""
    return [one if i % step == 0 else pytest.param(*one, marks=pytest.mark.slow) for i, one in enumerate(every)]


ALL = [(m, c) for m in (3, 4, 5) for c in coalitions(m, default_threshold(m))]
each_coalition = pytest.mark.parametrize(
    ("m", "coalition"), [*(one for one in ALL if one[0] < 5), *sparse([one for one in ALL if one[0] == 5], 3)], ids=str
)
Body = Callable[[Party, SecretArray, SecretArray], Any]


async def _deal_bits(party: Party, x: SecretArray, values: Any, owner: int) -> SecretBits:
    words = bits.pack(values > 0) if party.index == owner else None
    share = await exchange.deal(party, words, owner, (bits.plane_words(values.size),), boolean=True)
    return SecretBits(party, share, x.shape)


async def _input(party: Party, x: SecretArray, y: SecretArray) -> None:
    """Nothing after the input."""


async def _mul(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x * y)


async def _square(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x * x)


async def _matmul(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x.reshape(-1, 2) @ y.reshape(-1, 2)[:2])


async def _outer(party: Party, x: SecretArray, y: SecretArray) -> None:
    await arithmetic.outer(party, x.share[:, None], np.stack([x.share, y.share], axis=1))


async def _group(party: Party, x: SecretArray, y: SecretArray) -> None:
    await grouping.sums(party, await to_bits(party, x.share, 2), None, y.share[:, None], 3)


async def _spread(party: Party, x: SecretArray, y: SecretArray) -> None:
    await grouping.spread(party, await to_bits(party, x.share, 2), None, y.share[:, :3], x.size)


async def _less(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x < y)


async def _equal(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x == y)


async def _truncate(party: Party, x: SecretArray, y: SecretArray) -> None:
    await truncate(party, x.share, 16)
    await truncate(party, x.share, 20)


async def _product(party: Party, x: SecretArray, y: SecretArray) -> None:
    for f in (16, 20):
        part = arithmetic.part_of(party, x.share, y.share, x.shape)
        await sum_and_round(party, part, x.shape, f)


async def _gate(party: Party, x: SecretArray, y: SecretArray) -> None:
    """Packed bits that follow from x and y: their components, read as those of an XOR-sharing."""
    width = bits.plane_words(x.shape[0])
    await gate(party, x.share[:, :width].copy(), x.share, y.share[:, :width].copy(), 3)


async def _reveal_to_others(party: Party, x: SecretArray, y: SecretArray) -> None:
    """To honest parties only: see run_case."""


async def _random_bits(party: Party, x: SecretArray, y: SecretArray) -> None:
    await party.random_bits((512,))
    await party.random_integers((64,), 7)


async def _inject(party: Party, x: SecretArray, y: SecretArray) -> None:
    """Of bits that were dealt, x < 0 of a value only the owner of x knows: see run_case."""


async def _twice(party: Party, x: SecretArray, y: SecretArray) -> None:
    await (x * x)
    await (x * x)


def _blocks(x: SecretArray, y: SecretArray) -> Any:
    """Planes of blocks that follow from x and y: their components, read as those of an XOR-sharing."""
    return aes.to_planes(np.stack([x.share, y.share], axis=-1))


async def _sbox(party: Party, x: SecretArray, y: SecretArray) -> None:
    """One round of AES for all 16 bytes; the whole cipher has a test of its own."""
    await aes.invert(party, _blocks(x, y), aes_field.round_layer())


CASES: dict[str, Body] = {
    "outer": _outer, "group": _group, "spread": _spread,
    "input": _input, "mul": _mul, "square": _square, "matmul": _matmul, "less": _less, "equal": _equal,
    "truncate": _truncate, "product": _product, "gate": _gate,
    "reveal to others": _reveal_to_others, "random bits": _random_bits, "inject": _inject,
    "sbox": _sbox,
}  # fmt: skip


def run_case(cluster: CoalitionCluster, name: str, secret: Any, known: Any) -> list[Frame]:
    """The coalition's view: x is the secret of an honest party, y the coalition's own."""
    honest = [i for i in range(cluster.m) if i not in cluster.coalition]

    async def program(party: Party) -> None:
        x = await party.input(secret, owner=honest[0])
        y = await party.input(known, owner=cluster.coalition[0])
        if name == "inject":
            await (await _deal_bits(party, x, secret, honest[0])).to_array()
        elif name == "reveal to others":
            await party.reveal(x * y, to=honest)
            await party.reveal(x, to=honest[-1])
        else:
            await {**CASES, "twice": _twice}[name](party, x, y)

    cluster.run(program)
    view = cluster.view()
    return view


def leaks(p_values: Any) -> bool:
    """Bonferroni: an honest protocol fails one in 10^6 times; the seeds are fixed, so it does so always or never."""
    return bool(p_values.min() < 1e-6 / p_values.size)


def columns_of(secret: Any) -> list[int]:
    """The bits of the inputs themselves; the upper two bits of a number in range are both its sign."""
    flags = np.unpackbits(secret.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return [int.from_bytes(np.packbits(flags[:, j], bitorder="little").tobytes(), "little") for j in (*range(62), 63)]


def flaws(m: int, coalition: tuple[int, ...], name: str, n: int, plant: Callable[[CoalitionCluster], None]) -> set[str]:
    """What is wrong with the coalition's view, if anything."""

    def view_of(secret: Any, seed: int) -> list[Frame]:
        cluster = CoalitionCluster(m, coalition, seed=seed)
        plant(cluster)
        return run_case(cluster, name, secret, np.full(n, 5))

    found = set()
    views = [view_of(np.full(n, value), seed) for seed, value in enumerate((0, -LARGEST, 5))]
    if any(leaks(uniformity(view)) for view in views):
        found.add("not uniform")
    if any(leaks(homogeneity(views[0], view)) for view in views[1:]):
        found.add("depends on the input")
    secret = np.random.default_rng(1).integers(-LARGEST, LARGEST, n)
    whole = [f for f in view_of(secret, 9) if len(f.payload) % (n // 8) == 0]
    columns = bit_columns(whole, n) + columns_of(secret)
    assert len(columns) < n
    if relations(columns, n):
        found.add("linear relation")
    return found


def nothing(cluster: CoalitionCluster) -> None:
    """No leak planted."""


@pytest.mark.parametrize("name", CASES)
@each_coalition
def test_a_coalition_sees_only_uniform_frames(m: int, coalition: tuple[int, ...], name: str) -> None:
    assert flaws(m, coalition, name, 4096, nothing) == set()


@pytest.mark.parametrize(("m", "coalition"), [(3, (1,)), (4, (0,)), (5, (1, 3))], ids=str)
def test_a_coalition_sees_only_uniform_frames_of_the_whole_cipher(m: int, coalition: tuple[int, ...]) -> None:
    """Its round keys among them. Too many bits for the search for linear relations."""
    honest = next(i for i in range(m) if i not in coalition)

    def view_of(value: int) -> list[Frame]:
        cluster = CoalitionCluster(m, coalition, seed=value % 7)

        async def program(party: Party) -> None:
            x = await party.input(np.full(2048, value), owner=honest)
            y = await party.input(np.full(2048, 5), owner=coalition[0])
            await aes.encrypt(party, np.ascontiguousarray(x.share[:, :2]), _blocks(x, y))

        cluster.run(program)
        return cluster.view()

    one, two = view_of(0), view_of(-LARGEST)
    assert len(one) >= 80  # 40 of blocks, 40 of round keys
    assert not any(leaks(uniformity(view)) for view in (one, two))
    assert not leaks(homogeneity(one, two))


@pytest.mark.parametrize("name", ["input", "mul", "inject"])
@pytest.mark.parametrize(("coalition",), sparse([(one,) for one in coalitions(7, 3)], 7), ids=str)
def test_a_coalition_of_seven_sees_only_uniform_frames(coalition: tuple[int, ...], name: str) -> None:
    assert flaws(7, coalition, name, 2048, nothing) == set()


@pytest.mark.parametrize("name", ["mul", "less", "equal", "inject", "truncate", "product", "gate"])
@pytest.mark.parametrize("coalition", coalitions(3, 1), ids=str)
def test_every_party_in_every_role_of_a_chunk(coalition: tuple[int, ...], name: str) -> None:
    """Over three chunks each party has been dealer, follower and predecessor."""
    assert flaws(3, coalition, name, 3 * 4096, nothing) == set()


# -- planted leaks: the tests above must find them ---------------------------------------------


def unmask(kind: str) -> Callable[[CoalitionCluster], None]:
    """The coalition knows all streams of one kind, as if the masks had been left out."""

    def plant(cluster: CoalitionCluster) -> None:
        cluster.expose = lambda k, holders: k == kind

    return plant


@pytest.mark.parametrize(
    ("m", "name", "kind"),
    [
        (3, "input", "component"), (3, "mul", "pair"), (3, "square", "pair"), (3, "matmul", "pair"),
        (3, "outer", "pair"), (5, "outer", "pair"),
        (3, "less", "component"), (3, "equal", "component"), (3, "inject", "component"), (3, "truncate", "component"),
        (3, "product", "component"), (3, "product", "pair"), (3, "gate", "component"),
        (4, "square", "pair"), (4, "less", "component"), (5, "mul", "pair"), (5, "mul", "component"),
        (5, "inject", "component"), (4, "sbox", "pair"), (5, "sbox", "component"),
    ],
)  # fmt: skip
def test_a_mask_left_out_is_found(m: int, name: str, kind: str) -> None:
    found = [flaws(m, c, name, 2048, unmask(kind)) for c in coalitions(m, default_threshold(m))]
    assert any(f >= {"not uniform", "depends on the input"} for f in found)


@pytest.mark.parametrize(("m", "name"), [(3, "less"), (3, "equal"), (3, "sbox"), (4, "mul"), (5, "less")])
def test_an_unmasked_product_of_random_bits_is_found(m: int, name: str) -> None:
    """Here the factors are random, so the product does not follow the inputs; but it is not uniform."""
    found = [flaws(m, c, name, 2048, unmask("pair")) for c in coalitions(m, default_threshold(m))]
    assert any("not uniform" in f for f in found)


@pytest.mark.parametrize("bit", [0, 5, 63])
def test_a_single_bit_left_unmasked_is_found(bit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    words = Stream.words
    keep = np.uint64((1 << 64) - 1 ^ ((2 << bit) - 1)) if bit < 63 else np.uint64((1 << 63) - 1)

    def weak(self: Stream, label: bytes, n: int) -> Any:
        return words(self, label, n) & keep

    monkeypatch.setattr(Stream, "words", weak)
    assert all(flaws(3, c, "mul", 1024, nothing) for c in coalitions(3, 1))


def test_a_mask_used_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams that do not depend on the label: each frame alone is uniform, two together are not."""
    start = Stream._start

    def blind(self: Stream, label: bytes, nbytes: int) -> Any:
        encryptor = start(self, label, nbytes)
        if hasattr(encryptor, "reset_nonce"):
            encryptor.reset_nonce(bytes(16))
        return encryptor

    monkeypatch.setattr(Stream, "_start", blind)
    for coalition in coalitions(3, 1):
        found = flaws(3, coalition, "matmul", 2048, nothing)
        assert found <= {"linear relation"}
        assert "linear relation" in flaws(3, coalition, "twice", 2048, nothing)


def test_the_relations_test_finds_what_it_should() -> None:
    rng = np.random.default_rng(0)
    n = 512
    columns = [int.from_bytes(rng.bytes(n // 8), "little") for _ in range(300)]
    ones = (1 << n) - 1
    assert relations(columns, n) == 0
    assert relations([*columns, columns[3] ^ columns[200]], n) == 1
    assert relations([*columns, columns[3] ^ columns[200] ^ columns[7] ^ ones, 0], n) == 2


# -- many runs: the coalition's keys stay, the honest parties' keys change ----------------------


class SameCoalitionKeys(MemoryCluster):
    """From trial to trial only the keys change that none of the coalition holds; labels stay."""

    def __init__(self, m: int, coalition: tuple[int, ...]) -> None:
        super().__init__(m, keep=True)
        self.coalition = coalition
        self.trial = 0

    def again(self, program: Any) -> None:
        self.trial += 1
        self._runs = 0
        self.run(program)

    def _prss(self, i: int) -> Prss:
        def key(*holders: int, kind: str) -> bytes:
            trial = 0 if set(holders) & set(self.coalition) else self.trial
            return hashlib.sha256(repr((kind, sorted(holders), trial)).encode()).digest()

        return Prss(
            i,
            {a: key(*a, kind="component") for a in self.layout.held[i]},
            {j: key(i, j, kind="pair") for j in range(self.m) if j != i},
            key(i, kind="private"),
        )


@pytest.mark.parametrize("coalition", coalitions(3, 1), ids=str)
def test_many_runs_on_two_inputs_look_alike_to_a_party(coalition: tuple[int, ...]) -> None:
    honest = [i for i in range(3) if i not in coalition]

    def frames(cluster: SameCoalitionKeys, value: int) -> list[bytes]:
        async def program(party: Party) -> None:
            x = await party.input([value, -value], owner=honest[0])
            y = await party.input([3, value], owner=honest[1])
            product, less, equal = x * y, x < y, x == y
            await party.reveal(where(less & ~equal, product, x), to=honest)

        cluster.again(program)
        seen = [f for f in cluster.log if f.receiver in coalition]
        return [f.payload for f in sorted(seen, key=lambda f: (f.depth, f.sender, len(f.payload), f.label))]

    runs = 160
    samples = []
    for value in (0, LARGEST):
        cluster = SameCoalitionKeys(3, coalition)
        samples.append(np.array([list(b"".join(frames(cluster, value))) for _ in range(runs)], np.uint8).T)
    same = samples[0] == samples[0][:, :1]
    changing = ~same.all(axis=1)
    assert changing.sum() > 200
    assert np.array_equal(samples[0][~changing], samples[1][~changing])  # announcements of shape and type
    for one in samples:
        assert not leaks(uniform(nibbles(one[changing])))
    a, b = (histograms(nibbles(one[changing])) for one in samples)
    statistic = ((a - b) ** 2 / np.maximum(a + b, 1)).sum(axis=1)
    assert not leaks(stats.chi2.sf(statistic, 15))


# -- what does not depend on values ---------------------------------------------------------------


async def big_program(party: Party, values: Any) -> None:
    """Every kind of operation on both inputs."""
    x = party.input(values, owner=0)
    y = party.input(values[::-1], owner=1)
    z = party.input(values / 2.0**30, owner=party.m - 1)
    less = x < y
    results = [
        x * y, z * z, x @ y, less, x == y, x <= 3, ~less | (x != y), where(less, x, y), x.max(), x.argmin(), abs(x),
        x.clip(-1, 1), x // 8, z.astype(int), z.mean(), (z < 0).sum(), concatenate([x, y]).cumsum(), x[1:] * y[:-1],
        (less & (y > 0)).any(), party.random_bits((7,)), party.random_integers((3,), 9), z / 7,
    ]  # fmt: skip
    for result in results:
        await party.reveal(result)


VALUES = [np.zeros(11), np.ones(11), np.full(11, -1.0), np.linspace(-(2.0**29), 2.0**29, 11), np.full(11, 2.0**40)]


@each_m
def test_messages_do_not_depend_on_values(m: int) -> None:
    seen = set()
    for values in VALUES:
        cluster = MemoryCluster(m, keep=True, seed=int(abs(values[0]) % 7))
        cluster.run(lambda party, v=values: big_program(party, v.astype(np.int64)))
        seen.add(tuple(sorted((f.sender, f.receiver, f.label, f.stamp, f.depth, len(f.payload)) for f in cluster.log)))
    assert len(seen) == 1


# -- labels ------------------------------------------------------------------------------------


@each_m
def test_no_label_is_used_twice_under_a_key(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[int, bytes]] = []
    start = Stream._start

    def counted(self: Stream, label: bytes, nbytes: int) -> Any:
        used.append((id(self), label))
        return start(self, label, nbytes)

    monkeypatch.setattr(Stream, "_start", counted)
    cluster = MemoryCluster(m, keep=True)
    cluster.run(lambda party: big_program(party, np.arange(-6, 6)))
    assert len(used) == len(set(used)) > 300
    frames = [(f.sender, f.receiver, f.label) for f in cluster.log]
    assert len(frames) == len(set(frames)) > 300


@each_m
def test_a_label_used_twice_ends_the_run(m: int) -> None:
    """A place in the program that is taken twice: the streams refuse, before anything masked by them is sent."""

    async def program(party: Party) -> None:
        x = await party.input([1, 2], owner=0)
        await (x * x)
        current_scope().count -= 1
        await (x * x)

    with pytest.raises(LabelReused):
        MemoryCluster(m).run(program)


def test_equal_labels_under_different_parents_cannot_happen() -> None:
    roots = [Scope(b"run %d" % i) for i in range(50)]
    labels = [s.next() for root in roots for s in [root, *(root.fork("f") for _ in range(20))] for _ in range(5)]
    assert len(set(labels)) == len(labels)


# -- freshness ---------------------------------------------------------------------------------


def components(m: int, share: list[Any]) -> dict[tuple[int, ...], Any]:
    layout = MemoryCluster(m).layout
    return {a: share[i][s] for i in range(m) for s, a in enumerate(layout.held[i])}


@each_m
@pytest.mark.parametrize("how", ["reshare", "times one"])
def test_a_reshare_renews_all_components(m: int, how: str) -> None:
    """All components but one of the old sharing, and of the new, and the secret: no relation; and all are uniform."""
    n = 4096 if m < 7 else 1 << 13
    secret = np.random.default_rng(m).integers(-LARGEST, LARGEST, n)

    async def program(party: Party) -> Any:
        one = await party.input(np.ones(n, np.int64), owner=1)
        old = await (await party.input(secret, owner=0) * one)
        if how == "times one":
            new = (await (old * one)).share
        else:
            layout = party.layout
            mine = next(s for s in layout.summands if s[0] == party.index)[1] if party.index <= party.t else ()
            slots = [layout.slot[party.index][a] for a in mine]
            part = old.share[slots].sum(axis=0, dtype=np.uint64) if slots else None
            new = await exchange.reshare(party, part, range(party.t + 1), (n,))
        return old.share, new

    answers = MemoryCluster(m).run(program)
    old, new = (components(m, [a[j] for a in answers]) for j in range(2))
    assert not any(np.array_equal(old[a], new[a]) for a in old)
    total = sum(new.values(), np.zeros(n, np.uint64))
    assert np.array_equal(total.view(np.int64), secret)
    for sharing in (old, new):
        assert not leaks(np.concatenate([uniform(positions(c.view(np.uint8))) for c in sharing.values()]))
    if m <= 4:
        kept = [c for sharing in (old, new) for c in list(sharing.values())[1:]]
        assert relations([x for c in [*kept] for x in columns_of_all(c)] + columns_of(secret), n) == 0


def columns_of_all(words: Any) -> list[int]:
    flags = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return [int.from_bytes(np.packbits(flags[:, j], bitorder="little").tobytes(), "little") for j in range(64)]


@each_m
def test_random_values_are_uniform_given_what_a_coalition_knows(m: int) -> None:
    for coalition in coalitions(m, default_threshold(m))[:5]:
        cluster = CoalitionCluster(m, coalition)

        async def program(party: Party) -> Any:
            flags = await party.reveal(party.random_bits((1 << 13,)))
            numbers = await party.reveal(party.random_integers((1 << 12,), 8))
            return flags, numbers

        flags, numbers = cluster.run(program)[0]
        assert not leaks(uniform(nibbles(np.packbits(flags)[None])))
        assert numbers.min() >= 0 and numbers.max() < 256
        assert not leaks(uniform(nibbles(numbers.astype(np.uint8)[None])))
