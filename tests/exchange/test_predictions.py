from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.predictions import read_predictions

ROWS = "x,y,score,label\n1,2,0.5,mitotic figure\n"


def test_a_folder_that_detect_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "case.1.csv").write_text("x,y,score,label\n")
    (tmp_path / "a.json").write_text("{}")
    assert {image: len(found) for image, found in read_predictions(tmp_path).items()} == {"a": 1, "case.1": 0}


def test_one_file_of_many_images_or_of_one(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("image,x,y,score\na.webp,1,2,0.5\nb.webp,1,2,0.5\n")
    assert list(read_predictions(path)) == ["a", "b"]
    path = tmp_path / "P0_01.csv"
    path.write_text(ROWS)
    assert list(read_predictions(path)) == ["P0_01"]


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no results in this folder"):
        read_predictions(tmp_path)
    with pytest.raises(FormatError, match="No such file"):
        read_predictions(tmp_path / "none")
