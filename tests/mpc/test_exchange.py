"""Deal, reshare, reveal, zero shares: what arrives, what it costs, and that no buffer changes after it was sent."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from mpc import MemoryCluster, Party, concatenate, exchange, where
from mpc.arrays import SecretArray
from mpc.sharing import Layout, reconstruct
from mpc.transport import MemoryTransport
from tests.mpc.helpers import every_m, shares_of

boolean = pytest.mark.parametrize("boolean", [False, True])
SHAPES = [(), (0,), (1,), (3,), (2, 3), (0, 2)]


def combined(m: int, answers: list[Any], *, boolean: bool = False) -> Any:
    """The secret, after a check that all holders of a component have the same."""
    return reconstruct(Layout(m), dict(enumerate(answers)), boolean=boolean)


@every_m
@boolean
@pytest.mark.parametrize("shape", SHAPES)
def test_deal(m: int, boolean: bool, shape: tuple[int, ...]) -> None:
    secret = np.random.default_rng(m).integers(0, 1 << 64, shape, np.uint64)
    for dealer in range(m):

        async def program(party: Party, dealer: int = dealer) -> Any:
            mine = secret if party.index == dealer else None
            return await exchange.deal(party, mine, dealer, shape, boolean=boolean)

        cluster = MemoryCluster(m)
        before = secret.copy()
        assert np.array_equal(combined(m, cluster.run(program), boolean=boolean), secret)
        assert np.array_equal(secret, before)
        t = cluster.layout.t
        sent = [traffic.bytes_sent for traffic in cluster.traffic]
        assert sent == [(m - t - 1) * secret.nbytes if i == dealer else 0 for i in range(m)]


@pytest.mark.parametrize(("m", "t"), [(3, 1), (4, 1), (5, 1), (5, 2)])
@boolean
def test_reshare_by_any_set_of_dealers(m: int, t: int, boolean: bool) -> None:
    rng = np.random.default_rng(m)
    for size in range(1, m + 1):
        for dealers in itertools.combinations(range(m), size):
            parts = rng.integers(0, 1 << 64, (m, 5), np.uint64)

            async def program(party: Party, dealers: Any = dealers, parts: Any = parts) -> Any:
                mine = parts[party.index].copy() if party.index in dealers else None
                return await exchange.reshare(party, mine, dealers, (5,), boolean=boolean)

            chosen = parts[list(dealers)]
            expected = np.bitwise_xor.reduce(chosen) if boolean else chosen.sum(axis=0, dtype=np.uint64)
            answers = MemoryCluster(m, t).run(program)
            assert np.array_equal(reconstruct(Layout(m, t), dict(enumerate(answers)), boolean=boolean), expected)


@every_m
@boolean
@pytest.mark.parametrize("shape", SHAPES)
def test_reveal_to_every_set_of_receivers(m: int, boolean: bool, shape: tuple[int, ...]) -> None:
    secret = np.random.default_rng(m).integers(0, 1 << 64, shape, np.uint64)
    shares = shares_of(Layout(m), secret, np.random.default_rng(1), boolean=boolean)
    sets = [None, [], [0], [m - 1], [0, m - 1], list(range(m))]
    for receivers in sets:

        async def program(party: Party, receivers: Any = receivers) -> Any:
            return await exchange.reveal(party, shares[party.index], receivers, boolean=boolean)

        cluster = MemoryCluster(m)
        answers = cluster.run(program)
        who = range(m) if receivers is None else receivers
        for i, answer in enumerate(answers):
            if i in who:
                assert answer.shape == shape and np.array_equal(answer, secret)
            else:
                assert answer is None
                assert cluster.traffic[i].frames_received == 0
        assert sum(t.bytes_sent for t in cluster.traffic) == len(who) * cluster.layout.t * secret.nbytes


@every_m
def test_reveal_of_components_that_do_not_lie_contiguously(m: int) -> None:
    secret = np.arange(24, dtype=np.uint64).reshape(2, 3, 4)
    shares = shares_of(Layout(m), secret, np.random.default_rng(1))

    async def program(party: Party) -> Any:
        share = shares[party.index]
        return [await exchange.reveal(party, s) for s in (share.transpose(0, 3, 2, 1), share[:, ::-1, :, ::2])]

    for transposed, strided in MemoryCluster(m).run(program):
        assert np.array_equal(transposed, secret.transpose(2, 1, 0))
        assert np.array_equal(strided, secret[::-1, :, ::2])


@every_m
@boolean
def test_zero_shares_add_up_to_zero_among_any_parties(m: int, boolean: bool) -> None:
    for among in itertools.combinations(range(m), 3):

        async def program(party: Party, among: Any = among) -> Any:
            into = np.zeros((2, 4), np.uint64)
            if party.index in among:
                exchange.zero_share(party, among, party.label(), into, boolean=boolean)
            return into

        parts = np.stack(MemoryCluster(m).run(program))
        total = np.bitwise_xor.reduce(parts) if boolean else parts.sum(axis=0, dtype=np.uint64)
        assert not total.any()
        assert all(parts[i].all() == (i in among) for i in range(m))


@every_m
@pytest.mark.parametrize("shape", SHAPES)
def test_random_shares_fit_together_and_cost_nothing(m: int, shape: tuple[int, ...]) -> None:
    async def program(party: Party) -> Any:
        return await _ready(exchange.random_share(party, shape)), await _ready(exchange.random_share(party, shape))

    cluster = MemoryCluster(m)
    answers = cluster.run(program)
    first, second = (combined(m, [a[j] for a in answers]) for j in range(2))
    assert first.shape == shape
    assert not np.any(first == second)
    assert all(t.frames_sent == 0 for t in cluster.traffic)


async def _ready(value: Any) -> Any:
    return value


@every_m
@boolean
def test_a_public_value_is_shared_without_a_message(m: int, boolean: bool) -> None:
    value = np.arange(4, dtype=np.uint64)

    async def program(party: Party) -> Any:
        return exchange.public_share(party, value)  # one component holds it: the same for sums and for XOR

    assert np.array_equal(combined(m, MemoryCluster(m).run(program), boolean=boolean), value)


async def many_operations(party: Party) -> None:
    """Uses every recipe that sends, over more rows than one chunk."""
    n = 3 * 4096 + 5 if party.m == 3 else 700
    x = party.input(np.arange(n) - 7, owner=0)
    y = party.input(np.arange(n)[::-1] - 3, owner=party.m - 1)
    z = party.input(np.linspace(-1, 1, n), owner=1)
    less, equal = x < y, x == y
    results = [
        x * y, z * z, less, equal, less & equal, less.to_array(), where(less, x, y), x @ y, x // 4, x[:9].max(),
        concatenate([x, y]).sum(), party.random_bits((5,)), party.random_integers((3,), 5), (z / 3).astype(int),
    ]  # fmt: skip
    for result in results:
        await party.reveal(result, to=[0])
        doubled = result * 2 if isinstance(result, SecretArray) else ~result
        await party.reveal(doubled)


@every_m
def test_no_buffer_changes_after_it_was_sent(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport may still be sending from the memory it was given: nobody may write there again."""
    sent: list[tuple[memoryview, bytes, bytes]] = []
    send = MemoryTransport.send

    def kept(self: Any, peer: int, label: bytes, stamp: int, depth: int, payload: memoryview) -> None:
        assert payload.contiguous and payload.format == "B"
        sent.append((payload, bytes(payload), label))
        send(self, peer, label, stamp, depth, payload)

    monkeypatch.setattr(MemoryTransport, "send", kept)
    MemoryCluster(m).run(many_operations)
    assert len(sent) > 100
    assert all(bytes(payload) == content for payload, content, _ in sent)
