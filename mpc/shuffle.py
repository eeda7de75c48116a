"""Secret arrays with their rows shuffled, or permuted by a permutation one party knows, or by a secret one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np

from mpc import encoding
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import ShapeMismatch, WrongType
from mpc.mixing import Rows, draw, mix
from mpc.party import Operation
from mpc.permuting import check_permutation, permute_rows, put_rows, take_rows
from mpc.secret import Secret, _party

__all__ = ["arrays_of", "as_given", "from_table", "launch_many", "permute", "put", "shuffle", "take", "to_table"]


def to_table(x: Any) -> Rows:
    """The rows of a settled array along its first axis; bits are packed to bytes within each row."""
    n, columns = x.shape[0], int(np.prod(x.shape[1:], dtype=np.int64))
    if isinstance(x, SecretBits):
        return np.packbits(x.unpacked().reshape(x.party.layout.k, n, columns), axis=-1)
    return np.ascontiguousarray(x.share).reshape(x.party.layout.k, n, columns)


def from_table(x: Any, table: Rows) -> Any:
    """An array like x with these rows."""
    k, n = table.shape[:2]
    if isinstance(x, SecretBits):
        columns = int(np.prod(x.shape[1:], dtype=np.int64))
        flags = np.unpackbits(table, axis=-1, count=columns).view(np.bool_)
        return SecretBits.packed(x.party, np.ascontiguousarray(flags.reshape(k, n, *x.shape[1:])))
    return SecretArray(x.party, table.reshape(k, n, *x.shape[1:]), x.frac)


def _check_secret(name: str, operands: Sequence[Any]) -> None:
    """WrongType unless all operands are secret arrays; ShapeMismatch if there are none."""
    if not operands:
        raise ShapeMismatch(f"{name} of no arrays: give at least one")
    for x in operands:
        if not isinstance(x, Secret):
            raise WrongType(f"{name}: secret arrays are needed, not {type(x).__name__}")


def arrays_of(name: str, given: Any) -> tuple[Any, ...]:
    """The secret arrays in an argument that is one, or a tuple or list of them, which may be empty; or WrongType."""
    if isinstance(given, Secret):
        return (given,)
    if not isinstance(given, (tuple, list)):
        raise WrongType(f"{name}: a secret array, or a tuple or list of them, not {type(given).__name__}")
    if given:
        _check_secret(name, given)
    return tuple(given)


def as_given(given: Any, results: tuple[Any, ...]) -> Any:
    """The results for what :func:`arrays_of` found: one for one array, a tuple for several."""
    return results[0] if isinstance(given, Secret) else results


def launch_many(
    name: str, operands: Sequence[Secret], body: Callable[..., Coroutine[Any, Any, Sequence[Any]]]
) -> tuple[Any, ...]:
    """Start one operation that gives an array like each of the operands. See secret.operation."""
    _check_secret(name, operands)
    party = _party(list(operands))

    async def run() -> Sequence[Any]:
        for x in operands:
            await x.settle()
        return await body(*operands)

    started: Operation[Sequence[Any]] = party.launch(name, run)

    async def one(i: int) -> Any:
        return (await started.result())[i]

    results = []
    for i, x in enumerate(operands):
        handle = type(x)._pending(party, party.defer(lambda i=i: one(i)), x._shape)  # type: ignore[misc]
        _ = handle.ready
        results.append(handle)
    return tuple(results)


def _rows(arrays: Sequence[Any]) -> int | None:
    """The common length of the first axis; None while it is not known for all."""
    shapes = [x._shape for x in arrays]
    if any(shape is None for shape in shapes):
        return None
    if any(len(shape) < 1 for shape in shapes) or len({shape[0] for shape in shapes}) != 1:
        raise ShapeMismatch(f"shapes {shapes}: the first axis must be the same, it counts the rows")
    return int(shapes[0][0])


def shuffle(*arrays: Secret) -> tuple[Any, ...]:
    """The arrays with their rows (first axis) in one and the same random order that nobody knows.

    Rounds: 2, and 4 elements a row in all, for m = 3; see mixing.mix. Bits count a byte for each eight of a row.
    """
    if not arrays:
        return ()

    async def body(*settled: Any) -> list[Any]:
        n = _rows(settled)
        assert n is not None
        tables = await mix(settled[0].party, [to_table(x) for x in settled], draw(settled[0].party, n))
        return [from_table(x, table) for x, table in zip(settled, tables, strict=True)]

    _check_secret("shuffle", arrays)
    _ = _rows(arrays)
    return launch_many("shuffle", arrays, body)


def permute(x: Any, permutation: Any, owner: int) -> Any:
    """x[permutation] by rows, for a permutation that only the owner knows and gives; None elsewhere.

    ``x`` is an array, or a tuple or list of arrays of as many rows; so is the result. See permuting.permute_rows.
    At the owner WrongType, ShapeMismatch or NotAPermutation, before anything is sent.
    """
    arrays = arrays_of("permute", x)
    _check_secret("permute", arrays)
    party = _party(list(arrays))
    party.check_index(owner, "owner")
    mine = None
    if party.index == owner:
        if permutation is None:
            raise WrongType(f"party {owner} is the owner of this permutation, but gave None")
        mine = encoding.as_array(permutation, "permutation").copy()
    n = _rows(arrays)
    if mine is not None and n is not None:
        check_permutation(mine, n)

    async def body(*settled: Any) -> list[Any]:
        n = _rows(settled)
        assert n is not None
        p = None if mine is None else check_permutation(mine, n)
        tables = await permute_rows(party, [to_table(a) for a in settled], p, owner)
        return [from_table(a, table) for a, table in zip(settled, tables, strict=True)]

    return as_given(x, launch_many("permute", arrays, body))


def take(x: Any, indices: SecretArray) -> Any:
    """x[indices] by rows, for secret indices that are a permutation of the rows (what argsort gives).

    ``x`` is an array, or a tuple or list of arrays. See permuting.take_rows. NotAPermutation, at all parties, if they
    are none.
    """
    return _by_secret(x, indices, take_rows, "take")


def put(x: Any, indices: SecretArray) -> Any:
    """The y with y[indices] = x by rows: what undoes take. See permuting.put_rows and take."""
    return _by_secret(x, indices, put_rows, "put")


def _by_secret(x: Any, indices: SecretArray, move: Callable[..., Coroutine[Any, Any, list[Rows]]], name: str) -> Any:
    if not isinstance(indices, SecretArray):
        raise WrongType(
            f"{name}: indices must be a SecretArray, not {type(indices).__name__}; x[indices] takes rows by public ones"
        )
    arrays = arrays_of(name, x)
    _check_secret(name, arrays)

    def check(operands: Sequence[Any]) -> None:
        *values, p = operands
        n = _rows(values)
        if n is not None and p._shape not in (None, (n,)):
            raise ShapeMismatch(
                f"{name}: indices of shape {p._shape} for {n} rows, {(n,)} is needed, each row once; for the first few "
                "take all rows, then slice: take(x, order)[:3]"
            )

    async def body(*settled: Any) -> list[Any]:
        check(settled)
        *values, p = settled
        if p.frac:
            raise WrongType(f"{name}: indices must be integers, not fixed point")
        tables = await move(p.party, [to_table(a) for a in values], p.share)
        return [*(from_table(a, table) for a, table in zip(values, tables, strict=True)), p]

    check((*arrays, indices))
    return as_given(x, launch_many(name, (*arrays, indices), body)[:-1])
