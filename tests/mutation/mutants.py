"""A module's mutants: its source with one small change each, such as a test that misses it would let through. Pure.

What is changed: comparisons, and, or, not, conditions, constants, texts (those of f-strings too), members of
enumerations, arithmetic, any and all, sorted and the like, parts of tuples, statements left out. Not: annotations,
docstrings, imports, ``__all__``, assertions.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Mutant", "mutants"]

_COMPARED: Mapping[type, tuple[type, ...]] = {
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,), ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}  # fmt: skip
_COMPUTED: Mapping[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift,
}  # fmt: skip
_CALLED = {"any": "all", "all": "any", "min": "max", "max": "min"}
_LEFT_OUT = {"sorted", "set", "frozenset", "tuple", "list", "float", "ceil"}


@dataclass(frozen=True)
class Mutant:
    """One. ``line`` counts from 1; ``before`` and ``after`` are the changed part in one line; ``tree`` is all of it."""

    line: int
    before: str
    after: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"line {self.line}: {_short(self.before)}  ->  {_short(self.after)}"


def mutants(source: str, enumerations: Mapping[str, Sequence[str]] | None = None) -> Iterator[Mutant]:
    """All of them, in the order of the source. ``enumerations``: names of members, by the class's name."""
    tree = ast.parse(source)
    members = enumerations or {}
    for place, (node, statement) in enumerate(_changeable(tree)):
        for how in _changes(node, members):
            mutated = copy.deepcopy(tree)
            target, within = list(_changeable(mutated))[place]
            before = ast.unparse(statement)
            changed = how(target)
            if changed is not target:
                _replace(mutated, target, changed)
            ast.fix_missing_locations(mutated)
            after = ast.unparse(within if within is not target else changed)
            yield Mutant(node.lineno, *_difference(before, after), mutated)


# -- where ---------------------------------------------------------------------------------------


def _changeable(tree: ast.Module) -> Iterator[tuple[Any, Any]]:
    """(node, the statement or clause it is shown with)."""

    def walk(node: ast.AST, shown: ast.AST) -> Iterator[tuple[Any, Any]]:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "type_params") or (name == "bases" and isinstance(node, ast.ClassDef)):
                continue
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or _skipped(node, name, i, child):
                    continue
                clause = isinstance(node, (ast.If, ast.While, ast.For)) and name in ("test", "iter")
                inner = child if clause or isinstance(child, ast.stmt) else shown
                if hasattr(child, "lineno"):
                    yield child, inner
                yield from walk(child, inner)

    yield from walk(tree, tree)


def _skipped(parent: ast.AST, name: str, place: int, child: ast.AST) -> bool:
    if isinstance(child, (ast.Import, ast.ImportFrom, ast.Assert, ast.Pass, ast.AnnAssign)):
        return not (isinstance(child, ast.AnnAssign) and child.value is not None)
    if isinstance(child, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in child.targets):
        return True
    text = isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and isinstance(child.value.value, str)
    return bool(text) or (isinstance(parent, (ast.FunctionDef, ast.ClassDef)) and name == "decorator_list")


def _replace(tree: ast.Module, target: ast.AST, by: ast.AST) -> None:
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            if value is target:
                setattr(node, name, by)
                return
            if isinstance(value, list):
                for i, child in enumerate(value):
                    if child is target:
                        value[i] = by
                        return


# -- what ----------------------------------------------------------------------------------------

_Change = Callable[[Any], Any]


def _changes(node: Any, members: Mapping[str, Sequence[str]]) -> Iterator[_Change]:
    """Functions that change a node like this one in place, and give what stands there then."""
    match node:
        case ast.Compare(ops=[op, *_]):
            for other in _COMPARED[type(op)]:
                yield lambda n, other=other: _put(n, ops=[other(), *n.ops[1:]])
        case ast.BoolOp(op=op, values=values):
            yield lambda n: _put(n, op=ast.Or() if isinstance(n.op, ast.And) else ast.And())
            if len(values) > 1:
                for i in range(len(values)):
                    yield (
                        lambda n, i=i: (
                            n.values[1 - i]
                            if len(n.values) == 2
                            else _put(n, values=[*n.values[:i], *n.values[i + 1 :]])
                        )
                    )
        case ast.UnaryOp(op=ast.Not()):
            yield lambda n: n.operand
        case ast.If() | ast.While():
            yield lambda n: _put(n, test=ast.UnaryOp(ast.Not(), n.test))
        case ast.IfExp():
            yield lambda n: n.body
            yield lambda n: n.orelse
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            for i, loop in enumerate(node.generators):
                for j in range(len(loop.ifs)):
                    yield lambda n, i=i, j=j: (n.generators[i].ifs.pop(j), n)[1]
        case ast.Constant(value=bool() as value):
            yield lambda n: _put(n, value=not n.value)
        case ast.Constant(value=int() | float()):
            yield lambda n: _put(n, value=n.value + 1)
        case ast.Constant(value=str()):
            yield lambda n: _put(n, value=f"XX{n.value}")
        case ast.BinOp(op=op) if type(op) in _COMPUTED:
            yield lambda n: _put(n, op=_COMPUTED[type(n.op)]())
        case ast.Attribute(value=ast.Name(id=owner), attr=attr) if attr in members.get(owner, ()):
            for other in members[owner]:
                if other != attr:
                    yield lambda n, other=other: _put(n, attr=other)
        case ast.Call(func=ast.Name(id=name), args=args):
            if name in _CALLED:
                yield lambda n: _put(n, func=ast.Name(_CALLED[n.func.id], ast.Load()))
            if name in _LEFT_OUT and len(args) == 1:
                yield lambda n: n.args[0]
            for i in range(len(node.keywords)):
                yield lambda n, i=i: _put(n, keywords=[*n.keywords[:i], *n.keywords[i + 1 :]])
        case ast.Tuple(elts=[_, _, *_] as elts, ctx=ast.Load()):
            for i in range(len(elts)):
                yield lambda n, i=i: _put(n, elts=[*n.elts[:i], *n.elts[i + 1 :]])
        case ast.Continue():
            yield lambda n: ast.Break()
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield lambda n: ast.Return(ast.Constant(None))
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            yield lambda n: ast.Pass()


def _put(node: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


# -- how it is shown -----------------------------------------------------------------------------


def _difference(before: str, after: str) -> tuple[str, str]:
    """The part of two texts from the first place at which they differ on, with some words before it."""
    a, b = " ".join(before.split()), " ".join(after.split())
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    start = a.rfind(" ", 0, max(at - 25, 0)) + 1
    return a[start:], b[start:]


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "..."
