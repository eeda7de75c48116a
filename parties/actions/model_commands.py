"""``accord fit``, ``predict``, ``models`` and what is below it. What is typed is in commands/fit.py and models.py.

Adding, offering and withdrawing are the operator's, in the home itself, as publishing is; a running node goes by it
from the next job on. The others ask the node.
"""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parties.actions.client_commands import Asking, ask
from parties.disk.private_files import write_atomically
from parties.errors import ModelMissing
from parties.setup.home import Home
from parties.terminal.command_completion import keep_for_completion
from parties.terminal.command_options import WhichNode
from parties.terminal.command_output import Output
from parties.terminal.exit_status import ExitStatus
from parties.terminal.node_at import open_client

if TYPE_CHECKING:
    from parties.client import Client, JobHandle
    from parties.models.model_assets import ModelAssets
    from parties.models.model_entry import Asset
    from parties.wire.model_messages import Offer

__all__ = [
    "Offering", "add_model", "fit", "keep_model", "list_models", "offer_model", "predict", "show_model",
    "withdraw_model",
]  # fmt: skip


@dataclass(frozen=True)
class Offering:
    """What is typed about who may score with a model; see model_rules.ModelRules. None: as it is, or the default.

    Attributes:
        may_score, purposes, answers, receivers: names; () where nothing was said.
        everybody: all members' people.
    """

    may_score: Sequence[str] = ()
    everybody: bool = False
    purposes: Sequence[str] = ()
    answers: Sequence[str] = ()
    receivers: Sequence[str] = ()
    coefficients: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """As ModelRules takes them; what is left out has its default."""
        found: dict[str, Any] = {"members": None if self.everybody else frozenset(self.may_score)}
        for name in ("purposes", "answers", "receivers"):
            given = getattr(self, name)
            if given:
                found[name] = frozenset(given)
        return {**found, "coefficients": self.coefficients}


def fit(which: WhichNode, asking: Asking, name: str | None, output: Output) -> ExitStatus:
    """Train, wait and show the coefficients; with a name keep them as a model of this node's."""
    if name is None:
        return ask(which, asking, output)

    def keep(client: Client, handle: JobHandle, answer: Any) -> Mapping[str, Any]:
        kept = client.keep_model(handle.id, name)
        _say_kept(kept.offer, output)
        return {"model": json.loads(kept.model_dump_json())}

    return ask(which, asking, output, keep)


def predict(which: WhichNode, asking: Asking, file: Path | None, output: Output) -> ExitStatus:
    """Predict and show what comes; with a file write it there, as CSV, for this user alone. Raises FileUnusable."""
    if file is None:
        return ask(which, asking, output)

    def write(client: Client, handle: JobHandle, answer: Any) -> Mapping[str, Any]:
        write_atomically(file, answer.to_csv(index=False).encode(), replace=True)
        output.say(f"{len(answer)} rows are in {file}, in the order their owner read them")
        return {"file": str(file)}

    return ask(which, asking, output, write, show=False)


def list_models(which: WhichNode, output: Output) -> None:
    """This node's models, and those that others offer. Whose could not be asked for is said on standard error."""
    with open_client(which) as client:
        found = client.model_list()
    names = {f"{member.member}.{one.name}" for member in found.members for one in member.models}
    names |= {f"{found.member}.{one.offer.name}" for one in found.own if one.withdrawn is None}
    keep_for_completion(Home(which.home).directory, models=names)
    output.result(found.model_dump_json(indent=1))
    if output.json:
        return
    from parties.planning.results import frame_of_models
    from parties.terminal.show_results import show_frame

    frame = frame_of_models(found)
    shown = frame[["version", "family", "size", "features", "predicts", "answers", "purposes", "lineage"]]
    show_frame(output.console(), shown)
    for one in found.own:
        if one.withdrawn is None and not (one.rules.members is None or one.rules.members):
            output.say(f"{one.offer.name}@{one.offer.version} is offered to nobody else: `accord models offer`")
    for name in frame.attrs["strays"]:
        output.warn(f"{name} lies in models/ and is offered to nobody: `accord models add` takes it")
    for member, error in frame.attrs["errors"].items():
        output.warn(f"of {member} nothing is here: {error}")


def keep_model(which: WhichNode, job: str, name: str, output: Output) -> None:
    """Keep what a train job gave as a model of the node's. Raises what Client.keep_model does."""
    with open_client(which) as client:
        kept = client.keep_model(job, name)
    output.result(kept.model_dump_json(indent=1))
    _say_kept(kept.offer, output)


