"""One world for all tests of queries."""

from __future__ import annotations

import pytest

from tests.parties.sql.query_tables import World, made_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return made_world(tmp_path_factory.mktemp("query"))
