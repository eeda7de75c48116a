"""Checkpoints of a training: a party's shares of a fit's state, encrypted, to go on from after a member was lost.

    keeper = Checkpoints(party, Checkpointing(key, job.digest, run), line)
    await model.fit(X, y, keeper=keeper)

After an epoch the keeper says ``Checkpoint(run, step, data)`` on the line; the node keeps the data. A run can go on
from a checkpoint only if *every* compute member has the one of the same run and step: shares of two runs do not fit
together. Which one that is the nodes find out by run and step, which are in the clear; all else is encrypted by
AES-256-GCM and bound to the job, the sharing, the party, the run and the step. Shares of t + 1 parties hold the
coefficients and the noise that is on them, so a checkpoint is as secret as the rows; delete it with the job.

What "the same result" means after going on: protocols/resume.py. Rows come in anew; that a party's own are those of the
first run is checked by a digest, as other rows would be a fit of neither.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc import codec
from mpc.arrays import SecretArray
from mpc.errors import NotTransferable, WrongType
from mpc.party import Party
from parties.errors import CheckpointInvalid
from parties.kinds.kind import Talk
from protocols.exact import is_whole
from protocols.resume import State

__all__ = ["Checkpoint", "Checkpointing", "Checkpoints", "checkpoint_of"]

Words = npt.NDArray[np.uint64]

_MAGIC = b"accord checkpoint 1\n"
_MOST_HEADER = 256


@dataclass(frozen=True, repr=False)
class Checkpointing:
    """What a worker is told of checkpoints.

    Attributes:
        key: 32 bytes, this node's own.
        job: the job's digest.
        run: which run of the job this is, in hex; no other run of it had this one.
        every: after so many epochs a state is kept.
        resume: the data of this party's checkpoint to go on from; None: begin at the beginning.
    """

    key: bytes = field(repr=False)
    job: str
    run: str
    every: int = 1
    resume: bytes | None = None

    def __post_init__(self) -> None:
        if len(self.key) != 32:
            raise WrongType("the key of checkpoints: 32 bytes")
        if len(self.run) > 64 or not self.run.isascii() or not self.run.isalnum():
            raise WrongType("the run of a checkpoint: 1 to 64 letters and digits")


@dataclass(frozen=True, repr=False)
class Checkpoint:
    """What is said on the line: this party's state after ``step`` steps of ``run``, encrypted."""

    run: str
    step: int
    data: bytes


class Checkpoints:
    """protocols.resume.Keeper at one party.

    Args:
        rows: digest of this party's own rows.

    Attributes:
        came_from: the run it goes on from; "" if none.

    Raises CheckpointInvalid, if there is one to go on from that is another job's, party's or key's, or of other rows.
    """

    def __init__(self, party: Party, told: Checkpointing, line: Talk, rows: bytes = b"") -> None:
        self._party, self._told, self._line, self._rows = party, told, line, rows
        self.came_from = "" if told.resume is None else checkpoint_of(told.resume)[0]
        self._before = None if told.resume is None else self._read(told.resume)

    def begin(self) -> State | None:
        """See Keeper."""
        return self._before

    def due(self, epoch: int) -> bool:
        """See Keeper."""
        return epoch % self._told.every == 0

    def keep(self, state: State) -> None:
        """Say it on the line."""
        arrays = {name: [x.frac, np.ascontiguousarray(x.share)] for name, x in state.arrays.items()}
        head = json.dumps({"run": self._told.run, "step": state.step}, sort_keys=True).encode("ascii")
        nonce = os.urandom(12)
        sealed = AESGCM(self._told.key).encrypt(nonce, codec.dumps([self._rows, arrays]), self._place(head))
        data = _MAGIC + len(head).to_bytes(2, "little") + head + nonce + sealed
        self._line.send(Checkpoint(self._told.run, state.step, data))

    def _place(self, head: bytes) -> bytes:
        """What a checkpoint is bound to."""
        p = self._party
        return _MAGIC + f"{self._told.job} party {p.index} of {p.m}, t={p.t} ".encode("ascii") + head

    def _read(self, data: bytes) -> State:
        _, step, head, sealed = _split(data)
        arrays: dict[str, Any] | None = None
        rows = None
        with contextlib.suppress(InvalidTag, NotTransferable, TypeError, ValueError):
            rows, arrays = codec.loads(AESGCM(self._told.key).decrypt(sealed[:12], sealed[12:], self._place(head)))
        if arrays is None:
            raise CheckpointInvalid(
                "a checkpoint of another job or party, under another key, or changed: begin the job anew"
            )
        if rows != self._rows:
            raise CheckpointInvalid("this party's tables have other rows than at the checkpoint: begin the job anew")
        found = {name: SecretArray(self._party, words, frac) for name, (frac, words) in arrays.items()}
        return State(step, found)


def checkpoint_of(data: bytes) -> tuple[str, int]:
    """(run, step) that the data say they are of, for nodes to find the one they all have. CheckpointInvalid."""
    run, step, _, _ = _split(data)
    return run, step


def _split(data: bytes) -> tuple[str, int, bytes, bytes]:
    """(run, step, header, nonce and content)."""
    at = len(_MAGIC)
    size = int.from_bytes(data[at : at + 2], "little")
    head, sealed = data[at + 2 : at + 2 + size], data[at + 2 + size :]
    try:
        if not data.startswith(_MAGIC) or size > _MOST_HEADER or len(sealed) < 28:
            raise ValueError
        said = json.loads(head.decode("ascii"))
        run, step = said["run"], said["step"]
        if set(said) != {"run", "step"} or not isinstance(run, str) or not is_whole(step) or step < 0:
            raise ValueError
    except (KeyError, RecursionError, TypeError, ValueError):
        raise CheckpointInvalid("not a checkpoint, or one of another format: begin the job anew") from None
    return run, step, head, sealed
