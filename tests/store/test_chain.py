"""What was said and signed is chained: whatever another program changes in it is found and named."""

from __future__ import annotations

import gzip
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.errors import StoreDamagedError, StoreTamperedError
from mitoscope.geometry import BoxPx0
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.region import RegionKind
from mitoscope.store import (
    DrawnRegion,
    QuarantineEntry,
    Rater,
    Region,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
    TaskTile,
    Terms,
    add_interest,
    add_tiles,
    answer_tile,
    chain,
    delete_region,
    draw_region,
    edit_region,
    read_all_signed,
    read_region,
    read_tiles,
    restore_region,
    set_gold,
    sign,
    write_setting,
    write_terms,
)
from mitoscope.store.activity import ActivityKind, write_activity
from mitoscope.store.chain import TABLES
from mitoscope.store.comments import write_comment
from mitoscope.store.statements import STATED

from .making import scattered_study
from .session import Session
from .test_made_before import MADE

SQUARE = np.array([(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return a study in which every chained table has some rows."""
    path = tmp_path_factory.mktemp("chain") / "study.mito"
    with Store.create(path) as store:
        study = scattered_study(20)
        refused = QuarantineEntry("made.json: 3", "NaN or infinity", "{}", None)
        store.import_study(replace(study, quarantine=(refused,)), source=Source("made.json"))
        rater = store.add_rater(Rater("expert 3"))
        round_ = store.open_round(Round("review", RoundKind.CANDIDATE_REVIEW))
        session = Session(store, rater, round_)
        for cell in (3, 4, 5):
            session.label(cell, 1)
        store.add_classes("doubtful, odd")
        store.rename_class("odd", "strange")
        store.rename_class("strange", "very strange")
        for number in range(3):
            with store.writing() as connection:
                draw_region(connection, DrawnRegion(0, 1, RegionKind.TUMOUR, f"part {number}", SQUARE), rater)
                sign(
                    connection,
                    {"count": number, "note": ""},
                    slide_id=1,
                    round_id=round_,
                    rater_id=rater,
                )
                add_tiles(connection, [TaskTile(0, round_, 1, 512.0 * number, 0, 512)])
                write_comment(connection, 1, f"remark {number}", rater_id=rater, round_id=round_)
                write_activity(connection, rater, ActivityKind.EXPORTED, f"file {number}")
        with store.writing() as connection:
            add_interest(connection, 1, BoxPx0(0, 0, 9, 9), rater_id=rater, name="10 fields")
            write_setting(connection, "policy", "majority")
            write_terms(connection, round_, Terms())
        for tile in (1, 2, 3):
            with store.writing() as connection:
                set_gold(connection, tile, {"answer": True})
                answer_tile(connection, tile, rater, {"points": []}, seconds=2.5)
        store.freeze("MEL")
        store.freeze("MEL", note="again")
        store.freeze("HEAEL")
        store.verify()
    return path.read_bytes()


@pytest.fixture
def path(quick_path: Path, made: bytes) -> Path:
    """Return a copy of it."""
    path = quick_path / "study.mito"
    path.write_bytes(made)
    return path


def edit(path: Path, *statements: str) -> None:
    """Change a study as another program can: triggers go and come back, nothing is left to see."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("flipped", 1, flipped)
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], (
            "the control sees nothing"
        )


def flipped(value: Any) -> Any:
    """Return another value of the type."""
    if isinstance(value, str):
        return value[:-1] + ("e" if value[-1:] != "e" else "f")
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return 1 if value is None else float(np.nextafter(value, 9e9)) if isinstance(value, float) else value + 1


def said(path: Path, **options: str) -> str:
    """Return what the check of a study says."""
    with Store.open(path, write=False) as store, pytest.raises(StoreDamagedError) as caught:
        store.verify(**options)
    assert "\n" not in str(caught.value)
    assert caught.value.where == str(path)
    return caught.value.what


def rows_of(path: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            number
            for (number,) in connection.execute(f"SELECT {TABLES[table].number} FROM {table} ORDER BY 1")
        ]


def test_the_fixture_fills_every_chained_table(path: Path) -> None:
    assert all(len(rows_of(path, table)) >= 2 for table in TABLES)


def stored_columns(path: Path, table: str) -> Iterator[tuple[str, int]]:
    """Yield chained columns and a row that has a value there."""
    with closing(sqlite3.connect(path)) as connection:
        for column in TABLES[table].names:
            if table == "event" and column == "slide_id":
                continue  # of the cell
            number = TABLES[table].number
            row = connection.execute(
                f"SELECT {number} FROM {table} ORDER BY {column} IS NULL, {number}"
            ).fetchone()
            yield column, int(row[0])


@pytest.mark.parametrize("table", TABLES)
def test_a_changed_value_is_found(path: Path, table: str) -> None:
    whole = path.read_bytes()
    number, changed = TABLES[table].number, 0
    for column, row in stored_columns(path, table):
        path.write_bytes(whole)
        try:
            edit(path, f"UPDATE {table} SET {column} = flipped({column}) WHERE {number} = {row}")
        except sqlite3.IntegrityError:  # a constraint of the column
            continue
        assert said(path) in (f"{TABLES[table].title} {row} was changed", "class 4 was changed")
        changed += 1
    assert changed


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_removed_row_is_found(path: Path, table: str, place: int) -> None:
    row = rows_of(path, table)[place]
    edit(path, f"DELETE FROM {table} WHERE {TABLES[table].number} = {row}")
    # The first name of a class is that before its first renaming.
    assert said(path) in (f"{TABLES[table].title} {row} was removed", "class 4 was changed")


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_changed_places_are_found(path: Path, table: str) -> None:
    first, second = rows_of(path, table)[:2]
    number = TABLES[table].number
    edit(
        path,
        f"UPDATE {table} SET {number} = -1 WHERE {number} = {first}",
        f"UPDATE {table} SET {number} = {first} WHERE {number} = {second}",
        f"UPDATE {table} SET {number} = {second} WHERE {number} = -1",
    )
    assert said(path) in (f"{TABLES[table].title} {first} was changed", "class 4 was changed")


@pytest.mark.parametrize("table", ["event", "signed_result", "tile_answer", "region_event", "renaming"])
@pytest.mark.parametrize("writes", [False, True])
def test_a_row_of_another_program_never_passes_for_written(path: Path, table: str, writes: bool) -> None:
    number, last = TABLES[table].number, rows_of(path, table)[-1]
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    rest = ", ".join(column for column in columns if column not in (number, "key"))
    edit(
        path,
        f"INSERT INTO {table} ({number}, {rest}) SELECT {last + 1}, {rest} FROM {table} "
        f"WHERE {number} = {last}",
    )
    if writes:
        with Store.open(path) as store:
            Session(store, 1, 1).label(7, 1)
    assert said(path) == f"{TABLES[table].title} {last + 1} was put in by another program"


def test_a_number_that_was_signed_is_found_and_named(path: Path) -> None:
    edit(path, """UPDATE signed_result SET content = replace(content, '"count": 1', '"count": 7')""")
    done = CliRunner().invoke(app, ["store", "verify", str(path)], standalone_mode=False)
    assert isinstance(done.exception, StoreTamperedError)
    assert done.exception.exit_status == 1
    assert said(path) == "signed result 2 was changed"


def test_another_name_of_a_rater_is_found(path: Path) -> None:
    edit(path, "UPDATE rater SET name = 'somebody else' WHERE name = 'expert 2'")
    assert said(path) == "rater 2 was changed"


def test_a_cell_on_another_slide_is_found(path: Path) -> None:
    edit(path, "UPDATE cell SET slide_id = 2 WHERE id = 1")
    assert said(path) == "event 1 was changed"


def test_a_class_of_another_name_is_found_and_a_renaming_is_not(path: Path) -> None:
    with Store.open(path) as store:
        store.rename_class("doubtful", "hazy")
        store.verify()
    edit(path, "UPDATE label SET name = 'doubtful' WHERE name = 'hazy'")
    assert said(path).startswith("does not hold: a class has the name of its last renaming")


def cut(path: Path, *, ends: bool) -> None:
    """Take the last link off with its rows, and at will what says where the chain ends."""
    with closing(sqlite3.connect(path)) as connection:
        table, first = connection.execute(
            "SELECT table_, first FROM link ORDER BY number DESC LIMIT 1"
        ).fetchone()
    edit(
        path,
        "DELETE FROM link WHERE number = (SELECT max(number) FROM link)",
        f"DELETE FROM {table} WHERE {TABLES[table].number} >= {first}",
        *(
            (
                "DELETE FROM chain_end",
                "INSERT INTO chain_end SELECT table_, last, number, sha256 FROM link "
                "WHERE number IN (SELECT max(number) FROM link GROUP BY table_)",
            )
            if ends
            else ()
        ),
    )


def signed_study(path: Path) -> Store:
    store = Store.open(path)
    with store.writing() as connection:
        sign(connection, {"count": 99}, slide_id=1, round_id=1, rater_id=1)
    return store


def test_a_cut_tail_is_found(path: Path) -> None:
    signed_study(path).close()
    cut(path, ends=False)
    assert said(path) == "the end of the chain was cut off"


def test_a_tail_that_was_cut_with_its_end_is_found_by_a_head_that_was_noted(path: Path) -> None:
    with signed_study(path) as store, store.reading() as connection:
        head, (newest, *_) = chain.head(connection), read_all_signed(connection)
    assert head is not None
    assert newest.chain == head, "the report of a signed result states it"
    with Store.open(path) as store:
        with store.writing() as connection:
            sign(connection, {"count": 1}, slide_id=1, round_id=1, rater_id=1)
        assert store.verify(head=head.sha256).chain.rows == head.rows + 1
    with Store.open(path, write=False) as store:
        assert store.overview().chain == store.verify().chain.head
    for _ in range(2):
        cut(path, ends=True)
    with Store.open(path, write=False) as store:
        store.verify()  # the limit: nothing in the file tells
    assert said(path, head=head.sha256) == (
        f"the chain does not hold the head {head.sha256[:16]}…: it was cut off or written anew"
    )


def test_a_manifest_states_the_chain_of_then(path: Path) -> None:
    with Store.open(path) as store:
        Session(store, 1, 1).label(7, 1)
        with store.reading() as connection:
            before = chain.head(connection)
        assert store.freeze("ODAEL").manifest.chain == before
        assert store.version("ODAEL").manifest.chain == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE link SET checks = flipped(checks) WHERE number = 3",
        "UPDATE link SET sha256 = flipped(sha256) WHERE number = 3",
        "UPDATE link SET time_s = time_s + 1 WHERE number = 3",
        "UPDATE link SET origin = 'migrated' WHERE number = 3",
        "UPDATE link SET total = total + 1 WHERE number = 3",
        "UPDATE link SET table_ = 'nothing' WHERE number = 3",
        "DELETE FROM link WHERE number = 3",
        "DELETE FROM chain_end WHERE table_ = 'event'",
        "UPDATE study SET uuid = 'another'",
    ],
)
def test_a_change_of_the_chain_itself_is_found(path: Path, statement: str) -> None:
    edit(path, statement)
    assert said(path)


