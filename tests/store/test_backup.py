"""Promise 13: a backup is a database."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from mitoscope.errors import OutputError, StoreError
from mitoscope.store import Source, Store
from tests.store.session import Session

from .making import ChildScript, scattered_study

WRITERS = 4
COPIES = 5


def test_copies_under_four_writers_are_whole_and_hold_what_was_acknowledged(
    quick_path: Path, child: ChildScript
) -> None:
    path = quick_path / "study.mito"
    with Store.create(path) as store:
        store.import_study(scattered_study(400), source=Source("made.json"))
    writers = [child("backup_writer.py", path, number) for number in range(WRITERS)]
    acknowledged: list[set[str]] = [set() for _ in writers]

    def listen(number: int) -> None:
        stream = writers[number].stdout
        assert stream is not None
        acknowledged[number].update(line.strip() for line in stream)

    listeners = [threading.Thread(target=listen, args=(number,)) for number in range(WRITERS)]
    for listener in listeners:
        listener.start()
    while not all(acknowledged):
        assert all(one.poll() is None for one in writers)
        time.sleep(0.01)
    known, copies = [], []
    with Store.open(path) as store:
        for number in range(COPIES):
            known.append(set().union(*(set(one.copy()) for one in acknowledged)))
            copies.append(store.backup(quick_path / f"copy {number}.mito"))
    for one in writers:
        assert one.stdin is not None
        one.stdin.close()
    for listener in listeners:
        listener.join()
    assert len(known[0]) < len(known[-1]), "nobody wrote meanwhile: the test shows nothing"
    for before, copy in zip(known, copies, strict=True):
        with Store.open(copy) as store:
            store.verify()
            with store.reading() as connection:
                there = {k for (k,) in connection.execute("SELECT key FROM event WHERE key IS NOT NULL")}
        assert before <= there
    assert not [one.name for one in quick_path.iterdir() if one.name.endswith((".part", "-journal"))]


def test_a_copy_goes_on_where_the_store_was(store: Store, quick_path: Path) -> None:
    Session(store, 1, 1).label(3, 2, key="a")
    copy = store.backup(quick_path / "copy.mito")
    with Store.open(copy) as other:
        assert other.export_study() == store.export_study()
        assert Session(other, 1, 1).label(3, 2, key="a").is_repeated
        Session(other, 1, 1).label(3, 1, key="b")
        other.verify()


def test_no_file_is_written_over(store: Store, quick_path: Path) -> None:
    target = quick_path / "copy.mito"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        store.backup(target)
    assert target.read_text() == "precious"


def test_a_folder_that_is_not_there(store: Store, quick_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        store.backup(quick_path / "none" / "copy.mito")
