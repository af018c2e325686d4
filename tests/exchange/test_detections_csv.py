from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, OutputError
from mitoscope.exchange import detections_csv
from mitoscope.exchange.predictions import read_any_predictions
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from tests.exchange.tables import write_many

NUMBER = st.floats(allow_nan=False, allow_infinity=False)
ROW = st.tuples(
    NUMBER, NUMBER, st.floats(0, 1), st.sampled_from([MITOTIC_FIGURE.name, LOOK_ALIKE.name, "=cell"])
)


def detections(rows: list[tuple[float, float, float, str]], source: str = "") -> Detections:
    x, y, score, label = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Detections(
        np.array(x, dtype=np.float64),
        np.array(y, dtype=np.float64),
        np.array(score, dtype=np.float64),
        np.array(label, dtype=np.str_),
        np.full(len(rows), source),
    )


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, max_size=8))
def test_what_is_written_is_read_back_exactly(
    rows: list[tuple[float, float, float, str]], tmp_path: Path
) -> None:
    path = tmp_path / "slide.csv"
    detections_csv.write(path, detections(rows))
    assert detections_csv.read(path, source="") == detections(rows)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    images=st.dictionaries(
        st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="/\\."), min_size=1),
        st.lists(ROW, max_size=3),
        max_size=4,
    )
)
def test_many_images_are_read_back_exactly(
    images: dict[str, list[tuple[float, float, float, str]]], tmp_path: Path
) -> None:
    path = tmp_path / "all.csv"
    written = {image: detections(rows, "all.csv") for image, rows in images.items()}
    write_many(path, written)
    assert read_any_predictions(path) == written


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "slide.csv"
    rows = [(12.0, 7.25, 0.5, "mitotic figure"), (1e5, 0.1, 1.0, "=HYPERLINK()")]
    detections_csv.write(path, detections(rows))
    assert path.read_text() == ("x,y,score,label\n12,7.25,0.5,mitotic figure\n100000,0.1,1,'=HYPERLINK()\n")


def test_columns_in_any_order_and_labels_by_any_name(tmp_path: Path) -> None:
    path = tmp_path / "slide.csv"
    path.write_bytes(
        b"\xef\xbb\xbfLabel, Score ,y,X,note\r\nMitosis,0.5,2,1,a\r\n\r\nhard negative,.25,4,3,\r\n"
    )
    found = detections_csv.read(path)
    assert found.points_px0.tolist() == [[1, 2], [3, 4]]
    assert found.label.tolist() == ["mitotic figure", "look-alike"]
    assert found.source.tolist() == ["slide.csv", "slide.csv"]


def test_without_a_label_all_are_mitotic_figures(tmp_path: Path) -> None:
    path = tmp_path / "slide.csv"
    path.write_text("x,y,score\n1,2,0.5\n")
    assert detections_csv.read(path).label.tolist() == ["mitotic figure"]
    path.write_text("x,y,score,label\n")
    assert len(detections_csv.read(path)) == 0


def test_images_are_matched_by_stem_and_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("image,x,y,score\na.png,1,2,0.5\nb.png,,,\nd/a.png,3,4,0.5\n")
    with pytest.raises(FormatError, match=r"'a\.png' and 'd/a\.png' have one name"):
        read_any_predictions(path)
    path.write_text("image,x,y,score\na.png,1,2,0.5\nb.png,,,\na.png,3,4,0.5\n")
    assert {image: len(found) for image, found in read_any_predictions(path).items()} == {"a": 2, "b": 0}


BAD = {
    "empty": (b"", r"slide\.csv: an empty file; the first line must name the columns x, y, score"),
    "blank": (b"\n  \n\n", "an empty file"),
    "no column": (b"x,y\n1,2\n", r"slide\.csv:1: no column score; the first line must name"),
    "no header": (b"1,2,0.5\n3,4,0.5\n", r"slide\.csv:1: no column x, y, score"),
    "thousands": (b"x;y;score\n1.234,5;2;0.5\n", ":2, column x: a number expected, got '1.234,5'"),
    "twice": (b"x,y,score,X\n1,2,0.5,1\n", r"slide\.csv:1: the column x appears twice; remove one"),
    "NaN": (
        b"x,y,score\n1,2,0.5\nnan,2,0.5\n",
        r"slide\.csv:3, column x: a finite number expected, got 'nan'",
    ),
    "infinite": (b"x,y,score\n1,-inf,0.5\n", r":2, column y: a finite number expected"),
    "text": (b"x,y,score\n1,2,high\n", r":2, column score: a number expected, got 'high'"),
    "decimal comma": (b"x,y,score\n1,5,2,0.5\n", ":2: 3 cells expected, got 4"),
    "short": (b"x,y,score\n1,2\n", ":2: 3 cells expected, got 2"),
    "missing": (b"x,y,score\n1,,0.5\n", ":2, column y: a finite number expected, got 'nothing'"),
    "score above 1": (
        b"x,y,score\n1,2,1.5\n",
        r":2, column score: a score in \[0, 1\] expected, got 1\.5; rescale",
    ),
    "score below 0": (b"x,y,score\n1,2,-0.1\n", r"a score in \[0, 1\] expected, got -0\.1"),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\xff\xfe" * 50, "not UTF-8 at byte"),
    "zeros": (b"\x00" * 5000, r"slide\.csv:"),
    "open quote": (b'x,y,score\n1,2,"0.5\n', "not CSV"),
    "huge cell": (b"x,y,score\n1,2," + b"9" * 200_000 + b"\n", r"slide\.csv:"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_end_in_one_line_with_the_place(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    path = tmp_path / "slide.csv"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message) as caught:
        detections_csv.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_row_without_an_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("image,x,y,score\na,1,2,0.5\n,3,4,0.5\n")
    with pytest.raises(FormatError, match=r"all\.csv:3: the column image is empty"):
        read_any_predictions(path)


def test_no_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        detections_csv.read(tmp_path / "none.csv")


def test_a_target_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        detections_csv.write(tmp_path / "none" / "slide.csv", Detections.empty())
    assert list(tmp_path.iterdir()) == []


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "slide.csv"
    for head in (b"", b"x,y,score,label\n"):
        path.write_bytes(head + content)
        with suppress(FormatError):
            assert isinstance(detections_csv.read(path), Detections)