def test_an_older_study_is_chained_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "study.mito"
    path.write_bytes(gzip.decompress(MADE.read_bytes()))
    with Store.open(path, write=False) as store:
        copied = store.verify().chain
    with Store.open(path) as store:
        found = store.verify().chain
        assert found.head == copied.head, "who only reads sees the chain that a migration makes"
        assert found.rows == found.migrated > 0
        Session(store, 1, 1).label(1, 1)
        assert (store.verify().chain.rows, store.verify().chain.migrated) == (found.rows + 1, found.rows)
    done = CliRunner().invoke(app, ["store", "verify", str(path)])
    assert f"the chain vouches for {found.rows} of them only since 2" in done.output


@pytest.mark.parametrize("rows", [1, 7, 1 << 16])
def test_values_are_chained_as_they_are_read_back(
    quick_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(chain, "LINK_ROWS", rows)
    rng = np.random.default_rng(rows)
    builder = StudyBuilder(DEFAULT_LABELS)
    slides = [builder.slide(SlideRecord(f"Schnitt ä{n}.svs")) for n in range(3)]
    raters, round_ = (
        [builder.rater(Rater(name)) for name in "ab"],
        builder.round(Round("r", RoundKind.SCREENING)),
    )
    for number in range(30):
        x, y = (-0.0, 1 / 3) if number % 5 == 0 else rng.uniform(0, 900, 2)
        corners = np.array([(x, y), (x + 10, y), (x, y + 10)])
        if number % 3:
            cell = builder.cell(slides[number % 3], (x, y), shape=Shape.SPOT)
        else:
            cell = builder.cell(slides[0], (x, y, x + 10, y + 10), shape=Shape.POLYGON, vertices_px0=corners)
        for rater in raters:
            attributes = {"note": f"µ {number}"} if number % 4 == 0 else None
            label, score = int(rng.integers(-1, 2)), rng.choice([np.nan, -0.0, 0.25])
            builder.event(cell, rater, label, round_=round_, score=float(score), attributes=attributes)
    study = builder.build()
    with Store.create(quick_path / "study.mito") as store:
        store.import_study(study, source=Source("a"))
        assert store.verify().chain.rows >= 90
        for _ in range(3):
            Session(store, 1, 1).label(4, 1)
        store.verify()


def test_nothing_that_is_rolled_back_is_chained(path: Path) -> None:
    def fail(store: Store) -> None:
        with store.writing() as connection:
            sign(connection, {"count": 1}, slide_id=1, round_id=1, rater_id=1)
            raise KeyboardInterrupt

    with Store.open(path) as store:
        before = store.verify().chain
        with pytest.raises(KeyboardInterrupt):
            fail(store)
        assert store.verify().chain == before


def stated_rows(path: Path) -> list[tuple[str, str, str]]:
    """Return table, key and column of everything that is stated, of the first row of each table."""
    with closing(sqlite3.connect(path)) as connection:
        firsts = connection.execute("SELECT table_, min(key) FROM statement GROUP BY table_").fetchall()
    assert {table for table, _ in firsts} == STATED.keys(), "the fixture has a row of each"
    return [
        (table, key, column)
        for table, key in firsts
        for stated in [STATED[table]]
        for column in (*stated.columns, *stated.reals, *([stated.shape] if stated.shape else []))
    ]


def test_a_changed_row_that_may_change_is_found(path: Path) -> None:
    whole, changed = path.read_bytes(), set()
    for table, key, column in stated_rows(path):
        path.write_bytes(whole)
        stated = STATED[table]
        try:
            edit(path, f"UPDATE {table} SET {column} = flipped({column}) WHERE {stated.key} = '{key}'")
        except sqlite3.IntegrityError:  # a constraint of the column
            continue
        what = said(path)
        if (table, column) != ("study", "uuid"):  # of which the chain begins
            assert what == f"{stated.title} {key} was changed", column
        changed.add(table)
    assert changed == STATED.keys()


@pytest.mark.parametrize("table", STATED)
def test_a_removed_row_that_may_change_is_found(path: Path, table: str) -> None:
    key = next(key for of, key, _ in stated_rows(path) if of == table)
    edit(path, f"DELETE FROM {table} WHERE {STATED[table].key} = '{key}'")
    if table != "study":
        assert said(path) == f"{STATED[table].title} {key} was removed"


def test_a_region_that_another_program_put_in_is_found(path: Path) -> None:
    edit(path, "INSERT INTO region SELECT 90, slide_id, 'exclusion', name, vertices_px0 FROM region LIMIT 1")
    assert said(path) == "region 90 was put in by another program"


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE region SET kind = 'exclusion' WHERE id = 2",
        "DELETE FROM region WHERE id = 2",
        "UPDATE region SET vertices_px0 = zeroblob(48) WHERE id = 2",
    ],
)
def test_a_change_under_the_triggers_never_passes_for_written(
    path: Path, statement: str, writes: bool
) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    if writes:
        with Store.open(path) as store:
            Session(store, 1, 1).label(7, 1)
    assert said(path) == "region 2 was changed by another program"


