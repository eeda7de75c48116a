"""One party's share of a sealed answer, as arrays and as bytes; and opening it from those of several parties. Pure.

Bytes come from another member: they become numbers and arrays only (mpc/codec.py), of the sizes that the description
says, or ShareInvalid.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mpc import bits, codec
from mpc.encoding import decode
from mpc.errors import NotTransferable
from mpc.sharing import Layout
from protocols.description import Description, Opened, Slot
from protocols.errors import ShareInvalid, SharesDisagree, SharesMissing
from protocols.exact import is_whole

__all__ = ["SealedShare", "Words", "open_sealed"]

Words = npt.NDArray[np.uint64]

_MAGIC = b"accord sealed share 1\n"
_MOST_COMPONENTS = 126


@dataclass(frozen=True, repr=False, eq=False)
class SealedShare:
    """What one party holds of a sealed answer.

    Attributes:
        m, t: of the sharing; party: whose share it is.
        digest: of the description.
        arrays: for each slot (k, words), uint64: the components of Layout(m, t).held[party], in that order.
    """

    m: int
    t: int
    party: int
    digest: str
    arrays: tuple[Words, ...]

    def __repr__(self) -> str:
        return f"<SealedShare of party {self.party} of {self.m}, t={self.t}>"

    def to_bytes(self) -> bytes:
        """For the way to a result member. Whoever has those of t + 1 parties has the answer: encrypt it."""
        return _MAGIC + codec.dumps([self.m, self.t, self.party, self.digest, list(self.arrays)])

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, description: Description) -> SealedShare:
        """The share in the bytes, or ShareInvalid unless it is exactly one, of this answer."""
        view = memoryview(data).cast("B")
        words = sum(slot.words for slot in description.slots)
        if len(view) > 1024 + 64 * len(description.slots) + 8 * words * _MOST_COMPONENTS:
            raise ShareInvalid(f"a share of {len(view)} bytes: more than this answer can have")
        if bytes(view[: len(_MAGIC)]) != _MAGIC:
            raise ShareInvalid("not a share of a sealed answer, or of another format; update this node")
        said = None
        with contextlib.suppress(NotTransferable):
            said = codec.loads(view[len(_MAGIC) :])
        if type(said) is not list or len(said) != 5:
            raise ShareInvalid("a share of a sealed answer that is damaged or cut short")
        m, t, party, digest, arrays = said
        if type(arrays) is not list or not all(is_whole(x) for x in (m, t, party)):
            raise ShareInvalid("a share of a sealed answer with other parts than it has")
        made = cls(m, t, party, digest, tuple(arrays))
        made.check(description)
        return made

    def check(self, description: Description) -> None:
        """ShareInvalid unless it has the arrays that the description says."""
        sharing = self.m >= 3 and self.t >= 1 and 2 * self.t < self.m <= _MOST_COMPONENTS
        if not sharing or math.comb(self.m, self.t) > _MOST_COMPONENTS or not 0 <= self.party < self.m:
            raise ShareInvalid(f"a share of party {self.party} of {self.m}, t={self.t}: there is no such sharing")
        if self.digest != description.digest:
            raise ShareInvalid(f"party {self.party}: a share of another answer than the one described")
        needed = [(math.comb(self.m - 1, self.t), slot.words) for slot in description.slots]
        arrays: tuple[Any, ...] = self.arrays
        shapes = [x.shape if isinstance(x, np.ndarray) and x.dtype == np.uint64 else None for x in arrays]
        if shapes != needed:
            raise ShareInvalid(f"party {self.party}: a share whose arrays are not those of the answer described")


def open_sealed(description: Description, shares: Mapping[int, SealedShare], m: int, t: int) -> Opened:
    """The answer, as a receiver of release would have had it; of what is derived, or delivered, the values.

    Args:
        shares: by index of the party they came from; any t + 1 parties are enough.
        m, t: of the consortium, as the member who opens knows them.

    Raises ShareInvalid for a share of another answer, sharing or party; SharesMissing where they do not hold all
    components together; SharesDisagree where two parties' copies of one component differ.
    """
    layout = Layout(m, t)
    for party, share in shares.items():
        if (share.m, share.t, share.party) != (m, t, party):
            raise ShareInvalid(
                f"the share from party {party} is of party {share.party} of {share.m}, t={share.t}; "
                f"one of party {party} of {m}, t={t} is needed"
            )
        share.check(description)
    missing = [a for a in layout.components if not any(i in a for i in shares)]
    if missing:
        raise SharesMissing(
            f"the shares of {len(shares)} parties do not make the answer: those of any {t + 1} of {m} are needed"
        )
    _check_copies(layout, shares)
    opened = []
    for j, slot in enumerate(description.slots):
        components = {a: share.arrays[j][layout.slot[i][a]] for i, share in shares.items() for a in layout.held[i]}
        opened.append(_opened(slot, list(components.values())))
    return description.read(opened)


def _opened(slot: Slot, components: Sequence[Words]) -> Any:
    total: Words = functools.reduce(np.bitwise_xor if slot.boolean else np.add, components)
    if slot.boolean:
        return np.asarray(bits.unpack(total, slot.size).reshape(slot.shape))[()]
    return np.asarray(decode(total, slot.frac).reshape(slot.shape))[()]


def _check_copies(layout: Layout, shares: Mapping[int, SealedShare]) -> None:
    """SharesDisagree, naming the fewest parties whose fault it can be, or all of several such sets.

    A set of parties explains what is seen if the others agree with one another in every component. Where no t of them
    explain it, all who disagree with somebody are named.
    """
    differ: set[tuple[int, int]] = set()
    for a in layout.components:
        alike: dict[bytes, list[int]] = {}
        for i in a:
            if i in shares:
                copy = b"".join(x[layout.slot[i][a]].tobytes() for x in shares[i].arrays)
                alike.setdefault(copy, []).append(i)
        for some, others in itertools.combinations(alike.values(), 2):
            differ |= set(itertools.product(some, others))
    if not differ:
        return
    at = sorted({i for pair in differ for i in pair})
    guilty: list[set[int]] = []
    for size in range(1, layout.t + 1):
        sets = [set(s) for s in itertools.combinations(at, size)]
        guilty = guilty or [s for s in sets if all(i in s or j in s for i, j in differ)]
    parties = tuple(sorted(set().union(*guilty))) if guilty else tuple(at)
    sure = "gave" if len(guilty) == 1 else "or another of them gave"
    raise SharesDisagree(
        parties,
        f"party {', '.join(map(str, parties))} {sure} a wrong share of this answer: copies of one component differ. "
        "Nothing was opened; ask for the shares again, and look into what that node did",
    )
