"""What all models have in common: scikit-learn's parameters, and the checks on what they are fitted on."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np

from mpc.arrays import SecretArray, SecretBits
from mpc.encoding import FRAC
from mpc.errors import OutOfRange, ShapeMismatch, WrongType
from mpc.quotients import astype, rescale
from mpc.secret import Secret
from protocols.columns import as_flags, as_numbers, constant
from protocols.errors import NotFitted, TooFewRows
from protocols.fixed_point import product, scale_bits

__all__ = ["Estimator", "as_column", "as_rows", "as_table", "clone", "row_weights"]


class Estimator:
    """Base: the constructor's arguments are the parameters. Nothing is computed before ``fit``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The constructor's arguments as they are now. ``deep`` is scikit-learn's, and changes nothing here."""
        return {
            name: getattr(self, name) for name in inspect.signature(type(self).__init__).parameters if name != "self"
        }

    def set_params(self, **params: Any) -> Self:
        """Change parameters; WrongType for one that does not exist."""
        known = self.get_params()
        for name, value in params.items():
            if name not in known:
                raise WrongType(f"{type(self).__name__} has no parameter {name!r}: {', '.join(known) or 'none'}")
            setattr(self, name, value)
        return self

    def check_params(self) -> None:
        """Refuse parameters out of range, as ``fit`` does before it sends anything. Here: nothing to refuse."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in self.get_params(deep=False).items())})"

    def _fitted(self, name: str) -> Any:
        """An attribute that ``fit`` sets; NotFitted before."""
        if not hasattr(self, name):
            raise NotFitted(f"this {type(self).__name__} is not fitted: await fit(X, ...) first")
        return getattr(self, name)


def clone(estimator: Any) -> Any:
    """A new, unfitted estimator with the same parameters; estimators among them are cloned too, as scikit-learn's."""
    if isinstance(estimator, (list, tuple)):
        return type(estimator)(clone(part) for part in estimator)
    if not isinstance(estimator, Estimator):
        return estimator
    return type(estimator)(**{name: clone(value) for name, value in estimator.get_params(deep=False).items()})


async def as_rows(X: Any, features: int | None = None) -> SecretArray:
    """X (n, d) with 16 fractional bits; WrongType, ShapeMismatch, TooFewRows for what is none.

    Args:
        features: how many columns there must be, and then one row is enough; None: at least one, and two rows, as for
            a fit.
    """
    if isinstance(X, SecretBits):
        X = X.to_array()
    if not isinstance(X, SecretArray):
        raise WrongType(f"X: a secret array (n, d) is needed, not {type(X).__name__}")
    X = await X
    if len(X.shape) != 2:
        raise ShapeMismatch(f"X of shape {X.shape}: two dimensions are needed, rows and features")
    n, d = X.shape
    least = 2 if features is None else 1
    if n < least:
        raise TooFewRows(f"X of shape {X.shape}: at least {'2 rows are' if least > 1 else '1 row is'} needed")
    if d < 1 or (features is not None and d != features):
        raise ShapeMismatch(f"X of shape {X.shape}: {features or 'at least one'} features are needed")
    return X if X.frac == FRAC else await astype(X, "f")  # as it is: astype copies


async def as_table(X: Any, y: Any, present: Any) -> tuple[SecretArray, Any, Any]:
    """X (n, d) of 16 bits, y and present (n,) as they are, settled; WrongType, ShapeMismatch, TooFewRows."""
    X = await as_rows(X)
    for name, x in (("y", y), ("present", present)):
        if x is None and name == "present":
            continue
        if not isinstance(x, Secret):
            raise WrongType(f"{name}: a secret array (n,) is needed, not {type(x).__name__}")
        if (await x).shape != X.shape[:1]:
            raise ShapeMismatch(f"{name} of shape {x.shape} beside {X.shape[0]} rows: one value a row is needed")
    return X, y, present


async def as_column(y: Any, n: int, name: str = "y") -> SecretArray:
    """y (n,) as secret numbers; WrongType, ShapeMismatch."""
    if not isinstance(y, Secret):
        raise WrongType(f"{name}: a secret array (n,) is needed, not {type(y).__name__}")
    column: SecretArray = await as_numbers(y)  # type: ignore[arg-type]
    if column.shape != (n,):
        raise ShapeMismatch(f"{name} of shape {column.shape} beside {n} rows: one value a row is needed")
    return column


async def row_weights(
    X: SecretArray, sample_weight: Any, present: Any
) -> tuple[SecretArray | None, SecretArray | None]:
    """(present as 0 and 1, what each row counts): None where all count, and where all count alike.

    Weights, public or secret, are rounded to min(16, 28 - log2 n) fractional bits. Public ones must be from 0 to 16,
    their mean at most 2, or OutOfRange; so must secret ones, which nobody checks.
    """
    n = X.shape[0]
    here = None
    if present is not None:
        if isinstance(present, Secret):
            present = as_flags(present)  # type: ignore[arg-type]
        here = await as_column(present, n, "present")
    if sample_weight is None:
        return here, None
    bits = min(16, 28 - scale_bits(n))
    if isinstance(sample_weight, Secret):
        weights = await rescale(await as_column(sample_weight, n, "sample_weight"), bits)
    else:
        public = np.asarray(sample_weight, np.float64)
        if public.shape != (n,):
            raise ShapeMismatch(f"sample_weight of shape {public.shape} beside {n} rows: one value a row is needed")
        if not (np.isfinite(public).all() and (public >= 0).all() and (public <= 16).all() and public.mean() <= 2):
            raise OutOfRange("sample_weight: numbers from 0 to 16 with a mean of at most 2; divide them by their mean")
        weights = constant(X, np.rint(public * 2.0**bits).astype(np.int64), bits)
    return here, weights if here is None else await product(weights, here, bits)
