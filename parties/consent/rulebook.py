"""The policies, models' rules and the charter a node goes by: noted in its log before anything is decided by them.

So the log tells by which rules everything was decided, also where they were changed by hand. Blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from parties.consent.in_force import InForce
from parties.data.tables_file import load_tables
from parties.errors import FileUnusable, ModelUnfit, PolicyInvalid, TableInvalid
from parties.membership.charter import Charter
from parties.models.model_assets import ModelAssets
from parties.models.model_entry import Asset
from parties.policies.policy_store import SignedPolicy, load_policies
from parties.setup.home import Home

__all__ = ["Rulebook"]

_log = logging.getLogger("accord.node")


class Rulebook:
    """One node's.

    Args:
        home: where tables and policies are.
        key: this member's public key, with which its policies are signed.
        chain: gives the charters that were in force here, the one in force last.
        in_force: of its store.
        clock: Unix time in seconds.

    All methods raise StoreFailed where the disk fails.
    """

    def __init__(
        self,
        home: Home,
        key: bytes,
        chain: Callable[[], Sequence[Charter]],
        in_force: InForce,
        clock: Callable[[], float],
    ) -> None:
        self._home = home
        self._key = key
        self._chain = chain
        self._in_force = in_force
        self._clock = clock

    def policies(self, tables: Iterable[str]) -> dict[str, SignedPolicy]:
        """Those of these tables that have one, as they are signed now. They, and the charter, are in the log then.

        Raises FileUnusable, PolicyInvalid.
        """
        asked = list(tables)
        found = load_policies(self._home.directory, asked, self._key)
        self._in_force.charters(self._chain(), self._clock())
        self._in_force.policies(asked, found, self._clock())
        return found

    def models(self, assets: Iterable[Asset]) -> None:
        """Somebody is about to decide by these: what they are, and their rules, are in the log then."""
        self._in_force.models(assets, self._clock())

    def note(self, software: str) -> None:
        """All there is, when a node starts: charters, policies, models, and the digest of its program."""
        self._in_force.software(software, self._clock())
        self._in_force.charters(self._chain(), self._clock())
        try:
            tables = {*load_tables(self._home.directory), *self._in_force.tables}
            self.policies(sorted(tables))
        except (FileUnusable, PolicyInvalid, TableInvalid) as error:  # nothing is decided by what cannot be read
            _log.warning("policies were not looked at: %s: %s", type(error).__name__, error)
        try:
            self._in_force.models(ModelAssets(self._home.models).all(), self._clock(), all_there_are=True)
        except (FileUnusable, ModelUnfit) as error:
            _log.warning("models were not looked at: %s: %s", type(error).__name__, error)
