"""Formats by name and by content, folders of files, and what is said when a format cannot hold all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.registry import (
    ALIASES,
    FORMATS,
    detect_format,
    find_format,
    join,
    of_slide,
    read_study,
    write_study,
)
from mitoscope.geometry import Mpp
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Cells, LabelEvents, Rater, RaterKind, Shape, SlideRecord, Study, sift

from .studies import content

MPP = Mpp.square(0.25)


def made() -> Study:
    """Two slides with spots and boxes, labelled by two experts and a consensus."""
    bounds = np.array([[5, 6, 5, 6], [10, 20, 60, 70], [300, 400, 300, 400], [11, 12, 61, 62]], dtype=float)
    return Study(
        (SlideRecord("a/01.tiff", mpp=MPP), SlideRecord("b.svs", mpp=MPP)),
        DEFAULT_LABELS,
        (Rater("expert 1"), Rater("consensus", RaterKind.CONSENSUS)),
        cells=Cells.of([0, 0, 1, 1], bounds, shape=[Shape.SPOT, Shape.BOX] * 2),
        events=LabelEvents.of([0, 1, 2, 3, 0, 1, 2, 3], [0] * 4 + [1] * 4, [0, 1, 0, 1, 0, 1, 0, 1]),
    )


@pytest.mark.parametrize("name", [one for one in FORMATS if FORMATS[one].write is not None])
def test_what_is_written_is_recognised_by_its_content(tmp_path: Path, name: str) -> None:
    if name == "dicom":
        pytest.importorskip("highdicom")
    one = of_slide(made(), "a/01.tiff")
    path = tmp_path / "no suffix that says so.bin"
    write_study(one, path, name)
    if name in ("mitos2012", "midesec"):
        path.write_text(
            "1,1,2,1,3,1,1,2,2,2,3,2\n" if name == "mitos2012" else "1,1,90,7,40,95\n", encoding="utf-8"
        )
    assert detect_format(path).name == name
    assert len(read_study(path, options=ReadOptions(mpp=MPP)).cells) > 0


@pytest.mark.parametrize("name", [one for one in FORMATS if FORMATS[one].one_slide])
def test_several_slides_are_a_folder_of_files(tmp_path: Path, name: str) -> None:
    if name == "dicom":
        pytest.importorskip("highdicom")
    write_study(made(), tmp_path / "out", name)
    written = sorted(one.name for one in (tmp_path / "out").iterdir())
    suffix = FORMATS[name].suffix
    assert written == [f"a_01{suffix}", f"b{suffix}"]
    if name not in ("mitos2012", "midesec"):
        assert detect_format(tmp_path / "out").name == name
    found = read_study(tmp_path / "out", name, ReadOptions(mpp=MPP))
    assert len(found.slides) == 2
    with pytest.raises(Exception, match="exists already"):
        write_study(made(), tmp_path / "out", name)


def test_files_of_slides_have_names_that_every_system_takes(tmp_path: Path) -> None:
    names = [
        "CON.svs",
        "a:b.svs",
        "a_b.svs",
        "A_B.svs",
        "C:\\slides\\x.svs",
        "/data/x.svs",
        "case.1",
        "case.2",
        "y" * 300,
    ]
    slides = tuple(SlideRecord(name, mpp=MPP) for name in names)
    write_study(Study(slides, DEFAULT_LABELS), tmp_path / "out", "geojson")
    written = {path.stem for path in (tmp_path / "out").iterdir()}
    assert len(written) == len(names)
    assert {"_CON", "a_b", "A_B-1", "a_b-2", "x", "x-1", "case.1", "case.2"} <= written


def test_challenge_folders_name_slides_by_case_and_field(tmp_path: Path) -> None:
    for case in ("01", "02"):
        (tmp_path / case).mkdir()
        (tmp_path / case / "01.csv").write_text("100,200\n", encoding="utf-8")
    (tmp_path / "02" / "02.csv").write_text("", encoding="utf-8")
    study = read_study(tmp_path, "amida13")
    assert [one.name for one in study.slides] == ["01/01", "02/01", "02/02"]
    assert len(study.cells) == 2


def test_what_cannot_be_held_is_said_with_its_count(tmp_path: Path) -> None:
    lines = write_study(of_slide(made(), "a/01.tiff"), tmp_path / "a.csv", "tupac16")
    assert lines == (
        "not held by the format: look-alikes (1)",
        "not held by the format: who gave which label (1)",
        "not held by the format: boxes, circles and polygons (their centres are written) (1)",
        "not held by the format: resolutions, cases, hashes and domains of slides (1)",
    )
    assert write_study(made(), tmp_path / "a.json", "coco") == ()


def test_the_document_names_every_format(project: Path) -> None:
    text = (project / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, one in FORMATS.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| `{name}`")), "")
        assert row, f"docs/formats.md has no row for {name}"
        assert ("read only" in row) is (one.write is None), name


def test_names_and_aliases() -> None:
    assert find_format("COCO ").name == "coco"
    assert {find_format(one).name for one in ALIASES} <= FORMATS.keys()
    with pytest.raises(FormatError, match="there are sliderunner, coco"):
        find_format("word")
    with pytest.raises(FormatError, match="can only be read"):
        write_study(made(), Path("x"), "midog-domains")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"hello world\n", "in no format that is known"),
        (b'{"a": 1}', "in no format that is known"),
        (b"1,2,3,4\n", "in no format that is known"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "in no format that is known"),
        (b"[" * 1_000_000, "nested too deep"),
        (b"SQLite format 3\x00" + b"\xff" * 4000, "damaged SQLite"),
        (b'x,"y\n', "not CSV"),
    ],
)
def test_unknown_and_damaged_files_are_refused_in_one_line(tmp_path: Path, text: bytes, why: str) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(FormatError, match=why) as caught:
        read_study(tmp_path / "a.json")
    assert "\n" not in str(caught.value)


def test_a_slide_in_place_of_annotations_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "a.svs").write_bytes(b"II*\x00\x08\x00\x00\x00")
    with pytest.raises(FormatError, match=r"a\.svs: an image, not annotations or results; search a slide"):
        read_study(tmp_path / "a.svs")


def test_other_databases_are_not_sliderunners(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.sqlite")) as db:
        db.execute("CREATE TABLE Slides (uid INTEGER)")
        db.commit()
    with pytest.raises(FormatError, match="in no format that is known"):
        detect_format(tmp_path / "a.sqlite")
    with pytest.raises(FormatError, match="no such file"):
        read_study(tmp_path / "none")


def test_joining_gives_back_what_was_taken_apart() -> None:
    study = made()
    parts = [of_slide(study, slide.name) for slide in study.slides]
    found, expected = content(join(parts)), content(study)
    assert found["slides"] == expected["slides"]
    assert found["cells"] == expected["cells"]
    assert sorted(map(str, found["events"])) == sorted(map(str, expected["events"]))


def test_parts_that_contradict_each_other_are_refused() -> None:
    first = Study((SlideRecord("a", mpp=MPP),))
    with pytest.raises(FormatError, match="two slides of the name 'a'"):
        join([first, Study((SlideRecord("a"),))])


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "expected", "cells"),
    [
        ("MIDOG.sqlite", "sliderunner", 4435),
        ("MIDOG.json", "coco", 4435),
        ("MIDOG++.json", "coco", 26_286),
        ("datasets_xvalidation.csv", "midog-domains", 0),
    ],
)
def test_real_files_are_recognised_and_nothing_is_quarantined(
    data: Path, name: str, expected: str, cells: int
) -> None:
    path = data / "annotations" / name
    assert detect_format(path).name == expected
    study = sift(read_study(path), source=name)
    assert (len(study.cells), study.quarantine) == (cells, ())


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["csv", "coco", "sliderunner", "geojson"])
def test_real_cells_and_labels_survive_every_rich_format(data: Path, tmp_path: Path, name: str) -> None:
    study = read_study(data / "annotations" / "MIDOG.sqlite")
    few = join([of_slide(study, slide.name) for slide in study.slides[:3]])
    write_study(few, tmp_path / "out", name, WriteOptions())
    found, expected = content(read_study(tmp_path / "out", name)), content(few)
    assert sorted(map(str, found["cells"])) == sorted(map(str, expected["cells"]))
    labels = [sorted(str(one[1:]) for one in side["events"]) for side in (found, expected)]
    assert labels[0] == labels[1]
