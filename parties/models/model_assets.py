"""Models of this member: for scoring others' rows, on shares, never to be seen. Files in ``models/`` of its home.

    models/risk/1.json           content: tree_json's, or logistic_file's; it never changes
    models/risk/1.entry.json     what it is, where it comes from, who may score with it (model_entry.py)

A file without an entry is offered to nobody. Both are 0600 and written whole or not at all, the entry last; a content
is compared with its entry's id every time it is used. Another content under a name is another version, and those before
it stay. `accord models` writes here while the node runs; the node reads what there is at every job.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mpc.errors import AccordError
from parties.disk.private_files import make_private_directory, read_private, write_atomically
from parties.errors import FileMissing, MessageInvalid, ModelChanged, ModelMissing, ModelUnfit
from parties.models.fitted import FittedLogistic
from parties.models.logistic_file import read_logistic
from parties.models.model_entry import Asset, Model, facts_of, id_of, read_entry
from parties.models.model_rules import ModelRules
from parties.wire.message_form import read_json
from parties.wire.model_messages import BroughtIn, FromJob, RulesForm
from protocols.shared_logistic import check_coefficients
from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_json import FORMAT, from_json, to_json

__all__ = ["ModelAssets", "read_model_file"]

_MOST = 1 << 28
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")
_ENTRY = re.compile(r"([1-9][0-9]{0,5})\.entry\.json")
_TRIES = 100
_KEPT = 16  # models in memory


class ModelAssets:
    """The models of one node. Calls block, and may come from several processes.

    Args:
        directory: where they are; it need not exist.
        noted: called with entries before anybody decides by them.
    """

    def __init__(self, directory: Path, noted: Callable[[Sequence[Asset]], None] = lambda assets: None) -> None:
        self._directory = directory
        self._noted = noted
        self._read: dict[str, Model] = {}

    # -- what there is -----------------------------------------------------------------------------

    def all(self) -> list[Asset]:
        """By name and version, withdrawn ones too. Raises ModelUnfit for an entry that is none, FileExposed."""
        found = [asset for name in self._names() for asset in self.versions(name)]
        self._noted(found)
        return found

    def versions(self, name: str) -> list[Asset]:
        """Of a name, the first first."""
        found = []
        for path in self._place(name).glob("*.entry.json"):
            number = _ENTRY.fullmatch(path.name)
            if number is not None:
                asset = read_entry(read_private(path), str(path))
                if (asset.name, asset.version) != (name, int(number[1])):
                    raise ModelUnfit(f"{path} is the entry of {asset.title}")
                found.append(asset)
        return sorted(found, key=lambda asset: asset.version)

    def find(self, name: str, version: int | None = None) -> Asset:
        """One; without a version the latest that is not withdrawn. ModelMissing."""
        if not _NAME.fullmatch(name):
            raise ModelMissing("a model's name: 1 to 64 of a-z, 0-9, and within _ and -")
        there = self.versions(name)
        for asset in reversed(there):
            if asset.version == version or (version is None and asset.withdrawn is None):
                self._noted([asset])
                return asset
        wanted = f"{name!r}" if version is None else f"{name!r}, version {version}"
        versions = ", ".join(str(asset.version) for asset in there)
        said = f"its versions are {versions}" if versions else f"there are: {', '.join(self._names()) or 'none'}"
        raise ModelMissing(f"no model {wanted} is here; {said}")

    def strays(self) -> list[str]:
        """Names of files in the directory that have no entry."""
        if not self._directory.is_dir():
            return []
        return sorted(path.name for path in self._directory.iterdir() if path.suffix in (".json", ".txt"))

    # -- changes -----------------------------------------------------------------------------------

    def add(
        self,
        model: Model | bytes,
        name: str,
        lineage: FromJob | BroughtIn,
        now: float,
        *,
        features: Sequence[str] = (),
        rules: ModelRules | None = None,
        predicts: str = "",
        depth: int | None = None,
        trees: int | None = None,
    ) -> Asset:
        """Keep a model as the next version of a name; bytes are a logistic regression's (logistic_file.py).

        Args: see model_entry.facts_of, Asset. rules: None: nobody but this member's people, and only "predict".

        Raises ModelUnfit, ModelMissing (a name that is none), FileUnusable, FileExposed.
        """
        if not _NAME.fullmatch(name):
            raise ModelMissing("a model's name: 1 to 64 of a-z, 0-9, and within _ and -")
        read, content = _contained(model)
        facts = facts_of(read, tuple(features), depth, trees)
        rules = rules or ModelRules()
        _check_rules(rules, facts.family)
        if not predicts and isinstance(read, FittedLogistic):
            predicts = read.label_ if read.positive_ is None else f"{read.label_} = {read.positive_}"
        salt = secrets.token_bytes(32)
        make_private_directory(self._place(name))
        version = max((asset.version for asset in self.versions(name)), default=0) + 1
        for number in range(version, version + _TRIES):
            asset = Asset(name, number, id_of(salt, content), salt, facts, predicts[:256], lineage, rules, now)
            try:
                write_atomically(self._content(asset), content)
                write_atomically(self._entry(asset), asset.to_json().encode())
            except FileExistsError:  # of somebody who adds another one now, or who was interrupted once
                continue
            return asset
        raise ModelUnfit(f"{self._place(name)}: {_TRIES} contents without an entry lie here; take them away")

    def set_rules(self, asset: Asset, rules: ModelRules) -> Asset:
        """Others from now on. Raises ModelUnfit, FileUnusable."""
        _check_rules(rules, asset.facts.family)
        return self._put(replace(asset, rules=rules, withdrawn=None))

    def withdraw(self, asset: Asset, now: float) -> Asset:
        """Offered to nobody any more; content and entry stay."""
        return self._put(replace(asset, withdrawn=now))

    def _put(self, asset: Asset) -> Asset:
        write_atomically(self._entry(asset), asset.to_json().encode(), replace=True)
        return asset

    # -- the content -------------------------------------------------------------------------------

    def content(self, asset: Asset) -> bytes:
        """As it was when it was added. Raises ModelChanged if it is not any more, or is gone."""
        path = self._content(asset)
        remedy = f"put the file back, or add it as a new version: `accord models add FILE --name {asset.name}`"
        try:
            with path.open("rb") as file:
                content = file.read(_MOST + 1)
        except OSError as error:
            why = f"{path} cannot be read: {error.strerror or error}"
            raise ModelChanged(f"model {asset.title}: {why}; {remedy}") from None
        if id_of(asset.salt, content) != asset.id:
            raise ModelChanged(f"model {asset.title}: {path} is not what was added, its digest differs; {remedy}")
        return content

    def load(self, asset: Asset) -> Model:
        """The model. Raises ModelChanged."""
        content = self.content(asset)
        known = self._read.get(asset.id)
        if known is None:
            if len(self._read) >= _KEPT:
                self._read.clear()
            self._read[asset.id] = known = _read(content)
        return known

    def _names(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return sorted(path.name for path in self._directory.iterdir() if path.is_dir() and _NAME.fullmatch(path.name))

    def _place(self, name: str) -> Path:
        return self._directory / name

    def _content(self, asset: Asset) -> Path:
        return self._place(asset.name) / f"{asset.version}.json"

    def _entry(self, asset: Asset) -> Path:
        return self._place(asset.name) / f"{asset.version}.entry.json"


def read_model_file(path: Path) -> tuple[Model, str]:
    """(a model that somebody brings in, SHA-256 of its file).

    ``.txt``: what LightGBM's save_model wrote. ``.json``: what XGBoost's save_model, tree_json.to_json or a train job's
    answer is. Raises FileMissing, ModelUnfit, ModelUnsupported.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST + 1)
    except OSError as error:
        raise FileMissing(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > _MOST:
        raise ModelUnfit(f"{path.name} has more than {_MOST} bytes: no such model fits into a job")
    digest = hashlib.sha256(content).hexdigest()
    if path.suffix == ".txt":
        return from_lightgbm(path), digest
    head = content[:4096]
    if FORMAT.encode() in head or b'"coefficients"' in head:
        return _read(content), digest
    return from_xgboost(path), digest


def _check_rules(rules: ModelRules, family: str) -> None:
    """ModelUnfit for names that are none, and for what the family has not."""
    if rules.coefficients and family != "logistic":
        raise ModelUnfit("trees have no coefficients that could leave: they are used on shares only")
    try:
        read_json(RulesForm, json.dumps(rules.fields))
    except MessageInvalid as error:
        raise ModelUnfit(f"rules of a model, {error}") from None


def _contained(model: Model | bytes) -> tuple[Model, bytes]:
    """(the model, the bytes it is kept as)."""
    if isinstance(model, bytes):
        return _read(model), model
    content = (model.to_json() if isinstance(model, FittedLogistic) else to_json(model)).encode()
    return _read(content), content


def _read(content: bytes) -> Model:
    text = content.decode("utf-8", errors="replace")
    if FORMAT in text[:4096]:
        return from_json(text)
    try:
        model = read_logistic(text)
        check_coefficients(model.coef_[0], float(model.intercept_[0]), model.bound)
    except MessageInvalid as error:
        raise ModelUnfit(f"neither trees nor a logistic regression: {error}") from None
    except AccordError as error:
        raise ModelUnfit(str(error)) from None
    return model
