"""LIKE over public categories: which of them a pattern matches, so that no row's text is ever matched. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from parties.errors import ExpressionUnfit

__all__ = ["like"]

_MOST = 256


def like(values: Sequence[str], pattern: str, escape: str | None, *, ignores_case: bool) -> tuple[str, ...]:
    """Those of the values that the pattern matches: % any text, _ any character, after ``escape`` the sign itself.

    Never backtracks: between two % the first place that fits will do. ExpressionUnfit for a pattern of more than 256
    characters, or an escape that is no single one or stands before nothing.
    """
    if len(pattern) > _MOST:
        raise ExpressionUnfit(f"a pattern of more than {_MOST} characters")
    if escape is not None and len(escape) != 1:
        raise ExpressionUnfit("ESCAPE takes one character")
    pieces = _pieces(pattern, escape)
    flags = re.DOTALL | (re.IGNORECASE if ignores_case else 0)
    compiled = [re.compile(piece, flags) for piece in pieces]
    return tuple(value for value in values if _matches(value, compiled))


def _pieces(pattern: str, escape: str | None) -> list[str]:
    """What stands between the %, as regular expressions of one length each."""
    found, signs = [""], iter(pattern)
    for sign in signs:
        if sign == escape:
            plain = next(signs, None)
            if plain is None:
                raise ExpressionUnfit("a pattern that ends in its ESCAPE")
            found[-1] += re.escape(plain)
        elif sign == "%":
            found.append("")
        else:
            found[-1] += "." if sign == "_" else re.escape(sign)
    return found


def _matches(value: str, pieces: Sequence[re.Pattern[str]]) -> bool:
    if len(pieces) == 1:
        return pieces[0].fullmatch(value) is not None
    first = pieces[0].match(value)
    if first is None:
        return False
    at = first.end()
    for piece in pieces[1:-1]:
        found = piece.search(value, at)
        if found is None:
            return False
        at = found.end()
    last = re.compile(f"(?:{pieces[-1].pattern})\\Z", pieces[-1].flags)
    return last.search(value, at) is not None
