"""A file that is no store, is damaged, hostile or newer ends in one line, and nothing runs from it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from mitoscope.errors import (
    MitoscopeError,
    StoreBusyError,
    StoreDamagedError,
    StoreError,
    StoreVersionError,
)
from mitoscope.geometry import BoxPx0
from mitoscope.store import Rater, Source, Store
from mitoscope.store import connection as module
from mitoscope.store.connection import atomic, open_file
from mitoscope.store.schema import MIGRATIONS, SCHEMA_VERSION, Migration, statements
from tests.store.making import cells_in
from tests.store.replay import snapshot
from tests.store.session import Session

from .making import scattered_study


def edit(path: Path, *statements_: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(";".join(statements_))
    connection.close()


@pytest.fixture
def path(store: Store) -> Path:
    store.close()
    return store.path


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such store; create it with 'mitoscope store create"):
        Store.open(tmp_path / "none.mito")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"SQLite", b"{}", b"II*\0" + bytes(100)])
def test_not_a_database(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mito").write_bytes(content)
    with pytest.raises(StoreDamagedError, match="not an annotation store"):
        Store.open(tmp_path / "x.mito")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        Store.open(tmp_path)


def test_another_kind_of_database(tmp_path: Path) -> None:
    edit(tmp_path / "slides.sqlite", "CREATE TABLE Slides (uid INTEGER)")
    before = (tmp_path / "slides.sqlite").read_bytes()
    with pytest.raises(StoreDamagedError, match="an SQLite file, but not an annotation store; import it"):
        Store.open(tmp_path / "slides.sqlite")
    assert (tmp_path / "slides.sqlite").read_bytes() == before


def test_a_newer_store_is_refused_and_stays_as_it_is(path: Path) -> None:
    edit(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=f"version {SCHEMA_VERSION + 1}, this mitoscope knows"):
        Store.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM label_now; END", "trigger t"),
        ("CREATE VIEW innocent AS SELECT * FROM event", "view innocent"),
        ("DROP TABLE version_cell", "table version_cell"),
        ("DROP TRIGGER event_is_not_deleted", "trigger event_is_not_deleted"),
        ("DROP VIEW tile_answer_now", "view tile_answer_now"),
        ("DROP INDEX event_by_key", "index event_by_key"),
        ("ALTER TABLE rater ADD COLUMN x TEXT", "table rater"),
        ("CREATE TABLE quiet (x DEFAULT (load_extension('/tmp/x.so')))", "table quiet"),
    ],
)
def test_a_schema_that_mitoscope_did_not_write_is_refused(path: Path, attack: str, named: str) -> None:
    edit(path, attack)
    with pytest.raises(StoreDamagedError, match=f"its schema is not the one .*{named}"):
        Store.open(path)


@pytest.mark.parametrize("fraction", [0.0005, 0.05, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_truncated_store_ends_in_a_typed_error(path: Path, fraction: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(MitoscopeError) as caught, Store.open(path) as store:
        store.verify()
    assert isinstance(caught.value, StoreError)
    assert "\n" not in str(caught.value)


def test_overwritten_pages_end_in_a_typed_error_or_in_a_store_that_verifies(path: Path) -> None:
    content = path.read_bytes()
    refused = 0
    for start in range(100, len(content), 4096 * 3):
        path.write_bytes(content[:start] + b"\xff" * 200 + content[start + 200 :])
        try:
            with Store.open(path) as store:
                store.verify()
                store.export_study()
                Session(store, 1, 1).label(1, 1)
        except MitoscopeError:
            refused += 1
    assert refused > 3


@pytest.mark.parametrize(
    "row",
    [
        "UPDATE round SET kind = 'unheard of'",
        "UPDATE label SET aliases = '{'",
        "UPDATE label SET aliases = '7'",
        "UPDATE slide SET attributes = '[1]'",
        "UPDATE slide SET mpp_x = 1e30",
        "UPDATE cell SET vertices_px0 = x'00' WHERE id = 3",
        "PRAGMA ignore_check_constraints = ON; UPDATE rater SET kind = 'x'",
        "PRAGMA ignore_check_constraints = ON; UPDATE cell SET shape = 77",
        "UPDATE label_now SET label_id = 99",
        "UPDATE label_now SET cell_id = 99 WHERE cell_id = 1 AND rater_id = 1",
        "DELETE FROM cell WHERE id = 3",
        "DELETE FROM rater WHERE id = 1",
        "UPDATE study SET seed = -5",
    ],
)
def test_rows_that_mitoscope_does_not_write_end_in_one_line(path: Path, row: str) -> None:
    edit(path, row)
    refused = []
    with Store.open(path) as store:
        box = BoxPx0(0, 0, 9000, 9000)
        readings: list[Callable[[], object]] = [
            store.export_study,
            store.overview,
            store.verify,
            lambda: cells_in(store, 1, box),
            lambda: snapshot(store, 10**9),
            lambda: Session(store, 1, 1).next_unlabelled(),
        ]
        for reading in readings:
            try:
                reading()
            except MitoscopeError as error:
                refused.append(str(error))
    assert refused or "seed" in row
    assert not any("\n" in line for line in refused)


def test_all_settings_hold(path: Path) -> None:
    connection = open_file(path)
    expected = {
        "foreign_keys": 1,
        "journal_mode": "delete",
        "synchronous": 3,
        "busy_timeout": 10_000,
        "trusted_schema": 0,
        "recursive_triggers": 1,
    }
    found = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in expected}
    connection.close()
    assert found == expected


def test_a_store_in_another_journal_mode_comes_back(path: Path) -> None:
    edit(path, "PRAGMA journal_mode = WAL")
    with Store.open(path) as store:
        Session(store, 1, 1).label(1, 1)
        store.verify()
    assert path.read_bytes()[18:20] == b"\x01\x01", "the header still says WAL"


@pytest.mark.parametrize("verb", ["UPDATE event SET label_id = 1", "DELETE FROM event", "REPLACE"])
def test_events_are_append_only(store: Store, verb: str) -> None:
    columns = "(seq, kind, cell_id, rater_id, round_id)"
    sql = {"REPLACE": f"INSERT OR REPLACE INTO event {columns} VALUES (120, 'label', 1, 1, 1)"}
    with pytest.raises(StoreError, match="events are append-only"), store.writing() as connection:
        connection.execute(sql.get(verb, verb))
    store.verify()


def test_reading_only(path: Path) -> None:
    before = path.read_bytes()
    with Store.open(path, write=False) as store:
        assert len(store.export_study().cells) == 50
        with pytest.raises(MitoscopeError, match="cannot be written"):
            Session(store, 1, 1).label(1, 1)
    assert path.read_bytes() == before


KILLED = """
import os, signal, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 5")
db.execute("BEGIN IMMEDIATE")
db.execute("CREATE TABLE half (written)")
db.executemany("INSERT INTO half VALUES (?)", [("x" * 500,)] * 2000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_while_writing(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert path.with_name(f"{path.name}-journal").stat().st_size, "the change is left half written"
    read_only = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    with closing(read_only) as db, pytest.raises(sqlite3.OperationalError):
        db.execute("SELECT count(*) FROM event")  # control: SQLite alone refuses to read it


def test_reading_after_a_process_was_killed_while_it_wrote(path: Path) -> None:
    with Store.open(path) as store:
        before = snapshot(store, 10**9)
    killed_while_writing(path)
    for _ in range(2):
        with Store.open(path, write=False) as store:
            assert snapshot(store, 10**9) == before


def test_reading_from_a_read_only_disk_after_a_process_was_killed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path) as store:
        before = snapshot(store, 10**9)
    killed_while_writing(path)
    content = path.read_bytes()
    opened = module._opened

    def read_only_disk(file: Path, mode: str) -> sqlite3.Connection:
        return opened(file, "ro" if file == path else mode)

    monkeypatch.setattr(module, "_opened", read_only_disk)
    with Store.open(path, write=False) as store:
        assert snapshot(store, 10**9) == before
    assert path.read_bytes() == content


def test_a_writer_waits_and_then_says_that_another_is_writing(path: Path) -> None:
    with Store.open(path) as one, Store.open(path) as two:
        with two.reading() as connection:
            connection.execute("PRAGMA busy_timeout = 50")
        with one.writing(), pytest.raises(StoreBusyError, match="another process is writing; repeat"):
            Session(two, 1, 1).label(1, 1)
        Session(two, 1, 1).label(1, 1)


def test_an_error_inside_of_a_transaction_undoes_it(store: Store) -> None:
    before = store.export_study()
    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        connection.execute("UPDATE slide SET case_name = 'x'").rowcount / 0
    assert store.export_study() == before


def test_migrations_are_recorded_with_what_they_did(path: Path) -> None:
    connection = open_file(path)
    names = connection.execute("SELECT version, name FROM migration").fetchall()
    connection.close()
    assert names == [(number, one.name) for number, one in enumerate(MIGRATIONS, start=1)]
    assert all(sqlite3.complete_statement(f"{one};") for m in MIGRATIONS for one in statements(m.script))


def test_a_migration_that_fails_leaves_the_version_before(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("broken", "CREATE TABLE later (x INTEGER) STRICT;\n" * 2)
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, broken))
    monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreError, match="already exists"):
        Store.open(path)
    monkeypatch.undo()
    with Store.open(path) as store:
        store.verify()


