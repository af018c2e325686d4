from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.predictions import read_any_predictions
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
