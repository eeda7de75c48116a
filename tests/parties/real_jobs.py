"""Jobs over a consortium of real nodes: asked for as people ask, watched from outside, faults from outside.

What a test sees is what a member's people see, and what the kernel says of its processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier

from parties.data.published import PublishedTable
from parties.jobs.job import job_id
from parties.keys.leaf import Leaf, contexts
from parties.models.model_assets import ModelAssets
from parties.models.model_rules import ANSWERS, ModelRules
from parties.wire.model_messages import BroughtIn
from protocols.tree_models import from_sklearn
from tests.parties.job_tables import WARDS, stay_rows, stays
from tests.parties.real_nodes import ALL, RealConsortium, RealNode, made, running

MEMBERS = ("alfa", "bravo", "charlie", "delta")
"""alfa, bravo, charlie compute and have a table of their own; delta has one too, deals it, and receives answers."""

COMPUTE = MEMBERS[:3]
SECONDS_TO_START = 90.0
FEATURES = ["age", "cost"]
TERMINAL = ("RELEASED", "ABORTED")

KINDS: Mapping[str, tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "count": ("aggregate", {"figures": ["count"], "epsilon": 60.0}, MEMBERS, ("alfa", "delta")),
    "join": (
        "join",
        {"figures": ["count"], "epsilon": 40.0, "show_matches": True},
        ("alfa", "bravo"),
        ("alfa", "delta"),
    ),
    "train": (
        "train",
        {"features": FEATURES, "label": "died", "epsilon": 16.0, "delta": 1e-3, "max_iter": 8},
        MEMBERS,
        ("bravo", "delta"),
    ),
    "score": (
        "score",
        {
            "model": "charlie.risk",
            "answer": "predict_proba",
        },
        ("delta",),
        ("delta",),
    ),
}
"""Of each kind: its name, parameters, whose tables, who receives the answer."""


def stays_of(directory: Path, name: str, seed: int, rows: int = 30) -> PublishedTable:
    """A published table with rows in a file."""
    found = stay_rows(rows, seed)
    found["ward"] = [WARDS[i] for i in found["ward"]]
    path = directory / f"{name}.csv"
    pd.DataFrame(found).to_csv(path, index=False)
    return replace(stays(), source=str(path))


def consortium_of_four(directory: Path, **settings: Any) -> RealConsortium:
    """Homes of MEMBERS, each with a table ``stays``; charlie offers a model. Nothing runs yet."""
    tables = {name: [stays_of(directory, name, i)] for i, name in enumerate(MEMBERS)}
    made_of = made(directory, tables, (ALL, ALL, ALL, ("input", "result")), **settings)
    rows = stay_rows(30, 8)
    X = np.stack([rows[name].astype(np.float64) for name in FEATURES], axis=1)
    fitted = GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0).fit(X, rows["died"])
    rules = ModelRules(members=None, answers=frozenset(ANSWERS))
    brought = BroughtIn(by="somebody", file="risk.json", sha256="0" * 64)
    models = ModelAssets(made_of["charlie"].home.models)
    models.add(from_sklearn(fitted), "risk", brought, 0.0, features=FEATURES, rules=rules)
    return made_of


class People:
    """One member's people, and what they ask their node. A node that is not there answers None."""

    def __init__(self, node: RealNode) -> None:
        self.node = node
        trusted = contexts(Leaf(node.identity).current, [node.identity.public])[1]
        self._http = httpx.Client(base_url=node.url, verify=trusted, timeout=30)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, timeout: float = 5.0) -> Any:
        """What it answers; None if it does not, or refuses."""
        try:
            answer = self._http.get(path, timeout=timeout)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def ready(self, lanes: int, members: Iterable[str] = MEMBERS) -> bool:
        """Whether it has so many lanes connected, and hears all these members."""
        status = self.get("/v1/status")
        if status is None:
            return False
        up = {view["member"] for view in status["members"] if view["up"]}
        return up >= set(members) and (status["lanes"] >= lanes or self.node.member.name not in COMPUTE)

    def id_of(self, key: str) -> str:
        return job_id(self.node.identity.fingerprint, key)

    def submit(self, kind: str, key: str, deadline: int = 120, parameters: Any = None, **more: Any) -> dict[str, Any]:
        """The node's answer, a JobView or a refusal. Raises httpx.HTTPError."""
        name, asked, tables, results = KINDS[kind]
        body = {
            "kind": name,
            "parameters": {**asked, **(parameters or {})},
            "tables": [{"member": member, "table": "stays"} for member in tables],
            "results": list(results),
            "deadline": deadline,
            "key": key,
            "fresh": True,
            **more,
        }
        answer: dict[str, Any] = self._http.post("/v1/jobs", json=body).json()
        return answer

    def view(self, job: str) -> dict[str, Any] | None:
        """The job as its node has it; None if it does not have it, or is not there."""
        found: dict[str, Any] | None = self.get(f"/v1/jobs/{job}")
        return found

    def lines(self, job: str, ends: bool) -> list[dict[str, Any]]:
        """Its progress, from now to its end; ``ends``: the first line and the last one only."""
        told = self._http.get(f"/v1/jobs/{job}/progress?ends={str(ends).lower()}", timeout=60).text
        return [json.loads(line) for line in told.splitlines()]

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All the node has, by id."""
        found: dict[str, dict[str, Any]] = {}
        before = ""
        while True:
            page = self.get(f"/v1/jobs?most=100{before}", timeout=20)
            assert page is not None, f"{self.node.member.name}: {self.node.text()[-2000:]}"
            found |= {view["job"]: view for view in page["jobs"]}
            if page["before"] is None:
                return found
            before = f"&before={page['before']}"


VICTIMS = [(name, "node") for name in MEMBERS] + [(name, "worker") for name in COMPUTE]
"""Whose process of which kind may be lost."""


class Everybody:
    """The people of all members of a consortium that runs.

    Args:
        consortium: its nodes; it may start and stop them.
        lanes: how many each has.
    """

    def __init__(self, consortium: RealConsortium, lanes: int = 2) -> None:
        self.consortium = consortium
        self.lanes = lanes
        self.of = {name: People(node) for name, node in consortium.nodes.items()}

    def close(self) -> None:
        for people in self.of.values():
            people.close()

    def __getitem__(self, name: str) -> People:
        return self.of[name]

    def await_ready(self) -> None:
        """Until all nodes hear each other and all lanes are connected; a node that does not run is started."""
        for name, people in self.of.items():

            def ready(people: People = people) -> bool:
                self._start_who_ended()  # one that was told to end may have been ending still
                return people.ready(self.lanes)

            eventually(ready, SECONDS_TO_START, f"{name} ready", self.logs)

    def _start_who_ended(self) -> None:
        for node in self.consortium.nodes.values():
            if node.process is None or node.process.poll() is not None:
                node.start()

    def ask(self, who: str, kind: str, key: str | None = None, **more: Any) -> str:
        """Submit as a client would, whose node may die under it: the job's id at once, the answer never."""
        key = key or secrets.token_hex(8)

        def submit() -> None:
            with contextlib.suppress(httpx.HTTPError, ValueError):
                self.of[who].submit(kind, key, **more)

        threading.Thread(target=submit, daemon=True).start()
        return self.of[who].id_of(key)

    def states(self, job: str, members: Iterable[str] = MEMBERS) -> dict[str, str | None]:
        """By member; None where it is not known."""
        views = {name: self.of[name].view(job) for name in members}
        return {name: None if view is None else view["state"] for name, view in views.items()}

    def until_over(self, job: str, members: Iterable[str] = MEMBERS, within: float = 30.0) -> dict[str, dict[str, Any]]:
        """The job as all these members have it, once it is at its end with all of them."""
        found: dict[str, dict[str, Any]] = {}

        def over() -> bool:
            for name in set(members) - set(found):
                view = self.of[name].view(job)
                if view is not None and view["state"] in TERMINAL:
                    found[name] = view
            return set(found) == set(members)

        eventually(over, within, f"job {job} over", lambda: f"{self.states(job, members)}\n{self.logs()}")
        return found

    def until_answered(self, job: str, members: Iterable[str], within: float = 30.0) -> list[Any]:
        """The answers these members receive."""
        return [
            eventually(lambda name=name: self.of[name].get(f"/v1/jobs/{job}/answer"), within, "answer", self.logs)
            for name in members
        ]

    def logs(self) -> str:
        """The last lines of every node's log."""
        nodes = self.consortium.nodes
        return "\n".join(f"-- {name}\n{node.text()[-1500:]}" for name, node in nodes.items() if node.log is not None)


