"""The shape of a frame on the wire: a header of 28 bytes, then the payload. Pure: no sockets, no state.

    kind u8 | version u8 | run u16 | stamp u32 | depth u32 | label 12 bytes | length u32     (little-endian)

Everything a peer can make us believe about a frame is checked here, before a byte of it is kept.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from mpc.errors import FrameInvalid, FrameOversized
from mpc.mailbox import LABEL_BYTES

__all__ = [
    "CONTROL_LIMIT",
    "HEADER_BYTES",
    "HELLO_LIMIT",
    "NO_LABEL",
    "VERSION",
    "Header",
    "Kind",
    "check",
    "label_of_pc",
    "pack",
    "pc_of_label",
    "unpack",
]

VERSION = 1
CONTROL_LIMIT = 1 << 16  # most payload bytes of a frame that is neither DATA nor MPYC
HELLO_LIMIT = 4096  # of the very first one, before the peer is known
NO_LABEL = bytes(LABEL_BYTES)

_HEADER = struct.Struct("<BBHII12sI")
HEADER_BYTES = _HEADER.size
_PC = struct.Struct("<q4x")


class Kind(IntEnum):
    """What a frame is for."""

    DATA = 1  # the engine's own messages: shares
    MPYC = 2  # a message of MPyC's runtime; the label is its program counter
    HEARTBEAT = 3  # counters, so that parties who all wait for each other find out
    END = 4  # the sender's program (this run) is over
    FAREWELL = 5  # the sender is about to close on purpose
    ABORT = 6  # a program (this run) failed at party ``depth``; payload: the exception's class name
    HELLO = 7  # who I am, before anything else; and the agreement of keys


# kind, version, run, stamp, depth, label, length: a plain tuple, since one is made for every frame
Header = tuple[int, int, int, int, int, bytes, int]

_BULK = (Kind.DATA, Kind.MPYC)
_LAST = max(Kind)


def pack(kind: int, run: int, stamp: int, depth: int, label: bytes, length: int) -> bytes:
    """The 28 bytes in front of a payload of ``length`` bytes."""
    return _HEADER.pack(kind, VERSION, run, stamp, depth, label, length)


def unpack(buffer: bytes | bytearray | memoryview, offset: int = 0) -> Header:
    """The header at ``offset``; not yet checked, see :func:`check`."""
    return _HEADER.unpack_from(buffer, offset)


def check(header: Header, peer: int, max_frame: int) -> None:
    """Refuse a header that cannot be honest.

    Raises FrameInvalid for an unknown version or kind, FrameOversized for a length beyond ``max_frame``
    (beyond CONTROL_LIMIT for control frames); both name ``peer``.
    """
    kind, version, length = header[0], header[1], header[6]
    who = f"party {peer}" if peer >= 0 else "someone who dialed"
    if version != VERSION:
        raise FrameInvalid(
            peer,
            f"{who} speaks version {version} of the wire format, this party speaks {VERSION}: "
            "run the same release of accord on all parties",
        )
    if not 1 <= kind <= _LAST:
        raise FrameInvalid(peer, f"{who} sent a frame of unknown kind {kind}")
    limit = max_frame if kind in _BULK else CONTROL_LIMIT
    if length > limit:
        raise FrameOversized(
            peer,
            f"{who} announced a frame of {length} bytes, {limit} is the limit agreed: "
            "send less at once or raise max_frame on all parties",
        )


def label_of_pc(pc: int) -> bytes:
    """MPyC's program counter (a signed 64-bit number) as a label."""
    return _PC.pack(pc)


def pc_of_label(label: bytes) -> int:
    """The inverse of :func:`label_of_pc`."""
    pc: int = _PC.unpack(label)[0]
    return pc
