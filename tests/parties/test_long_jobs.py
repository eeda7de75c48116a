"""Training that waits for who was lost, on real nodes: kill -9 of a daemon, and it goes on from its checkpoint."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from parties.client import Client
from parties.errors import NodeCallFailed
from tests.parties.job_tables import WARDS, stay_rows, stays
from tests.parties.real_nodes import ALL, made, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
OWNERS = ("alfa", "bravo", "delta")
ASKED = {"features": ["age", "cost"], "label": "died", "epsilon": 8.0, "delta": 1e-5, "max_iter": 30, "batch_size": 512}


def published(directory: Path, name: str, seed: int) -> list[object]:
    rows = {column: np.tile(values, 50) for column, values in stay_rows(30, seed).items()}
    frame = pd.DataFrame({**rows, "person": np.arange(1500), "ward": [WARDS[i] for i in rows["ward"]]})
    frame.to_csv(directory / f"{name}.csv", index=False)
    return [replace(stays(), source=str(directory / f"{name}.csv"), capacity=2048)]


def wait_for_lanes(client: Client) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if client.status().lanes:
                return
        except NodeCallFailed:
            pass
        time.sleep(0.2)
    raise AssertionError("the nodes did not connect")


@pytest.mark.parametrize("victim", ["alfa", "bravo"])
def test_training_goes_on_after_a_node_was_killed(tmp_path: Path, victim: str) -> None:
    tables = {name: published(tmp_path, name, seed) for seed, name in enumerate(OWNERS)}
    consortium = made(tmp_path, tables, (ALL, ALL, ALL, ("input", "result")))  # type: ignore[arg-type]
    delta = consortium["delta"]
    with running(consortium), Client(delta.url, delta.identity) as client:
        with Client(consortium["charlie"].url, consortium["charlie"].identity) as charlie:
            wait_for_lanes(charlie)
        job = client.submit("train", ASKED, [f"{name}.stays" for name in OWNERS], ["delta"], on_loss="wait")
        killed, fractions = False, []
        for line in job.progress():
            assert line.state != "ABORTED", line.cause
            fractions.append(line.fraction or 0.0)
            if not killed and fractions[-1] > 0.3:
                node = consortium[victim]
                node.signal(signal.SIGKILL)
                assert node.process is not None
                node.process.wait()
                node.start()
                killed = True
        assert killed and job.state() == "RELEASED"
        model = job.result()
        assert np.isfinite(model.coef_).all() and model.coef_.shape == (1, 2)
        past = next(i for i, fraction in enumerate(fractions) if fraction > 0.3)
        assert min(fraction for fraction in fractions[past:] if fraction) > 0.25  # it did not begin anew
