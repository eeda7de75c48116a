"""What a node goes by, as its log has it: policies, models' rules, charters and its own program, each noted when it is
another one.

Same file as the jobs, same manners. What was noted last is kept beside the log, in the same transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from parties.disk.chain import canonical
from parties.disk.sqlite_file import SqliteFile
from parties.log.audit import AuditLog
from parties.membership.charter import Charter
from parties.models.model_entry import Asset
from parties.policies.policy_store import SignedPolicy

__all__ = ["IN_FORCE_SCHEMA", "InForce"]

IN_FORCE_SCHEMA = """
CREATE TABLE IF NOT EXISTS in_force (
    what TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (what, name)) STRICT, WITHOUT ROWID;
"""

_POLICY, _MODEL, _CHARTER, _SOFTWARE = "policy", "model", "charter", "software"

_Key = tuple[str, str]


class InForce:
    """The part of a job_store.JobStore that notes what its node goes by. From any thread; does nothing where all is
    noted.

    Args:
        file: with IN_FORCE_SCHEMA.
        audit: the log.
    """

    def __init__(self, file: SqliteFile, audit: AuditLog) -> None:
        self._file = file
        self._audit = audit
        self._known: dict[_Key, str] = {
            (what, name): digest for what, name, digest in file.read("SELECT what, name, digest FROM in_force")
        }

    @property
    def tables(self) -> list[str]:
        """Names of those whose policy was noted, and is not gone."""
        return self._there(_POLICY)

    def _there(self, what: str) -> list[str]:
        return [name for (one, name), digest in self._known.items() if one == what and digest]

    def policies(self, tables: Iterable[str], found: Mapping[str, SignedPolicy], now: float) -> None:
        """Of these tables; those that are not found have none.

        Args:
            now: Unix time in seconds.
        """
        said: dict[_Key, tuple[str, dict[str, Any]]] = {}
        for table in tables:
            signed = found.get(table)
            fields: dict[str, Any] = {"table": table, "before": self._known.get((_POLICY, table), "")}
            if signed is not None:
                fields |= {
                    "published": signed.policy.published,
                    "signature": signed.signature.hex(),
                    "signed": signed.signed,
                }
            said[_POLICY, table] = ("" if signed is None else signed.digest), fields
        self._note(said, now)

    def models(self, assets: Iterable[Asset], now: float, *, all_there_are: bool = False) -> None:
        """Whose they are, and who may score with them. ``all_there_are``: of models that are not among them none is
        left."""
        said: dict[_Key, tuple[str, dict[str, Any]]] = {}
        for asset in assets:
            told = {"id": asset.id, "rules": asset.rules.fields, "withdrawn": asset.withdrawn is not None}
            digest = hashlib.sha256(b"accord model in force 1\0" + canonical(told)).hexdigest()
            said[_MODEL, asset.title] = digest, told
        if all_there_are:
            said |= {(_MODEL, name): ("", {}) for name in self._there(_MODEL) if (_MODEL, name) not in said}
        for key, (_, fields) in said.items():
            fields |= {"model": key[1], "before": self._known.get(key, "")}
        self._note(said, now)

    def charters(self, chain: Sequence[Charter], now: float) -> None:
        """Those that were in force here, the one in force last."""
        said: dict[_Key, tuple[str, dict[str, Any]]] = {}
        for charter in chain:
            if self._known.get((_CHARTER, str(charter.version))) == charter.digest:
                continue  # asked before every decision
            members = {member.name: member.fingerprint for member in charter.members}
            fields = {"version": charter.version, "before": charter.previous, "members": members}
            said[_CHARTER, str(charter.version)] = charter.digest, fields
        self._note(said, now)

    def software(self, digest: str, now: float) -> None:
        """Of the program that the node runs."""
        self._note({(_SOFTWARE, ""): (digest, {"before": self._known.get((_SOFTWARE, ""), "")})}, now)

    def _note(self, said: Mapping[_Key, tuple[str, Mapping[str, Any]]], now: float) -> None:
        """The digests, and what the log tells of each, of those that are others than before; '': there is none."""
        with self._file.alone():
            new = {key: one for key, one in said.items() if one[0] != self._known.get(key, "")}
            if not new:
                return
            with self._file.transaction():
                for (what, name), (digest, fields) in new.items():
                    self._file.change("INSERT OR REPLACE INTO in_force VALUES (?, ?, ?)", what, name, digest)
                    self._audit.note(what, now, digest=digest, **fields)
            self._known.update({key: digest for key, (digest, _) in new.items()})
