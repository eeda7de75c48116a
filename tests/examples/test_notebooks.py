"""The notebooks: what is kept in them, what they run on, and what their cells give on real nodes.

What is looked at of noised figures holds but for a chance below e^-15.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from examples import three_banks, three_hospitals
from examples.at_work import AtWork
from examples.consortium_nodes import CommandFailed
from examples.consortium_tables import cut
from examples.datasets import load_support2
from examples.guarded import follow
from examples.record_notebooks import NOTEBOOKS, told_of_machine
from examples.tables import load_credit_default
from tests.examples.running import running_in
from tests.scripts import ROOT

NAMES = sorted(path.name for path in NOTEBOOKS.glob("*.ipynb"))
FAR = 12  # standard errors of Laplace noise: farther with a chance of e^-16

Run = Callable[[str], dict[str, Any]]


def cells(name: str) -> list[dict[str, Any]]:
    """Of a notebook, those with code."""
    notebook = json.loads((NOTEBOOKS / name).read_text())
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not in the cache is made up."""
    monkeypatch.setattr(three_banks, "load_credit_default", partial(load_credit_default, download=False))
    monkeypatch.setattr(three_hospitals, "load_support2", partial(load_support2, download=False))


@pytest.fixture
def run(no_download: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a notebook's cells; gives the names they left. All it started is stopped, whatever happens."""
    import matplotlib

    matplotlib.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}

    def run(name: str) -> dict[str, Any]:
        monkeypatch.chdir(NOTEBOOKS)
        monkeypatch.setattr(sys, "path", [*sys.path])
        for number, cell in enumerate(cells(name), 1):
            exec(compile("".join(cell["source"]), f"{name}, cell {number}", "exec"), names)
        return names

    try:
        yield run
    finally:
        for value in names.values():
            if isinstance(value, AtWork):
                value.close()


