"""What is printed costs no work: any encoding, a full disk, a reader that goes away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mitoscope.store import Store

COMMAND = [sys.executable, "-m", "mitoscope"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "Митоз.mito"
    Store.create(path, name="Митоз 有丝分裂").close()
    return path


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_an_encoding_lacks_is_replaced(study: Path, encoding: str) -> None:
    done = subprocess.run(
        [*COMMAND, "store", "info", str(study)],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert ("Митоз" in done.stdout.decode(encoding)) is (encoding == "utf-8")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_costs_no_result(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "synth", "--size", "300x200", "--out", "a.tiff"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        "error: standard output: No space left on device; all else of the command is done"
    ]
    assert (tmp_path / "a.tiff").exists()


def test_a_reader_that_goes_away_is_no_error(study: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            [*COMMAND, "store", "info", str(study)], stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
