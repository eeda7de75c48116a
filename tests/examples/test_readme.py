"""README.md, "A released answer" and "A first join": the programs run as they stand, and print nearly the truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scripts import ROOT, run_script


# heading; what is counted; the standard error, sqrt(2) sensitivity / epsilon; what noise exceeds with a chance of e^-30
@pytest.mark.parametrize(
    ("heading", "unit", "standard_error", "far"),
    [("A released answer", "days", 42.4, 900), ("A first join", "thousand", 8.8, 190)],
)
def test_a_program_of_the_readme(heading: str, unit: str, standard_error: float, far: int, tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    snippet = section.split("```python\n")[1].split("```")[0]
    script = tmp_path / "program.py"
    script.write_text(snippet)
    done = run_script(str(script), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    answer = re.fullmatch(rf"(-?\d+) {unit}, standard error ([\d.]+), 95% interval (-?\d+) to (-?\d+)\n", done.stdout)
    assert answer, done.stdout
    value, error, low, high = map(float, answer.groups())
    true = float(re.search(r"near the true ([\d,]+)", section)[1].replace(",", ""))  # type: ignore[index]
    assert abs(error - standard_error) <= 0.05
    assert low < value < high and abs((low + high) / 2 - value) <= 1
    assert abs(value - true) < far
