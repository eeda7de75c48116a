"""A job, as a node makes it of what one of its people asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from parties.jobs.job import Job, job_id
from parties.node.catalogue import Catalogue
from parties.planning.kinds import KINDS
from parties.running.board import Board
from parties.wire.people_messages import Submit

__all__ = ["answered_before", "asked_job"]


async def asked_job(board: Board, catalogue: Catalogue, person: str, asked: Submit) -> tuple[Job, list[str]]:
    """(the job, what is published of its tables: none if it is one that the board has).

    Where no table is named and the kind finds them in the parameters, those are the job's; a model they name is looked
    up (ModelOffers.completed). Raises JobRefused, PeerCallFailed, TableInvalid, ModelMissing, and what the kind's
    reading of its parameters does.
    """
    id_ = job_id(board.identity.fingerprint, asked.key)
    kept = await board.find(id_)
    parameters: Mapping[str, Any] = asked.parameters
    if catalogue.offers is not None:
        parameters = await catalogue.offers.completed(parameters, None if kept is None else kept.job)
    tables = tuple((choice.member, choice.table) for choice in asked.tables)
    if kept is not None:
        tables, published, texts = tables or kept.job.tables, kept.job.published, []
    else:
        tables = tables or await catalogue.tables_of(asked.kind, asked.parameters)
        texts = [await catalogue.described(member, name) for member, name in tables]
        published = tuple(hashlib.sha256(text.encode()).hexdigest() for text in texts)
    job = Job(
        charter=board.charter.digest,
        id=id_,
        kind=asked.kind,
        parameters=parameters,
        tables=tables,
        published=published,
        results=tuple(asked.results),
        proposer=board.identity.fingerprint,
        proposed=int(board.clock()),
        deadline=asked.deadline,
        on_loss=asked.on_loss,
        analyst=person,
        purpose=asked.purpose,
    )
    return job, texts


async def answered_before(board: Board, job: Job) -> str | None:
    """Id of a job that answered the same, and is given again (replays.py); None for a kind that costs nothing."""
    kind = KINDS.get(job.kind)
    if kind is not None and kind.free:
        return None
    found: str | None = await board.disk(board.store.replays.find, job)
    return found
