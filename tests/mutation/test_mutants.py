"""Mutants are changes, each of one thing; a module's tests are asked about every one."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.mutants import mutants

SOURCE = '''"""About it."""
MOST = 3

def f(x: int, y: int) -> str:
    """What it does."""
    if x <= MOST and not y:
        return "low"
    return sorted(n + 1 for n in (x, y) if n)
'''


def test_every_mutant_is_another_program_and_can_be_compiled() -> None:
    found = list(mutants(SOURCE))
    texts = [ast.unparse(one.tree) for one in found]
    assert len(set(texts)) == len(texts) and ast.unparse(ast.parse(SOURCE)) not in texts
    for one in found:
        compile(one.tree, "mutant", "exec")
        assert 2 <= one.line <= 8 and one.before != one.after and str(one)
    assert "What it does" not in "".join(one.after for one in found)


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        ("a = b <= c", ["a = b < c", "a = b > c"]),
        ("a = b and c", ["a = b or c", "a = c", "a = b"]),
        ("a = not b", ["a = b"]),
        ("a = b if c else d", ["a = b", "a = d"]),
        ("a = 'x'", ["a = 'XXx'"]),
        ("a = Verdict.ASK", ["a = Verdict.DENIED"]),
        ("if a:\n    b()", ["if not a:\n    b()", "if a:\n    pass"]),
        ("a = any((b for b in c if d))", ["a = all((b for b in c if d))", "a = any((b for b in c))"]),
        ("a = True", ["a = False"]),
    ],
)
def test_what_is_changed(source: str, changes: list[str]) -> None:
    assert [ast.unparse(one.tree) for one in mutants(source, {"Verdict": ["ASK", "DENIED"]})] == changes


@pytest.mark.parametrize(("test", "status", "words"), [("f(2) and not f(1)", 0, "100.0 %"), ("f(9)", 1, "survived:")])
def test_tests_that_see_too_little_are_told(tmp_path: Path, test: str, status: int, words: str) -> None:
    (tmp_path / "subject.py").write_text("def f(x: int) -> bool:\n    return x > 1\n")
    (tmp_path / "test_subject.py").write_text(f"from subject import f\n\ndef test_f() -> None:\n    assert {test}\n")
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-m", "tests.mutation", "subject.py", "test_subject.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{root}", "PATH": ""}, capture_output=True, text=True,
        check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == status and words in done.stdout, done.stdout + done.stderr
