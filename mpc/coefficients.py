"""Coefficients of the sine series in functions.py and division.py: best uniform approximations.

Found by linear programming (tests/mpc/fit_series.py prints them), written out because all parties must use the same
numbers to the last bit. The error given is that of the series in exact arithmetic. The normalised functions take
n = |x| 2^-(p + 1) in [1/2, 1] as n/2 turns; the value at 0, which is what 0 is normalised to, was prescribed.
"""

from __future__ import annotations

from mpc.separable import Series

__all__ = ["INVERSE_ROOT", "LOG", "POWER", "RECIPROCAL", "ROOT", "SIGMOID", "SIGMOID_LIMIT", "SIGMOID_PERIOD"]

SIGMOID_LIMIT = 11.0
SIGMOID_PERIOD = 42.0

# 1 / (1 + e^-x) for |x| <= 11, x / 42 turns: error 1.5e-5
SIGMOID = Series(
    0.5,
    (0.0,) * 11,
    (
        0.613782711039, 0.155356869779, 0.05760479768, 0.0223214036885, 0.0087151571282, 0.00340022138764,
        0.00132983334199, 0.000520004200686, 0.000200503466452, 8.29778836107e-05, 3.31481409231e-05,
    ),
    odd=True,
)  # fmt: skip

# 1 / n: relative error 7.8e-9; at 0: 0
RECIPROCAL = Series(
    -2.74428137511,
    (
        -4.00458833375, 1.68530578031, 3.23645073228, 1.56842192881, 0.273492352782, -0.00944633790946,
        -0.00535474742283,
    ),
    (
        7.28513282617, 6.46804999342, 2.07049740973, -0.284049358079, -0.367407697238, -0.081677642877,
        -0.00449115391197,
    ),
)  # fmt: skip

# sqrt(n): relative error 1.8e-7; at 0: 0
ROOT = Series(
    0.592560565237,
    (-0.540223868205, -0.113537209239, 0.0381310835739, 0.0209765518074, 0.0020928768258),
    (0.0645548265943, 0.221410636082, 0.0831887098756, 0.00594091108861, -0.00133379219801),
)

# 1 / sqrt(n): relative error 5.9e-8; at 0: 0
INVERSE_ROOT = Series(
    -0.19719923792,
    (-1.31622820357, 0.374576242417, 0.772747659015, 0.323130075398, 0.0434805739917, -0.000507109334551),
    (2.27935860171, 1.87414594632, 0.564169073943, -0.0398375815686, -0.0528377530552, -0.00673831173438),
)

# log(n): error 3.8e-8; at 0: log(1/2)
LOG = Series(
    0.266180827339,
    (0.147006326977, -0.438886629197, -0.472957220238, -0.174528104518, -0.0206227159543, 0.000660335031775),
    (-1.49574865435, -0.971400403456, -0.241046346163, 0.0446483691951, 0.0316761485106, 0.00366946245498),
    weight_bits=26,
)

# 2^(2n - 1): relative error 1.6e-8
POWER = Series(
    1.84196137045,
    (-0.469218015808, -0.394325321518, -0.0856729535111, -0.00121947884201, 0.00130757215003),
    (-1.16762678774, -0.0768500618459, 0.0688122631939, 0.0204768048623, 0.00137185417693),
)
