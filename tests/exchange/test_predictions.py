"""Any format as truth or as detections."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, ScaleError
from mitoscope.exchange import geojson
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.predictions import read_any_predictions, read_detections, read_results
from mitoscope.exchange.registry import read_study, write_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.image_names import stem


@pytest.mark.realdata
def test_truth_of_both_midog_files_is_one(data: Path) -> None:
    files = [data / "annotations" / f"MIDOG.{end}" for end in ("json", "sqlite")]
    both = [{stem(slide.name): slide for slide in read_ground_truth(path)} for path in files]
    first, second = both
    assert len(first) == 200
    assert first.keys() == second.keys()
    assert all((first[name].cells.figures_px0 == second[name].cells.figures_px0).all() for name in first)
    assert sum(len(slide.cells.figures_px0) for slide in first.values()) == 1721


def test_detections_with_a_hot_spot_and_a_double_are_read(tmp_path: Path) -> None:
    found = Detections.of([[100, 200], [100, 200], [7, 8]], [0.9, 0.5, 0.25], source="x")
    geojson.write_findings(tmp_path / "case.geojson", found, hot_spot=BoxPx0(0, 0, 50, 50), mitotic_count=2)
    read = read_any_predictions(tmp_path / "case.geojson")
    assert list(read) == ["case"]
    assert read["case"].points_px0.tolist() == found.points_px0.tolist()
    assert read["case"].score.tolist() == [0.9, 0.5, 0.25]


def test_challenge_csv_is_truth_by_content(tmp_path: Path) -> None:
    (tmp_path / "07.csv").write_text("100,200\n", encoding="utf-8")
    (slide,) = read_ground_truth(tmp_path / "07.csv")
    assert slide.cells.figures_px0.tolist() == [[200, 100]]
    (tmp_path / "t.csv").write_text("image,x,y,label\n07.tif,1,2,Mitosis\n", encoding="utf-8")
    (slide,) = read_ground_truth(tmp_path / "t.csv")
    assert (slide.name, slide.cells.figures_px0.tolist()) == ("07", [[1, 2]])


def test_points_in_mm_need_the_resolution(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,x,y,score\n07.tif,100,200,0.5\n", encoding="utf-8")
    study = read_study(tmp_path / "t.csv")
    write_mpp = Mpp.square(0.25)
    write_study(study, tmp_path / "07.json", "grand-challenge", WriteOptions(mpp=write_mpp))
    with pytest.raises(ScaleError, match="--mpp"):
        read_any_predictions(tmp_path / "07.json")
    found = read_any_predictions(tmp_path / "07.json", options=ReadOptions(mpp=write_mpp))
    assert found["07"].points_px0.tolist() == [[100, 200]]


def test_truth_with_cells_that_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image,x,y,label\na,nan,2,mitosis\n", encoding="utf-8")
    with pytest.raises(FormatError, match="column x: a finite number expected"):
        read_ground_truth(tmp_path / "t.csv")
    with pytest.raises(FormatError, match="1 annotations cannot be judged, the first: NaN or infinity"):
        read_detections(tmp_path / "t.csv")


def test_a_folder_of_geojson_is_read_slide_by_slide(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("a", "b"):
        geojson.write_findings(folder / f"{name}.geojson", Detections.of([[1, 2]], [0.5], source="x"))
    assert {name: len(one) for name, one in read_any_predictions(folder).items()} == {"a": 1, "b": 1}


def test_the_source_of_detections_is_the_whole_name_of_their_file(tmp_path: Path) -> None:
    path = tmp_path / "found.geojson"
    geojson.write_findings(path, Detections.of([[100, 200]], [0.9]))
    (detections,) = read_detections(path).values()
    assert detections.source.tolist() == ["found.geojson"]


TABLE = "x,y,score,label\n1,2,0.5,mitotic figure\n"


def test_a_folder_that_detect_wrote(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TABLE)
    (tmp_path / "case.1.csv").write_text("x,y,score,label\n")
    (tmp_path / "a.json").write_text("{}")
    found = read_results(tmp_path)
    assert {image: len(result.candidates) for image, result in found.items()} == {"a": 1, "case.1": 0}


def test_one_file_of_many_images_or_of_one(tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("image,x,y,score\na.webp,1,2,0.5\nb.webp,1,2,0.5\n")
    assert list(read_results(path)) == ["a", "b"]
    path = tmp_path / "P0_01.csv"
    path.write_text(TABLE)
    assert list(read_results(path)) == ["P0_01"]


def test_nothing_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no results in this folder"):
        read_results(tmp_path)
    with pytest.raises(FormatError, match="No such file"):
        read_results(tmp_path / "none")