def test_what_mitoscope_changes_is_sound(path: Path) -> None:
    with Store.open(path) as store:
        rows = store.verify().chain.rows
        with store.writing() as connection:
            region = read_region(connection, 1)
            region = edit_region(connection, region, 1, expected=region.seen)
            delete_region(connection, region.id, 1, expected=region.seen)
            restore_region(connection, region.id, 1)
            connection.execute("UPDATE study SET name = 'another'")
            set_gold(connection, 1, {"answer": False})
            set_gold(connection, 2, None)
            (round_id,) = connection.execute("SELECT DISTINCT round_id FROM task_tile").fetchone()
            golds = {tile.id: tile.gold for tile in read_tiles(connection, round_id)}
        assert golds == {1: {"answer": False}, 2: None, 3: {"answer": True}}
        store.state_examined()
        assert store.verify().chain.rows > rows


def test_regions_of_a_file_are_chained(tmp_path: Path) -> None:
    builder = StudyBuilder(DEFAULT_LABELS)
    slide = builder.slide(SlideRecord("a.svs"))
    for kind in (RegionKind.TUMOUR, RegionKind.EXCLUSION):
        builder.regions.append(Region(slide, SQUARE, kind, ""))
    path = tmp_path / "study.mito"
    with Store.create(path) as store:
        store.import_study(builder.build(), source=Source("a"))
        store.verify()
    edit(path, "UPDATE region SET kind = 'exclusion' WHERE kind = 'tumour'")
    assert said(path) == "region 1 was changed"


def test_regions_of_an_older_study_are_chained_from_now_on(tmp_path: Path) -> None:
    path = tmp_path / "study.mito"
    path.write_bytes(gzip.decompress(MADE.read_bytes()))
    with Store.open(path) as store:
        store.verify()
    for table in ("slide", "region"):
        whole = path.read_bytes()
        edit(path, f"DELETE FROM {table} WHERE id = 1")
        assert said(path) == f"{table} 1 was removed"
        path.write_bytes(whole)


def test_a_changed_slide_of_a_version_is_found_with_study_and_version(path: Path) -> None:
    whole = path.read_bytes()
    for change in ("mpp_x = 0.5, mpp_y = 0.25", "mpp_x = 0.5, mpp_y = 0.5", "sha256 = 'a'", "width_px0 = 7"):
        path.write_bytes(whole)
        edit(path, f"UPDATE version_slide SET {change} WHERE version_id = 1 AND slide_id = 1")
        assert said(path).startswith("version MEL@1: ")
