"""What the tests of the store share: a store in memory-backed storage, and child processes."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoscope.store import Rater, RaterKind, Round, RoundKind, Source, Store
from tests.store.session import Session

from .making import ChildScript, scattered_study


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """Return a folder where a commit costs nothing, for tests that are not about durability."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def store(quick_path: Path) -> Iterator[Store]:
    """Return a store of 50 cells on two slides."""
    with Store.create(quick_path / "study.mito") as opened:
        opened.import_study(scattered_study(), source=Source("made.json"))
        yield opened


@pytest.fixture
def reader(store: Store) -> Session:
    """Return a new expert in an open round of the store."""
    rater = store.add_rater(Rater("expert 3", RaterKind.EXPERT))
    return Session(store, rater, store.open_round(Round("review", RoundKind.CANDIDATE_REVIEW)))


@pytest.fixture
def child() -> Iterator[ChildScript]:
    """Return a function that runs a script beside this file with arguments, its output in a pipe."""
    started: list[subprocess.Popen[str]] = []

    def run(script: str, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", f"tests.store.{Path(script).stem}", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