@contextlib.contextmanager
def everybody(directory: Path, lanes: int = 2, **settings: Any) -> Iterator[Everybody]:
    """Of a consortium of four that runs and is ready."""
    consortium = consortium_of_four(directory, lanes=lanes, **settings)
    with running(consortium), contextlib.closing(Everybody(consortium, lanes)) as nodes:
        nodes.await_ready()
        yield nodes


def released(nodes: Everybody, who: str = "delta", within: float = 30.0) -> None:
    """A count over all members' tables, asked for by this one's people, is released with the rows there are."""
    job = nodes.ask(who, "count")
    views = nodes.until_over(job, within=within)
    assert {view["state"] for view in views.values()} == {"RELEASED"}, f"{views}\n{nodes.logs()}"
    for answer in nodes.until_answered(job, ("alfa", "delta")):
        assert abs(answer["rows"][0]["value"] - 120) <= 3


def eventually(look: Callable[[], Any], within: float, what: str, why: Callable[[], str] = str) -> Any:
    """What ``look`` gives, once it is true. AssertionError after ``within`` seconds, with what ``why`` says."""
    end = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"not within {within} s: {what}\n{why()}"
        time.sleep(0.05)


# -- processes ---------------------------------------------------------------------------------


def workers_of(node: RealNode) -> list[int]:
    """The worker processes of a node that runs."""
    assert node.process is not None
    parent, found = node.process.pid, []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(path.parent.name))
    return found


