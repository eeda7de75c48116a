"""numpy's functions and ufuncs on secrets: which of ours does what np.sum, np.where, np.add, ... do.

What is not in the tables raises WrongType and says what to use instead. Options that only make sense in the open
(dtype, out, where=) are refused, never ignored.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpc import elementwise, floor, functions, quotients, reductions, relations, shapes
from mpc.arrays import SecretArray, SecretBits
from mpc.errors import WrongType
from mpc.moments import divide_with_remainder, remainder
from mpc.numpy_array import call_as_numpy
from mpc.operands import numbers
from mpc.secret import Secret

__all__ = ["call_function", "call_ufunc"]

Function = Callable[..., Any]


# -- ufuncs ----------------------------------------------------------------------------------


def _truth(x: Any) -> Any:
    if isinstance(x, SecretArray):
        return x != 0
    return x if isinstance(x, SecretBits) else np.asarray(x) != 0


def _equal(x: Any, y: Any) -> Any:
    return x == y if isinstance(x, Secret) else y == x


def _not_equal(x: Any, y: Any) -> Any:
    return x != y if isinstance(x, Secret) else y != x


def _and(x: Any, y: Any) -> Any:
    return x & y if isinstance(x, Secret) else y & x


def _or(x: Any, y: Any) -> Any:
    return x | y if isinstance(x, Secret) else y | x


def _xor(x: Any, y: Any) -> Any:
    return x ^ y if isinstance(x, Secret) else y ^ x


def _floor(x: Any) -> Any:
    return numbers(x).astype(int).astype(float)


def _ceil(x: Any) -> Any:
    return -_floor(-numbers(x))


def _sign(x: Any) -> Any:
    return relations.less(0, x) - relations.less(x, 0)


def _power(x: Any, y: Any) -> Any:
    return x**y if isinstance(x, Secret) else y.__rpow__(x)


UFUNCS: Mapping[Any, Function] = {
    np.add: elementwise.add,
    np.subtract: elementwise.subtract,
    np.multiply: elementwise.multiply,
    np.matmul: elementwise.matmul,
    np.divide: quotients.divide,
    np.floor_divide: floor.floor_divide,
    np.remainder: remainder,
    np.divmod: divide_with_remainder,
    np.power: _power,
    np.float_power: _power,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.absolute: abs,
    np.fabs: lambda x: abs(numbers(x)),
    np.square: lambda x: numbers(x) * numbers(x),
    np.sign: _sign,
    np.sqrt: functions.sqrt,
    np.exp: functions.exp,
    np.log: functions.log,
    np.tanh: functions.tanh,
    np.reciprocal: functions.reciprocal,
    np.floor: _floor,
    np.ceil: _ceil,
    np.maximum: reductions.maximum,
    np.minimum: reductions.minimum,
    np.less: relations.less,
    np.greater: lambda x, y: relations.less(y, x),
    np.less_equal: relations.less_equal,
    np.greater_equal: lambda x, y: relations.less_equal(y, x),
    np.equal: _equal,
    np.not_equal: _not_equal,
    np.logical_and: lambda x, y: _and(_truth(x), _truth(y)),
    np.logical_or: lambda x, y: _or(_truth(x), _truth(y)),
    np.logical_xor: lambda x, y: _xor(_truth(x), _truth(y)),
    np.logical_not: lambda x: ~_truth(x),
    np.bitwise_and: _and,
    np.bitwise_or: _or,
    np.bitwise_xor: _xor,
    np.invert: lambda x: ~x,
}


# -- functions -------------------------------------------------------------------------------


def _over(method: str) -> Function:
    def call(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(a, method)(axis, keepdims=keepdims)

    return call


def _moment(method: str) -> Function:
    def call(a: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Any:
        return getattr(a, method)(axis, ddof, keepdims)

    return call


def _sorting(method: str) -> Function:
    def call(a: Any, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Any:
        return getattr(a, method)(axis, kind, stable=stable)

    return call


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise WrongType("np.where of a secret condition alone would show where it holds: use where(condition, x, 0)")
    return relations.where(condition, x, y)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    if not isinstance(a, Secret):
        raise WrongType("np.clip of a public array by secret bounds: use mpc.maximum and mpc.minimum")
    return reductions.clip(a, a_min, a_max, min, max)


FUNCTIONS: Mapping[Any, Function] = {
    np.sum: _over("sum"),
    np.mean: _over("mean"),
    np.any: _over("any"),
    np.all: _over("all"),
    np.max: _over("max"),
    np.amax: _over("max"),
    np.min: _over("min"),
    np.amin: _over("min"),
    np.var: _moment("var"),
    np.std: _moment("std"),
    np.cumsum: lambda a, axis=None: a.cumsum(axis),
    np.argmax: _over("argmax"),
    np.argmin: _over("argmin"),
    np.sort: _sorting("sort"),
    np.argsort: _sorting("argsort"),
    np.count_nonzero: lambda a, axis=None, *, keepdims=False: _truth(a).sum(axis, keepdims),
    np.where: _where,
    np.clip: _clip,
    np.round: lambda a, decimals=0: a.round(decimals),
    np.around: lambda a, decimals=0: a.round(decimals),
    np.dot: elementwise.dot,
    np.concatenate: shapes.concatenate,
    np.stack: shapes.stack,
    np.transpose: lambda a, axes=None: a.transpose(axes),
    np.reshape: lambda a, /, shape, order="C": a.reshape(shape, order=order),
    np.ravel: lambda a, order="C": a.ravel(order),
    np.squeeze: lambda a, axis=None: a.squeeze(axis),
    np.swapaxes: lambda a, axis1, axis2: a.swapaxes(axis1, axis2),
    np.expand_dims: shapes.expand_dims,
    np.copy: lambda a: a.copy(),
    np.take: lambda a, indices, axis=None: a.take(indices, axis),
    np.broadcast_to: shapes.broadcast_to,
    np.shape: lambda a: a.shape,
    np.ndim: lambda a: a.ndim,
    np.size: lambda a: a.size,
}

_SHOWS_POSITIONS = "it would show which elements they are: use where(condition, x, 0), then sum"
_COUNT = "for each public value or bound c use (x == c).sum() or (x < c).sum()"
_NEVER_NAN = "a secret is never NaN or infinite, so leave the check out"
_JOIN = "use mpc.concatenate or mpc.stack"
_RANK = "sort, s = (await x).sort(), and take s[i] at a public place i"
_CENTRED = "with d = x - x.mean() and e = y - y.mean() use "

INSTEAD: Mapping[str, str] = {
    "median": "use s = (await x).sort(); n = len(s); (s[(n - 1) // 2] + s[n // 2]) / 2",
    "percentile": _RANK,
    "quantile": _RANK,
    "cov": _CENTRED + "(d * e).sum() / (len(x) - 1)",
    "corrcoef": _CENTRED + "(d * e).mean() / (x.std() * y.std())",
    "unique": _COUNT,
    "bincount": _COUNT,
    "histogram": _COUNT,
    "digitize": _COUNT,
    "nonzero": _SHOWS_POSITIONS,
    "flatnonzero": _SHOWS_POSITIONS,
    "argwhere": _SHOWS_POSITIONS,
    "extract": _SHOWS_POSITIONS,
    "compress": _SHOWS_POSITIONS,
    "isnan": _NEVER_NAN,
    "isinf": _NEVER_NAN,
    "isfinite": _NEVER_NAN,
    "nan_to_num": _NEVER_NAN,
    "log2": "use mpc.log(x) / math.log(2)",
    "log10": "use mpc.log(x) / math.log(10)",
    "log1p": "use mpc.log(1 + x)",
    "expm1": "use mpc.exp(x) - 1",
    "rint": "use x.round(), where ties go up",
    "norm": "use mpc.sqrt((x * x).sum())",
    "array_equal": "use (x == y).all()",
    "average": "use (x * weights).sum() / weights.sum()",
    "vstack": _JOIN,
    "hstack": _JOIN,
    "column_stack": "use mpc.stack(columns, axis=1)",
    "outer": "use x.reshape(-1, 1) * y",
    "save": "use party.reveal first",
}
_GENERAL = (
    "use + - * @ / // % **, comparisons, the methods of a SecretArray, mpc.where, mpc.sqrt and what else mpc has, or "
    "reveal it first"
)


# -- calls -----------------------------------------------------------------------------------


def _refuse(name: str, short: str) -> WrongType:
    return WrongType(f"{name} does not take secrets: {INSTEAD.get(short, _GENERAL)}")


def call_ufunc(ufunc: Any, method: str, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """See NumpyArray.__array_ufunc__."""
    name = f"numpy.{ufunc.__name__}"
    if options.get("out") is not None:
        raise WrongType(f"{name}: a public array cannot hold a secret (out= or +=): write x = x + secret")
    if method != "__call__":
        raise WrongType(f"{name}.{method} does not take secrets: use the methods sum, cumsum, min, max, any, all")
    if ufunc not in UFUNCS:
        raise _refuse(name, ufunc.__name__)
    return call_as_numpy(name, UFUNCS[ufunc], inputs, {k: v for k, v in options.items() if k != "out"})


def call_function(function: Function, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """See NumpyArray.__array_function__."""
    name = f"{function.__module__}.{function.__name__}"
    if function not in FUNCTIONS:
        raise _refuse(name, function.__name__)
    return call_as_numpy(name, FUNCTIONS[function], args, options)
