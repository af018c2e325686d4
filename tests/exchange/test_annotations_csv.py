"""The plain CSV, from three columns to all."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange import annotations_csv
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.registry import read_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.store import Policy, Rater, RaterKind, Shape, SlideRecord, Source, Store, Study, sift
from mitoscope.store.ground_truth import ground_truth_of

from .studies import HOSTILE


def read(tmp_path: Path, text: str, options: ReadOptions | None = None) -> Study:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    return annotations_csv.read(path, options or ReadOptions())


def test_image_x_y_label_is_enough(tmp_path: Path) -> None:
    study = read(tmp_path, "Image,X,Y,Label\na.tif,1,2,Mitosis\nb.tif,3,4.5,Hard Negative\nempty.tif,,,\n")
    assert [one.name for one in study.slides] == ["a.tif", "b.tif", "empty.tif"]
    assert study.cells.centres_px0.tolist() == [[1, 2], [3, 4.5]]
    assert study.labels.names == ("mitotic figure", "look-alike")
    assert study.raters[0].kind is RaterKind.CONSENSUS


def test_width_and_height_make_a_box(tmp_path: Path) -> None:
    study = read(tmp_path, "image,x,y,label,w,h\na,10,20,Mitosis,4,6\n")
    assert study.cells.shape.tolist() == [Shape.BOX]
    assert study.cells.bounds_px0.tolist() == [[8, 17, 12, 23]]


def test_a_score_without_a_rater_is_that_of_a_model(tmp_path: Path) -> None:
    study = read(tmp_path, "x,y,score\n1,2,0.7\n")
    assert [(one.name, one.kind) for one in study.raters] == [("model", RaterKind.MODEL)]
    assert study.slides[0].name == "a"
    label, score = stated_classes(study, models=True)
    assert (label.tolist(), score.tolist()) == ([0], [0.7])
    named = read(tmp_path, "x,y,score\n1,2,0.7\n", ReadOptions(rater="net 3", slide="s.svs"))
    assert (named.raters[0].name, named.slides[0].name) == ("net 3", "s.svs")


def test_rows_of_one_cell_are_its_labels_in_order(tmp_path: Path) -> None:
    text = (
        "image,x,y,label,rater,cell,time_s,seconds\n"
        "a,1,2,mitosis,C. B.,0,1.5,2\na,5,6,mitosis,C. B.,1,,\na,1,2,nmf,R. K.,0,9,\na,1,2,,C. B.,0,10,\n"
    )
    study = read(tmp_path, text)
    assert len(study.cells) == 2
    assert study.events.cell.tolist() == [0, 1, 0, 0]
    assert study.events.label.tolist() == [0, 0, 1, -1]
    assert [study.raters[one].name for one in study.events.rater] == ["C. B.", "C. B.", "R. K.", "C. B."]
    assert np.array_equal(study.events.time_s, [1.5, np.nan, 9, 10], equal_nan=True)


def test_nan_and_duplicates_end_in_quarantine(tmp_path: Path) -> None:
    study = read(tmp_path, "image,x,y,label\na,nan,2,mitosis\na,inf,2,mitosis\na,1,2,mitosis\na,1,2,MF\n")
    found = sift(study, source="a.csv")
    assert [(one.where, one.why) for one in found.quarantine] == [
        ("a.csv: cell 0", "NaN or infinity"),
        ("a.csv: cell 1", "NaN or infinity"),
        ("a.csv: cell 3", "the same place twice"),
    ]
    assert len(found.cells) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_written_inert_and_come_back(tmp_path: Path, name: str) -> None:
    study = read(tmp_path, "image,x,y,label\na,1,2,mitosis\n")
    named = Study((SlideRecord(name),), study.labels, study.raters, study.rounds, study.cells, study.events)
    annotations_csv.write(named, tmp_path / "b.csv", WriteOptions())
    text = (tmp_path / "b.csv").read_text(encoding="utf-8")
    cell = text.splitlines()[1].removeprefix('"')
    assert not cell.startswith(("=", "+", "-", "@", "\t"))
    assert annotations_csv.read(tmp_path / "b.csv", ReadOptions()).slides[0].name == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a.csv: an empty file"),
        ("a,b\n1,2\n", "no column x, y"),
        ("x,y,x\n1,2,3\n", "appears twice"),
        ('x,y,label\n1,2,"half', "not CSV"),
    ],
)
def test_bad_rows_are_refused_with_file_and_line(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FormatError, match=why) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.realdata
def test_real_tables(data: Path) -> None:
    study = annotations_csv.read(data / "midesec" / "labels.csv", ReadOptions())
    assert len(study.cells) == 115
    assert study.labels.names == ("mitotic figure",)
    nuclei = annotations_csv.read(data / "brecahad" / "labels.csv", ReadOptions())
    names = [nuclei.labels.labels[one].name for one in nuclei.events.label.tolist()]
    assert (names.count("mitotic figure"), names.count("Apoptosis")) == (67, 73)


def test_agreement_and_size_reach_the_truth(tmp_path: Path) -> None:
    text = "image,x,y,label,w,h,agreement\na,10,20,mitosis,40,60,0.6\na,90,20,nmf,,,\n"
    study = read(tmp_path, text)
    cells = ground_truth_of(study).slides[0].cells
    assert cells.agreement.tolist() == [0.6, 1.0]
    assert cells.size_px0[0].tolist() == [40, 60]
    assert np.isnan(cells.size_px0[1]).all()
    read(tmp_path, "image,x,y,label,agreement\na,1,2,mitosis,1.5\n")
    with pytest.raises(FormatError, match=r"a score in \[0, 1\] expected, got 1\.5"):
        read_ground_truth(tmp_path / "a.csv")


def test_labels_of_the_named_rater_are_an_experts(tmp_path: Path) -> None:
    study = read(tmp_path, "image,x,y,label\na,1,2,mitosis\n", ReadOptions(rater="me"))
    assert study.raters == (Rater("me"),)
    mixed = "image,x,y,label,score\na,1,2,mitosis,\na,3,4,mitosis,0.5\n"
    both = read(tmp_path, mixed, ReadOptions(rater="me"))
    assert both.raters == (Rater("me"), Rater("model", RaterKind.MODEL))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_spreadsheets_separate_by_other_marks_and_write_decimal_commas(tmp_path: Path, mark: str) -> None:
    text = "image,x,y,label,id\na,1.5,2.5,mitosis,x.5\n"
    expected = read(tmp_path, text)
    assert read(tmp_path, text.replace(",", mark).replace(".", ",")) == replace(
        expected, cells=replace(expected.cells, external_id=np.array(["x,5"], dtype=object))
    )
    truth = read_ground_truth(tmp_path / "a.csv")
    assert [slide.cells.figures_px0.tolist() for slide in truth] == [[[1.5, 2.5]]]


def test_a_thousand_or_decimals_are_told_apart_by_nobody_beside_decimal_commas(tmp_path: Path) -> None:
    """Such a cell is set aside and named; where all numbers have decimal points it is one of them."""
    places = ("10,5;2.5", "1.234;20,5", "0.234;2.234,5", "0.234;3")
    rows = "".join(["image;x;y;label\n", *(f"a;{place};mitosis\n" for place in places)])
    study = read(tmp_path, rows)
    assert [box[0] for box in study.cells.bounds_px0.tolist()] == [10.5, 0.234]
    assert [entry.where.rpartition(":")[2] for entry in study.quarantine] == ["3", "4"]
    assert "1.234, a thousand or decimals?" in str(study.quarantine[0])
    points_alone = read(tmp_path, rows.replace(",5", ""))
    assert points_alone.cells.bounds_px0[1, 0] == 1.234


VOICES = "image,x,y,label,rater\na,50,100,look-alike,A\na,50.0,100,mitosis,B\na,50,100,mitosis,C\n"


def test_rows_of_raters_at_one_place_are_labels_of_one_cell(tmp_path: Path) -> None:
    study = sift(read(tmp_path, VOICES), source="a.csv")
    assert len(study.cells) == 1
    assert [study.raters[one].name for one in study.events.rater] == ["A", "B", "C"]
    assert not study.quarantine


def test_every_door_takes_raters_at_one_place_alike(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(VOICES, encoding="utf-8")
    with Store.create(tmp_path / "t.mito") as store:
        store.import_study(read_study(path), source=Source("two.csv"))
    for door in (path, tmp_path / "t.mito"):
        for policy in (Policy.SETTLED, Policy.MAJORITY):
            truth = read_ground_truth(door, policy=policy)
            assert truth.counts() == {"mitotic figure": 1}
            assert truth.by_name["a"].cells.agreement.tolist() == [pytest.approx(2 / 3)]


def test_the_last_word_of_a_rater_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,x,y,label,rater\na,1,2,nmf,A\na,1,2,mitosis,A\n", encoding="utf-8")
    assert read_ground_truth(path).counts() == {"mitotic figure": 1}


@pytest.mark.parametrize(
    ("rows", "cells"),
    [
        (["a,1,2,mitosis,A,7", "a,5,2,mitosis,B,7"], 1),
        (["a,1,2,mitosis,A,7", "a,900,2,mitosis,B,7"], 2),  # each rater numbers from one
        (["a,1,2,mitosis,A,7", "a,5,2,mitosis,A,7"], 2),
        (["a,1,2,mitosis,A,7", "b,5,2,mitosis,B,7"], 2),
    ],
)
def test_one_id_of_two_raters_is_one_cell(tmp_path: Path, rows: list[str], cells: int) -> None:
    study = read(tmp_path, "\n".join(["image,x,y,label,rater,id", *rows]))
    assert len(study.cells) == cells


def test_two_classes_of_no_rater_at_one_place_are_refused_at_every_door(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,x,y,label\na.png,50,100,look-alike\na.png,50,100,mitosis\n", encoding="utf-8")
    why = r"a\.csv:3: the cell at 50\.0, 100\.0 of a(\.png)? is 'look-alike' and 'mitotic figure'"
    with pytest.raises(FormatError, match=why):
        read_study(path)
    with pytest.raises(FormatError, match=why):
        read_ground_truth(path)


@pytest.mark.parametrize("extent", ["0,5", "-3,5", "5,0"])
def test_boxes_without_extent_go_to_quarantine(tmp_path: Path, extent: str) -> None:
    study = sift(read(tmp_path, f"image,x,y,label,w,h\na,50,100,mitosis,{extent}\n"), source="a.csv")
    assert [one.why for one in study.quarantine] == ["a box without extent"]


def test_a_long_file_is_understood_by_column_not_cell_by_cell(tmp_path: Path) -> None:
    """No clock: what is called for a row is counted; it was over 100 when each cell was asked for by name."""
    path = tmp_path / "long.csv"

    def calls(rows: int) -> int:
        lines = (f"s{row % 5}.svs,{row / 8},{row / 4},mitosis,Anna\n" for row in range(rows))
        path.write_text("image,x,y,label,rater\n" + "".join(lines))
        counted = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count)
        try:
            study = annotations_csv.read(path, ReadOptions())
        finally:
            sys.setprofile(None)
        assert len(study.cells) == len(study.events) == rows
        return counted

    assert calls(1500) - calls(500) < 35 * 1000
