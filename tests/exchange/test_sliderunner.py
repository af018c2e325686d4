"""SlideRunner databases: real ones, old ones, hostile ones, and what SlideRunner's package says of ours."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from mitoscope.errors import FormatError, UnknownLabelError
from mitoscope.exchange import coco, sliderunner
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.registry import read_study
from mitoscope.exchange.sliderunner.schema import TABLES, create_tables, register_functions
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.labels import LabelMapping
from mitoscope.store import RaterKind, RegionKind, Shape, Source, Store, Study
from mitoscope.store.ground_truth import ground_truth_of

from .studies import HOSTILE, studies

LEGACY = """
CREATE TABLE Log (dateTime FLOAT, uid INTEGER PRIMARY KEY AUTOINCREMENT, labelId INTEGER);
CREATE TABLE Slides (uid INTEGER PRIMARY KEY AUTOINCREMENT, height INTEGER, filename TEXT, width INTEGER,
                     directory TEXT);
CREATE TABLE Classes (uid INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE Persons (uid INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE Annotations (uid INTEGER PRIMARY KEY AUTOINCREMENT, slide INTEGER, type INTEGER,
                          agreedClass INTEGER);
CREATE TABLE Annotations_coordinates (coordinateY INTEGER, coordinateX INTEGER, uid INTEGER PRIMARY KEY,
                                      slide INTEGER, annoId INTEGER, orderIdx INTEGER);
CREATE TABLE Annotations_label (class INTEGER, uid INTEGER PRIMARY KEY, person INTEGER, annoId INTEGER);
INSERT INTO Slides VALUES (1, NULL, 'a.svs', NULL, NULL), (2, 900, 'b.svs', 1000, 'C:\\slides');
INSERT INTO Classes VALUES (1, 'granulocyte'), (2, 'mitotic figure'), (3, 'Tumorzone'), (7, 'Mitosislike');
INSERT INTO Persons VALUES (1, 'C. B.'), (5, 'R. K.');
INSERT INTO Annotations VALUES (4, 1, 1, 2), (9, 1, 3, 3), (10, 1, 3, 0), (11, 2, 2, 0), (12, 2, 5, 7),
                               (13, 2, 4, 0), (14, 2, 6, 2), (15, 2, 3, 2);
INSERT INTO Annotations_coordinates (coordinateX, coordinateY, slide, annoId, orderIdx) VALUES
  (100, 200, 1, 4, 1),
  (300, 300, 1, 9, 3), (0, 0, 1, 9, 1), (300, 0, 1, 9, 2),
  (10, 10, 1, 10, 1), (20, 10, 1, 10, 2), (20, 20, 1, 10, 3),
  (70, 80, 2, 11, 1), (20, 30, 2, 11, 2),
  (10, 10, 2, 12, 1), (60, 60, 2, 12, 2), (5, 6, 2, 13, 1), (NULL, NULL, 2, 14, 1),
  (1, 1, 2, 15, 1), (9, 1, 2, 15, 2), (9, 9, 2, 15, 3), (1, 9, 2, 15, 4);
INSERT INTO Annotations_label (uid, person, class, annoId) VALUES
  (3, 5, 2, 4), (2, 1, 2, 4), (8, 1, 1, 11), (9, 5, 2, 11), (10, 1, 7, 12), (11, 1, 3, 9), (12, 1, 2, 14);
INSERT INTO Log (dateTime, labelId) VALUES (1500000000, 2), (1500000100, 3);
"""
"""As the files of 2018: version 0, columns in another order, no guid, no z, polygons not closed."""


def make(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
        db.commit()
    return path


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    return make(tmp_path / "legacy.sqlite", LEGACY)


def of_shape(study: Study, shape: Shape) -> int:
    (row,) = np.flatnonzero(study.cells.shape == shape)
    return int(row)


def test_reads_a_file_of_version_0(legacy: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    assert [one.name for one in study.slides] == ["a.svs", "b.svs"]
    assert study.slides[1].size is not None
    assert (study.slides[1].size.width, study.slides[1].size.height) == (1000, 900)
    assert study.cells.external_id.tolist() == ["4", "11", "12", "13", "15"]
    assert study.cells.bounds_px0[0].tolist() == [100, 200, 100, 200]
    assert study.cells.bounds_px0[of_shape(study, Shape.BOX)].tolist() == [20, 30, 70, 80]
    assert study.cells.bounds_px0[of_shape(study, Shape.CIRCLE)].tolist() == [10, 10, 60, 60]
    assert study.cells.attributes[3] == {"sliderunner.type": 4}
    assert study.labels.names == ("granulocyte", "mitotic figure", "look-alike")


def test_labels_come_in_the_order_of_their_uid_with_their_times(legacy: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    first = [
        (study.raters[study.events.rater[row]].name, float(study.events.time_s[row]))
        for row in np.flatnonzero(study.events.cell == 0)
    ]
    assert first[:2] == [("C. B.", 1.5e9), ("R. K.", 1500000100.0)]
    assert first[2][0] == "consensus"


def test_a_disagreement_has_no_agreed_class_and_an_override_is_one(legacy: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    agreed, _ = stated_classes(study)
    names = [study.labels.labels[one].name if one >= 0 else None for one in agreed.tolist()]
    assert names == ["mitotic figure", None, "look-alike", None, "mitotic figure"]


def test_tumour_outlines_are_regions_and_the_others_exclusions(legacy: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    assert [(one.kind, one.name, len(one.vertices_px0)) for one in study.regions] == [
        (RegionKind.TUMOUR, "Tumorzone", 3),
        (RegionKind.EXCLUSION, "", 3),
    ]
    assert study.slides[1].attributes["sliderunner.others"][0]["type"] == 6


def test_a_polygon_of_version_0_is_closed_when_written_and_opened_when_read(
    legacy: Path, tmp_path: Path
) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    sliderunner.write(study, tmp_path / "new.sqlite", WriteOptions())
    with closing(sqlite3.connect(tmp_path / "new.sqlite")) as db:
        points = db.execute(
            "SELECT coordinateX, coordinateY, orderIdx FROM Annotations_coordinates WHERE annoId = 15 "
            "ORDER BY orderIdx"
        ).fetchall()
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
    assert points == [(1, 1, 1), (9, 1, 2), (9, 9, 3), (1, 9, 4), (1, 1, 5)]
    again = sliderunner.read(tmp_path / "new.sqlite", ReadOptions())
    assert len(again.cells.vertices_px0[4]) == 4


def test_everything_of_an_old_file_is_in_the_new_one(legacy: Path, tmp_path: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    sliderunner.write(study, tmp_path / "new.sqlite", WriteOptions())
    old, new = (table_contents(path) for path in (legacy, tmp_path / "new.sqlite"))
    assert new["Persons"] == old["Persons"]
    assert new["Classes"] == old["Classes"]
    assert new["Slides"] == old["Slides"]
    assert new["Annotations"] == old["Annotations"]
    assert new["Annotations_label"] == old["Annotations_label"]
    assert new["Log"] == old["Log"]
    assert len(new["Annotations_coordinates"]) == len(old["Annotations_coordinates"]) + 3  # polygons closed


def table_contents(path: Path) -> dict[str, list[Any]]:
    """The rows of all tables in the columns that even the oldest files have."""
    columns = {
        "Slides": "uid, filename, width, height, directory",
        "Annotations": "uid, slide, type, agreedClass",
        "Annotations_coordinates": "coordinateX, coordinateY, slide, annoId, orderIdx",
        "Annotations_label": "uid, person, class, annoId",
        "Classes": "uid, name",
        "Persons": "uid, name",
        "Log": "dateTime, labelId",
    }
    with closing(sqlite3.connect(path)) as db:
        return {
            table: db.execute(f"SELECT {names} FROM {table} ORDER BY 1, 2, 3").fetchall()
            if table != "Classes"
            else db.execute(f"SELECT {names} FROM {table} ORDER BY 1").fetchall()
            for table, names in columns.items()
            if table not in ("Classes", "Persons", "Log")
        } | {
            table: db.execute(f"SELECT {columns[table]} FROM {table} ORDER BY 1").fetchall()
            for table in ("Classes", "Persons", "Log")
        }


def test_opening_changes_no_byte_and_leaves_nothing_beside_the_file(legacy: Path) -> None:
    before = hashlib.sha256(legacy.read_bytes()).hexdigest()
    legacy.chmod(0o444)
    sliderunner.read(legacy, ReadOptions())
    assert hashlib.sha256(legacy.read_bytes()).hexdigest() == before
    assert [one.name for one in legacy.parent.iterdir()] == [legacy.name]


def test_a_file_with_an_unfinished_transaction_is_rolled_back_in_a_copy(tmp_path: Path) -> None:
    path = make(tmp_path / "busy.sqlite", LEGACY)
    script = (
        "import os, sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA cache_size = 1')\n"
        "db.execute('BEGIN'); db.execute('DELETE FROM Annotations')\n"
        "[db.execute('INSERT INTO Persons (name) VALUES (?)', ('x' * 900,)) for _ in range(300)]\n"
        "os._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    journal = path.with_name(path.name + "-journal")
    assert journal.stat().st_size > 0
    before = path.read_bytes(), journal.read_bytes()
    study = sliderunner.read(path, ReadOptions())
    assert len(study.cells) == 5
    assert len(study.raters) == 3
    assert (path.read_bytes(), journal.read_bytes()) == before


@pytest.mark.realdata
def test_real_database_comes_back_column_by_column(data: Path, tmp_path: Path) -> None:
    source = data / "annotations" / "MIDOG.sqlite"
    study = sliderunner.read(source, ReadOptions())
    sliderunner.write(study, tmp_path / "again.sqlite", WriteOptions())
    assert sliderunner.read(tmp_path / "again.sqlite", ReadOptions()) == study
    uri = f"{source.as_uri()}?mode=ro&immutable=1"
    with (
        closing(sqlite3.connect(uri, uri=True)) as old,
        closing(sqlite3.connect(tmp_path / "again.sqlite")) as new,
    ):
        for table in TABLES:
            info = {row[1]: (row[2], row[5]) for row in old.execute(f"PRAGMA table_info({table})")}
            ours = {row[1]: (row[2], row[5]) for row in new.execute(f"PRAGMA table_info({table})")}
            assert info.items() <= ours.items()
            query = f"SELECT {', '.join(info)} FROM {table} ORDER BY uid"
            assert new.execute(query).fetchall() == old.execute(query).fetchall(), table
        triggers = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"
        assert new.execute(triggers).fetchall() == old.execute(triggers).fetchall()


@pytest.mark.realdata
def test_real_database_and_json_say_the_same(data: Path) -> None:
    """MIDOG.sqlite and MIDOG.json hold the same 200 cases."""
    one = sliderunner.read(data / "annotations" / "MIDOG.sqlite", ReadOptions())
    other = coco.read(data / "annotations" / "MIDOG.json", ReadOptions())
    assert [slide.name for slide in one.slides] == [slide.name for slide in other.slides]
    for study in (one, other):
        agreed, _ = stated_classes(study)
        names = [study.labels.labels[label].name for label in agreed.tolist()]
        assert (names.count("mitotic figure"), names.count("look-alike")) == (1721, 2714)
    assert np.array_equal(one.cells.centres_px0, other.cells.centres_px0)
    assert np.array_equal(stated_classes(one)[0], stated_classes(other)[0])
    assert [rater.kind for rater in one.raters if rater.name == "RetinaNet"] == [RaterKind.MODEL]


def test_the_triggers_run_with_the_registered_functions(tmp_path: Path, legacy: Path) -> None:
    path = tmp_path / "new.sqlite"
    sliderunner.write(sliderunner.read(legacy, ReadOptions()), path, WriteOptions())
    insert = "INSERT INTO Annotations (slide, type, agreedClass) VALUES (1, 1, 0)"
    with closing(sqlite3.connect(path)) as db:
        with pytest.raises(sqlite3.OperationalError, match="no such function"):
            db.execute(insert)
        register_functions(db)
        db.execute(insert)
        db.execute("INSERT INTO Classes (name) VALUES ('new')")
        ((guid, modified),) = db.execute(
            "SELECT guid, lastModified FROM Annotations ORDER BY uid DESC LIMIT 1"
        )
        (colour,) = db.execute("SELECT color FROM Classes WHERE name = 'new'").fetchone()
    assert len(guid) == 36
    assert modified > 1.6e9
    assert len(colour) == 7


PACKAGE = """
import json, sys, types
for name in ("cv2", "openslide", "nibabel", "pydicom", "matplotlib", "matplotlib.path"):
    try:
        __import__(name)
    except ImportError:
        sys.modules[name] = types.ModuleType(name)  # for drawing and slides only
package = types.ModuleType("SlideRunner_dataAccess")
import importlib.util
spec = importlib.util.find_spec("SlideRunner_dataAccess")
package.__path__ = list(spec.submodule_search_locations)
sys.modules["SlideRunner_dataAccess"] = package
from SlideRunner_dataAccess.database import Database
db = Database()
assert db.open(sys.argv[1]) is db
found = {"persons": db.getAllPersons(), "classes": [row[:2] for row in db.getAllClasses()], "annotations": {}}
for uid, name in db.listOfSlides():
    db.loadIntoMemory(uid, zLevel=None)
    for number, one in db.annotations.items():
        labels = [(int(label.annnotatorId), int(label.classId)) for label in one.labels]
        found["annotations"][int(number)] = [
            name, type(one).__name__, int(one.agreedClass), one.guid, labels, bool(one.deleted)
        ]
print("RESULT" + json.dumps(found, default=str))
"""


def sliderunner_python() -> str | None:
    """The interpreter that has SlideRunner's package: this one, or that of ``SLIDERUNNER_PYTHON``."""
    given = os.environ.get("SLIDERUNNER_PYTHON")
    if given:
        return given
    return sys.executable if importlib.util.find_spec("SlideRunner_dataAccess") else None


@pytest.mark.skipif(sliderunner_python() is None, reason="SlideRunner_dataAccess is not installed")
def test_sliderunners_own_package_opens_our_file(legacy: Path, tmp_path: Path) -> None:
    study = sliderunner.read(legacy, ReadOptions())
    path = tmp_path / "ours.sqlite"
    sliderunner.write(study, path, WriteOptions())
    copy = Path(shutil.copy(path, tmp_path / "opened.sqlite"))  # it rewrites what it opens
    python = sliderunner_python()
    assert python is not None
    ran = subprocess.run([python, "-c", PACKAGE, str(copy)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout.partition("RESULT")[2])
    assert found["persons"] == [["C. B.", 1], ["R. K.", 5]] or found["persons"] == [
        [1, "C. B."],
        [5, "R. K."],
    ]
    kinds = {key: one[1:3] for key, one in found["annotations"].items()}
    assert kinds == {
        "4": ["spotAnnotation", 2],
        "9": ["polygonAnnotation", 3],
        "10": ["polygonAnnotation", 0],
        "11": ["rectangularAnnotation", 0],
        "12": ["circleAnnotation", 7],
        "13": ["spotAnnotation", 0],
        "14": ["imageAnnotation", 2],
        "15": ["polygonAnnotation", 2],
    }
    assert found["annotations"]["4"][4] == [[1, 2], [5, 2]]
    assert sliderunner.read(copy, ReadOptions()).cells == sliderunner.read(path, ReadOptions()).cells


def test_labels_of_persons_and_classes_that_are_not_there_are_quarantined(legacy: Path) -> None:
    with closing(sqlite3.connect(legacy)) as db:
        db.execute("INSERT INTO Annotations_label (uid, person, class, annoId) VALUES (20, 77, 2, 4)")
        db.execute("INSERT INTO Annotations_label (uid, person, class, annoId) VALUES (21, 1, 99, 4)")
        db.execute("INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (50, 99, 1, 0)")
        db.execute("INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (51, 1, 1, 0)")
        db.commit()
    study = sliderunner.read(legacy, ReadOptions())
    assert [(one.where, one.why) for one in study.quarantine] == [
        ("legacy.sqlite: annotation 50", "no such slide"),
        ("legacy.sqlite: annotation 51", "no coordinates"),
        ("legacy.sqlite: annotation 4", "a label of a person who is not in the file"),
        ("legacy.sqlite: annotation 4", "a label of a class that is not in the file"),
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_back(legacy: Path, tmp_path: Path, name: str) -> None:
    with closing(sqlite3.connect(legacy)) as db:
        for table, column in (("Slides", "filename"), ("Persons", "name"), ("Classes", "name")):
            db.execute(f"UPDATE {table} SET {column} = ? WHERE uid = 1", (name,))
        db.commit()
    study = sliderunner.read(legacy, ReadOptions())
    assert study.slides[0].name == name
    sliderunner.write(study, tmp_path / "new.sqlite", WriteOptions())
    old, new = (table_contents(path) for path in (legacy, tmp_path / "new.sqlite"))
    assert [new[table] for table in ("Slides", "Persons", "Classes")] == [
        old[table] for table in ("Slides", "Persons", "Classes")
    ]


def test_cut_off_files_are_refused_in_one_line(legacy: Path) -> None:
    whole = legacy.read_bytes()
    for part in (0, 10, 100, 1024, len(whole) // 2, len(whole) - 100):
        legacy.write_bytes(whole[:part])
        with pytest.raises(FormatError) as caught:
            sliderunner.read(legacy, ReadOptions())
        assert "\n" not in str(caught.value)
        assert str(legacy) in str(caught.value)


def test_flipped_bytes_are_refused_or_read(legacy: Path) -> None:
    whole = bytearray(legacy.read_bytes())
    draw = np.random.default_rng(5)
    for place in draw.integers(100, len(whole), 150).tolist():
        flipped = whole.copy()
        flipped[place] ^= 0xFF
        legacy.write_bytes(flipped)
        try:
            sliderunner.read(legacy, ReadOptions())
        except FormatError as error:
            assert "\n" not in str(error)  # noqa: PT017 reading a flipped value is allowed, crashing is not


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("DROP TABLE Persons;", "no table Persons"),
        ("ALTER TABLE Classes RENAME COLUMN name TO title;", "no column name"),
        ("PRAGMA user_version = 9;", "version 9"),
        (
            "DROP TABLE Persons; CREATE VIEW Persons AS WITH RECURSIVE n(uid) AS (SELECT 1 UNION ALL "
            "SELECT uid + 1 FROM n) SELECT uid, 'x' AS name FROM n;",
            "not an ordinary table",
        ),
        (
            "DROP TABLE Persons; CREATE TABLE Persons (uid INTEGER PRIMARY KEY, "
            "name TEXT GENERATED ALWAYS AS (hex(zeroblob(1000000000))));",
            "not an ordinary table",
        ),
    ],
)
def test_hostile_schemas_are_refused(legacy: Path, script: str, why: str) -> None:
    make(legacy, script)
    with pytest.raises(FormatError, match=why):
        sliderunner.read(legacy, ReadOptions())


def test_odd_values_end_in_quarantine_or_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "odd.sqlite"
    with closing(sqlite3.connect(path)) as db:
        create_tables(db)
        db.execute("INSERT INTO Slides (uid, filename) VALUES (1, 'a'), (2, 'a'), (3, NULL)")
        db.execute(
            "INSERT INTO Classes (uid, name) VALUES (1, 'Mitosis'), (2, 'mitotic figure'), (3, '?'), (4, '!')"
        )
        db.execute("INSERT INTO Persons (uid, name) VALUES (1, 'x'), (2, 'x'), (3, NULL), (4, 'consensus')")
        for uid, x in enumerate(["12", "far", b"\x00", 1e300, None], start=1):
            db.execute(
                "INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (?, 1, 1, ?)", (uid, uid % 5)
            )
            db.execute(
                "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, annoId, orderIdx) "
                "VALUES (?, 1, ?, 1)",
                (x, uid),
            )
        db.commit()
    study = sliderunner.read(path, ReadOptions())
    assert [one.name for one in study.slides] == ["a", "a (2)", "slide"]
    assert [one.name for one in study.raters] == [
        "x",
        "x (2)",
        "person",
        "consensus",
        "consensus (agreedClass)",
    ]
    assert study.labels.names == ("mitotic figure", "label U+003F", "label U+0021")
    assert study.cells.bounds_px0[:, 0].tolist()[0] == 12
    assert np.isnan(study.cells.bounds_px0[[1, 2, 4], 0]).all()
    sliderunner.write(study, tmp_path / "again.sqlite", WriteOptions())
    assert table_contents(tmp_path / "again.sqlite")["Annotations"] == table_contents(path)["Annotations"]
    assert table_contents(tmp_path / "again.sqlite")["Classes"] == table_contents(path)["Classes"]


REGIONS = """
INSERT INTO Classes VALUES (8, '10 HPF'), (9, 'Ignore*'), (10, 'Vessel');
INSERT INTO Annotations VALUES (20, 2, 2, 8), (21, 2, 3, 9), (22, 2, 3, 10), (23, 2, 3, 3), (24, 2, 3, 8),
                               (25, 2, 3, 3);
INSERT INTO Annotations_coordinates (coordinateX, coordinateY, slide, annoId, orderIdx) VALUES
  (7100, 5300, 2, 20, 1), (100, 100, 2, 20, 2),
  (0, 0, 2, 21, 1), (40, 0, 2, 21, 2), (40, 40, 2, 21, 3),
  (0, 0, 2, 22, 1), (30, 0, 2, 22, 2), (30, 30, 2, 22, 3),
  (0, 0, 2, 23, 1), (900, 0, 2, 23, 2), (900, 900, 2, 23, 3), (0, 900, 2, 23, 4),
  (0, 0, 2, 24, 1), (90, 0, 2, 24, 2), (90, 90, 2, 24, 3), (0, 90, 2, 24, 4),
  (5, 5, 2, 25, 1), (9, 9, 2, 25, 2);
INSERT INTO Annotations_label (uid, person, class, annoId) VALUES (20, 1, 8, 20), (21, 5, 9, 21);
"""


def test_zones_fields_and_exclusions_are_regions(legacy: Path) -> None:
    make(legacy, REGIONS)
    study = sliderunner.read(legacy, ReadOptions())
    found = [(one.kind, one.name) for one in study.regions if one.slide == 1]
    assert found == [
        (RegionKind.INTEREST, "10 HPF"),
        (RegionKind.EXCLUSION, "Ignore*"),
        (RegionKind.EXCLUSION, "Vessel"),
        (RegionKind.TUMOUR, "Tumorzone"),
        (RegionKind.INTEREST, "10 HPF"),
    ]
    assert study.regions[2].vertices_px0.tolist() == [[100, 100], [7100, 100], [7100, 5300], [100, 5300]]
    assert "10 HPF" not in study.labels.names
    assert [one.where for one in study.quarantine] == ["legacy.sqlite: annotation 25"]
    assert len(study.cells) == 5


@pytest.mark.parametrize("by_store", [False, True])
def test_zones_come_back_with_what_the_file_said_of_them(
    legacy: Path, tmp_path: Path, by_store: bool
) -> None:
    make(legacy, REGIONS)
    study = sliderunner.read(legacy, ReadOptions())
    if by_store:
        with Store.create(tmp_path / "study.mito") as store:
            store.import_study(study, source=Source("legacy"))
            study = store.export_study()
    sliderunner.write(study, tmp_path / "new.sqlite", WriteOptions())
    again = sliderunner.read(tmp_path / "new.sqlite", ReadOptions())
    assert again.regions == study.regions
    old, new = (table_contents(path) for path in (legacy, tmp_path / "new.sqlite"))
    assert [row for row in old["Annotations"] if row[0] != 25] == new["Annotations"]


def test_a_zone_that_was_removed_leaves_the_others_what_they_were(legacy: Path, tmp_path: Path) -> None:
    make(legacy, REGIONS)
    study = sliderunner.read(legacy, ReadOptions())
    kept = tuple(one for one in study.regions if one.name != "Ignore*")
    sliderunner.write(replace(study, regions=kept), tmp_path / "new.sqlite", WriteOptions())
    rows = table_contents(tmp_path / "new.sqlite")["Annotations"]
    assert [row for row in rows if row[0] in (20, 21, 22, 23, 24)] == [
        (20, 2, 2, 8),
        (22, 2, 3, 10),
        (23, 2, 3, 3),
        (24, 2, 3, 8),
    ]
    assert sliderunner.read(tmp_path / "new.sqlite", ReadOptions()).regions == kept


@settings(max_examples=25, deadline=None)
@given(studies())
def test_regions_of_every_kind_come_back(study: Study) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.sqlite"
        sliderunner.write(study, path, WriteOptions())
        again = sliderunner.read(path, ReadOptions())
    for place in range(len(study.slides)):
        before, after = ([one for one in each.regions if one.slide == place] for each in (study, again))
        assert [(one.kind, one.vertices_px0.tolist()) for one in after] == [
            (one.kind, one.vertices_px0.tolist()) for one in before
        ]


def test_the_area_of_ccmct_is_tumour_without_all_other_polygons(legacy: Path) -> None:
    """The rule of the data set: polygons of the tumour class are filled, then all others are taken out."""
    make(legacy, REGIONS)
    area = ground_truth_of(sliderunner.read(legacy, ReadOptions())).slides[1].regions.tumour
    assert area is not None
    assert area.shape.area == 900 * 900 - 40 * 40 / 2


def outlined(path: Path) -> Path:
    """A file with a tumour class, whose other outlines bear names that say nothing."""
    square = [(0, 0), (100, 0), (100, 100), (0, 100)]
    with closing(sqlite3.connect(path)) as db:
        create_tables(db)
        db.execute("INSERT INTO Slides (uid, filename) VALUES (1, 'a.tiff')")
        db.execute("INSERT INTO Persons (uid, name) VALUES (1, 'me')")
        names = ("Mitosis", "Tumorzone", "Tubule", "Zone 7", "never used")
        db.executemany("INSERT INTO Classes (name) VALUES (?)", [(name,) for name in names])
        rows = [(1, 1, [(5, 5)]), (3, 2, [(x * 40, y * 40) for x, y in square]), (3, 3, square)]
        rows += [(2, 4, [(200, 200), (900, 900)])]
        for uid, (kind, name, points) in enumerate(rows, start=1):
            db.execute(
                "INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (?, 1, ?, ?)",
                (uid, kind, name),
            )
            db.execute("INSERT INTO Annotations_label (person, class, annoId) VALUES (1, ?, ?)", (name, uid))
            db.executemany(
                "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, annoId, orderIdx) "
                "VALUES (?, ?, ?, ?)",
                [(x, y, uid, place) for place, (x, y) in enumerate(points)],
            )
        db.commit()
    return path


def test_outlines_of_unknown_classes_add_no_class_and_are_what_the_user_says(tmp_path: Path) -> None:
    path = outlined(tmp_path / "a.sqlite")
    with pytest.raises(UnknownLabelError, match=r"'Zone 7' \(1\)"):
        read_study(path, mapping=LabelMapping())
    mapping = LabelMapping.parse(["Zone 7=region of interest"])
    study = read_study(path, mapping=mapping)
    assert [(one.kind, one.name) for one in study.regions] == [
        (RegionKind.TUMOUR, "Tumorzone"),
        (RegionKind.EXCLUSION, "Tubule"),
        (RegionKind.INTEREST, "Zone 7"),
    ]
    assert study.labels.names == ("mitotic figure",)
    assert len(study.notes) == 1
    assert study.notes[0].startswith("1 polygons of 'Tubule' are taken as exclusions")
    stated = LabelMapping.parse(["Zone 7=tumor", "Tubule=ignore"])
    study = read_study(path, mapping=stated)
    assert [one.kind for one in study.regions] == [RegionKind.TUMOUR, RegionKind.TUMOUR]
    assert (len(study.cells), study.notes) == (1, ())
    truth = read_ground_truth(path, mapping=stated)
    assert truth.counts() == {"mitotic figure": 1}
