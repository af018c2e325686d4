from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.data.open_data import (
    read_brecahad,
    read_midesec,
    read_negative_fields,
    read_rgb,
    rows_of,
)
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_text("no picture")
    with pytest.raises(TrainingDataError, match=r"a\.webp: cannot be decoded"):
        read_rgb(path)


def test_a_folder_without_the_open_data_says_how_to_train_on_other_data(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"a\.csv: no such file; .*--study STUDY@VERSION") as refused:
        rows_of(tmp_path / "a.csv", columns=("x",))
    assert str(refused.value).count("a.csv") == 1
    assert "Errno" not in str(refused.value)
    with pytest.raises(TrainingDataError, match="cannot be read"):
        rows_of(tmp_path, columns=("x",))


@pytest.mark.realdata
def test_brecahad_has_its_figures_and_look_alikes(data: Path) -> None:
    pictures = read_brecahad(data)
    assert {p.case for p in pictures} == {"BreCaHAD/Case_10", "BreCaHAD/Case_12", "BreCaHAD/Case_13"}
    assert sum(len(p.figures) for p in pictures) == 67
    assert sum(len(p.look_alikes) for p in pictures) == 73
    for picture in pictures:
        assert (picture.figures >= 0).all()
        assert (picture.figures <= (picture.width, picture.height)).all()


@pytest.mark.realdata
def test_figures_are_darker_than_their_surroundings(data: Path) -> None:
    inside, outside = [], []
    for picture in read_midesec(data):
        outside.append(picture.rgb.mean())
        for x, y in picture.figures.astype(int):
            inside.append(picture.rgb[max(y - 5, 0) : y + 5, max(x - 5, 0) : x + 5].mean())
    assert np.median(inside) < np.median(outside) - 40


@pytest.mark.realdata
def test_negative_fields_have_no_figures(data: Path) -> None:
    pictures = read_negative_fields(data)
    assert len(pictures) == 106
    assert not any(len(picture.figures) for picture in pictures)
