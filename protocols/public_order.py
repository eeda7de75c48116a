"""A public random order of rows: drawn from a public seed alone, so it tells nothing of them, and costs nothing."""

from __future__ import annotations

import hashlib

import numpy as np

from mpc import permutation
from mpc.errors import OutOfRange
from mpc.mailbox import LABEL_BYTES
from mpc.prss import Stream
from protocols.exact import is_whole

__all__ = ["Order", "public_order", "public_parts"]

Order = permutation.Index


def public_order(seed: int, number: int, n: int, of: str = "order of rows") -> Order:
    """The order of that number, from 0, under this seed: a uniform permutation of n rows, int32.

    ``of`` says what for: other orders under the same seed are independent of it. The same at all parties and for every
    version of numpy.
    """
    key = hashlib.blake2b(f"accord {of} {seed}".encode(), digest_size=32).digest()
    return permutation.draw(Stream(key, "of a public seed"), number.to_bytes(LABEL_BYTES, "little"), n)


def public_parts(n: int, parts: int, seed: int | None) -> list[Order]:
    """The rows 0..n-1 in so many parts, of sizes that differ by one at most, each in rising order.

    Args:
        seed: of the public order that is cut; None: neighbouring rows stay together.

    Raises OutOfRange unless there are from 2 to n parts.
    """
    if not is_whole(parts) or not 2 <= parts <= n:
        raise OutOfRange(f"{parts!r} parts of {n} rows: a whole number from 2 to the number of rows")
    if seed is not None and (not is_whole(seed) or seed < 0):
        raise OutOfRange(f"a public seed of {seed!r}: a whole number, not negative, or None")
    order = np.arange(n, dtype=np.int32) if seed is None else public_order(int(seed), 0, n)
    ends = [n * (i + 1) // parts for i in range(parts)]
    return [np.sort(order[low:high]) for low, high in zip([0, *ends], ends, strict=False)]
