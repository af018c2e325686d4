"""What the tests of curation share: stores in memory-backed storage, a study of known truth."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoscope.store import Store
from tests.curation.simulated import SimulatedStudy

from .making import scattered_truth


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """Return a folder where a commit costs nothing, for tests that are not about durability."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def store(quick_path: Path) -> Iterator[Store]:
    """Return an empty store."""
    with Store.create(quick_path / "study.mito") as opened:
        yield opened


@pytest.fixture
def study(store: Store) -> SimulatedStudy:
    """Return a study of 60 true cells on three slides, which nobody has labelled yet."""
    return SimulatedStudy(store, scattered_truth(20, slides=3))
