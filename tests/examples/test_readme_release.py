"""README.md, "A released answer": the program runs as it stands, and what it prints is near the truth."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_released_answer_of_the_readme(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split("## A released answer\n", 1)[1].split("\n## ")[0]
    snippet = section.split("```python\n")[1].split("```")[0]
    script = tmp_path / "release.py"
    script.write_text(snippet)
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer = re.fullmatch(r"(-?\d+) days, standard error ([\d.]+), 95% interval (-?\d+) to (-?\d+)\n", done.stdout)
    assert answer, done.stdout
    value, error, low, high = map(float, answer.groups())
    true = float(re.search(r"near the true ([\d,]+)", section)[1].replace(",", ""))  # type: ignore[index]
    assert 42 < error < 43  # sqrt(2) times 30 days at epsilon 1
    assert low < value < high and abs((low + high) / 2 - value) <= 1
    assert abs(value - true) < 900  # 30 days at epsilon 1: beyond with a chance of e^-30
