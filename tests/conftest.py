"""For all tests: what hypothesis draws is the same in every run; a cluster of processes that a module's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from mpc import LocalCluster

settings.register_profile(
    "accord", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("accord")


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest) -> Iterator[LocalCluster]:
    """A module's cluster, with the settings its ``CLUSTER`` holds."""
    with LocalCluster(**getattr(request.module, "CLUSTER", {})) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared: LocalCluster) -> LocalCluster:
    """The module's cluster, started anew if the test before broke it."""
    if not shared.processes:
        shared.start()
    return shared
