"""Square root, exponential, logarithm, sigmoid, tanh; division comes from division.py.

All take fixed point or integers and give fixed point with 16 fractional bits, whatever the operand had. Errors are stated
in ulp: 2^-16 = 1.53e-5. A truncation is off by (t + 1) / 2 ulp: errors are for t = 1 (m = 3, 4), with "+ t/2" a little
more for more parties.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import encoding
from mpc.arithmetic import mul
from mpc.arrays import SecretArray
from mpc.coefficients import INVERSE_ROOT, LOG, POWER, ROOT, SIGMOID, SIGMOID_LIMIT, SIGMOID_PERIOD
from mpc.compare import sign_bit
from mpc.convert import bits_to_words
from mpc.decompose import to_bits
from mpc.division import divide, fixed_words, floor_divide, numbers, reciprocal
from mpc.elementwise import _shape_of
from mpc.exchange import public_share
from mpc.normalise import in_pieces, normalise, powers
from mpc.party import Party
from mpc.secret import operation
from mpc.separable import exp2, look_up, round_off, series

__all__ = [
    "EXP_LIMIT", "divide", "exp", "floor_divide", "inverse_sqrt", "log", "reciprocal", "sigmoid", "sqrt", "tanh",
]  # fmt: skip

Words = npt.NDArray[np.uint64]

FRAC = encoding.FRAC
EXP_LIMIT = 15.0
"""exp of more gives exp of this, 3.27e6."""
_EXP_LEAST = -12.0


def _unary(name: str, work: Any, doc: str) -> Any:
    @operation(SecretArray, _shape_of)
    async def run(x: SecretArray) -> SecretArray:
        words = await fixed_words(x)
        out = await in_pieces(x.party, name, lambda w: work(x.party, w), words)
        return SecretArray(x.party, out.reshape(x.share.shape), FRAC)

    def call(x: Any) -> SecretArray:
        return run(numbers(x))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    return call