def cpu_of(pid: int) -> float:
    """Seconds of a processor it used; 0 of a process that is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100
    return 0.0


def busiest(pids: Sequence[int], by: float = 0.2, within: float = 30.0) -> int:
    """The one that computes: it uses ``by`` seconds of a processor more than any other."""
    before = {pid: cpu_of(pid) for pid in pids}

    def ahead() -> int:
        used = sorted((cpu_of(pid) - before[pid], pid) for pid in pids)
        return used[-1][1] if used[-1][0] - used[-2][0] >= by else 0

    found: int = eventually(ahead, within, "one of the processes computes")
    return found


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@dataclass(frozen=True)
class Fault:
    """Something that befalls one process of a member: its node, or a worker of its node.

    Attributes:
        member: whose.
        what: node, or worker (the one that runs jobs, where there is one lane).
        signal: SIGKILL, SIGSTOP or SIGTERM.
    """

    member: str
    what: str
    signal: signal.Signals

    def __str__(self) -> str:
        return f"{self.signal.name} of {self.member}'s {self.what}"

    def happen(self, consortium: RealConsortium) -> Callable[[], None]:
        """Now. Gives what lets a stopped process go on."""
        node = consortium[self.member]
        assert node.process is not None
        pid = node.process.pid
        if self.what == "worker":
            its = workers_of(node)
            if not its:
                return lambda: None
            pid = min(its, key=started_at)  # the longest there: the one that stands by was made after the lane was
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, self.signal)

        def go_on() -> None:
            if self.signal is signal.SIGSTOP:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

        return go_on


def started_at(pid: int) -> int:
    """When a process began, in the kernel's ticks."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return 1 << 62


def agree(everybody: Everybody, jobs: Iterable[str] | None = None) -> dict[str, str | None]:
    """Every job's end, the same wherever it is known, and at all its participants if it is RELEASED.

    An answer is there if and only if it is RELEASED, at all for whom it is. AssertionError if anything of it is not so.
    """
    tables = {name: everybody[name].jobs() for name in MEMBERS}
    known = {job for table in tables.values() for job in table} if jobs is None else set(jobs)
    ends: dict[str, str | None] = {}
    for job in known:
        views = {name: table[job] for name, table in tables.items() if job in table}
        states = {name: view["state"] for name, view in views.items()}
        assert len(set(states.values())) <= 1, (job, {n: (v["state"], v["cause"]) for n, v in views.items()})
        end = next(iter(states.values()), None)
        assert end in (*TERMINAL, None), (job, states)
        ends[job] = end
        kind = next((view["kind"] for view in views.values()), "")
        results = next((results for name, _, _, results in KINDS.values() if name == kind), ())
        if end == "RELEASED":
            missing = set(participants_of(kind)) - set(states)
            assert not missing, (job, missing)
            everybody.until_answered(job, results)
        else:
            assert not any(view["answer"] for view in views.values()), views
    return ends


def participants_of(kind: str) -> tuple[str, ...]:
    """Of a job of this kind as KINDS has it: who computes, has tables of it, or receives the answer."""
    _, _, tables, results = next(one for one in KINDS.values() if one[0] == kind)
    return tuple(name for name in MEMBERS if name in (*COMPUTE, *tables, *results))
