"""LocalCluster: real processes, over loopback TLS. Every failure is named, none hangs, nobody is left behind."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc import LocalCluster, launch
from mpc.errors import (
    AccordError,
    NotTransferable,
    OutOfRange,
    PartyFailed,
    PeerLost,
    PeerMissing,
    PeerSilent,
    ProgramDiverged,
    ThresholdTooLarge,
    TooFewParties,
    UsageError,
    WrongType,
)
from mpc.outcomes import ClusterBroken, RunTimedOut
from tests.mpc import programs
from tests.scripts import ROOT, run_script
from tests.slack import SLACK

INPUTS = [np.arange(5), np.arange(5)[::-1].copy(), None]


def works(cluster: LocalCluster) -> bool:
    first, *others = cluster.run(programs.squares, timeout=20)
    return all(o.tolist() == first.tolist() for o in others)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(pids: list[int], seconds: float = 8.0) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


# -- answers


def test_answers(cluster: LocalCluster) -> None:
    answers = cluster.run(programs.product_and_less, INPUTS)
    assert [int(a) for a, _ in answers] == [10, 10, 10]
    assert [b is None for _, b in answers] == [True, True, False]
    assert answers[2][1].tolist() == [True, True, False, False, False]
    assert len(cluster.traffic) == 3 and cluster.seconds > 0
    before = sum(t.frames_sent for t in cluster.traffic)
    cluster.run(programs.product_and_less, INPUTS)
    after = sum(t.frames_sent for t in cluster.traffic)  # who deals follows from the run's labels, all together do not
    assert after == before  # of one run, not of all so far


def test_five_parties() -> None:
    with LocalCluster(parties=5, heartbeat=0.3) as cluster:
        answers = cluster.run(programs.product_and_less, [*INPUTS, None, None])
        assert [int(a) for a, _ in answers] == [10] * 5
        with pytest.raises(ProgramDiverged):
            cluster.run(programs.returns_early, timeout=20)
        assert works(cluster)


def test_a_party_gets_its_own_input_and_its_own_only(cluster: LocalCluster) -> None:
    big = [np.full(1 << 18, i) for i in range(3)]
    for i, (index, mine) in enumerate(cluster.run(programs.echo, big)):
        assert index == i and np.array_equal(mine, big[i])


def test_lambdas_closures_and_local_functions(cluster: LocalCluster) -> None:
    factor = 7

    async def inner(party: Any) -> int:
        return factor * party.index

    assert cluster.run(inner) == [0, 7, 14]
    assert cluster.run(lambda party: inner(party)) == [0, 7, 14]  # noqa: PLW0108


def test_every_party_is_one_process_with_one_thread_of_blas(cluster: LocalCluster) -> None:
    async def program(party: Any) -> Any:
        return os.getpid(), os.environ["OPENBLAS_NUM_THREADS"], os.environ["NUMBA_NUM_THREADS"]

    assert cluster.run(program) == [(pid, "1", "1") for pid in cluster.processes]


def test_reports_reach_the_caller() -> None:
    heard: list[tuple[int, str]] = []
    with LocalCluster(progress=lambda i, text: heard.append((i, text))) as cluster:
        cluster.run(programs.reports)
    assert [t for i, t in heard if i == 1] == ["half 1", "all 1"] and len(heard) == 6


def test_the_readme_runs_as_it_stands(tmp_path: Path) -> None:
    script = tmp_path / "snippet.py"
    readme = ROOT / "README.md"
    blocks = readme.read_text().split("```python\n")[1:]
    found = [b.split("```")[0] for b in blocks if "LocalCluster(parties=3)" in b]
    assert found, "README.md has no block with LocalCluster(parties=3)"
    script.write_text(found[0])
    done = run_script(str(script), cwd=tmp_path)
    third = r"None|array\(\[ True,  True, False, False, False\]\)"
    answers = re.findall(rf"^\(.*\b10\b.*, ({third})\)$", done.stdout, re.M)
    assert [a == "None" for a in answers] == [True, True, False], done.stdout + done.stderr
    assert (done.returncode, done.stderr) == (0, "")


SCRIPT = """
import sys
from mpc import LocalCluster
from mpyc.runtime import mpc
import columns

secint = mpc.SecInt(32)
secfxp = mpc.SecFxp(64, 20)

async def program(party, mine):
    total = await mpc.output(mpc.sum(mpc.input(secint(mine))))
    half = await mpc.output(mpc.input(secfxp(mine / 2), senders=2))
    return int(total), float(half), await columns.first(mine), mpc.pid == party.index

