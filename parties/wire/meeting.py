"""What a node says of itself to the other members: read only, so without an envelope. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from parties.wire.message_form import Boot, Count, Digest, Name, Object, Strict

__all__ = [
    "Beat",
    "CharterAnswer",
    "HelloAnswer",
    "Table",
    "Tables",
]

_MOST_CHARTER = 1 << 20


class HelloAnswer(Strict):
    """Who is there.

    Attributes:
        boot: boot id of this start.
        seen: the highest number had from the caller since.
        charter, version: of the charter in force there.
        release: of Accord.
        time: Unix seconds by its clock.
    """

    boot: Boot
    seen: Count
    charter: Digest
    version: Annotated[int, Field(ge=1, le=10**6)]
    release: Annotated[str, StringConstraints(max_length=32)]
    time: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]


class CharterAnswer(Strict):
    """One version of the charter, with its signatures, as files have them. Whether it is in force trust.py tells.

    Attributes:
        latest: version number of the one in force there.
        charter: TOML.
        signatures: JSON.
    """

    latest: Annotated[int, Field(ge=1, le=10**6)]
    charter: Annotated[str, StringConstraints(max_length=_MOST_CHARTER)]
    signatures: Annotated[str, StringConstraints(max_length=_MOST_CHARTER)]


class Table(Strict):
    """A table as its member publishes it, without what is private of it."""

    name: Name
    description: Object


class Tables(Strict):
    """All that a member publishes."""

    tables: Annotated[list[Table], Field(max_length=1000)]


class Beat(Strict):
    """A line of ``watch``.

    Attributes:
        boot: boot id.
        number: 0, 1, 2, ... in this stream.
        charter: digest of the one in force there.
        leaving: the node stops in an orderly way; the last line.
        round_trip: seconds to the farthest compute member and back, as far as known; 0 where it does not compute.
    """

    boot: Boot
    number: Count
    charter: Digest
    leaving: bool = False
    round_trip: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = 0.0
