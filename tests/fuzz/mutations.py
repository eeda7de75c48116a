"""Valid inputs made invalid: bits, lengths and pieces of bytes; values, names and depth of JSON; lines of TOML.

All randomness is the ``random.Random`` that is given, so an input is known by its seed.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

__all__ = [
    "BYTES", "JSON", "TEXT", "TOML", "Mutate", "mutate_bytes", "mutate_json", "mutate_text", "mutate_toml",
    "replaced_everywhere",
]  # fmt: skip

Mutate = Callable[[Random, bytes, Sequence[bytes]], bytes]
"""(randomness, a valid input, others of its kind) -> another input."""

_SIZES = (0, 1, 2, 7, 255, 256, 65535, 65536, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_LONG = 4096
_PIECES = (
    b"", b"\0", b"\0" * 64, b"\xff" * 8, b"\xff" * 64, b"\x80", b"\r\n", b"\r\n\r\n", b"{}", b"[]", b'"', b"\\u0000",
    b"\\ud800", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xef\xbb\xbf", b"1e999", b"-0", b"NaN",
    b"9" * 400, b"[" * 2000, b'{"a":' * 2000, b"(" * 300, b"\xe2\x80\xae", b"\t", b"../", b"%00", b"\x1b[2J",
)  # fmt: skip


# -- bytes -----------------------------------------------------------------------------------------


def mutate_bytes(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """One to four changes that know nothing of the format, but that it may hold lengths."""
    data = bytearray(seed)
    for _ in range(1 + random.getrandbits(2)):
        random.choice(_OF_BYTES)(random, data, others)
    return bytes(data)


def _at(random: Random, data: bytearray) -> int:
    return random.randrange(len(data) + 1)


def _flip(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    for _ in range(random.choice((1, 1, 1, 8))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.getrandbits(3)


def _set(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.getrandbits(8)))


def _length(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """An extreme number of 1, 2, 4 or 8 bytes somewhere, or one that is off by a little."""
    width = random.choice((1, 2, 4, 4, 8))
    if len(data) < width:
        return
    at, order = random.randrange(len(data) - width + 1), random.choice(("little", "big"))
    near = int.from_bytes(data[at : at + width], order) + random.choice((-1, 1, 2, 64))
    number = random.choice((*_SIZES, len(data), near, (1 << 63) - 1, (1 << 64) - 1))
    data[at : at + width] = (number % (1 << 8 * width)).to_bytes(width, order)


def _cut(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _at(random, data)
    del data[at : at + random.choice((1, 2, 4, 16, len(data)))]


def _repeat(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    low, high = sorted((_at(random, data), _at(random, data)))
    piece = data[low : min(high, low + 256)]
    data[low:low] = piece * (random.choice((1, 1, 2, 16)) if piece else 0)


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    """The front of this one, the rear of another."""
    other = random.choice(others)
    data[_at(random, data) :] = other[random.randrange(len(other) + 1) :]


def _insert(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    at = _at(random, data)
    data[at : at + random.choice((0, 0, 1, 8))] = random.choice((*_PIECES, random.randbytes(random.getrandbits(4))))


def _swap(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    a, b, c = sorted(_at(random, data) for _ in range(3))
    data[a:c] = data[b:c] + data[a:b]


def _lengthen(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    data += bytes([random.choice((0, 32, 65, 255))]) * random.randrange(_LONG)


_OF_BYTES = (_flip, _flip, _set, _length, _length, _cut, _repeat, _splice, _insert, _swap, _lengthen)


# -- text ------------------------------------------------------------------------------------------

_CHARS = tuple("\0\n\t /:-.[]@%'\"\\{}=#,0OIL") + ("é", "\u202e", "\ufeff", "\u0660", "\ud800", "\U0001f600", "ß", "ſ")  # noqa: RUF005


def mutate_text(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """Letters that look alike, are no ASCII, or mean something; at times bytes that are no text at all."""
    if not random.getrandbits(2):
        return mutate_bytes(random, seed, others)
    text = list(seed.decode("utf-8", "surrogatepass"))
    for _ in range(1 + random.getrandbits(1)):
        at = random.randrange(len(text) + 1)
        text[at : at + random.getrandbits(1)] = random.choice(_CHARS) * random.choice((1, 1, 1, 500))
    return "".join(text).encode("utf-8", "surrogatepass")


# -- JSON ------------------------------------------------------------------------------------------


class _Pairs(list[list[Any]]):
    """An object: its names may come twice."""


class _Raw(str):
    """Text that is written as it is."""


_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 1 << 31, (1 << 53) - 1, 1 << 53, 1 << 63, -(1 << 63) - 1, 1 << 64,
    10**400, 0.0, -0.0, 0.5, 1.0, 1e300, 5e-324, "", "a", "A", "0", "\0", "\ud800", "\u202e", "é", "1", "true",
    "x" * 300, "a/b", "..", "-", "alfa", "2020-02-30", [], [[]], [None], _Pairs(), _Pairs([["a", 1]]), _Raw("NaN"),
    _Raw("1e999"), _Raw("-Infinity"), _Raw("9" * 5000), _Raw("1" + "0" * 300 + ".0"), _Raw("[" * 60 + "]" * 60),
    _Raw("1E-9999"), _Raw('{"a":' * 40 + "0" + "}" * 40), _Raw("[" * 3000 + "]" * 3000), _Raw("[" * 200000),
    _Raw('"\\ud800"'), _Raw('"\\udc00\\ud800"'), _Raw("01"), _Raw("+1"), _Raw("'a'"), _Raw("nul"), _Raw('"\t"'),
    _Raw("1.0"), _Raw("1e2"),
)  # fmt: skip
_ONE_OF_EACH: tuple[Any, ...] = (None, True, -1, 1 << 62, 10**400, 0.5, "a", [], _Pairs())
_LARGE = 8 << 20  # characters that a list does not grow beyond by repeating what is in it
_SPECIAL = re.compile(r"[\[{]")


_OF_TEXTS: tuple[Callable[[str], str], ...] = (
    lambda text: text + text,
    lambda text: text + " ",
    lambda text: "\ufeff" + text,
    lambda text: " " * 70000 + text,
    lambda text: text.replace(":", ": "),
)


def mutate_json(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """One to three changes of its values, names and depth; at times of its bytes. A JSON text within it is JSON too."""
    if not random.getrandbits(3):
        return mutate_bytes(random, seed, others)
    tree = [_read(seed.decode("utf-8", "surrogatepass"))]
    donor = _read(random.choice(others).decode("utf-8", "surrogatepass"))
    for _ in range(random.choice((1, 1, 2, 3))):
        _change(random, tree, 0, donor)
    text = _written(tree[0])
    if not random.getrandbits(5):
        text = random.choice(_OF_TEXTS)(text)
    return text.encode("utf-8", "surrogatepass")


def _read(text: str) -> Any:
    return json.loads(text, object_pairs_hook=lambda pairs: _Pairs(map(list, pairs)))


def _written(value: Any) -> str:
    """As Accord writes JSON: in ASCII, without spaces, so that what is not changed stays canonical."""
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{_written(name)}:{_written(inner)}" for name, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return value if isinstance(value, _Raw) else json.dumps(value)


def _change(random: Random, parent: list[Any], at: int, donor: Any) -> None:
    """Go down from ``parent[at]`` for a while, and change what is there."""
    value = parent[at]
    if isinstance(value, list) and value and random.random() < 0.8:
        if isinstance(value, _Pairs):
            _change(random, random.choice(value), 1, donor)
        else:
            _change(random, value, random.randrange(len(value)), donor)
        return
    if type(value) is str and _SPECIAL.match(value) and random.getrandbits(2):
        try:
            within = [_read(value)]
        except (ValueError, RecursionError):
            within = []
        if within:
            _change(random, within, 0, donor)
            parent[at] = _written(within[0])
            return
    random.choice(_OF_JSON)(random, parent, at, donor)


def replaced_everywhere(seed: bytes) -> Iterator[bytes]:
    """A value of each type in each place of a JSON text, one at a time, and each place left out."""
    tree = [_read(seed.decode())]
    lists: list[list[Any]] = [tree]
    for held in lists:
        for i, item in enumerate(list(held)):
            place, at = (item, 1) if isinstance(held, _Pairs) else (held, i)
            value = place[at]
            if isinstance(value, list):
                lists.append(value)
            for other in _ONE_OF_EACH:
                place[at] = other
                yield _written(tree[0]).encode()
            place[at] = value
            if held is not tree:
                del held[i]
                yield _written(tree[0]).encode()
                held.insert(i, item)


def _other(random: Random, parent: list[Any], at: int, donor: Any) -> None:
    parent[at] = copy.deepcopy(random.choice(_VALUES))


def _near(random: Random, parent: list[Any], at: int, donor: Any) -> None:
    """Nearly the same: a number beside it, a text with other letters, a flag the other way round, another type."""
    value = parent[at]
    if type(value) is bool:
        parent[at] = random.choice((not value, int(value)))
    elif type(value) in (int, float):
        real = float(value) if abs(value) < 1e300 else 1e308
        parent[at] = random.choice((value + 1, -value, value * 2, real, str(value), bool(value)))
    elif type(value) is str:
        seed = value.encode("utf-8", "surrogatepass")
        parent[at] = mutate_text(random, seed, [seed]).decode("utf-8", "replace")
    else:
        _other(random, parent, at, donor)


def _resize(random: Random, parent: list[Any], at: int, donor: Any) -> None:
    """Something of a list or an object dropped, doubled, named anew, or put in another order."""
    value = parent[at]
    if not isinstance(value, list) or not value:
        parent[at] = random.choice(([value], _Pairs([["a", value]]), [value] * 3))
        return
    i, what = random.randrange(len(value)), random.getrandbits(3)
    if what < 2:
        del value[i]
    elif what < 4:
        value.insert(i, list(value[i]) if isinstance(value, _Pairs) else value[i])
    elif what == 4:
        times = random.choice((1, 40, 1001))
        value.extend([value[i]] * min(times, 1 + _LARGE // len(_written(value[i]))))
    elif what == 5:
        random.shuffle(value)
    elif isinstance(value, _Pairs):
        value[i][0] = random.choice(("", "a", "kind", "\ud800", value[0][0] + "x", "é", "__class__", "x" * 300))
    else:
        _other(random, value, i, donor)


def _graft(random: Random, parent: list[Any], at: int, donor: Any) -> None:
    """A part of another input in this place."""
    while isinstance(donor, list) and donor and random.random() < 0.7:
        donor = random.choice(donor)[1] if isinstance(donor, _Pairs) else random.choice(donor)
    parent[at] = _read(_written(donor))


_OF_JSON = (_other, _other, _near, _near, _resize, _resize, _graft)


# -- TOML ------------------------------------------------------------------------------------------

_TOML_VALUES = (
    '""', '"a"', "0", "1", "-1", "true", "1.5", "inf", "nan", "-nan", "[]", "[1]", '["a"]', "{}", "{a = 1}",
    "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", "9" * 30, "9" * 5000, "0x" + "f" * 5000, "1e400",
    '"\\ud800"', '"\\u0000"', "'''a\nb'''", '"""\n"""', "[" * 3000, "{a=" * 3000,
    '"\\U00110000"', "2020-02-30", '[["a"]]', "0b1", "1_000",
    "'\t'", '"\u202e"', '"alfa"', '"x".y', "9223372036854775808",
)  # fmt: skip
_TOML_LINES = (
    "", "[a]", "[[a]]", "[members]", "[tables]", "[[tables]]", "a = 1", "a.b.c = 1", "[" + "a." * 2000 + "a]",
    "=", "a", '"" = 1', "# \0", "# " + "x" * 5000, "[people]", '"é" = 1', "version.a = 1", "a = 1\na = 1",
)  # fmt: skip


def mutate_toml(random: Random, seed: bytes, others: Sequence[bytes]) -> bytes:
    """Values of other types, lines dropped, doubled and moved, names changed; at times bytes."""
    if not random.getrandbits(3):
        return mutate_bytes(random, seed, others)
    lines = seed.decode("utf-8").split("\n")
    for _ in range(random.choice((1, 1, 2, 3))):
        i, what = random.randrange(len(lines)), random.getrandbits(3)
        name, sign, value = lines[i].partition(" = ")
        if sign and what < 3:
            lines[i] = f"{name} = {random.choice(_TOML_VALUES)}"
        elif what == 3:
            text = (value if sign else name).encode()
            changed = mutate_text(random, text, [text]).decode("utf-8", "replace")
            lines[i] = f"{name} = {changed}" if sign else changed
        elif what == 4:
            lines.insert(i, random.choice(lines))
        elif what == 5 and len(lines) > 1:
            del lines[i]
        elif what == 6:
            other = random.choice(others).decode("utf-8").split("\n")
            lines[i] = random.choice(other)
        else:
            lines.insert(i, random.choice(_TOML_LINES))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


BYTES: Mutate = mutate_bytes
TEXT: Mutate = mutate_text
JSON: Mutate = mutate_json
TOML: Mutate = mutate_toml
