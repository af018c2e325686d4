"""What the tests of the web application share: one slide, and a study on it with its lead."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .making import Clinic, open_clinic, write_slide


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one slide."""
    folder = tmp_path_factory.mktemp("slides")
    write_slide(folder / "one.tiff")
    return folder


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """Return a folder where a commit costs nothing, for tests that are not about durability."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def clinic(quick_path: Path, slides: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clinic]:
    """Return a served study of one slide, which was made here and is not probed in a child each time."""
    monkeypatch.setattr("mitoscope.slide.opening.probe_slide", lambda path: None)
    # Of its own: what is uploaded lands beside the slides.
    opened = open_clinic(quick_path, shutil.copytree(slides, quick_path / "slides"))
    yield opened
    opened.store.close()
