"""What members offer each other to score with, as this node knows it; and what this node keeps of jobs that trained."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import trio

from mpc.errors import AccordError
from parties.calls.members import Members
from parties.errors import JobRefused, ModelMissing, NotReleased, ParametersInvalid
from parties.jobs.job import Job
from parties.jobs.job_signatures import check_acceptances
from parties.membership.charter import Member
from parties.models.model_assets import ModelAssets
from parties.models.model_entry import Asset
from parties.models.model_rules import may_see
from parties.planning.job_plans import Plans
from parties.planning.job_work import PUBLISHED
from parties.running.board import Board
from parties.wire.model_messages import FromJob, MemberModels, ModelList, Offer, Offers, OwnModel, RulesForm

__all__ = ["ModelOffers", "own_model"]

_ASK = 5.0
_NAMED = re.compile(r"([a-z0-9-]+)\.([a-z0-9_-]+)(?:@([1-9][0-9]{0,5}))?")
_STATED = ("version", "id", "family")


class ModelOffers:
    """One node's.

    Args:
        board, members, plans: of the node.
        assets: this member's models.
    """

    def __init__(self, board: Board, members: Members, plans: Plans, assets: ModelAssets) -> None:
        self._board = board
        self._members = members
        self._plans = plans
        self._assets = assets

    async def to(self, peer: Member) -> Offers:
        """What this member offers to that one: what that one's people may score with, and nothing else."""
        return Offers(models=await self._board.aside(self._offered, peer.name))

    async def all(self) -> ModelList:
        """This member's models, and what each other one offers; with an error where one could not be asked."""
        me, found = self._board.me, {}

        async def one(member: Member) -> None:
            try:
                found[member.name] = MemberModels(member=member.name, models=await self._of(member))
            except AccordError as error:
                found[member.name] = MemberModels(member=member.name, models=[], error=str(error)[:2000])

        async with trio.open_nursery() as nursery:
            for member in self._board.charter.compute:
                if member != me:
                    nursery.start_soon(one, member)

        def own() -> tuple[list[OwnModel], list[str]]:
            return [own_model(asset) for asset in self._assets.all()], self._assets.strays()

        assets, strays = await self._board.aside(own)
        return ModelList(member=me.name, own=assets, strays=strays, members=[found[name] for name in sorted(found)])

    async def completed(self, parameters: Mapping[str, Any], before: Job | None) -> Mapping[str, Any]:
        """A job's parameters, with all that is public of the model they name; as they are, if they name none.

        "model" is member.name, or member.name@version, or an object with owner and name: what it does not state of
        version, id, size and columns is looked up among what the owner offers, the latest version where none is stated.

        Args:
            before: the job that is here already under the same key: it keeps its model, whatever is offered since.

        Raises ParametersInvalid, ModelMissing (which lists what is offered), JobRefused, PeerCallFailed.
        """
        stated = _stated(parameters.get("model"))
        if stated is None or ("features" in parameters and all(field in stated for field in _STATED)):
            return parameters
        known: Mapping[str, Any]
        if before is not None and isinstance(before.parameters.get("model"), Mapping):
            known, features = before.parameters["model"], before.parameters.get("features")
        else:
            offer = await self._find(stated)
            known = {"version": offer.version, "id": offer.id, "family": offer.family, **offer.facts}
            features = offer.features
        given = {name: value for name, value in parameters.items() if value is not None}
        return {"features": features, **given, "model": {**known, **stated}}

    async def keep(self, job_id: str, name: str) -> OwnModel:
        """The answer of a released train job, which is here, as the next version of this name; the one there is, if it
        was kept under it before.

        It is offered to nobody: its keeper offers it (`accord models offer`). The policies of the rows' owners said who
        receives coefficients; whom a receiver lets score with them is for the receiver to answer for.

        Raises JobUnknown, JobRefused for another kind of job, NotReleased, ModelMissing for a name that is none.
        """
        board = self._board
        record = await board.get(job_id)
        if record.job.kind != "train":
            raise JobRefused(f"job {job_id}: a {record.job.kind} gives no model; those of kind train do")
        if board.me.name not in record.job.results:
            receivers = ", ".join(record.job.results)
            raise JobRefused(f"job {job_id}: its answer is for {receivers}, not for {board.me.name}")
        answer = await board.disk(board.store.answers.answer, job_id)
        if answer is None:
            raise NotReleased(f"job {job_id}: its answer is not here: it is {record.state.value}")
        facts = await board.disk(board.store.facts, job_id)
        acceptances = await board.disk(board.store.acceptances, job_id)
        now = board.clock()

        def kept() -> OwnModel:
            job = record.job
            for asset in self._assets.versions(name):
                if isinstance(asset.lineage, FromJob) and asset.lineage.job == job.id:
                    return own_model(asset)
            _, plan = self._plans.plan(job, facts[PUBLISHED])
            statements = check_acceptances(job, self._plans.charter_of(job), acceptances)
            lineage = FromJob(
                job=job.id,
                plan=plan.digest,
                tables=[f"{member}.{table}" for member, table in job.tables],
                policies={member: dict(one.policies) for member, one in statements.items() if one.policies},
            )
            return own_model(self._assets.add(answer, name, lineage, now))

        return await board.aside(kept)

    # -- how ---------------------------------------------------------------------------------------

    def _offered(self, member: str) -> list[Offer]:
        me = self._board.me.name
        return [
            _offer(asset, self._assets.content(asset) if asset.rules.coefficients else None)
            for asset in self._assets.all()
            if asset.withdrawn is None and may_see(asset.rules, me, member)
        ]

    async def _of(self, member: Member) -> list[Offer]:
        if member == self._board.me:
            return await self._board.aside(self._offered, member.name)
        return list((await self._members.client(member).models(within=_ASK)).models)

    async def _find(self, stated: Mapping[str, Any]) -> Offer:
        owner, name, version = stated.get("owner"), stated.get("name"), stated.get("version")
        members = {member.name: member for member in self._board.charter.members}
        if owner not in members:
            raise JobRefused(f"model {owner}.{name}: {owner} is no member; there are {', '.join(members)}")
        offers = await self._of(members[owner])
        named = [one for one in offers if one.name == name and version in (None, one.version)]
        if not named:
            there = ", ".join(f"{owner}.{one.name}@{one.version}" for one in offers) or "none"
            wanted = f"{owner}.{name}" if version is None else f"{owner}.{name}@{version}"
            raise ModelMissing(f"{owner} offers no model {wanted} to {self._board.me.name}; it offers: {there}")
        return max(named, key=lambda one: one.version)


