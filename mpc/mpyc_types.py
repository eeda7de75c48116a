"""SecretArray to MPyC's secure arrays and back, on one node: any MPyC program can take part of a computation.

A component x_A of a replicated sharing is known to all holders A. With the polynomial f_A of degree t that is 1 at 0
and 0 at every party outside A, the values x_A f_A(i + 1), which each holder computes for itself, are a Shamir sharing
of the integer x_A: no message is needed (Cramer, Damgard, Ishai, TCC 2005). What does need messages is that the ring
counts modulo 2^64 and the field modulo p: so a value is opened under a mask that is too small to wrap in either and
that every party knows in both sharings.

MPyC computes with big integers in Python objects: expect microseconds an element here, and more in its operations.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc.arrays import SecretArray
from mpc.errors import OutOfRange, UsageError, WrongType
from mpc.exchange import public_share, reveal
from mpc.party import Party
from mpc.quotients import rescale
from mpc.truncate import truncate

__all__ = ["from_mpyc", "to_mpyc"]

Words = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.object_]

_LIMB = 16
_LIMBS = 4
_HIDING = 40
_MASK = _LIMB + 2 + _HIDING  # bits of every component of a mask; a limb has at most 16 + 2, see to_mpyc
_TOP_OFFSET = 1 << _LIMB


async def to_mpyc(x: SecretArray, sectype: Any) -> Any:
    """The values of ``x`` as ``sectype.array`` of the same shape, or as one secure number if ``x`` has no dimensions.

    Args:
        x: integers, or fixed point.
        sectype: a SecInt, SecFxp or prime SecFld type of ``party.runtime``. The values must fit it, as with MPyC's own
            conversions; nobody can check. Into a SecFld they go modulo p. Into a SecFxp with fewer fractional bits
            they are truncated (one unit in the last place).

    1. Cut x into limbs of 16 bits by three truncations; a limb is at most t units of the next too large. (6 rounds)
    2. Every component's holders draw a 58-bit number; their sum masks a limb and does not wrap.  (PRSS)
    3. Open the four masked limbs.                                                                (one round)
    4. What was opened, minus the sharing over the field of the mask, put together again.         (local)

    Rounds: 7 for m = 3. Sends: 4 t elements a party, and three truncations. Leaks: the masked limbs, whose distribution
    is within 2^-40 a limb of one that does not depend on x. Semi-honest, t < m/2.

    Raises WrongType for fixed point into integers and for fields that are not prime, OutOfRange for m > 7.
    """
    party, runtime = x.party, _runtime(x.party)
    await x
    field, places = _prime_field(sectype), getattr(sectype, "frac_length", 0)
    if x.frac and not places:
        raise WrongType(f"{x.frac} fractional bits into {sectype.__name__}: use x.astype(int), or a SecFxp type")
    if len(party.layout.components) >= 1 << 64 - _MASK:
        raise OutOfRange(f"conversion to MPyC's types for {party.m} parties: at most 7")
    scale = places - x.frac
    integral = x.frac == 0
    if scale < 0:
        x = await rescale(x, places)
        scale = 0
    shares = await party.launch("to_mpyc", lambda: _field_shares(party, runtime, x.share, field))
    shares = (shares << scale) % field.modulus
    options = {"integral": integral} if places else {}
    if x.shape:
        return sectype.array(field.array(shares), **options)
    return sectype(field(int(shares)), **options)


async def _field_shares(party: Party, runtime: Any, share: Words, field: Any) -> Integers:
    """Shamir shares, over ``field``, of the signed integers in [x]."""
    limbs = []
    rest = share
    for _ in range(_LIMBS - 1):
        higher = await truncate(party, rest, _LIMB)
        limbs.append(rest - (higher << np.uint64(_LIMB)))  # in [0, (t + 1) 2^16)
        rest = higher
    top = rest + public_share(party, np.full(rest.shape[1:], _TOP_OFFSET, np.uint64))  # |rest| <= 2^14 + t
    cut = np.stack([*limbs, top], axis=1)
    label = party.label()
    masked = cut
    mask: Integers = np.zeros(cut.shape[1:], object)
    for slot, holders in enumerate(party.layout.held[party.index]):
        words = party.prss.component[holders].words(label, cut[slot].size) >> np.uint64(64 - _MASK)
        words = words.reshape(cut[slot].shape)
        masked[slot] += words
        mask = mask + words.astype(object) * _at(field, party, holders)
    opened = await reveal(party, masked)
    assert opened is not None
    weights = [1 << _LIMB * k for k in range(_LIMBS)]
    total = sum((opened[k].astype(object) - mask[k]) * weights[k] for k in range(_LIMBS))
    return np.asarray((total - _TOP_OFFSET * weights[-1]) % field.modulus, dtype=object)


def from_mpyc(party: Party, x: Any) -> SecretArray:
    """[x] of a secure array, secure number, or list of secure numbers of MPyC. Await it, or go on computing with it.

    SecInt gives integers, SecFxp fixed point with as many fractional bits. Scaled by them, |x| < 2^62 (the engine's
    range) and |x| < 2^(l-1), l the bit length of the type; nobody can check.

    1. Every component's holders draw a number of b bits; their sum masks x, and does not wrap in the field. (PRSS)
    2. Open the masked x, in the field.                                                                 (one round)
    3. The component of A is what A drew, negated, modulo 2^64; what was opened is added to a public one.    (local)

    Rounds: 1. Sends: t field elements a party. Leaks: the masked x, whose distribution is within 2^(l-b) of one that
    does not depend on x. MPyC chooses the field so that b >= l + 41 - log2(C(m,t)), rounded down: 2^-39 for m = 3,
    2^-37 for m = 5; a larger ``sec_param`` of the nodes makes it less. Semi-honest, t < m/2.

    Raises WrongType for other types than SecInt and SecFxp.
    """
    runtime = _runtime(party)
    if isinstance(x, list):
        x = runtime.np_fromlist(x)
    kind = getattr(type(x), "sectype", type(x))
    bits, places = getattr(kind, "bit_length", None), getattr(kind, "frac_length", 0)
    if not issubclass(kind, (runtime.SecureInteger, runtime.SecureFixedPoint)) or bits is None:
        raise WrongType(f"from_mpyc takes MPyC's secure integers and fixed-point numbers, not {type(x).__name__}")
    shape = tuple(getattr(x, "shape", ()))
    started = party.launch("from_mpyc", lambda: _ring_share(party, runtime, x, _prime_field(kind), bits, places, shape))
    return SecretArray._pending(party, started, shape)


async def _ring_share(
    party: Party, runtime: Any, x: Any, field: Any, bits: int, places: int, shape: tuple[int, ...]
) -> SecretArray:
    held = await runtime.gather(x)
    mine: Integers = np.asarray(held.value, dtype=object).reshape(-1)
    p = int(field.modulus)
    width = ((p - (1 << bits)) // len(party.layout.components)).bit_length() - 1
    if width < bits + _HIDING - math.ceil(math.log2(len(party.layout.components))):
        raise OutOfRange(f"the field of {p.bit_length()} bits is too small to mask {bits} bits: choose a larger prime")
    label = party.label()
    share = np.empty((party.layout.k, mine.size), np.uint64)
    for slot, holders in enumerate(party.layout.held[party.index]):
        drawn = _draw(party, holders, label, mine.size, width)
        share[slot] = np.array([-int(r) % (1 << 64) for r in drawn], np.uint64)
        mine = mine + drawn * _at(field, party, holders)
    offset = 1 << bits - 1  # so that nothing is negative
    opened = await _open(party, (mine + offset) % p, p) - offset
    return SecretArray(
        party,
        (share + public_share(party, (opened % (1 << 64)).astype(np.uint64))).reshape(party.layout.k, *shape),
        places,
    )


def _draw(party: Party, holders: tuple[int, ...], label: bytes, n: int, width: int) -> Integers:
    """n numbers of ``width`` bits that the holders agree on."""
    pieces = -(-width // 64)
    words = party.prss.component[holders].words(label, n * pieces).reshape(n, pieces).astype(object)
    whole = sum(words[:, k] * (1 << 64 * k) for k in range(pieces))
    return np.asarray(whole % (1 << width), dtype=object)


async def _open(party: Party, mine: Integers, p: int) -> Integers:
    """The values of Shamir shares plus half the range; MPyC's output without its program counter."""
    nbytes = (p.bit_length() + 7) // 8
    label = party.label()
    packed = np.frombuffer(b"".join(int(v).to_bytes(nbytes, "little") for v in mine), np.uint8)
    for j in range(1, party.t + 1):
        party.send((party.index - j) % party.m, label, packed)
    senders = [(party.index + j) % party.m for j in range(1, party.t + 1)]
    inbox = [np.empty(packed.size, np.uint8) for _ in senders]
    await party.arrived(*(party.receive(s, label, b) for s, b in zip(senders, inbox, strict=True)))
    points = [i + 1 for i in (party.index, *senders)]
    total = mine * _lagrange(points, 0, p)
    for k, data in enumerate(inbox, start=1):
        raw = data.tobytes()
        theirs = [int.from_bytes(raw[at : at + nbytes], "little") for at in range(0, len(raw), nbytes)]
        total = total + np.array(theirs, dtype=object) * _lagrange(points, k, p)
    return np.asarray(total % p, dtype=object)


def _lagrange(points: list[int], k: int, p: int) -> int:
    """Weight of point k when a polynomial through these points is evaluated at 0, modulo p."""
    others = [x for j, x in enumerate(points) if j != k]
    return math.prod(others) * pow(math.prod(x - points[k] for x in others), -1, p) % p


def _at(field: Any, party: Party, holders: tuple[int, ...]) -> int:
    """f_A at this party's point: 1 at 0, 0 at every party outside A."""
    p = int(field.modulus)
    me = party.index + 1
    zeros = [j + 1 for j in range(party.m) if j not in holders]
    return math.prod(me - z for z in zeros) * pow(math.prod(-z for z in zeros), -1, p) % p


def _prime_field(sectype: Any) -> Any:
    """The field of a secure type, if its elements are the integers modulo a prime."""
    field = getattr(sectype, "field", None)
    if field is None or not isinstance(field.modulus, int):
        raise WrongType(f"{getattr(sectype, '__name__', sectype)} is not a type of MPyC over a prime field")
    return field


def _runtime(party: Party) -> Any:
    if party.runtime is None:
        raise UsageError("MPyC's types need an MPyC node: run this on a LocalCluster, not in memory")
    return party.runtime
