"""The notebooks of the site run from their first cell to their last."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"


@pytest.fixture(scope="module")
def runner(project: Path) -> ModuleType:
    """Return docs/run_notebooks.py."""
    path = project / "docs" / "run_notebooks.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.train
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs(runner: ModuleType, path: Path, tmp_path: Path) -> None:
    short = tmp_path / path.name  # a training of it is short here
    text = path.read_text(encoding="utf-8")
    short.write_text(text.replace("steps = 150", "steps = 30").replace("every = 75", "every = 30"))
    done = runner.run(short, tmp_path)
    shown = [cell for cell in done.cells if cell.get("outputs")]
    assert len(shown) >= 3
    assert not any(one.output_type == "error" for cell in shown for one in cell.outputs)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_shows_what_it_does(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code), "run: python docs/run_notebooks.py"
    assert "/tmp/" not in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 600_000
