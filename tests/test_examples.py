"""The examples of the docstrings run as they stand."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import mitoscope


def modules_with_examples() -> Iterator[str]:
    for path in sorted(Path(mitoscope.__file__).parent.rglob("*.py")):
        if ">>> " in path.read_text():
            parts = path.relative_to(Path(mitoscope.__file__).parents[1]).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("name", tuple(modules_with_examples()))
def test_the_examples_of_a_module_hold(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0