def own_model(asset: Asset) -> OwnModel:
    """As this member's people see it."""
    return OwnModel(
        offer=_offer(asset, None),
        lineage=asset.lineage,
        rules=RulesForm(**asset.rules.fields),
        kept=asset.kept,
        withdrawn=asset.withdrawn,
    )


def _offer(asset: Asset, content: bytes | None) -> Offer:
    rules = RulesForm(**asset.rules.fields)
    return Offer(
        name=asset.name,
        version=asset.version,
        id=asset.id,
        family=asset.facts.family,
        facts=asset.facts.fields,
        features=list(asset.facts.features),
        predicts=asset.predicts,
        answers=rules.answers,
        purposes=rules.purposes,
        coefficients=None if content is None else json.loads(content),
    )


def _stated(model: Any) -> dict[str, Any] | None:
    """What a job's parameter says of its model, without nulls; None if there is no such parameter."""
    if model is None:
        return None
    if isinstance(model, str):
        named = _NAMED.fullmatch(model)
        if named is None:
            raise ParametersInvalid(
                f"model {model[:100]!r}: written member.model or member.model@version; `accord models` lists them"
            )
        owner, name, version = named.groups()
        return {"owner": owner, "name": name, **({} if version is None else {"version": int(version)})}
    if not isinstance(model, Mapping) or not all(isinstance(model.get(field), str) for field in ("owner", "name")):
        raise ParametersInvalid("model: member.model, or an object with owner and name")
    return {name: value for name, value in model.items() if value is not None}
