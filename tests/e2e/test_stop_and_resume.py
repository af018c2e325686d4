"""A run that is stopped or killed goes on with the same command and ends in the same bytes (promise 15)."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Run

MODEL = ("--model", "semi-fcn")
"""About a second a chunk: a run is stopped before it is done."""


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a synthetic slide of several chunks, all tissue."""
    from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

    path = tmp_path_factory.mktemp("slide") / "slide.tiff"
    write_slide(path, SyntheticSlideConfig.of(width=3600, height=2600, seed=3, tissue_fraction=1.0))
    return path


@pytest.fixture(scope="module")
def uninterrupted(mitoscope: Run, slide: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole")
    assert mitoscope("detect", slide, *MODEL, "--out", out).returncode == 0
    return out


@pytest.fixture(scope="module")
def whole(uninterrupted: Path) -> dict[str, bytes]:
    """Return what an uninterrupted run writes."""
    return written(uninterrupted)


@pytest.fixture(scope="module")
def chunks(uninterrupted: Path) -> int:
    """Return the number of chunks of the slide."""
    return recorded(uninterrupted)


def written(out: Path) -> dict[str, bytes]:
    suffixes = (".csv", ".geojson", ".html", ".png")
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.suffix in suffixes}


def recorded(out: Path) -> int:
    """Return the number of chunks in the ledger, or 0 as long as it cannot be read."""
    try:
        with closing(
            sqlite3.connect(f"file:{out / 'slide.ledger'}?mode=ro", uri=True, timeout=0.01)
        ) as ledger:
            return int(ledger.execute("SELECT count(*) FROM chunk").fetchone()[0])
    except sqlite3.Error:
        return 0


def chunk_rows(out: Path) -> list[tuple[float, ...]]:
    """Return what the ledger holds of each chunk: the session that computed it, and its times."""
    with closing(sqlite3.connect(f"file:{out / 'slide.ledger'}?mode=ro", uri=True)) as ledger:
        return ledger.execute("SELECT * FROM chunk ORDER BY chunk").fetchall()


def stopped_within_the_slide(command: list[str], out: Path, how: signal.Signals) -> tuple[int, str]:
    """Run a command, stop it once a chunk is in its ledger, and return its exit status and stderr.

    The ledger is locked while a run holds it, but every commit touches the file: those that lay it out, then
    one for each chunk. On a busy machine the first of them may still belong to the layout: the same command
    then goes on, until something is recorded.
    """
    while True:
        child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wait_for_a_commit(out / "slide.ledger", child)
        child.send_signal(how)
        _, stderr = child.communicate(timeout=120)
        if child.returncode == 0 or recorded(out) > 0:
            return child.returncode, stderr


def wait_for_a_commit(ledger: Path, child: subprocess.Popen[str]) -> None:
    """Wait until the file of the ledger changes after a second and more, or the command has ended."""
    while not ledger.exists() and child.poll() is None:
        time.sleep(0.02)
    time.sleep(1.2)
    if child.poll() is not None:
        return
    laid_out = ledger.stat().st_mtime_ns
    while ledger.stat().st_mtime_ns == laid_out and child.poll() is None:
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_the_same_command_goes_on(
    mitoscope: Run, slide: Path, whole: dict[str, bytes], chunks: int, tmp_path: Path, how: signal.Signals
) -> None:
    command = [
        sys.executable,
        "-m",
        "mitoscope",
        "detect",
        str(slide),
        *MODEL,
        "--out",
        str(tmp_path),
        "--threads",
        "1",
    ]
    status, stderr = stopped_within_the_slide(command, tmp_path, how)
    done_before = recorded(tmp_path)
    if how == signal.SIGINT:
        assert status == 1
        assert "repeat the same command" in stderr
    assert 1 <= done_before < chunks, stderr
    assert not (tmp_path / "slide.json").exists()
    again = mitoscope("detect", slide, *MODEL, "--out", tmp_path)
    assert again.returncode == 0, again.stderr
    assert written(tmp_path) == whole


def test_another_threshold_reuses_the_run_and_another_slide_is_refused(
    mitoscope: Run, slide: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    assert mitoscope("detect", slide, *MODEL, "--out", tmp_path).returncode == 0
    searched = chunk_rows(tmp_path)
    assert mitoscope("detect", slide, *MODEL, "--out", tmp_path, "--threshold", "0.9").returncode == 0
    assert chunk_rows(tmp_path) == searched, "nothing is searched again"
    rows, others = ((tmp_path / "slide.csv").read_bytes(), whole["slide.csv"])
    # What is above the threshold is called a figure, the rest candidates; places and scores stay.
    assert rows.replace(b" candidate", b"") == others.replace(b" candidate", b"")
    assert rows.count(b" candidate") > others.count(b" candidate")
    refused = mitoscope("detect", slide, *MODEL, "--out", tmp_path, "--mpp", "0.24")
    assert refused.returncode == 2
    assert "configuration: mpp" in refused.stderr
    assert "--no-resume" in refused.stderr