if __name__ == "__main__":
    with LocalCluster() as cluster:
        print(sys.argv[1:], cluster.run(program, [1, 2, 3], timeout=20))
"""
COLUMNS = """
from mpyc.runtime import mpc

async def first(mine):
    x = mpc.input(mpc.SecInt(64)(mine), senders=0)
    return int(await mpc.output(x)), len(mpc.parties)
"""


def test_a_script_in_the_manner_of_mpyc(tmp_path: Path) -> None:
    """Its ``mpc`` is the node of whoever runs it, and its arguments are its own: -M 2 would start a second script."""
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "columns.py").write_text(COLUMNS)
    done = run_script("script.py", "-M", "2", "--rows=3", cwd=tmp_path, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == f"['-M', '2', '--rows=3'] {[(6, 1.5, (1, 3), True)] * 3}"


def test_prints_of_programs_appear(capfd: pytest.CaptureFixture[str]) -> None:
    async def program(party: Any) -> None:
        os.write(1, f"party {party.index} was here\n".encode())  # one write: lines of two processes cannot mix

    with LocalCluster() as own:  # started while capfd holds the descriptors
        own.run(program)
    assert sorted(capfd.readouterr().out.splitlines()) == [f"party {i} was here" for i in range(3)]


def test_injected_round_trip_time() -> None:
    async def program(party: Any) -> Any:
        return await party.reveal(party.random_bits((8,)))

    with LocalCluster(rtt=60.0) as cluster:
        cluster.run(program)
        assert cluster.traffic[0].rounds == 1
        assert cluster.seconds >= 0.03  # one way, then the common end


# -- errors


def test_an_exception_comes_with_index_and_traceback(cluster: LocalCluster) -> None:
    with pytest.raises(PartyFailed) as caught:
        cluster.run(programs.raises)
    error = caught.value
    assert (error.index, error.kind) == (1, "KeyError")
    assert 'raise KeyError("no such column")' in error.traceback
    assert "at party 1" in str(error)
    assert isinstance(error.__cause__, KeyError) and error.__cause__.args == ("no such column",)
    assert works(cluster)


def test_an_exception_ends_a_run_in_which_the_others_await_something_else(cluster: LocalCluster) -> None:
    start = time.monotonic()
    with pytest.raises(PartyFailed, match="KeyError"):
        cluster.run(programs.raises_while_others_sleep)
    assert time.monotonic() - start < 3 * SLACK
    assert works(cluster)


def test_an_exception_that_cannot_be_pickled(cluster: LocalCluster) -> None:
    with pytest.raises(PartyFailed, match="stay here") as caught:
        cluster.run(programs.raises_unpicklable)
    assert (caught.value.index, caught.value.kind, caught.value.__cause__) == (1, "Stubborn", None)
    assert works(cluster)


def test_errors_of_the_engine_come_as_themselves(cluster: LocalCluster) -> None:
    with pytest.raises(OutOfRange) as caught:
        cluster.run(programs.out_of_range)
    assert caught.value.__notes__[0] == "at party 1"
    assert "programs.py" in caught.value.__notes__[1]
    assert works(cluster)


def test_an_error_without_a_message_is_noted_at_the_party_that_raised_it(cluster: LocalCluster) -> None:
    with pytest.raises(PartyFailed) as failed:
        cluster.run(programs.raises_without_a_message)
    assert failed.value.index == 1 and not hasattr(failed.value, "__notes__")  # its text names the party
    with pytest.raises(WrongType) as raised:
        cluster.run(programs.raises_the_engines_without_a_message)
    assert raised.value.__notes__[0] == "at party 1"


@pytest.mark.parametrize("program", programs.EXITS, ids=lambda p: p.__name__)
def test_exit_of_a_program_is_an_error_not_the_end_of_its_process(
    cluster: LocalCluster, program: Callable[..., Any]
) -> None:
    pids = cluster.processes
    with pytest.raises(PartyFailed, match=r"the program raised (SystemExit\(3\)|KeyboardInterrupt\(\))") as caught:
        cluster.run(program, timeout=20)
    assert (caught.value.index, caught.value.kind) == (1, "ExitRaised")
    assert "programs.py" in caught.value.traceback.splitlines()[1]
    assert works(cluster) and cluster.processes == pids


def test_what_cannot_be_pickled_is_said_before_anything_runs(cluster: LocalCluster) -> None:
    lock = threading.Lock()

    async def program(party: Any) -> bool:
        return lock.locked()

    with pytest.raises(NotTransferable, match="the program cannot be sent"):
        cluster.run(program)
    with pytest.raises(NotTransferable, match="the input of party 2"):
        cluster.run(programs.echo, [1, 2, lock])
    with pytest.raises(NotTransferable, match="reveal it first"):
        cluster.run(programs.answers_a_secret)
    assert works(cluster)


def test_wrong_use(cluster: LocalCluster) -> None:
    with pytest.raises(UsageError, match="2 inputs for 3 parties"):
        cluster.run(programs.echo, [1, 2])
    with pytest.raises(WrongType, match="a list with one for each party"):
        cluster.run(programs.echo, {0: 1, 1: 2, 2: 3})  # type: ignore[arg-type]
    with pytest.raises(WrongType, match="timeout="):
        cluster.run(programs.squares, timeout="3")  # type: ignore[arg-type]
    with pytest.raises(WrongType, match="async def"):
        cluster.run(lambda party: 5)  # type: ignore[arg-type, return-value]
    with pytest.raises(UsageError, match="running already"):
        cluster.start()
    with pytest.raises(TooFewParties):
        LocalCluster(parties=2)
    with pytest.raises(ThresholdTooLarge):
        LocalCluster(parties=4, threshold=2)
    assert works(cluster)


@pytest.mark.parametrize("program", programs.DIVERGENCES, ids=lambda p: p.__name__)
def test_divergence_is_found(cluster: LocalCluster, program: Callable[..., Any]) -> None:
    start = time.monotonic()
    with pytest.raises(ProgramDiverged):
        cluster.run(program, timeout=20)
    assert time.monotonic() - start < 6 * SLACK
    assert works(cluster)


def test_what_a_program_leaves_running_ends_with_it(cluster: LocalCluster) -> None:
    cluster.run(programs.leaves_a_task)
    assert works(cluster)


def test_timeout(cluster: LocalCluster) -> None:
    with pytest.raises(RunTimedOut, match=r"within 0.3 s"):
        cluster.run(programs.sleeps, timeout=0.3)
    assert works(cluster)


def test_a_party_that_cannot_be_stopped_breaks_the_cluster(cluster: LocalCluster) -> None:
    pids = cluster.processes
    with pytest.raises(RunTimedOut):
        cluster.run(programs.blocks, timeout=1.0)
    assert gone(pids, 0.0)
    with pytest.raises(ClusterBroken, match="did not stop"):
        cluster.run(programs.squares)


# -- deaths


@pytest.mark.parametrize(
    ("program", "how"), [(programs.dies, "exited with 7"), (programs.is_killed, "killed by signal 9")]
)
def test_a_dead_party_is_named(cluster: LocalCluster, program: Callable[..., Any], how: str) -> None:
    pids = cluster.processes
    start = time.monotonic()
    with pytest.raises(PeerLost, match=f"party 1 (was )?{how}") as caught:
        cluster.run(program)
    assert time.monotonic() - start < 2 * SLACK
    assert caught.value.peer == 1
    assert gone(pids, 0.0)
    with pytest.raises(ClusterBroken, match="party 1"):
        cluster.run(programs.squares)
    assert works(cluster.start())


def test_kill_from_outside_while_the_others_wait() -> None:
    with LocalCluster() as cluster:
        cluster.progress = lambda i, text: os.kill(cluster.processes[1], signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(PeerLost, match="killed by signal 9"):
            cluster.run(programs.waits_for_party_1)
        assert time.monotonic() - start < 2 * SLACK


def test_a_party_that_died_between_runs(cluster: LocalCluster) -> None:
    os.kill(cluster.processes[2], signal.SIGKILL)
    with pytest.raises(PeerLost) as caught:
        cluster.run(programs.squares)
    assert caught.value.peer == 2


def test_a_stopped_party_is_named() -> None:
    with LocalCluster() as cluster:
        stopped = 0.0

        def stop(i: int, text: str) -> None:
            nonlocal stopped
            os.kill(cluster.processes[1], signal.SIGSTOP)
            stopped = time.monotonic()

        cluster.progress = stop
        pids = cluster.processes
        with pytest.raises(PeerSilent, match="party 1 was stopped by a signal") as caught:
            cluster.run(programs.waits_for_party_1)
        assert time.monotonic() - stopped < 5 * SLACK
        assert caught.value.peer == 1 and isinstance(caught.value, PeerLost)
        assert gone(pids, 0.0)


@pytest.mark.parametrize(("how", "error"), [(signal.SIGSTOP, PeerSilent), (signal.SIGKILL, PeerLost)])
def test_a_party_that_does_not_take_its_input_is_named(
    cluster: LocalCluster, how: signal.Signals, error: type[PeerLost]
) -> None:
    """Whatever is on its way to it, and to the others."""
    inputs = [np.full(1 << 24, i) for i in range(3)]
    os.kill(cluster.processes[1], how)
    start = time.monotonic()
    with pytest.raises(error) as caught:
        cluster.run(programs.echo, inputs)
    assert caught.value.peer == 1
    assert time.monotonic() - start < 8 * SLACK


def test_a_long_computation_that_holds_the_interpreter_is_not_silence() -> None:
    """No thread of the process gets a turn meanwhile, that of its heartbeats neither."""
    with LocalCluster(heartbeat=0.2, silence=0.5) as cluster:
        held = cluster.run(programs.holds_the_interpreter)
    assert held[1] > 0.7  # longer than the silence that is borne


@pytest.mark.slow
def test_a_caller_that_is_busy_while_large_answers_wait() -> None:
    """They are longer than any pipe keeps, and no party waits for them."""

    async def program(party: Any) -> Any:
        if party.index == 0:
            party.report("soon")
        return np.full(1 << 23, party.index)

    with LocalCluster(progress=lambda i, text: time.sleep(3)) as cluster:
        for i, answer in enumerate(cluster.run(program)):
            assert np.array_equal(answer, np.full(1 << 23, i))
            answer += 1  # the caller's own


def test_a_worker_is_told_its_own_private_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bytes] = []

    class Recorder:
        def put(self, kind: str, *fields: Any) -> None:
            told.append(pickle.dumps(fields))

    monkeypatch.setattr(launch, "start_worker", lambda listener: launch.Launched(None, Recorder()))  # type: ignore[arg-type]
    launch.launch(3, {"session": b"s"})
    keys = [pickle.loads(part)[0]["key"] for part in told]
    assert len(set(keys)) == 3
    assert [[key in part for key in keys] for part in told] == np.eye(3, dtype=bool).tolist()
    assert not any(b"PRIVATE KEY" in part.replace(key, b"") for part, key in zip(told, keys, strict=True))


def test_a_start_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccordError) as caught:
        LocalCluster(start_deadline=0.001).start()  # less than a handshake takes
    assert isinstance(caught.value, PeerMissing)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PeerLost, match="exited with 1 while the cluster was starting"):
        LocalCluster().start()


def test_close_leaves_nobody() -> None:
    cluster = LocalCluster()
    pids = cluster.start().processes
    assert len(pids) == 3 and all(map(alive, pids))
    start = time.monotonic()
    cluster.close()
    assert gone(pids, 0.0) and time.monotonic() - start < 3 * SLACK
    cluster.close()
    with pytest.raises(ClusterBroken, match="it is closed"):
        cluster.run(programs.squares)
    with pytest.raises(ClusterBroken, match="not started"):
        LocalCluster().run(programs.squares)


def test_a_forgotten_cluster_leaves_nobody() -> None:
    pids = LocalCluster().start().processes
    assert gone(pids, 2.0)


PARENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background start with it ignored
from mpc import LocalCluster, launch
from tests.mpc import programs
import sys

if __name__ == "__main__":
    cluster = LocalCluster().start()
    cluster.progress = lambda i, text: print(*cluster.processes, flush=True)
    cluster.run({program})
"""


@pytest.mark.parametrize(
    ("how", "program"),
    [
        (signal.SIGKILL, "programs.waits_for_party_1"),
        (signal.SIGKILL, "busy"),
        (signal.SIGINT, "programs.waits_for_party_1"),
        (signal.SIGTERM, "busy"),
    ],
)
def test_no_orphans(tmp_path: Path, how: signal.Signals, program: str) -> None:
    busy = "async def busy(party):\n    party.report('now')\n    while True: pass\n"
    (tmp_path / "parent.py").write_text(busy + PARENT.format(program=program))
    parent = subprocess.Popen(
        [sys.executable, "parent.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 3 and all(map(alive, pids))
    parent.send_signal(how)
    assert gone([*pids, parent.pid])
    _, err = parent.communicate()
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in err
