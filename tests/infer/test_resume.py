"""Promise 15: a run that is killed goes on, and ends in the same bytes."""

from __future__ import annotations

import multiprocessing
import random
import runpy
import sqlite3
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from mitoscope.bundle import Bundle

KILLS = 30
PART = 2  # candidates of a part of the second stage: some thirty parts to be killed in
_SCRIPT = str(Path(__file__).with_name("detect_in_child.py"))
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Children fork from a server that has everything loaded: a second each is saved."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "mitoscope.infer", "mitoscope.slide", "mitoscope.tissue"])
    return context


@dataclass
class Job:
    """One run that may take several processes."""

    processes: multiprocessing.context.ForkServerContext
    slide: Path
    bundle: Bundle
    folder: Path
    naive: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir()

    @property
    def result(self) -> Path:
        return self.folder / "result.csv"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def ledger(self) -> Path:
        return self.folder / f"{self.slide.stem}.ledger"

    def start(self, **config: object) -> BaseProcess:
        values = {
            "slide": str(self.slide),
            "bundle": str(self.bundle.folder),
            "out": str(self.folder),
            "result": str(self.result),
            "log": str(self.log),
            "naive": self.naive,
            "part": PART,
            "config": {"mpp": 0.25, "chunk_px": 52, "threads": 1, **config},
        }
        process = self.processes.Process(
            target=runpy.run_path, args=(_SCRIPT,), kwargs={"init_globals": {"JOB": values}}
        )
        process.start()
        return process

    def lines(self) -> list[str]:
        return self.log.read_text(encoding="ascii").splitlines() if self.log.exists() else []

    def recorded(self) -> set[int]:
        return self._indices("SELECT chunk FROM chunk")

    def verified(self) -> set[int]:
        return self._indices("SELECT part FROM verification")

    def _indices(self, query: str) -> set[int]:
        if not self.ledger.exists():
            return set()
        connection = sqlite3.connect(self.ledger)
        try:
            return {index for (index,) in connection.execute(query)}
        except sqlite3.OperationalError:
            return set()  # killed before the tables were there
        finally:
            connection.close()

    def finish(self, **config: object) -> None:
        process = self.start(**config)
        process.join(_PATIENCE_S)
        assert process.exitcode == 0

    def begun(self, kind: str, *, since: int = 0) -> list[int]:
        rows = (line.split() for line in self.lines()[since:])
        return [int(index) for name, index in rows if name == kind]

    def kill_after(self, lines: int, seconds: float, **config: object) -> bool:
        """Kill a process once so many lines and seconds have passed; False if it was done before."""
        process, before = self.start(**config), len(self.lines())
        deadline = time.monotonic() + _PATIENCE_S
        while process.is_alive() and len(self.lines()) - before < lines and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(seconds)
        process.kill()
        process.join(_PATIENCE_S)
        assert process.exitcode in (0, -9)
        return process.exitcode == -9


@pytest.fixture(scope="module")
def expected(
    processes: multiprocessing.context.ForkServerContext,
    field: Path,
    tiny_bundle: Bundle,
    tmp_path_factory: pytest.TempPathFactory,
) -> bytes:
    job = Job(processes, field, tiny_bundle, tmp_path_factory.mktemp("whole") / "run")
    job.finish()
    begun = [line for line in job.lines() if line.startswith("begin")]
    assert len(begun) == len(set(begun)) == 35
    content = job.result.read_bytes()
    assert content.count(b"\n") > 40
    return content


def test_thirty_kills_and_the_same_bytes(
    processes: multiprocessing.context.ForkServerContext,
    field: Path,
    tiny_bundle: Bundle,
    tmp_path: Path,
    expected: bytes,
) -> None:
    chance, kills, runs = random.Random(15), 0, 0
    while kills < KILLS:
        job = Job(processes, field, tiny_bundle, tmp_path / f"run {runs}")
        runs += 1
        for _ in range(8):
            done_before = job.recorded()
            seen = len(job.lines())
            # One in five is killed at any time since its start, the others in the midst of its work.
            early = chance.random() < 0.2
            killed = job.kill_after(
                0 if early else chance.randrange(1, 24), chance.uniform(0, 0.3 if early else 0.02)
            )
            begun = set(job.begun("begin", since=seen))
            assert not begun & done_before, "a chunk that was recorded is computed again"
            assert job.recorded() >= done_before
            kills += killed
            if not killed or kills == KILLS:
                break
        # Batch and threads may change between a run's processes.
        job.finish(batch=chance.randrange(1, 6), threads=chance.randrange(1, 4))
        assert job.result.read_bytes() == expected
        recorded = [line for line in job.lines() if line.startswith("recorded")]
        assert len(recorded) == len(set(recorded))
        assert len(job.recorded()) == 35
    assert runs >= 4


def test_killed_while_verifying_it_verifies_nothing_twice_and_ends_in_the_same_bytes(
    processes: multiprocessing.context.ForkServerContext,
    field: Path,
    cascade_bundle: Bundle,
    tmp_path: Path,
) -> None:
    whole = Job(processes, field, cascade_bundle, tmp_path / "whole")
    whole.finish()
    expected, parts = whole.result.read_bytes(), whole.begun("begin-verify")
    assert parts == list(range(len(parts)))
    assert len(parts) > 20
    chance, kills, runs = random.Random(16), 0, 0
    while kills < KILLS // 2:
        job = Job(processes, field, cascade_bundle, tmp_path / f"run {runs}")
        runs += 1
        # The first stage is done in one process; all others are killed in the second.
        job.finish(stage="proposals")
        job.result.unlink()
        assert job.verified() == set()
        while True:
            before, seen = job.verified(), len(job.lines())
            killed = job.kill_after(chance.randrange(1, 24), chance.uniform(0, 0.02))
            assert job.begun("begin", since=seen) == [], "the first stage is repeated"
            assert not set(job.begun("begin-verify", since=seen)) & before, "a part is verified again"
            assert job.verified() >= before
            kills += killed
            if not killed or kills == KILLS // 2:
                break
        job.finish(threads=chance.randrange(1, 4))
        assert job.result.read_bytes() == expected
        recorded = job.begun("recorded-verify")
        assert len(recorded) == len(set(recorded))
        assert job.verified() == set(parts)


def test_control_what_exists_is_not_what_is_done(
    processes: multiprocessing.context.ForkServerContext,
    field: Path,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    """The naive runner fails the same test: after a kill its output stays in part."""
    whole = Job(processes, field, tiny_bundle, tmp_path / "whole", naive=True)
    whole.finish()
    job = Job(processes, field, tiny_bundle, tmp_path / "killed", naive=True)
    assert job.kill_after(8, 0.0)
    job.finish()
    assert job.result.read_bytes() != whole.result.read_bytes()
