"""What a shell offers after Tab beside commands and options: kinds of jobs, tables, ids of jobs.

A node is not asked: whoever pressed Tab would wait for that, and for the libraries to ask with. What this person's
commands were told by nodes is kept instead, in completion.json in the home: names of tables, the latest ids of jobs.
The node's own tables are in tables.toml. Where anything goes amiss, nothing is offered, and nothing is said.
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from mpc.errors import AccordError

__all__ = [
    "FILE", "job_ids", "keep_for_completion", "kinds", "model_names", "own_models", "own_tables", "table_names",
]  # fmt: skip

FILE = "completion.json"
_MOST = {"tables": 1000, "jobs": 100, "models": 1000}
_LONGEST = 200


def kinds() -> list[str]:
    """Of jobs."""
    return ["aggregate", "join", "query", "score", "train"]


def table_names(context: typer.Context) -> list[str]:
    """MEMBER.TABLE, as the last catalogue had them."""
    return _kept(_home(context))["tables"]


def job_ids(context: typer.Context) -> list[str]:
    """The latest first."""
    return _kept(_home(context))["jobs"]


def model_names(context: typer.Context) -> list[str]:
    """MEMBER.MODEL, as `accord models` had them last."""
    return _kept(_home(context))["models"]


def own_models(context: typer.Context) -> list[str]:
    """Of the home's directory of models."""
    with contextlib.suppress(OSError):
        return sorted(path.name for path in (_home(context) / "models").iterdir() if path.is_dir() and _fit(path.name))
    return []


def own_tables(context: typer.Context) -> list[str]:
    """Of tables.toml."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return sorted(tomllib.loads((_home(context) / "tables.toml").read_text()).get("tables", {}))
    return []


def keep_for_completion(
    home: Path,
    *,
    tables: Iterable[str] | None = None,
    jobs: Iterable[str] = (),
    models: Iterable[str] | None = None,
) -> None:
    """Keep what a node told: all ``tables`` and ``models`` there are now, and ``jobs``, the latest first, before those
    known.

    No file is made where there is no home; one that cannot be written is left as it is.
    """
    before = _kept(home)
    said = {
        "tables": before["tables"] if tables is None else sorted(set(tables)),
        "models": before["models"] if models is None else sorted(set(models)),
        "jobs": list(dict.fromkeys([*jobs, *before["jobs"]])),
    }
    said = {name: listed[: _MOST[name]] for name, listed in said.items()}
    if said == before or not home.is_dir():
        return
    from parties.disk.private_files import write_atomically

    with contextlib.suppress(AccordError, OSError):
        write_atomically(home / FILE, json.dumps(said, indent=1).encode(), replace=True)


def _kept(home: Path) -> Mapping[str, list[str]]:
    said: Any = {}
    with contextlib.suppress(OSError, ValueError, RecursionError):
        said = json.loads((home / FILE).read_text())
    listed = {name: said.get(name) if isinstance(said, dict) else None for name in _MOST}
    return {name: [text for text in found if _fit(text)] if isinstance(found, list) else []
            for name, found in listed.items()}  # fmt: skip


def _fit(text: Any) -> bool:
    """Whether a shell can be given it: a name, and nothing that a terminal or a shell would act on."""
    return isinstance(text, str) and 0 < len(text) <= _LONGEST and all(c.isalnum() or c in "._-" for c in text)


def _home(context: typer.Context) -> Path:
    from parties.setup.home import Home

    return Home(context.params.get("home")).directory
