"""The log loss of each row straight from scores (log odds), as models have them before any probability."""

from __future__ import annotations

from mpc.arrays import SecretArray
from mpc.encoding import FRAC
from mpc.functions import softplus
from mpc.secret import operation
from mpc.shapes import concatenate
from protocols.fixed_point import matrix_product

__all__ = ["log_sum_exp", "row_losses"]


async def log_sum_exp(score: SecretArray) -> SecretArray:
    """log of the sum of e^x along the last axis: (n, K) to (n,), 16 bits.

    Pairs are joined, log(e^a + e^b) = b + softplus(a - b). Range: |x - y| < 2^45. Error: 1.5 ulp for each of
    ceil(log2 K) levels. Rounds: 9 a level (m = 3). Sends: 139 bytes for each x but one. Leaks nothing.
    """
    while (wide := score.shape[1]) > 1:
        half = wide // 2
        one, two, rest = score[:, :half], score[:, half : 2 * half], score[:, 2 * half :]
        score = await concatenate([two + softplus(one - two), rest], axis=1)
    return await score[:, 0]


@operation(SecretArray, lambda z, y, beta: (z.shape[0],))
async def row_losses(z: SecretArray, y: SecretArray, beta: SecretArray) -> SecretArray:
    """-log(probability of the row's class), (n,), 16 bits, unweighted.

    Args:
        z: (n, d), 16 bits. y: (n,), integers 0 or 1, and beta (d,); or y (n, K), of each row one 1, and beta (d, K).

    Range: |z beta| < 2^21. Error: 1.5 ulp, for K classes for each of ceil(log2 K) levels, and that of the scores. Of
    a loss below its error the result may be negative. Rounds: 12, for K classes 5 + 9 ceil(log2 K) (m = 3). Sends:
    174 bytes a row and party, for K classes about 175 (K - 1). Leaks nothing.
    """
    score = await matrix_product(z, beta, FRAC)
    if len(y.shape) == 1:
        return await (softplus(score) - score * y)
    return await (await log_sum_exp(score) - (score * y).sum(axis=1))
