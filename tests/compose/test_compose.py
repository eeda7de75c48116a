"""docker-compose.yml on a real engine: consortia found themselves, answer, and outlive a cut network."""

from __future__ import annotations

import io
import os
import re
import subprocess
from collections.abc import Iterator

import pandas as pd
import pytest

from tests.compose.engine import Composed, compose, engine_answers, run

pytestmark = [pytest.mark.slow, pytest.mark.compose, pytest.mark.timeout(1200)]

MEMBERS = {"banks": ("north", "south", "west", "coop"), "hospitals": ("city", "county", "university", "clinic")}
PATIENCE = 420.0  # seconds, until all are healthy: machines of continuous integration are slow
FIGURE = re.compile(r"([\d.,e+-]+) \(([\d.,e+-]+) to ([\d.,e+-]+)\)")

# In the analyst's container. A training that takes longer than the test needs to cut a cable.
LONG = """
import sys; sys.path.insert(0, "/srv/demo")
from analyst import PLANS, client
from mpc.errors import AccordError
plan = PLANS["banks"]
def tell(line):
    if line.state == "RUNNING" and line.rounds: print("running", flush=True)
with client(plan) as asker:
    tables = [f"{member}.{plan.table}" for member in plan.members]
    try:
        asker.fit(tables, ["amount", "months", "age"], "default", epsilon=4.0, delta=1e-6,
                  options={"max_iter": 2000}, progress=tell)
    except AccordError as error:
        print("ended", type(error).__name__, error, flush=True)
    else:
        print("done", flush=True)
"""

# Until its node hears all the others.
TOGETHER = """
import sys, time; sys.path.insert(0, "/srv/demo")
from analyst import PLANS, client
with client(PLANS["banks"]) as asker:
    end = time.monotonic() + 120
    while not all(member.up for member in asker.status().members) and time.monotonic() < end: time.sleep(0.5)
    print([member.member for member in asker.status().members if not member.up])
"""

TRUTH = """
import sys; sys.path.insert(0, "/srv/demo")
from deal import rows
rows(sys.argv[1]).to_csv(sys.stdout, index=False)
"""


@pytest.fixture(scope="module", params=["banks", "hospitals"])
def composed(request: pytest.FixtureRequest) -> Iterator[Composed]:
    if "ACCORD_TEST_COMPOSE" not in os.environ:
        pytest.skip("`make test-compose` builds the images and runs this")
    if not engine_answers():
        pytest.skip("no Docker engine answers here")
    command = compose()
    if command is None:
        pytest.skip("neither `docker compose` nor `docker-compose` is here")
    one = Composed(command, request.param, MEMBERS[request.param])
    try:
        one.up(PATIENCE)
        print(f"{one.profile}: {one.seconds:.0f} s from `up` until all were healthy")
        yield one
    finally:
        one.down()


def answers(text: str, groups: list[str]) -> dict[str, list[tuple[float, float, float]]]:
    """The table an analyst prints: figures of each group, each with its interval."""
    found = {}
    for line in text.splitlines():
        for group in groups:
            if line.startswith(group + " "):
                numbers = [tuple(float(n.replace(",", "")) for n in match) for match in FIGURE.findall(line)]
                found[group] = numbers
    return found


def check_answers(text: str, one: Composed) -> None:
    """There is noise, and it is as large as stated: four times that is less likely than one in 10^5."""
    csv = run(*one.words("run", "--rm", "-T", f"tables-{one.profile}", "python", "-c", TRUTH, one.profile))
    rows = pd.read_csv(io.StringIO(csv))
    by, means = ("housing", ["months", "default"]) if one.profile == "banks" else ("malignant", ["radius", "texture"])
    truth = rows.groupby(by)
    said = answers(text, [str(group) for group in truth.groups])
    assert len(said) == len(truth), text
    for group, mine in truth:
        exact = [len(mine), *(mine[column].mean() for column in means)]
        assert len(said[str(group)]) == len(exact), text
        for (value, low, high), true in zip(said[str(group)], exact, strict=True):
            assert low < value < high
            assert abs(value - true) <= 4 * (high - low) / 2 + 0.001 * abs(true), (group, value, true)


def test_an_analyst_gets_released_answers_and_a_plot(composed: Composed) -> None:
    check_answers(run(*composed.analyst()), composed)
    plot = run(*composed.analyst("cat", f"/plots/{composed.profile}.svg"))
    assert plot.lstrip().startswith("<?xml") and "</svg>" in plot


def test_nodes_are_nobodys_root_and_write_nowhere_but_their_volumes(composed: Composed) -> None:
    for member in composed.members:
        uid = run(*composed.words("exec", "-T", member, "id", "-u")).strip()
        tried = run(*composed.words("exec", "-T", member, "sh", "-c", "touch /opt/accord/x 2>&1; true"))
        told = composed.inspect(member)
        assert uid == "10001" and "Read-only file system" in tried
        assert told["HostConfig"]["ReadonlyRootfs"] and told["HostConfig"]["CapDrop"] == ["ALL"]
        assert not told["HostConfig"]["Privileged"] and not told["NetworkSettings"]["Ports"].get("7600/tcp")


def test_no_container_has_anothers_key(composed: Composed) -> None:
    homes = {
        member: [mount["Name"] for mount in composed.inspect(member)["Mounts"] if "home-" in mount.get("Name", "")]
        for member in composed.members
    }
    assert all(len(names) == 1 for names in homes.values())
    assert len({names[0] for names in homes.values()}) == len(homes)


def test_a_cut_network_ends_the_job_by_name_and_the_next_succeeds(composed: Composed) -> None:
    if composed.profile != "banks":
        pytest.skip("once is enough")
    job = composed.program(LONG, stderr=subprocess.DEVNULL)
    assert job.stdout is not None
    try:
        assert job.stdout.readline().strip() == "running"
        composed.cut("south")
        try:
            last = [line for line in job.stdout if line.strip() != "running"][-1]
        finally:
            composed.mend("south")
    finally:
        job.kill()
        job.wait()
    what, name, text = last.split(" ", 2)
    # The node says MemberLost, its worker PeerLost; whoever notices first ends the job.
    assert what == "ended" and name in ("MemberLost", "PeerLost") and "south" in text, last
    assert run(*composed.analyst("python", "-c", TOGETHER)).strip() == "[]"
    check_answers(run(*composed.analyst()), composed)
