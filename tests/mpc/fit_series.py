"""How the coefficients in mpc/coefficients.py were found: best uniform approximation by linear programming.

Run it to print them again. Needs scipy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

Reals = npt.NDArray[np.float64]
Function = Callable[[Reals], Reals]


def best(basis: Reals, f: Reals, weight: Reals) -> tuple[Reals, float]:
    """Coefficients c that minimise max weight |basis c - f|, and that maximum."""
    q, r = np.linalg.qr(basis)
    n = basis.shape[1]
    side = np.full((len(f), 1), -1.0)
    a = np.block([[q * weight[:, None], side], [-q * weight[:, None], side]])
    b = np.concatenate([f * weight, -f * weight])
    options = {"dual_feasibility_tolerance": 1e-10, "primal_feasibility_tolerance": 1e-10}
    found = linprog(
        np.append(np.zeros(n), 1.0), A_ub=a, b_ub=b, bounds=[(None, None)] * n + [(0, None)], options=options
    )
    return np.linalg.solve(r, found.x[:n]), found.x[n]


def normal(f: Function, weight: Function, count: int) -> tuple[float, Reals, Reals, float]:
    """f on [1/2, 1] as a series of period 2 (turns = n / 2)."""
    n = 0.75 - 0.25 * np.cos(np.linspace(0, np.pi, 400))
    angle = np.outer(n, np.arange(1, count + 1)) * np.pi
    basis = np.hstack([np.ones((len(n), 1)), np.cos(angle), np.sin(angle)])
    c, error = best(basis, f(n), weight(n))
    return c[0], c[1 : count + 1], c[count + 1 :], error


def sigmoid(limit: float, count: int) -> tuple[float, Reals, float]:
    """(period, coefficients of the odd sines, error) of 1/(1+e^-x) - 1/2 for |x| <= limit."""
    x = np.linspace(0, limit, 600)
    trials = []
    for half in np.arange(18.0, 24.0, 0.25):
        basis = np.sin(np.outer(x, np.arange(1, 2 * count, 2)) * np.pi / half)
        c, error = best(basis, 1 / (1 + np.exp(-x)) - 0.5, np.ones_like(x))
        trials.append((error, 2 * half, c))
    error, period, c = min(trials, key=lambda trial: trial[0])
    return period, c, error


def softplus(limit: float, count: int) -> tuple[float, Reals, float]:
    """(period, constant and coefficients of the odd cosines, error) of log(2 cosh(x / 2)) for |x| <= limit."""
    x = np.linspace(0, limit, 600)
    trials = []
    for half in np.arange(18.0, 24.0, 0.25):
        waves = np.cos(np.outer(x, np.arange(1, 2 * count, 2)) * np.pi / half)
        c, error = best(np.hstack([np.ones((len(x), 1)), waves]), np.log(2 * np.cosh(x / 2)), np.ones_like(x))
        trials.append((error, 2 * half, c))
    error, period, c = min(trials, key=lambda trial: trial[0])
    return period, c, error


def main() -> None:
    period, c, error = sigmoid(11.0, 11)
    print(f"SIGMOID, period {period}, error {error:.1e}\n    {c.tolist()}")
    period, c, error = softplus(11.0, 11)
    print(f"SOFTPLUS, period {period}, error {error:.1e}\n    {c.tolist()}")
    for name, f, weight, count in (
        ("RECIPROCAL", lambda n: 1 / n, lambda n: n, 6),
        ("ROOT", np.sqrt, lambda n: 1 / np.sqrt(n), 4),
        ("INVERSE_ROOT", lambda n: 1 / np.sqrt(n), np.sqrt, 5),
        ("LOG", np.log, np.ones_like, 5),
        ("POWER", lambda n: 2 ** (2 * n - 1), lambda n: 2 ** (1 - 2 * n), 5),
    ):
        constant, cos, sin, error = normal(f, weight, count)
        print(f"{name}, error {error:.1e}\n    {constant}\n    {cos.tolist()}\n    {sin.tolist()}")


if __name__ == "__main__":
    main()
