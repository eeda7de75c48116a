"""Pseudorandom components that nobody has to send.

The holders of a component share a key, every pair of parties shares a key, and every party has one of its
own. From a key and a label comes a stream of AES-128 in counter mode: the label is the first 12 bytes of the
counter block, so streams of different labels never overlap. A label is used once a key; a second use raises.

Cramer, Damgard, Ishai: Share conversion, pseudorandom secret-sharing and applications (TCC 2005).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from mpc.errors import LabelReused, OutOfRange
from mpc.sharing import Holders

__all__ = ["Prss", "Stream"]

Words = npt.NDArray[np.uint64]

_ZEROS = memoryview(bytes(1 << 16))
_LONGEST = 1 << 36  # bytes: the 4 counter bytes behind the label count 2^32 blocks of 16


def _bytes(array: Any) -> memoryview:
    return memoryview(array.reshape(-1).view(np.uint8))


class Stream:
    """AES-128-CTR streams under one key, one for each label.

    Args:
        key: 32 bytes; the AES key is derived from it.
        name: whose key it is, for the error message only.
    """

    def __init__(self, key: bytes, name: str) -> None:
        aes = HKDFExpand(hashes.SHA256(), 16, b"accord prss aes-128-ctr").derive(key)
        self._encryptor: Any = Cipher(algorithms.AES(aes), modes.CTR(bytes(16))).encryptor()
        self._name = name
        self._used: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<stream {self._name}, {len(self._used)} labels used>"

    def _start(self, label: bytes, nbytes: int) -> Any:
        if label in self._used:
            raise LabelReused(f"label {label.hex()} was used before under the key {self._name}")
        if nbytes >= _LONGEST:
            raise OutOfRange(f"a stream of {nbytes} bytes: at most {_LONGEST} under one label")
        self._used.add(label)
        self._encryptor.reset_nonce(label + bytes(4))
        return self._encryptor

    def words(self, label: bytes, n: int) -> Words:
        """n uniform 64-bit words."""
        out = np.empty(n, np.uint64)
        self.fill(label, out)
        return out

    def fill(self, label: bytes, out: npt.NDArray[Any]) -> None:
        """Overwrite a contiguous array with uniform bits."""
        encryptor = self._start(label, out.nbytes)
        if not out.nbytes:
            return
        view = _bytes(out)
        step = len(_ZEROS)
        for at in range(0, len(view), step):
            piece = view[at : at + step]
            encryptor.update_into(_ZEROS[: len(piece)], piece)

    def add_into(self, label: bytes, out: Words, *, negative: bool = False) -> None:
        """Add uniform words to a contiguous array, or subtract them, in place."""
        encryptor = self._start(label, out.nbytes)
        flat = out.reshape(-1)
        scratch = np.empty(len(_ZEROS) // 8, np.uint64)
        for at in range(0, flat.size, scratch.size):
            piece = flat[at : at + scratch.size]
            words = scratch[: piece.size]
            encryptor.update_into(_ZEROS[: words.nbytes], _bytes(words))
            if negative:
                piece -= words
            else:
                piece += words

    def xor_into(self, label: bytes, out: npt.NDArray[Any]) -> None:
        """XOR uniform bits into a contiguous array, in place."""
        encryptor = self._start(label, out.nbytes)
        if out.nbytes:
            view = _bytes(out)
            encryptor.update_into(view, view)


class Prss:
    """All streams of one party.

    Args:
        index: the party.
        component_keys: 32-byte key of every component this party holds, by holders.
        pair_keys: 32-byte key shared with each other party.
        private_key: 32 bytes only this party knows, fresh from the operating system (or a test's seed).
    """

    def __init__(
        self,
        index: int,
        component_keys: dict[Holders, bytes],
        pair_keys: dict[int, bytes],
        private_key: bytes,
    ) -> None:
        self._keys = (index, dict(component_keys), dict(pair_keys), private_key)
        self.component = {a: Stream(key, f"of {a}") for a, key in component_keys.items()}
        self.pair = {j: Stream(key, f"of {min(index, j), max(index, j)}") for j, key in pair_keys.items()}
        self.private = Stream(private_key, f"of party {index} alone")
        self._runs: set[bytes] = set()

    def for_run(self, run: bytes) -> Prss:
        """Fresh streams under keys derived for one run, so that labels start anew; LabelReused for a run twice."""
        if run in self._runs:
            raise LabelReused(f"the streams of run {run!r} were given out before: a run has a name of its own")
        self._runs.add(run)

        def derive(key: bytes) -> bytes:
            return HKDFExpand(hashes.SHA256(), 32, b"accord run " + run).derive(key)

        index, components, pairs, private = self._keys
        return Prss(
            index,
            {a: derive(k) for a, k in components.items()},
            {j: derive(k) for j, k in pairs.items()},
            derive(private),
        )

    def __repr__(self) -> str:
        return f"<Prss of party {self._keys[0]}: {len(self.component)} components>"
