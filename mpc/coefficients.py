"""Coefficients of the sine series in functions.py and division.py: best uniform approximations.

Found by linear programming (tests/mpc/fit_series.py prints them), written out because all parties must use the same
numbers to the last bit. The error given is that of the series in exact arithmetic. The normalised functions take
n = |x| 2^-(p + 1) in [1/2, 1] as n/2 turns.
"""

from __future__ import annotations

from mpc.separable import Series

__all__ = [
    "INVERSE_ROOT", "LOG", "POWER", "RECIPROCAL", "ROOT", "SIGMOID", "SIGMOID_LIMIT", "SIGMOID_PERIOD", "SOFTPLUS",
    "SOFTPLUS_LIMIT", "SOFTPLUS_PERIOD",
]  # fmt: skip

SIGMOID_LIMIT = 11.0
SIGMOID_PERIOD = 42.0
SOFTPLUS_LIMIT = 11.0
SOFTPLUS_PERIOD = 41.5

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

# log(2 cosh(x / 2)) = log(1 + e^x) - x / 2 for |x| <= 11, x / 41.5 turns: error 3.7e-6
SOFTPLUS = Series(
    5.18753384883,
    (
        -4.05041083394, -0.339616710836, -0.0748221224936, -0.0204855790657, -0.00615137179233, -0.00194079991922,
        -0.000636179603217, -0.00021190813041, -7.24683566242e-05, -2.54973034748e-05, -9.45176521291e-06,
    ),
    (0.0,) * 11,
    odd=True,
)  # fmt: skip

# 1 / n: relative error 5.5e-9
RECIPROCAL = Series(
    3.87325588785,
    (4.18167594232, 1.490585057, 0.0907079863472, -0.128384456706, -0.0402047412131, -0.00327729514919),
    (-1.09998809613, -1.62496327181, -0.855193919109, -0.201554390978, -0.0127695033606, 0.00140300320071),
)

# sqrt(n): relative error 2.4e-7
ROOT = Series(
    0.788560756905,
    (-0.295250514791, -0.0964807277377, -0.0122855264241, 0.000383692464902),
    (-0.160480763309, 0.0213741243484, 0.0178374649193, 0.00235394465799),
)

# 1 / sqrt(n): relative error 3.0e-8
INVERSE_ROOT = Series(
    1.67223261245,
    (0.954000411008, 0.323887261205, 0.0336403492031, -0.0107759888069, -0.00229690552291),
    (-0.045663176504, -0.242882023, -0.123351017146, -0.0235802693232, -0.00104368335313),
)

# log(n): error 3.2e-8
LOG = Series(
    -0.754982390475,
    (-1.07228504675, -0.37288328572, -0.0500018180059, 0.00763304683244, 0.00205426690882),
    (-0.205109884263, 0.184655001713, 0.114735920245, 0.023479186581, 0.0011647133849),
    weight_bits=26,
)

# 2^(2n - 1): relative error 1.6e-8
POWER = Series(
    1.84196137045,
    (-0.469218015808, -0.394325321518, -0.0856729535111, -0.00121947884201, 0.00130757215003),
    (-1.16762678774, -0.0768500618459, 0.0688122631939, 0.0204768048623, 0.00137185417693),
)