def add_model(
    home: Home,
    file: Path,
    name: str,
    offering: Offering,
    output: Output,
    *,
    features: Sequence[str],
    predicts: str,
    depth: int | None,
    trees: int | None,
) -> None:
    """Keep a model that is brought in, as the next version of its name. Raises what ModelAssets.add does."""
    from parties.models.model_assets import read_model_file
    from parties.models.model_rules import ModelRules
    from parties.wire.model_messages import BroughtIn

    model, digest = read_model_file(file)
    lineage = BroughtIn(by=getpass.getuser()[:256], file=file.name[:256], sha256=digest)
    asset = _assets(home).add(
        model, name, lineage, time.time(),
        features=features, rules=ModelRules(**offering.fields), predicts=predicts, depth=depth, trees=trees,
    )  # fmt: skip
    _told(asset, output)


def offer_model(home: Home, name: str, offering: Offering, output: Output) -> None:
    """Say anew who may score with a model. Raises ModelMissing, ModelUnfit."""
    from parties.models.model_rules import ModelRules

    assets = _assets(home)
    _told(assets.set_rules(_found(assets, name), ModelRules(**offering.fields)), output)


def withdraw_model(home: Home, name: str, output: Output) -> None:
    """Offer it to nobody any more; without a version all of them. Raises ModelMissing, ModelUnfit."""
    assets = _assets(home)
    one = _found(assets, name)
    ended = [one] if "@" in name else [asset for asset in assets.versions(one.name) if asset.withdrawn is None]
    found = [assets.withdraw(asset, time.time()) for asset in ended]
    output.result([json.loads(_public(asset)) for asset in found])
    for asset in found:
        output.say(f"{asset.title} is offered to nobody any more; jobs that are under way with it end")


def show_model(which: WhichNode, name: str, output: Output) -> None:
    """All there is to know of one: NAME of this home's, with its coefficients; MEMBER.NAME as it is offered."""
    if "." in name:
        _show_offered(which, name, output)
        return
    from parties.models.fitted import FittedLogistic
    from parties.terminal.show_results import show_result

    assets = _assets(Home(which.home))
    asset = _found(assets, name)
    model = assets.load(asset)
    said = json.loads(_public(asset))
    if isinstance(model, FittedLogistic):
        said["coefficients"] = json.loads(model.to_json())
    output.result(said)
    if not output.json:
        _say(output, {k: v for k, v in said.items() if k != "coefficients"})
        if isinstance(model, FittedLogistic):
            show_result(output.console(), model)


def _show_offered(which: WhichNode, name: str, output: Output) -> None:
    from parties.planning.results import model_of
    from parties.terminal.show_results import show_result

    with open_client(which) as client:
        models = client.model_list()
    wanted, _, version = name.partition("@")
    offers = [
        (member.member, one)
        for member in models.members
        for one in member.models
        if f"{member.member}.{one.name}" == wanted and version in ("", str(one.version))
    ]
    if not offers:
        raise ModelMissing(f"no other member offers a model {name}; `accord models` shows all that are offered")
    owner, offer = max(offers, key=lambda one: one[1].version)
    said = {"owner": owner, **json.loads(offer.model_dump_json())}
    output.result(said)
    if not output.json:
        coefficients = said.pop("coefficients")
        _say(output, said)
        if coefficients is not None:
            show_result(output.console(), model_of(models, f"{wanted}@{offer.version}"))


def _assets(home: Home) -> ModelAssets:
    from parties.models.model_assets import ModelAssets

    home.check()
    return ModelAssets(home.models)


def _found(assets: ModelAssets, name: str) -> Asset:
    """NAME or NAME@VERSION; without one the latest that is not withdrawn, or else the latest. ModelMissing."""
    plain, at, version = name.partition("@")
    if at and not version.isdecimal():
        raise ModelMissing(f"model {name!r}: written NAME or NAME@VERSION, such as risk@2")
    if at:
        return assets.find(plain, int(version))
    return assets.find(plain)


def _public(asset: Asset) -> str:
    from parties.node.model_offers import own_model

    return own_model(asset).model_dump_json(indent=1)


def _told(asset: Asset, output: Output) -> None:
    output.result(_public(asset))
    rules = asset.rules
    who = "all members" if rules.members is None else ", ".join(sorted(rules.members)) or "nobody but this member"
    output.say(
        f"{asset.title}, {asset.facts.family} on {', '.join(asset.facts.features)}: {who} may score with it, "
        f"by {', '.join(sorted(rules.answers))}"
    )


def _say_kept(offer: Offer, output: Output) -> None:
    output.say(
        f"kept as {offer.name}@{offer.version}, offered to nobody else yet: `accord models offer {offer.name}` says "
        "who may score with it"
    )


def _say(output: Output, said: Mapping[str, Any]) -> None:
    from parties.wire.told_errors import printable

    for name, value in said.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        output.say(printable(f"{name:10} {text}"))
