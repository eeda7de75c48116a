"""AES-128 of many blocks under one key, both secret, XOR-shared, bit-sliced; any m and t < m/2.

A block is a row of 16 bytes. As words, (k, n, 2), byte i is byte i % 8 of word i // 8, lowest first, so the memory of
a row on a little-endian machine is the block. As planes, (k, 128, W), plane p is bit p % 8 of byte p // 8.

The S-box is the inverse in a tower of fields (aes_field.py). Of a product in GF(16) only its four bits are reshared, as
its nine ANDs can be summed up before: 18 bits an S-box for 36 ANDs, in four rounds. All that is linear behind the last
product (basis changes, affine map, ShiftRows, MixColumns) is one matrix, and a party applies it to its summand of the
product before that is reshared, not to all its components.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mpc import aes_field, bits
from mpc.exchange import public_share, random_share, reshare
from mpc.party import Operation, Party
from mpc.plane_maps import Form, Linear

__all__ = ["encrypt", "invert", "random_key", "to_planes", "to_rows"]

Words = npt.NDArray[np.uint64]

_CHUNK = 512  # words of a plane in one piece: 2^15 blocks
_ROUNDS = 10
_ROTATED = (13, 14, 15, 12)


def random_key(party: Party) -> Words:
    """[a uniform key nobody knows], (k, 2) words. Rounds: 0. Leaks nothing."""
    return random_share(party, (2,))


def to_planes(rows: Words) -> Words:
    """Planes (k, 128, ceil(n/64)) of XOR-shared blocks (k, n, 2). Local."""
    k, n = rows.shape[:2]
    planes = np.empty((k, 2, 64, bits.plane_words(n)), np.uint64)
    for c in range(k):
        for half in range(2):
            bits.to_planes(np.ascontiguousarray(rows[c, :, half]), planes[c, half])
    return planes.reshape(k, 128, bits.plane_words(n))


def to_rows(planes: Words, n: int) -> Words:
    """The n XOR-shared blocks (k, n, 2) of planes (k, 128, ceil(n/64)). Local."""
    k = len(planes)
    halves = np.empty((k, 2, n), np.uint64)
    for c in range(k):
        for half in range(2):
            bits.from_planes(np.ascontiguousarray(planes[c, 64 * half : 64 * half + 64]), halves[c, half])
    return np.ascontiguousarray(halves.transpose(0, 2, 1))


async def encrypt(party: Party, key: Words, blocks: Words) -> Words:
    """[AES-128 of each block] as planes (k, 128, W), from a key (k, 2) and blocks as planes (k, 128, W).

    FIPS 197; Satoh et al. 2001 and Canright 2005 for the S-box; products as in Araki et al. 2016. Rounds: 40, four for
    each round of AES; the round keys are made alongside. Sends: at each of 2t+1 parties m-t-1 times 360 bytes a block
    (m = 3: 360 bytes, m = 5: 720) and 5,760 bytes for the round keys. Leaks nothing.

    Rows that fill up the last word are encrypted too, so planes that are opened as they are show AES-128 of zero under
    the key; ``to_rows`` drops these rows.
    """
    keys = _round_keys(party, key)
    constant = public_share(party, _words(np.tile(aes_field.constant(aes_field.AFFINE_CONSTANT), 16)))
    out = np.empty(blocks.shape, np.uint64)

    async def piece(lo: int, hi: int) -> None:
        state = aes_field.block_to_tower().of_components(blocks[:, :, lo:hi])
        state ^= await keys[0].result()
        for r in range(1, _ROUNDS):
            state = await invert(party, state, aes_field.round_layer())
            state ^= await keys[r].result() ^ constant
        state = await invert(party, state, aes_field.final_layer())
        last = await keys[_ROUNDS].result() ^ constant
        np.bitwise_xor(state, aes_field.block_from_tower().of_components(last), out=out[:, :, lo:hi])

    await party.in_chunks("aes", blocks.shape[2], _CHUNK, piece)
    return out


def _words(flags: npt.NDArray[np.bool_]) -> Words:
    """Planes (..., 1) of one word, in which all rows have the same bits."""
    return np.where(flags, ~np.uint64(0), np.uint64(0))[..., None]


def _round_keys(party: Party, key: Words) -> list[Operation[Words]]:
    """[the round keys], (k, 128, 1) in coordinates, all rows alike: each is a step of an operation of its own."""
    flags = np.unpackbits(np.ascontiguousarray(key).view(np.uint8), axis=1, bitorder="little").view(np.bool_)

    async def first() -> Words:
        return aes_field.block_to_tower().of_components(_words(flags))

    async def after(r: int) -> Words:
        before = (await keys[r - 1].result()).reshape(party.layout.k, 16, 8)
        word = await invert(party, before[:, _ROTATED].reshape(-1, 32, 1), aes_field.key_layer())
        constant = np.tile(aes_field.constant(aes_field.AFFINE_CONSTANT), 4)
        constant[:8] ^= aes_field.constant(aes_field.power(2, r - 1))
        word ^= public_share(party, _words(constant))
        words = np.bitwise_xor.accumulate(before.reshape(-1, 4, 32), axis=1) ^ word.reshape(-1, 1, 32)
        return words.reshape(-1, 128, 1)

    keys = [party.launch("round key", first)]
    for r in range(1, _ROUNDS + 1):
        keys.append(party.launch("round key", lambda r=r: after(r)))  # type: ignore[misc]
    return keys


async def invert(party: Party, x: Words, layer: Linear) -> Words:
    """[layer of the inverses] of bytes in coordinates, planes (k, 8 bytes, W). Zero has inverse zero.

    36 ANDs a byte. Rounds: 4. Sends: m-t-1 times 18 bits a byte and multiplier. Leaks nothing.
    """
    norm, norm_below, quotient_below, quotient = aes_field.forms()
    k, planes, width = x.shape
    x = x.reshape(k, planes // 8, 8, width)
    a = await _product(party, x, x, norm)
    one_over_b = await _product(party, a, a, norm_below)
    one_over_a = await _product(party, one_over_b, a, quotient_below)
    return (await _product(party, one_over_a, x, quotient, layer)).reshape(k, planes, width)


async def _product(party: Party, x: Words, y: Words, form: Form, layer: Linear | None = None) -> Words:
    """[form(x, y)] of each byte, (k, bytes, planes, W), and then a linear map of all planes. Rounds: 1."""
    layout = party.layout
    k, count, _, width = x.shape
    shape = (count, form.back.outputs, width)
    out = np.empty((k, *shape), np.uint64)
    part = None
    if party.index in layout.multipliers:
        part = out[0]
        table = layout.product_table[party.index]
        if layer is None:
            form.product(x, y, table, part)
        else:
            products = np.empty(shape, np.uint64)
            form.product(x, y, table, products)
            layer.apply(products.reshape(8 * count, width), part.reshape(8 * count, width))
    return await reshare(party, part, layout.multipliers, shape, boolean=True, into=out)
