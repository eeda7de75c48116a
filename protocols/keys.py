"""Keys of a join: from an owner's columns to 128-bit digests under a salt agreed for the job. Plaintext, at the owner.

Nothing is sent here. A digest is a pseudonym, not a secret: whoever knows the salt can hash every email address there
is and look. The join tags digests once more, under a key its helper does not hold, before any leaves an owner.

1. Every column goes through its profile (profiles.py) to canonical bytes, or to none: NULL.
2. Several columns are joined with an 8-byte length before each part, so no two different rows give the same bytes.
3. One integer column: AES-128 of its 16 bytes, a permutation, so different integers never collide. Anything else:
   BLAKE2b with 16 bytes of output, keyed. n keys collide with probability below n^2 / 2^129.

Keys of both come by HKDF from the salt and the names of the profiles, so an integer and the text of its digits, an
email by PAIR and one by ADMaP, and one column and two never have equal digests but by accident (2^-128).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc.agreement import derive
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from protocols.errors import DuplicateKeys, KeyInvalid
from protocols.profiles import Integers, Profile

__all__ = ["AGGREGATES", "MIN_SALT", "aggregate_rows", "check_unique", "digests", "encrypted"]

Tags = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

MIN_SALT = 16
_NONE = bytes(16)
_CHUNK = 4096  # blocks: 64 KiB, which stay in the cache
AGGREGATES = ("sum", "mean", "min", "max", "first", "last", "count")


def digests(columns: Any, profiles: Sequence[Profile], salt: bytes, *, what: str = "key") -> tuple[Tags, Flags]:
    """(tags, missing): the 128-bit salted digest of each row's key, uint64 (n, 2), and which rows have none, bool (n,).

    Equal keys have equal tags at every owner that uses the same profiles, in the same order, and the same salt.

    Args:
        columns: a DataFrame, a mapping of names to columns, or a list of columns of n rows: the parts of the key. A
            column is an array, a masked array, a list or a column of pandas.
        profiles: one for each part, from profiles.py.
        salt: at least 16 bytes, agreed for this job and used for no other, so that tags of two jobs do not meet.
        what: party and table, for errors.

    A row is missing if any part of its key is (NULL matches nothing, not even NULL); its tags are zeros here.
    Raises KeyInvalid for a column its profile does not take (mixed types, floats that are no integers), for a short
    salt, for columns that differ in length. No error tells a value, a place or a number of rows.
    """
    parts = _named(columns, what)
    if len(salt) < MIN_SALT:
        raise KeyInvalid(f"{what}: a salt is at least {MIN_SALT} bytes, drawn at random and agreed for the job")
    if not parts or len(parts) != len(profiles):
        raise KeyInvalid(f"{what}: {len(parts)} columns for {len(profiles)} profiles; a key has one for each column")
    info = b"".join(_prefixed(profile.name.encode()) for profile in profiles)
    if len(parts) == 1 and isinstance(profiles[0], Integers):
        words, missing = profiles[0].blocks(parts[0][1], parts[0][0])
        tags = encrypted(words, derive(salt, b"", b"accord keys aes-128 " + info, 16))
        if missing.any():
            tags[missing] = 0
        return tags, missing
    pieces = [profile.canonical(column, name) for (name, column), profile in zip(parts, profiles, strict=True)]
    if len({len(piece) for piece in pieces}) > 1:
        raise KeyInvalid(f"{what}: the columns of the key differ in length")
    rows = pieces[0] if len(pieces) == 1 else list(_joined(pieces))
    tags = _blake2b(rows, derive(salt, b"", b"accord keys blake2b " + info, 32))
    return tags, np.array([row is None for row in rows], np.bool_)


def _named(columns: Any, what: str) -> list[tuple[str, Any]]:
    """(name for errors, column) of each part."""
    table = hasattr(columns, "items") and getattr(columns, "ndim", 2) == 2
    if not table and (hasattr(columns, "ndim") or isinstance(columns, (str, bytes))):
        raise KeyInvalid(f"{what}: a list of columns is needed, also for one column: [column]")
    if table:
        return [(f"{what}, column {name!r}", column) for name, column in columns.items()]
    parts = list(columns)
    return [(what if len(parts) == 1 else f"{what}, column {j + 1}", column) for j, column in enumerate(parts)]


def _prefixed(part: bytes) -> bytes:
    return len(part).to_bytes(8, "little") + part


def _joined(pieces: list[list[bytes | None]]) -> Iterator[bytes | None]:
    for row in zip(*pieces, strict=True):
        known = [_prefixed(part) for part in row if part is not None]
        yield b"".join(known) if len(known) == len(row) else None


def encrypted(words: Tags, key: bytes) -> Tags:
    """AES-128 of each row's 16 bytes, (n, 2). Single blocks on purpose: equal keys shall have equal tags."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    out = np.empty_like(words)
    scratch = np.empty((_CHUNK + 1, 2), np.uint64)  # update_into wants room for one block more
    for start in range(0, len(words), _CHUNK):
        piece = words[start : start + _CHUNK]
        encryptor.update_into(piece.data.cast("B"), scratch.data.cast("B"))
        out[start : start + _CHUNK] = scratch[: len(piece)]
    return out


