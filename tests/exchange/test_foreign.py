"""Files of other programs: places, scores and class names as they stand there, from little memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange import BoxLayout, read_study, write_study
from mitoscope.exchange.foreign import ForeignFindings, Unit, read_foreign
from mitoscope.exchange.parquet import load_pyarrow
from mitoscope.geometry import Mpp
from tests.exchange.foreign_files import FINDINGS, MPP, PROGRAMS, REAL, SIZE, UNSCORED, WRITTEN, qupath

SCALE = Mpp.square(MPP)
PX = {Unit.PX: 1.0, Unit.UM: 1 / MPP, Unit.MM: 1000 / MPP}


def places(found: ForeignFindings) -> np.ndarray:
    """Return centres in px and scores, in order of places: stores keep no order."""
    factor = np.array(SIZE) if found.unit is Unit.SHARE else PX[found.unit]
    points = np.column_stack([found.x, found.y]) * factor
    rows = np.column_stack([points, found.score])
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


EXPECTED = np.array(sorted(row[:3] for row in FINDINGS))


@pytest.mark.parametrize("name", REAL)
def test_files_of_the_programs_themselves_are_read(name: str) -> None:
    found = read_foreign(PROGRAMS / name, mpp=SCALE)
    # YOLO writes shares with six digits.
    assert np.allclose(places(found), EXPECTED, atol=2e-3), found.program


@pytest.mark.parametrize("name", WRITTEN)
def test_documented_layouts_are_read(name: str, tmp_path: Path) -> None:
    assert np.allclose(places(read_foreign(WRITTEN[name](tmp_path), mpp=SCALE)), EXPECTED)


@pytest.mark.parametrize("name", UNSCORED)
def test_what_states_no_scores_has_none(name: str, tmp_path: Path) -> None:
    found = read_foreign(UNSCORED[name](tmp_path), mpp=SCALE)
    assert np.allclose(places(found)[:, :2], EXPECTED[:, :2])
    assert np.isnan(found.score).all()


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        '{"mag": 40, "nuc": {}}',
        '{"type": "FeatureCollection", "features": []}',
        '{"type_map": {}, "cells": []}',
        '{"labels": [], "scores": [], "bboxes": []}',
        '{"type": "Multiple points", "points": []}',
        '{"images": [], "annotations": [], "categories": []}',
        "x,y,score,label\n",
        "image,x,y,score\npainted.png,,,\n",
    ],
)
def test_an_empty_output_is_a_result(text: str, tmp_path: Path) -> None:
    file = tmp_path / "found"
    file.write_text(text)
    assert len(read_foreign(file, mpp=SCALE)) == 0


def test_yolo_writes_an_empty_text_where_it_finds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "found.txt"
    file.touch()
    assert len(read_foreign(file, mpp=SCALE)) == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"nuc": {"7": {"centroid": [1, null]}}}', "nuc['7']: a finite number expected, got nothing"),
        ('{"nuc": {"7": {"centroid": [1]}}}', "nuc['7']: 2 numbers expected"),
        ('{"cells": [{"centroid": [1, NaN]}]}', "cells[0]: a finite number expected, got nan"),
        ('{"labels": [1], "scores": [], "bboxes": [[1, 2, 3, 4]]}', "1 boxes, 0 scores, 1 labels"),
        ('{"nuc": {"7": {"centroid": [1, 2]', "is the file complete?"),
        ('{"weights": [1, 2]}', "JSON is of no known program"),
        ("a,b\n1,2\n", "--column x=NAME --column y=NAME; there are a, b"),
        ("x,y\n1,two\n", "line 2, column y: a number expected, got 'two'"),
        ("x,y\n1\n", "line 2: 2 cells expected, got 1"),
        ("0 0.5 0.5 0.1 0.1\n0 0.5\n", "line 2: no line of YOLO"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, what: str, tmp_path: Path) -> None:
    file = tmp_path / "found"
    file.write_text(text)
    with pytest.raises(FormatError) as error:
        read_foreign(file, mpp=SCALE)
    assert what in str(error.value)


def test_pickles_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "0.dat"
    file.write_bytes(b"\x80\x04\x95\x00\x01\x02\x00\x00")
    with pytest.raises(FormatError, match=r"may run code.*AnnotationStore"):
        read_foreign(file, mpp=SCALE)


def test_columns_are_stated_by_the_user(tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    file.write_text("a,b,X,quality\n10,20,99,0.5\n")
    found = read_foreign(file, columns={"x": "a", "y": "b", "score": "quality"}, mpp=SCALE)
    assert (found.x.tolist(), found.y.tolist(), found.score.tolist()) == ([10], [20], [0.5])
    assert "x from 'a', y from 'b', score from 'quality'" in found.notes[0]
    with pytest.raises(ConfigError, match=r"no column 'c'.*a, b, X, quality"):
        read_foreign(file, columns={"x": "c"}, mpp=SCALE)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_corners_beside_sizes_are_read_as_stated(suffix: str, tmp_path: Path) -> None:
    table = {"x": [10.0], "y": [20.0], "width": [8.0], "height": [4.0], "score": [0.5]}
    file = tmp_path / f"boxes.{suffix}"
    if suffix == "csv":
        file.write_text("x,y,width,height,score\n10,20,8,4,0.5\n")
    else:
        pyarrow = load_pyarrow()
        pyarrow.parquet.write_table(pyarrow.table(table), file)
    centred = read_foreign(file, mpp=SCALE)
    assert (centred.x[0], centred.y[0]) == (10, 20)
    assert any("--boxes xywh, if they are the corners" in note for note in centred.notes)
    corner = read_foreign(file, boxes=BoxLayout.XYWH, mpp=SCALE)
    assert (corner.x[0], corner.y[0], corner.score[0]) == (14, 22, 0.5)
    with pytest.raises(ConfigError, match="no columns of boxes as xyxy"):
        read_foreign(file, boxes=BoxLayout.XYXY, mpp=SCALE)


@pytest.mark.parametrize(
    "head",
    [
        "xmin,ymin,xmax,ymax",
        "min_x,min_y,max_x,max_y",
        "left,top,right,bottom",
        "box_x1,box_y1,box_x2,box_y2",
        "bbox.x1,bbox.y1,bbox.x2,bbox.y2",
    ],
)
def test_corners_are_known_by_their_names(head: str, tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(f"{head}\n10,20,14,28\n")
    found = read_foreign(file, mpp=SCALE)
    assert (found.x[0], found.y[0]) == (12, 24)


def test_what_is_no_findings_at_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "found.bin").write_bytes(bytes(range(256)))
    with pytest.raises(FormatError, match=r"in no format that is known; write the findings as CSV x,y,score"):
        read_foreign(tmp_path / "found.bin", mpp=SCALE)


def test_a_column_says_one_thing_and_stands_once(tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    file.write_text("x,y,x,score\n1,2,3,0.5\n")
    with pytest.raises(FormatError, match="the column x appears twice; remove one"):
        read_foreign(file, mpp=Mpp.square(0.25))
    file.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="x and y from one column 'a'"):
        read_foreign(file, columns={"x": "a", "y": "a"}, mpp=Mpp.square(0.25))


def test_long_files_take_little_memory(tmp_path: Path) -> None:
    """A file of 40,000 nuclei with outlines is gone through in a small part of what it takes as a whole."""
    nucleus = {"centroid": [10.5, 20.5], "contour": [[1, 2]] * 60, "type": 1, "type_prob": 0.5}
    text = json.dumps(nucleus)
    file = tmp_path / "long.json"
    with file.open("w") as stream:
        stream.write('{"mag": 40, "nuc": {')
        stream.write(",".join(f'"{number}": {text}' for number in range(40_000)))
        stream.write("}}")
    size = file.stat().st_size
    tracemalloc.start()
    found = read_foreign(file, mpp=SCALE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 40_000
    assert found.magnification == 40
    assert peak < size / 2


def test_two_corners_in_a_list_of_results_are_not_taken_for_sizes(tmp_path: Path) -> None:
    corners = [[x - 25, y - 25, x + 25, y + 25] for x, y, *_ in FINDINGS]
    rows = [{"image_id": 1, "category_id": 1, "bbox": box, "score": 0.5} for box in corners]
    file = tmp_path / "results.json"
    file.write_text(json.dumps(rows))
    with pytest.raises(FormatError, match=r"of 50 px as two corners.*--boxes xyxy"):
        read_foreign(file, mpp=SCALE)
    found = read_foreign(file, boxes=BoxLayout.XYXY, mpp=SCALE)
    assert np.allclose(places(found)[:, :2], EXPECTED[:, :2])


def test_annotation_formats_are_read_by_their_own_readers(tmp_path: Path) -> None:
    study = read_study(PROGRAMS / "pycocotools.json")
    write_study(study, tmp_path / "found.sqlite", "sliderunner")
    found = read_foreign(tmp_path / "found.sqlite", mpp=SCALE)
    assert np.allclose(places(found)[:, :2], EXPECTED[:, :2], atol=1)
    assert sorted(found.names) == ["look-alike", "mitotic figure"]


def test_results_of_several_images_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "many.csv"
    file.write_text("slide,x,y,score\na.svs,1,2,0.5\nb.svs,3,4,0.6\nc.svs,,,\n")
    found = read_foreign(file, mpp=SCALE)
    assert found.images == ("a.svs", "b.svs", "c.svs")
    assert [found.of_image(name).x.tolist() for name in found.images] == [[1], [3], []]


def test_what_no_detector_found_is_left_out_and_said(tmp_path: Path) -> None:
    file = qupath(tmp_path)
    value = json.loads(file.read_text())
    ring = [[0, 0], [500, 0], [500, 500], [0, 0]]
    for name in ("Tumor", "Hot spot: 7"):
        outline = {"type": "Polygon", "coordinates": [ring]}
        properties = {"objectType": "annotation", "classification": {"name": name}}
        value["features"].append({"type": "Feature", "geometry": outline, "properties": properties})
    file.write_text(json.dumps(value))
    found = read_foreign(file, mpp=SCALE)
    assert len(found) == len(FINDINGS)
    assert found.notes == ("no findings: outlines of regions (1)", "no findings: hot spots (1)")