def test_a_later_migration_is_applied_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Migration("later", "CREATE TABLE later (x INTEGER) STRICT;")
    monkeypatch.setattr(module, "MIGRATIONS", (*MIGRATIONS, later))
    monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    for _ in range(2):
        with Store.open(path) as store, store.reading() as connection:
            assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM migration").fetchone() == (SCHEMA_VERSION + 1,)


def test_creating_over_a_file_is_refused(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(StoreError, match="exists already"):
        Store.create(path)
    assert path.read_bytes() == before


def test_names_that_attack_are_only_names(quick_path: Path) -> None:
    study = scattered_study(2, slides=1)
    hostile = [
        "Robert'); DROP TABLE event;--",
        '=cmd|"/C calc"!A1',
        "<script>alert(1)</script>",
        "\u202egpj.exe",
        "ü" * 5000,
    ]
    with Store.create(quick_path / "x.mito", name=hostile[0]) as store:
        for number, name in enumerate(hostile):
            slides = (replace(study.slides[0], name=name),)
            raters = tuple(replace(one, name=f"{name} {one.name}") for one in study.raters)
            cells = replace(study.cells, guid=study.cells.guid + f" {number}")
            store.import_study(replace(study, slides=slides, raters=raters, cells=cells), source=Source(name))
        assert [one.name for one in store.slides().values()] == hostile
        store.verify()


def test_text_that_is_not_unicode_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="text that is not Unicode"):
        store.add_rater(Rater("\ud800"))


def test_atomic_holds_nothing_after_a_failed_begin(path: Path) -> None:
    one, two = open_file(path), open_file(path)
    two.execute("PRAGMA busy_timeout = 0")
    with atomic(one, path):
        with pytest.raises(StoreBusyError), atomic(two, path):
            pytest.fail("the lock was given twice")
        assert not two.in_transaction
    one.close()
    two.close()
