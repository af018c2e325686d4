"""MITOS 2012, MITOS-ATYPIA 2014, AMIDA13/TUPAC16, MiDeSeC, Grand Challenge, each as it is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import FormatError, ScaleError, UnknownLabelError
from mitoscope.exchange import grand_challenge
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.registry import FORMATS, read_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp
from mitoscope.labels import DEFAULT_LABELS, LabelMapping
from mitoscope.store import Cells, LabelEvents, Rater, RaterKind, Shape, SlideRecord, Study

QUARTER = Mpp.square(0.25)


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read(name: str, path: Path, options: ReadOptions) -> Study:
    return FORMATS[name].read(path, options)


def write(name: str, study: Study, path: Path, options: WriteOptions) -> None:
    known = FORMATS[name].write
    assert known is not None
    known(study, path, options)


def labels_of(study: Study) -> list[str]:
    return [study.labels.labels[one].name for one in study.events.label.tolist()]


def shapes() -> Study:
    """A mitotic figure of each shape, and a look-alike."""
    triangle = np.array([[20.0, 20], [40, 20], [20, 40]])
    return Study(
        (SlideRecord("slide"),),
        DEFAULT_LABELS,
        (Rater("expert 1"),),
        cells=Cells.of(
            [0] * 5,
            np.array([[5.5, 6.5] * 2, [10, 10, 13, 12], [50, 50, 60, 60], [20, 20, 40, 40], [90, 90] * 2]),
            shape=[Shape.SPOT, Shape.BOX, Shape.CIRCLE, Shape.POLYGON, Shape.SPOT],
            vertices_px0={3: triangle},
        ),
        events=LabelEvents.of(range(5), [0] * 5, [0, 0, 0, 0, 1]),
    )


def test_mitos_2012_lists_pixels(tmp_path: Path) -> None:
    path = write_text(tmp_path / "A00_00.csv", "3,7,4,7,3,8,4,8\n100,200,\n")
    study = read("mitos2012", path, ReadOptions())
    assert study.slides[0].name == "A00_00"
    assert study.cells.bounds_px0.tolist() == [[3, 7, 5, 9], [100, 200, 101, 201]]
    assert labels_of(study) == ["mitotic figure"] * 2
    write("mitos2012", study, tmp_path / "b.csv", WriteOptions())
    assert (tmp_path / "b.csv").read_text(encoding="utf-8") == "3,7,4,7,3,8,4,8\n100,200\n"


def test_mitos_2012_fills_other_shapes(tmp_path: Path) -> None:
    write("mitos2012", shapes(), tmp_path / "b.csv", WriteOptions())
    spot, box, circle, triangle = (
        np.array(line.split(","), dtype=int).reshape(-1, 2)
        for line in (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    )
    assert spot.tolist() == [[5, 6]]
    assert box.tolist() == [[10, 10], [11, 10], [12, 10], [10, 11], [11, 11], [12, 11]]
    assert len(circle) == pytest.approx(np.pi * 25, abs=5)
    assert len(triangle) == pytest.approx(200, abs=15)


def test_atypia_takes_the_label_from_the_name_of_the_file(tmp_path: Path) -> None:
    text = "10,20,0.2\n30,40,0.9\n"
    for stem, expected in (
        ("A_mitosis", ["mitotic figure"] * 2),
        ("A_not_mitosis", ["look-alike"] * 2),
        ("A", ["look-alike", "mitotic figure"]),
    ):
        study = read("mitos-atypia-2014", write_text(tmp_path / f"{stem}.csv", text), ReadOptions())
        assert labels_of(study) == expected
        assert study.slides[0].name == "A"
        assert study.events.score.tolist() == [0.2, 0.9]
    assert study.cells.centres_px0.tolist() == [[10, 20], [30, 40]]


def test_atypia_writes_the_list_that_is_asked_for(tmp_path: Path) -> None:
    for stem, rows in (("s_mitosis", 4), ("s_not_mitosis", 1), ("s", 5)):
        write("mitos-atypia-2014", shapes(), tmp_path / f"{stem}.csv", WriteOptions())
        assert len((tmp_path / f"{stem}.csv").read_text(encoding="utf-8").splitlines()) == rows
    contradicted = read(
        "mitos-atypia-2014", write_text(tmp_path / "A_mitosis.csv", "1,2,0.1\n"), ReadOptions()
    )
    with pytest.raises(FormatError, match=r"\*_mitosis\.csv"):
        write("mitos-atypia-2014", contradicted, tmp_path / "both.csv", WriteOptions())


def test_tupac_has_the_row_first(tmp_path: Path) -> None:
    study = read("tupac16", write_text(tmp_path / "01.csv", "1500,200\n30,4.5\n"), ReadOptions())
    assert study.cells.centres_px0.tolist() == [[200, 1500], [4.5, 30]]
    write("tupac16", study, tmp_path / "b.csv", WriteOptions())
    assert (tmp_path / "b.csv").read_text(encoding="utf-8") == "1500,200\n30,4.5\n"


def test_midesec_has_outlines(tmp_path: Path) -> None:
    study = read("midesec", write_text(tmp_path / "P0.csv", "1,1,9,1,9,8,1,1\n"), ReadOptions())
    assert study.cells.vertices_px0[0].tolist() == [[1, 1], [9, 1], [9, 8]]
    write("midesec", shapes(), tmp_path / "b.csv", WriteOptions())
    spot, box, _, triangle = (tmp_path / "b.csv").read_text(encoding="utf-8").splitlines()
    assert spot == "5,6,6,6,6,7,5,7"
    assert box == "10,10,13,10,13,12,10,12"
    assert triangle == "20,20,40,20,20,40"


@pytest.mark.parametrize(
    ("known", "text", "why"),
    [
        ("mitos2012", "1,2,3\n", "a.csv:1: pairs of x and y"),
        ("mitos2012", "x,4\n", "a.csv:1: a number expected, not x,4"),
        ("midesec", "1,2,3,4\n", "at least 3"),
        ("tupac16", "1,2,3\n", "row,column expected"),
        ("mitos-atypia-2014", "1,2\n", "x,y,confidence expected"),
        ("mitos-atypia-2014", "1,2,7\n", r"a confidence in \[0, 1\]"),
        ("mitos-atypia-2014", "1,2,nan\n", r"a confidence in \[0, 1\]"),
    ],
)
def test_rows_of_another_form_are_refused_with_file_and_line(
    tmp_path: Path, known: str, text: str, why: str
) -> None:
    with pytest.raises(FormatError, match=why):
        read(known, write_text(tmp_path / "a.csv", text), ReadOptions())


def points(*found: dict[str, Any], **more: Any) -> str:
    return json.dumps(
        {"type": "Multiple points", "points": found, "version": {"major": 1, "minor": 0}} | more
    )


def test_grand_challenge_points_are_in_mm(tmp_path: Path) -> None:
    text = points(
        {"point": [0.25, 0.5, 0], "probability": 0.9, "name": "mitotic figure"},
        {"point": [1.0, 2.0, 3], "probability": 0.4, "name": "non-mitotic figure"},
        {"point": [0.025, 0.05, 0]},
    )
    path = write_text(tmp_path / "case.json", text)
    study = grand_challenge.read(path, ReadOptions(mpp=QUARTER))
    assert study.cells.centres_px0.tolist() == [[1000, 2000], [4000, 8000], [100, 200]]
    assert study.cells.z.tolist() == [0, 3, 0]
    assert labels_of(study) == ["mitotic figure", "look-alike", "mitotic figure"]
    assert study.events.score.tolist() == [0.9, 0.4, 0.5]
    assert study.raters[0].kind is RaterKind.MODEL


@pytest.mark.parametrize("stated", [True, False])
def test_grand_challenge_labels_without_a_model_are_those_of_people(tmp_path: Path, stated: bool) -> None:
    cells = [("mitotic figure", 1.0), ("non-mitotic figure", 0.0), ("mitotic figure", 1.0)]
    listed = [
        {"point": [0.25 * place, 0.5, 0], "name": name} | ({"probability": value} if stated else {})
        for place, (name, value) in enumerate(cells)
    ]
    path = write_text(tmp_path / "case.json", points(*listed))
    study = grand_challenge.read(path, ReadOptions(mpp=QUARTER))
    assert [rater.kind for rater in study.raters] == [RaterKind.CONSENSUS]
    assert np.isnan(study.events.score).all()
    named = grand_challenge.read(path, ReadOptions(mpp=QUARTER, rater="me"))
    assert named.raters == (Rater("me"),)
    truth = read_ground_truth(path, options=ReadOptions(mpp=QUARTER))
    assert truth.counts() == {"mitotic figure": 2, "look-alike": 1}


def test_a_version_with_agreement_comes_back_as_labels(tmp_path: Path) -> None:
    agreed = Study(
        (SlideRecord("slide"),),
        DEFAULT_LABELS,
        (Rater("consensus", RaterKind.CONSENSUS),),
        cells=Cells.spots([0, 0], np.array([[10.0, 20], [30, 40]])),
        events=LabelEvents.of([0, 1], [0, 0], [0, 1], score=[2 / 3, 1.0]),
    )
    grand_challenge.write(agreed, tmp_path / "a.json", WriteOptions(mpp=QUARTER))
    study = grand_challenge.read(tmp_path / "a.json", ReadOptions(mpp=QUARTER))
    assert study.raters[0].kind is RaterKind.CONSENSUS
    assert labels_of(study) == ["mitotic figure", "look-alike"]


def test_grand_challenge_takes_names_as_every_format_does(tmp_path: Path) -> None:
    listed = [
        {"point": [place, 0, 0], "name": name}
        for place, name in enumerate(["atypical mitotic figure", "Foo", "Foo", "Mitose"])
    ]
    path = write_text(tmp_path / "a.json", points(*listed))
    options = ReadOptions(mpp=QUARTER)
    for door in (read_study, read_ground_truth):
        with pytest.raises(UnknownLabelError, match=r"'Foo' \(2\)"):
            door(path, options=options, mapping=LabelMapping())
    truth = read_ground_truth(path, options=options, mapping=LabelMapping.parse(["Foo=ignore"]))
    assert truth.counts() == {"mitotic figure": 1, "atypical mitotic figure": 1}


def test_formats_without_atypical_figures_keep_them_as_mitotic_figures(tmp_path: Path) -> None:
    listed = [{"point": [0, 0, 0], "name": "atypical mitotic figure"}, {"point": [1, 0, 0], "name": "mimic"}]
    options = ReadOptions(mpp=QUARTER)
    study = read_study(write_text(tmp_path / "a.json", points(*listed)), options=options)
    grand_challenge.write(study, tmp_path / "b.json", WriteOptions(mpp=QUARTER))
    written = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["points"]
    assert [one["name"] for one in written] == ["mitotic figure", "non-mitotic figure"]
    assert [one["probability"] for one in written] == [1, 0]


def test_grand_challenge_writes_what_the_challenge_reads(tmp_path: Path) -> None:
    grand_challenge.write(shapes(), tmp_path / "a.json", WriteOptions(mpp=QUARTER))
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert found["type"] == "Multiple points"
    assert found["version"] == {"major": 1, "minor": 0}
    assert found["points"][0] == {
        "name": "mitotic figure",
        "point": [5.5 * 0.25 / 1000, 6.5 * 0.25 / 1000, 0],
        "probability": 1.0,
    }
    assert found["points"][4]["name"] == "non-mitotic figure"
    with pytest.raises(ScaleError, match="--mpp"):
        grand_challenge.write(shapes(), tmp_path / "b.json", WriteOptions())
    with pytest.raises(ScaleError, match="--mpp"):
        grand_challenge.read(tmp_path / "a.json", ReadOptions())
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (points(type="Polygon"), "type 'Multiple points' expected"),
        ('{"points": 3}', "a list expected"),
    ],
)
def test_other_points_are_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        grand_challenge.read(write_text(tmp_path / "a.json", text), ReadOptions(mpp=QUARTER))
