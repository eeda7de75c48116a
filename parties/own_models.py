"""Models of trees that this member offers for scoring others' rows: files in ``models/`` of its home.

Whoever puts a file there offers it, under the file's name, to all members: to be used on shares, never to be seen.
``NAME.json`` is what XGBoost's save_model or tree_json.to_json gives, ``NAME.txt`` what LightGBM's save_model did.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parties.errors import ModelMissing, ModelUnfit
from protocols.tree_files import from_lightgbm, from_xgboost
from protocols.tree_json import FORMAT, from_json
from protocols.tree_models import TreeModel

__all__ = ["OwnModels"]

_MOST = 1 << 28
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?")


class OwnModels:
    """The models of one node. Calls block; a file that did not change is read once.

    Args:
        directory: where they are; it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[Path, tuple[int, TreeModel]] = {}

    def names(self) -> list[str]:
        """Of those offered."""
        if not self._directory.is_dir():
            return []
        return sorted({path.stem for path in self._directory.iterdir() if path.suffix in (".json", ".txt")})

    def load(self, name: str, size: Mapping[str, Any]) -> TreeModel:
        """The model, if it is of the public size that a job states (depth, trees, outputs, link).

        Raises ModelMissing, ModelUnfit, which names what differs; ModelUnsupported for a file that is no such model.
        """
        model = self._model(name)
        told = {"depth": model.depth, "trees": len(model.trees), "outputs": model.outputs, "link": model.link}
        for field in ("depth", "trees"):
            if told[field] > size[field]:
                raise ModelUnfit(f"model {name}: its {field} is above the job's {size[field]}: state a larger one")
        for field in ("outputs", "link"):
            if told[field] != size[field]:
                raise ModelUnfit(f"model {name}: its {field} is {told[field]}, and the job states {size[field]}")
        return model

    def _model(self, name: str) -> TreeModel:
        if not _NAME.fullmatch(name):
            raise ModelMissing("a model's name: 1 to 64 of a-z, 0-9, and within _ and -")
        for path in (self._directory / f"{name}.json", self._directory / f"{name}.txt"):
            if path.is_file():
                changed = path.stat().st_mtime_ns
                known = self._read.get(path)
                if known is None or known[0] != changed:
                    self._read[path] = known = changed, _read(path)
                return known[1]
        offered = ", ".join(self.names()) or "none"
        raise ModelMissing(f"no model {name!r} is offered here; there are: {offered}")


def _read(path: Path) -> TreeModel:
    if path.suffix == ".txt":
        return from_lightgbm(path)
    if path.stat().st_size > _MOST:
        raise ModelUnfit(f"{path.name} has more than {_MOST} bytes: no such model fits into a job")
    text = path.read_text("utf-8", errors="replace")
    return from_json(text) if FORMAT in text[:4096] else from_xgboost(path)
