"""An audit log as a file: lines of JSON that can be checked without any node, and CSV for spreadsheets.

    {"format": "accord audit log 1", "head": {"digest": ..., "log": ..., "number": ...}}
    {"content": {...}, "digest": ..., "number": 1}
    ...

Every line is canonical JSON, so there is one way to write a log down, and every bit of the file counts. Who has the
file alone knows that it holds together; that nothing is cut off at its end is shown by a head from elsewhere: every
acceptance of a job has one (statement.py).
"""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO

from parties.disk.chain import MOST_CONTENT, Entry, Head, canonical, first_head, follow, read_content, read_head
from parties.errors import LogBroken

__all__ = ["Known", "check_file", "check_known", "follow_lines", "write_csv", "write_lines"]

Known = tuple[int, str]
"""The number and the digest of an entry, as somebody else knows them."""

_FORMAT = "accord audit log 1"
_MOST_LINE = MOST_CONTENT + 1024  # bytes
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet may take for the beginning of a formula."""

_COLUMNS = ("number", "time", "what", "job", "proposer", "analyst", "person", "purpose", "kind", "epsilon", "delta")


def write_lines(file: BinaryIO, head: Head, entries: Iterable[Entry]) -> None:
    """The log, whose head this is."""
    file.write(canonical({"format": _FORMAT, "head": head.fields}) + b"\n")
    for entry in entries:
        content = read_content(head.log, entry)
        file.write(canonical({"number": entry.number, "content": content, "digest": entry.digest}) + b"\n")


def check_file(file: BinaryIO, known: Known | None = None) -> Head:
    """Follow an exported log to its end; the head. In memory: one line at a time.

    Args:
        known: of a head that the log is to have had, from elsewhere.

    Raises LogBroken, which names the first thing that is wrong.
    """
    stated = _read(file.readline(_MOST_LINE), "line 1")
    if set(stated) != {"format", "head"} or stated["format"] != _FORMAT:
        raise LogBroken(f"line 1: no {_FORMAT!r}: `accord audit export --format jsonl` writes one")
    end = read_head(stated["head"])
    lines = iter(lambda: file.readline(_MOST_LINE), b"")
    head = check_known(first_head(end.log), _entries(lines), known)
    if head != end:
        raise LogBroken(f"{end.log}: line 1 says that it ends with another entry {end.number}")
    return head


def check_known(first: Head, entries: Iterable[Entry], known: Known | None) -> Head:
    """chain.follow; the head. LogBroken too if the entry that a known head is of is not there, or another one."""
    head, met = first, known in (None, (first.number, first.digest))
    for entry in entries:
        head = follow(head, (entry,))
        if known is not None and entry.number == known[0]:
            met = entry.digest == known[1]
            if not met:
                raise LogBroken(f"{first.log}, entry {entry.number}: another one than the head that is known says")
    if known is not None and not met:
        raise LogBroken(f"{first.log}: it ends with entry {head.number}, and had entry {known[0]}: it was cut off")
    return head


def follow_lines(head: Head, lines: Iterable[bytes]) -> Head:
    """The head after these lines of an exported log, which come after this one."""
    return follow(head, _entries(lines, head.number))


def write_csv(file: TextIO, entries: Iterable[Entry], log: str) -> None:
    """A line for each entry. What may be taken for a formula has an apostrophe before it."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([*_COLUMNS, "receivers", "tables", "content", "digest"])
    for entry in entries:
        content = read_content(log, entry)
        at = datetime.datetime.fromtimestamp(content["at"], datetime.UTC).isoformat(timespec="milliseconds")
        known = {**content, "number": entry.number, "time": at}
        cells = [known.get(name, "") for name in _COLUMNS]
        receivers = content.get("receivers", content.get("results", ""))
        rest = [receivers, content.get("tables", ""), entry.content.decode("ascii"), entry.digest]
        writer.writerow([_cell(value) for value in (*cells, *rest)])


def _entries(lines: Iterable[bytes], before: int = 0) -> Iterator[Entry]:
    for number, line in enumerate(lines, before + 2):
        what = f"line {number}"
        said = _read(line, what)
        good = set(said) == {"content", "digest", "number"} and isinstance(said["content"], dict)
        if not good or not isinstance(said["digest"], str) or type(said["number"]) is not int:
            raise LogBroken(f"{what}: number, content and digest of an entry")
        yield Entry(said["number"], canonical(said["content"]), said["digest"])


def _read(line: bytes, what: str) -> dict[str, Any]:
    """A line's object. LogBroken unless it is written as it is written here."""
    if not line.endswith(b"\n"):
        raise LogBroken(f"{what}: it is cut off, or too long")
    said: Any = None
    try:
        said = json.loads(line[:-1].decode("ascii"))
        same = isinstance(said, dict) and canonical(said) == line[:-1]
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise LogBroken(f"{what}: not JSON in the form it was written in")
    return dict(said)


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return f"'{text}" if text.startswith(_FORMULA) else text
