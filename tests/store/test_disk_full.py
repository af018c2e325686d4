"""Promise 12: a full disk hurts nobody."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitoscope.errors import OutputError
from mitoscope.store import Geometry, Source, Store
from tests.store.replay import snapshot
from tests.store.session import Session

from .making import scattered_study


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield place
        subprocess.run(["umount", str(place)], check=True)  # fails where a descriptor was left open
    finally:
        subprocess.run(["umount", "-l", str(place)], capture_output=True, check=False)


def fill(place: Path, *, leave: int = 0) -> Path:
    """Write until the disk is full, then free some bytes."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(b"\0" * 4096)
        except OSError:
            pass
        stream.truncate(max(0, stream.tell() - leave))
    return ballast


def add_cells(session: Session, count: int) -> None:
    for number in range(count):
        session.create(1, Geometry.spot(number, 1.0), key=f"full {number}")


def test_the_action_fails_in_words_and_works_once_there_is_space(small_disk: Path) -> None:
    with Store.create(small_disk / "study.mito") as store:
        store.import_study(scattered_study(), source=Source("made.json"))
        session = Session(store, 1, 1)
        session.label(1, 2, key="before")
        before = snapshot(store, 10**9)
        ballast = fill(small_disk)
        with pytest.raises(OutputError, match=r"full.*nothing was changed") as caught:
            add_cells(session, 2000)
        assert "\n" not in str(caught.value)
        after = snapshot(store, 10**9)
        assert len(after.cells) == len(before.cells), "earlier data is not readable as it was"
        assert sorted(one.name for one in small_disk.iterdir()) == ["ballast", "study.mito"]
        ballast.unlink()
        done = session.create(1, Geometry.spot(0.0, 1.0), key="full 0")
        assert not done.is_repeated
        store.verify()
    assert [one.name for one in small_disk.iterdir()] == ["study.mito"]


@pytest.mark.parametrize("leave", [0, 8192, 40_960, 100_000])
def test_an_import_that_does_not_fit_changes_nothing(small_disk: Path, leave: int) -> None:
    with Store.create(small_disk / "study.mito") as store:
        store.import_study(scattered_study(), source=Source("made.json"))
        before = store.export_study()
        fill(small_disk, leave=leave)
        with pytest.raises(OutputError, match="cannot be written"):
            store.import_study(scattered_study(3000, seed=1), source=Source("more.json"))
        assert store.export_study() == before
        store.verify()
    assert sorted(one.name for one in small_disk.iterdir()) == ["ballast", "study.mito"]


def test_a_backup_or_a_new_store_that_does_not_fit_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(scattered_study(2000), source=Source("made.json"))
        fill(small_disk, leave=100_000)
        with pytest.raises(OutputError, match="cannot be written"):
            store.backup(small_disk / "copy.mito")
        with pytest.raises(OutputError, match="cannot be written"):
            Store.create(small_disk / "second.mito")
    assert [one.name for one in small_disk.iterdir()] == ["ballast"]


def test_control_a_file_that_is_rewritten_loses_all(small_disk: Path) -> None:
    # As a beginner would keep labels: one JSON file, written over after each action.
    path = small_disk / "labels.json"
    labels = [{"cell": number, "label": "mitotic figure"} for number in range(500)]
    path.write_text(json.dumps(labels))
    fill(small_disk)
    with pytest.raises(OSError, match="No space"):
        path.write_text(json.dumps([*labels * 20]))
    with pytest.raises(json.JSONDecodeError):
        json.loads(path.read_text())


def test_a_file_that_may_not_grow_is_a_full_disk_without_root(tmp_path: Path) -> None:
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(scattered_study(), source=Source("made.json"))
        session, before = Session(store, 1, 1), store.export_study()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (store.path.stat().st_size, hard))
        try:
            with pytest.raises(OutputError, match="nothing was changed"):
                store.import_study(scattered_study(3000, seed=1), source=Source("more.json"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert store.export_study() == before
        session.label(1, 2, key="after")
        store.verify()
    assert [one.name for one in tmp_path.iterdir()] == ["study.mito"]
