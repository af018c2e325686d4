from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.predictions import read_any_predictions
from mitoscope.exchange.registry import detect_format, read_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.labels import LabelMapping


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_boxes_become_centres(tmp_path: Path) -> None:
    many = write(tmp_path / "many.csv", "image,x1,y1,x2,y2,score\na.tiff,0,10,50,60,0.5\nb.tiff,,,,,\n")
    found = read_any_predictions(many)
    assert found["a"].points_px0.tolist() == [[25.0, 35.0]]
    assert len(found["b"]) == 0
    one = write(tmp_path / "slide.csv", "x1,y1,x2,y2,score\n0,0,1,3,0.25\n")
    assert read_any_predictions(one)["slide"].points_px0.tolist() == [[0.5, 1.5]]
    table = write(tmp_path / "t.csv", "image,x1,y1,x2,y2,label\na,0,10,50,60,mitosis\n")
    (slide,) = read_ground_truth(table, mapping=LabelMapping())
    assert slide.cells.points_px0.tolist() == [[25.0, 35.0]]
    assert slide.cells.size_px0.tolist() == [[50.0, 50.0]]


def test_centres_stay_centres(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", "image,x,y,w,h,score\na,25,35,50,50,0.5\n")
    assert read_any_predictions(path)["a"].points_px0.tolist() == [[25.0, 35.0]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "image,x1,y1,x2,y2,score\na,100,100,50,50,0.5\n",
            "p.csv:2: a box from 100, 100 to 50, 50 has",
        ),
        ("image,x1,y1,x2,y2\na,0,0,1,1\n", "no column score"),
        ("image,x1,y1,x2,score\na,0,0,1,1\n", "no column x, y"),
        ("image,x1,y1,x2,y2,score\na,0,0,nan,1,0.5\n", "a finite number expected"),
    ],
)
def test_what_is_no_box_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        read_any_predictions(write(tmp_path / "p.csv", text))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("column", range(5))
def test_a_nul_costs_one_cell_of_a_study_and_its_place_is_said(
    tmp_path: Path, mark: str, column: int
) -> None:
    rows = [["a.svs", f"{100 * i}", f"{100 * i}", "Mitosis", "anna"] for i in (1, 2, 3)]
    rows[1][column] += "\0"
    lines = [["image", "x", "y", "label", "rater"], *rows]
    path = write(tmp_path / "a.csv", "".join(mark.join(row) + "\n" for row in lines))
    study = read_study(path)
    assert len(study.cells) == 2
    assert [(one.where, one.why) for one in study.quarantine] == [(f"{path}:3", "a NUL in a cell")]
    with pytest.raises(FormatError, match="a NUL in a cell"):
        read_any_predictions(write(tmp_path / "p.csv", "image,x,y,score\na,1,2,0.5\na,1,2\0,0.5\n"))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("times", [1, 5_000])
def test_the_unicode_text_of_spreadsheets_is_read_by_every_door(
    tmp_path: Path, mark: str, encoding: str, times: int
) -> None:
    rows = "".join(mark.join((f"{i}.tiff", "1", "2", "Präparat", "mitosis")) + "\r\n" for i in range(times))
    head = mark.join(("image", "x", "y", "note", "label"))
    path = tmp_path / "a.csv"
    path.write_bytes(f"\ufeff{head}\r\n{rows}".encode(encoding))
    assert detect_format(path).name == "csv"
    assert len(read_study(path).cells) == times
    assert len(read_ground_truth(path, mapping=LabelMapping())) == times


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_other_encodings_are_said_by_every_door(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("image,x,y,label,note\na.tiff,1,2,mitosis,Präparat\n".encode(encoding))
    for door in (detect_format, read_any_predictions, read_ground_truth):
        with pytest.raises(FormatError, match=r"a\.csv: not UTF-8 at byte \d+; save it as UTF-8"):
            door(path)
