"""README.md: its programs run as they stand, and print nearly the truth."""

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
    section, printed = _run(heading, tmp_path)
    answer = re.fullmatch(rf"(-?\d+) {unit}, standard error ([\d.]+), 95% interval (-?\d+) to (-?\d+)\n", printed)
    assert answer, printed
    value, error, low, high = map(float, answer.groups())
    true = float(re.search(r"near the true ([\d,]+)", section)[1].replace(",", ""))  # type: ignore[index]
    assert abs(error - standard_error) <= 0.05
    assert low < value < high and abs((low + high) / 2 - value) <= 1
    assert abs(value - true) < far


def test_the_model_of_the_readme(tmp_path: Path) -> None:
    _, printed = _run("A first model", tmp_path)
    number = r"(-?[\d.]+)"
    answer = re.fullmatch(
        rf"right: {number}, 95% interval {number} to {number}; coefficients \[\s*{number}\s+{number}\]\n", printed
    )
    assert answer, printed
    right, low, high, age, pressure = map(float, answer.groups())
    assert low <= right <= high and low < high  # printed with two places
    assert abs(right - 0.80) < 0.1  # the noise of 600 rows is wider with a chance of e^-30
    assert age > 0 and pressure > 0


def _run(heading: str, folder: Path) -> tuple[str, str]:
    """(the section, what its program prints)."""
    section = (ROOT / "README.md").read_text().split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    script = folder / "program.py"
    script.write_text(section.split("```python\n")[1].split("```")[0])
    done = run_script(str(script), cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return section, done.stdout