# -- what is kept in them ------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_kept_as_it_ran_from_its_first_cell_to_its_last(name: str) -> None:
    kept = cells(name)
    assert [cell["execution_count"] for cell in kept] == list(range(1, len(kept) + 1))
    outputs = [output for cell in kept for output in cell["outputs"]]
    assert outputs and not [output for output in outputs if output["output_type"] == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    assert sum(1 for cell in kept if cell["outputs"]) >= len(kept) - 1  # all but the last, which ends it
    assert (NOTEBOOKS / name).stat().st_size < 150_000


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_tells_nothing_of_who_ran_it_and_no_secret(name: str) -> None:
    text = (NOTEBOOKS / name).read_text()
    assert told_of_machine(text) == []
    assert "PRIVATE" not in text and not re.search(r"127\.0\.0\.1:\d+/\w{4}-", text)  # no key, no invitation's code
    assert set(json.loads(text)["metadata"]) == {"kernelspec", "language_info"}


def test_what_tells_of_a_machine_is_found() -> None:
    assert told_of_machine(f"in {ROOT}/x") and told_of_machine("in /tmp/accord-consortium-1/x")
    assert told_of_machine("accord audit show") == []


# -- what they run on ----------------------------------------------------------------------------


def test_each_client_is_at_one_bank_and_those_held_out_are_nowhere(no_download: None) -> None:
    clients = three_banks.card_clients()
    published = pd.concat(three_banks.cards_of(clients, bank) for bank in three_banks.BANKS)
    kept = three_banks.held_out(clients)
    assert sorted([*published["client"], *kept["client"]]) == sorted(clients["client"])
    assert set(published["segment"]) <= set(three_banks.SEGMENTS) and 0 < len(kept) < len(clients) / 5
    assert clients[clients["credit"] <= 50]["segment"].eq("starter").all()
    assert clients[clients["credit"] > 200]["segment"].eq("premium").all()


def test_a_command_runs_at_somebodys_home_and_is_shown_with_what_it_printed(capsys: Any) -> None:
    with AtWork("Three", ("a", "b", "c"), lambda work: None) as work:
        work.variables["WHERE"] = str(work.homes["a"])
        work.accord("init $WHERE", at="b")
        assert capsys.readouterr().out.startswith("b$ accord init $WHERE\n")
        work.accord("fingerprint", at="a")
        shown = capsys.readouterr().out
        assert shown.startswith("a$ accord fingerprint\nfingerprint") and work.printed in shown
        assert work.read("fingerprint", at="a")["public_key"] in work.printed
        work.accord("audit \\\n verify", at="a", status=5)
        assert told_of_machine(capsys.readouterr().out) == []
        with pytest.raises(CommandFailed, match=r"b: accord fingerprint: exit status 5, not 0:\naccord fingerprint: "):
            work.accord("fingerprint", at="b")
        directory = work.directory
        assert directory.is_dir()
    assert not directory.exists()


def test_what_cannot_be_prepared_leaves_nothing() -> None:
    made: list[Path] = []

    def prepare(work: AtWork) -> None:
        made.append(work.directory)
        raise CommandFailed("no")

    with pytest.raises(CommandFailed, match="no"):
        AtWork("Three", ("a", "b", "c"), prepare)
    assert made and not made[0].exists()


def test_a_command_ends_when_the_pipe_of_its_starter_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *told: ended.append(told))
    reading, writing = os.pipe()
    os.write(writing, b"still here")
    os.close(writing)
    follow(reading)
    os.close(reading)
    assert ended == [(os.getpid(), signal.SIGTERM)]


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(300)
def test_nodes_end_with_a_kernel_that_is_killed(tmp_path: Path) -> None:
    """Members' commands are waiting for one another when it happens."""
    script = (
        "import time\nfrom examples import three_hospitals\nfrom examples.datasets import load_support2\n"
        "three_hospitals.load_support2 = lambda: load_support2(download=False)\n"
        "h = three_hospitals.two_hospitals()\nprint(h.directory, flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        directory = next(Path(line.strip()) for line in process.stdout if line.startswith(str(tmp_path)))
        assert len(running_in(directory)) == 2  # the founder waits, and one that joins
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 30
    while running_in(directory) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running_in(directory) == []


# -- what their cells give -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(600)
def test_the_engineers_notebook(run: Run, capsys: Any) -> None:
    names = run("1_join_and_publish.ipynb")
    printed = capsys.readouterr().out
    for words in ("is in force; this node is northgate", "what others could learn", "all good", "northgate: up"):
        assert words in printed, words
    study = three_hospitals.study()
    assert study.outcome == names["group"]
    for value, count in cut(study, study.data.columns).groupby(study.outcome).size().items():
        shown, error = re.search(rf"│ {value} +│ (\d+) +│ ([\d.]+) +│", printed).groups()  # type: ignore[union-attr]
        assert abs(int(shown) - count) < FAR * float(error)
    assert re.search(r"│ accepted .*│ northgate@northgate .*patients ever: 1, 39 left", names["hospitals"].printed)


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(600)
def test_the_analysts_notebook(run: Run) -> None:
    names = run("2_count_by_segment.ipynb")
    answer, true, check = names["answer"], names["true"], names["check"]
    shown = answer[answer["clients"].notna()]
    assert len(shown) >= 2
    assert (check["off by, in standard errors"].abs().dropna() < FAR).all()
    off = (shown["share"] - true["mean"]).abs() / shown["share.standard_error"]
    assert (off.dropna() < 2 * FAR).all()  # of two noised figures
    assert names["again"].equals(answer)
    assert re.search(r"everybody +│ 1 +│ 30 ", names["banks"].printed)  # asked twice, paid once


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(600)
def test_the_data_scientists_notebook(run: Run, capsys: Any) -> None:
    names = run("3_default_risk.ipynb")
    printed = capsys.readouterr().out
    assert names["card"].allowed and names["card"].epsilon == 2.0
    assert names["model"].terms_ == three_banks.FEATURES
    metrics = names["metrics"]
    assert metrics["AUC"].between(0, 1).all() and len(metrics) == 3
    if load_credit_default(download=False).real:
        private, pooled = metrics.loc["three banks, private"], metrics.loc["pooled, open"]
        assert private["AUC"] > 0.7 and abs(private["AUC"] - pooled["AUC"]) < 0.03
        assert abs(private["mean probability"] - names["y"].mean()) < 0.05
    assert "kept as default-risk@1" in printed
    assert "this receipt is genuine" in names["banks"].printed and "coefficient" not in names["banks"].printed


@pytest.mark.slow
@pytest.mark.usefixtures("own_ports")
@pytest.mark.timeout(600)
def test_the_compliance_officers_notebook(run: Run, capsys: Any) -> None:
    names = run("4_who_computed_what.ipynb")
    printed = capsys.readouterr().out
    accepted = names["accepted"]
    assert accepted["who"].eq("analyst").all() and accepted["to"].eq("north").all()
    assert list(zip(accepted["for"], accepted["epsilon"], strict=True)) == [
        ("report", 1.0), ("risk-model", 2.0), ("report", 2.5),
    ]  # fmt: skip
    assert not accepted[accepted["for"] == "report"]["columns"].str.contains("credit").any()
    refusals = printed.count("PolicyDenied: table cards, column credit, rule: release by north for report")
    assert refusals >= 1 and "PolicyDenied: south refuses: table cards, column credit" in printed
    assert re.search(r"│ refused .*│ analyst@north │ report", printed) and re.search(r"│ approved .*│ south ", printed)
    assert re.search(r"everybody +│ 5.5 +│ 30 ", printed)
    assert "ledger 6 entries, each as it was written" in printed
    assert "LogBroken" in printed.split("audit verify altered.jsonl")[1]
    assert "signed by south, whom you know" in printed and "this receipt is genuine" in printed