def _blake2b(rows: Iterable[bytes | None], key: bytes) -> Tags:
    """Keyed BLAKE2b-128 of each row, zeros for None. A copy of a keyed state is quicker than a new one."""
    keyed = hashlib.blake2b(digest_size=16, key=key).copy
    tags = bytearray()
    for row in rows:
        if row is None:
            tags += _NONE
            continue
        state = keyed()
        state.update(row)
        tags += state.digest()
    return np.frombuffer(tags, np.uint64).reshape(-1, 2)


def check_unique(tags: Tags, missing: Flags, *, what: str = "key") -> None:
    """Nothing, or DuplicateKeys if two rows that have a key have the same. Plaintext, at the owner.

    tags (n, 2) and missing (n,) from `digests`; what: party, table and column, for the error, which tells no value and
    no row. It does tell, to whoever is shown that the job failed by it, that this table has repeats.
    """
    known = tags[~missing] if missing.any() else tags
    first = np.sort(known[:, 0])
    if not (first[1:] == first[:-1]).any():
        return
    low, high = known[np.lexsort((known[:, 1], known[:, 0]))].T
    if ((low[1:] == low[:-1]) & (high[1:] == high[:-1])).any():
        raise DuplicateKeys(
            f"{what}: a key stands in more than one row; bring each key to one row first (aggregate_rows; in a "
            "join distinct=True and combine=), or say that the first table of a join has repeats (many=True)"
        )


def aggregate_rows(
    keys: tuple[Tags, Flags], frame: Any, how: Mapping[Any, str], *, what: str = "table"
) -> tuple[tuple[Tags, Flags], Any]:
    """(keys, frame) with one row a key: the owner's own totals over its repeats, before it shares. Plaintext.

    Args:
        keys: (tags (n, 2), missing (n,)) from `digests`, so repeats are told by the canonical key.
        frame: a DataFrame of n rows.
        how: column -> "sum", "mean", "min", "max", "first", "last" or "count"; columns not named are left out.
        what: party and table, for errors.

    Rows come in the order in which their keys first appear. A row without a key is nobody's repeat: it stays a row of
    its own. As in pandas, missing values are skipped: first and last are of the values that are there, count is their
    number, and a sum of none is 0. A sum, mean, or count lets one person's rows count together: bound it (clip_rows)
    afterwards.
    Raises OutOfRange for another aggregate and for sums of integers that leave 64 bits; WrongType for a column that is
    not there or has no such aggregate; ShapeMismatch if keys and frame differ in length.
    """
    import pandas

    tags, missing = keys
    if len(frame) != len(tags):
        raise ShapeMismatch(f"{what}: the keys are of another number of rows than the table")
    for column, kind in how.items():
        if kind not in AGGREGATES:
            raise OutOfRange(f"{what}, column {column!r}: no aggregate {kind!r}; there are {', '.join(AGGREGATES)}")
        if column not in frame.columns:
            raise WrongType(f"{what}: no column {column!r} to aggregate")
        if kind in ("sum", "mean") and frame[column].dtype.kind not in "biuf":
            raise WrongType(f"{what}, column {column!r}: a {kind} of what is no column of numbers")
    alone = np.where(missing, np.arange(1, len(tags) + 1), 0)
    by = pandas.DataFrame({"low": tags[:, 0], "high": tags[:, 1], "alone": alone})
    group = by.groupby(["low", "high", "alone"], sort=False).ngroup().to_numpy()
    first = np.unique(group, return_index=True)[1]
    if not how:
        return (tags[first], missing[first]), pandas.DataFrame(index=range(len(first)))
    groups = frame[list(how)].groupby(group, sort=True)
    try:
        totals = groups.agg(dict(how)).reset_index(drop=True)
    except (TypeError, ValueError, NotImplementedError):
        raise WrongType(f"{what}: a column that has no such aggregate; see its type, or leave it out of how=") from None
    _check_sums(frame, how, groups, totals, what)
    return (tags[first], missing[first]), totals


def _check_sums(frame: Any, how: Mapping[Any, str], groups: Any, totals: Any, what: str) -> None:
    """pandas wraps sums of 64-bit integers without a word; floats tell."""
    for column, kind in how.items():
        if kind != "sum" or frame[column].dtype.kind not in "iu":
            continue
        real = frame[column].astype("Float64").groupby(groups.ngroup()).sum().to_numpy(np.float64)
        if (np.abs(real - totals[column].to_numpy(np.float64)) > 2.0**62).any():
            raise OutOfRange(f"{what}, column {column!r}: a sum of integers leaves 64 bits; sum it as float64")
