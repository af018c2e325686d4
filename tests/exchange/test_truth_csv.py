from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.labels import LabelMapping
from mitoscope.truth import TrueCells

BRECAHAD = ("Tubule=ignore", "Non_tubule=ignore", "Non_tumor_nuclei=ignore")
"""What its table labels beside cells of a class that the field knows."""


def read(path: Path, *labels: str) -> dict[str, TrueCells]:
    truth = read_ground_truth(path, mapping=LabelMapping.parse(labels))
    return {slide.name: slide.cells for slide in truth}


def test_cells_by_image(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,label,x,y,w,h\na.webp,Mitosis,1.5,2,27,33\nb.webp,NMF,3,4,,\na.webp,tubule,5,6,7,8\nc.webp,,,,,\n"
    )
    truth = read(path, "tubule=ignore")
    assert list(truth) == ["a", "b", "c"]
    assert truth["a"].label.tolist() == ["mitotic figure"]
    assert truth["a"].figures_px0.tolist() == [[1.5, 2]]
    assert truth["a"].size_px0.tolist() == [[27, 33]]
    assert read(path, "tubule=look-alike")["a"].size_px0.tolist() == [[27, 33], [7, 8]]
    assert truth["b"].label.tolist() == ["look-alike"]
    assert np.isnan(truth["b"].size_px0).all()
    assert (len(truth["c"]), truth["c"].figures_px0.shape) == (0, (0, 2))


def test_sizes_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("image,x,y,label\na,1,2,mitosis\n")
    assert np.isnan(read(path)["a"].size_px0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,x,y\na,1,2\n", r"labels\.csv:1: no column label"),
        ("image,x,y,label\na,1,2,\n", r":2: the column label is empty"),
        ("image,x,y,label\na,1,,mitosis\n", ":2, column y: a finite number expected"),
        ("image,x,y,label,w\na,1,2,mitosis,wide\n", ":2, column w: a number expected, got 'wide'"),
        ("image,x,y,label\n,1,2,mitosis\n", ":2: the column image is empty"),
        ("image,x,y,label\na.png,1,2,mitosis\na.jpg,1,2,mitosis\n", "have one name"),
    ],
)
def test_bad_rows_are_named(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        read(path)


@pytest.mark.realdata
def test_the_published_labels(data: Path) -> None:
    midesec = read(data / "midesec" / "labels.csv")
    assert sum(len(cells.figures_px0) for cells in midesec.values()) == 115
    brecahad = read(data / "brecahad" / "labels.csv", *BRECAHAD)
    assert len(brecahad) == 23
    assert sum(len(cells.figures_px0) for cells in brecahad.values()) == 67
