"""GeoJSON of a slide, as QuPath writes it and as it reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange import geojson, geojson_study
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.outcome import outcome
from mitoscope.geometry import BoxPx, BoxPx0
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    Shape,
    SlideRecord,
    Study,
)

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]


def feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "id": "PathObject", "geometry": geometry, "properties": properties}


def read(tmp_path: Path, value: Any, options: ReadOptions | None = None) -> Study:
    path = tmp_path / "slide.geojson"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return geojson_study.read(path, options or ReadOptions())


def collection(*features: Any, **members: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features)} | members


def mitosis(**more: Any) -> dict[str, Any]:
    return {"objectType": "annotation", "classification": {"name": "Mitosis", "color": [200, 0, 0]}} | more


def test_points_boxes_and_polygons_are_cells(tmp_path: Path) -> None:
    study = read(
        tmp_path,
        collection(
            feature("Point", [5, 6.5], **mitosis()),
            feature("MultiPoint", [[1, 2], [3, 4]], **mitosis()),
            feature("Polygon", [SQUARE], **mitosis()),
            feature("Polygon", [[[0, 0], [9, 1], [4, 9], [0, 0]]], **mitosis()),
            feature("MultiPolygon", [[SQUARE], [[[20, 20], [29, 21], [24, 29]]]], **mitosis()),
        ),
    )
    spot, box, polygon = Shape.SPOT, Shape.BOX, Shape.POLYGON
    assert study.cells.shape.tolist() == [spot, spot, spot, box, polygon, box, polygon]
    assert study.cells.bounds_px0[0].tolist() == [5, 6.5, 5, 6.5]
    assert len(study.cells.vertices_px0[4]) == 3
    assert study.labels.names == ("mitotic figure",)
    assert study.slides[0].name == "slide"


def test_a_bare_list_and_a_single_feature_are_read(tmp_path: Path) -> None:
    one = feature("Point", [5, 6], **mitosis())
    assert len(read(tmp_path, [one]).cells) == 1
    assert len(read(tmp_path, one).cells) == 1


def test_detections_of_a_model_keep_score_and_measurements(tmp_path: Path) -> None:
    """Both ways of writing measurements: a list (QuPath up to 0.3) and an object."""
    old = [{"name": "Score", "value": 0.75}, {"name": "Nucleus: Area µm^2", "value": 40.5}]
    new = {"Score": 0.75, "Nucleus: Area µm^2": 40.5}
    for measurements in (old, new):
        known = mitosis(objectType="detection", measurements=measurements, name="no 7")
        found = feature("Polygon", [SQUARE], **known) | {
            "nucleusGeometry": {"type": "Polygon", "coordinates": []}
        }
        study = read(tmp_path, collection(found))
        assert study.raters == (Rater("model", RaterKind.MODEL),)
        assert study.events.score.tolist() == [0.75]
        assert study.cells.attributes[0] == {
            "geojson.name": "no 7",
            "geojson.measurements": {"Nucleus: Area µm^2": 40.5},
            "geojson.nucleusGeometry": {"type": "Polygon", "coordinates": []},
            "geojson.objectType": "detection",
        }


def test_tumour_and_ignore_are_regions_with_their_holes(tmp_path: Path) -> None:
    hole = [[2, 2], [4, 2], [4, 4], [2, 2]]
    study = read(
        tmp_path,
        collection(
            feature("Polygon", [SQUARE, hole], classification={"name": "Tumor"}),
            feature("Polygon", [SQUARE], classification={"names": ["Ignore*"]}),
        ),
    )
    assert [(one.kind, len(one.vertices_px0)) for one in study.regions] == [
        (RegionKind.TUMOUR, 4),
        (RegionKind.EXCLUSION, 3),
        (RegionKind.EXCLUSION, 4),
    ]
    assert len(study.cells) == 0


def test_hot_spots_and_lines_are_no_cells(tmp_path: Path) -> None:
    study = read(
        tmp_path,
        collection(
            feature("Polygon", [SQUARE], objectType="annotation", name="my area"),
            feature("LineString", [[0, 0], [1, 1]], **mitosis()),
            feature("Polygon", [SQUARE], classification={"name": "Hot spot"}),
        ),
    )
    assert len(study.cells) == 0
    assert {one.why for one in study.quarantine} == {geojson_study.NOT_A_CELL}
    assert [one.what for one in study.quarantine] == ["my area", "LineString", "Hot spot"]


def test_what_detect_writes_is_read(tmp_path: Path) -> None:
    found = Detections.of(np.array([[100.25, 200], [30, 40]]), [0.9, 0.125], source="x")
    geojson.write(tmp_path / "a.geojson", found, hot_spot=BoxPx0(0, 0, 50, 50), mitotic_count=2)
    study = geojson_study.read(tmp_path / "a.geojson", ReadOptions())
    assert np.allclose(study.cells.centres_px0, found.points_px0)
    assert outcome(study)[1].tolist() == [0.9, 0.125]


def made() -> Study:
    return Study(
        (SlideRecord("slide"),),
        raters=(Rater("consensus", RaterKind.CONSENSUS), Rater("net", RaterKind.MODEL)),
        cells=Cells.of(
            [0, 0, 0],
            np.array([[1200, 2200, 1200, 2200], [1300, 2300, 1310, 2310], [1400, 2400, 1450, 2450]]),
            shape=[Shape.SPOT, Shape.BOX, Shape.CIRCLE],
        ),
        events=LabelEvents.of([0, 1], [0, 1], [-1, -1]),
        regions=(Region(0, np.array(SQUARE[:4]) + 1000.0),),
    )


def test_written_objects_are_what_qupath_reads(tmp_path: Path) -> None:
    geojson_study.write(made(), tmp_path / "a.geojson", WriteOptions())
    found = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))["features"]
    assert [one["geometry"]["type"] for one in found] == ["Point", "Polygon", "Polygon", "Polygon"]
    assert [one["properties"]["objectType"] for one in found] == [
        "annotation",
        "detection",
        "annotation",
        "annotation",
    ]
    assert found[1]["geometry"]["coordinates"] == [
        [[1300, 2300], [1310, 2300], [1310, 2310], [1300, 2310], [1300, 2300]]
    ]
    assert len(found[2]["geometry"]["coordinates"][0]) == geojson_study.CIRCLE_VERTICES + 1
    assert found[3]["properties"]["classification"]["name"] == "Tumor"


def test_coordinates_can_count_from_the_bounds(tmp_path: Path) -> None:
    bounds = BoxPx(1000, 2000, 5000, 5000)
    geojson_study.write(made(), tmp_path / "a.geojson", WriteOptions(bounds=bounds))
    value = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert value["features"][0]["geometry"]["coordinates"] == [200, 200]
    assert value["offset_px0"] == [1000, 2000]
    assert geojson_study.read(tmp_path / "a.geojson", ReadOptions()) == made()
    # Another tool drops what it does not know: then the user names the offset.
    bare = {key: value[key] for key in ("type", "features")}
    study = read(tmp_path, bare, ReadOptions(offset_px0=(1000.0, 2000.0)))
    assert study.cells.bounds_px0[:2].tolist() == made().cells.bounds_px0[:2].tolist()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("{", "not JSON"),
        ('{"type": "FeatureCollection", "features": [' + "[" * 1_000_000, "nested too deep"),
        (collection(), None),
        ({"type": "FeatureCollection"}, "features: a list expected"),
        (collection(3), r"features\[0\]: an object expected"),
        (collection({"type": "Feature"}), r"features\[0\].geometry: an object expected"),
        (collection(feature("Point", [])), "pairs of x and y"),
        (collection(feature("Point", None)), "a list expected"),
        (collection(feature("Point", ["1", 2])), "a number expected"),
        (collection(feature("Polygon", [[]])), "pairs of x and y"),
        (collection(feature("Polygon", [], **mitosis())), "a polygon without a ring"),
        (collection(feature("Point", [1, 2], classification={"name": 3})), "a name expected"),
        (collection(feature("Point", [1, 2], **mitosis(measurements={"score": 5}))), "a score of 5"),
        (collection(feature("Point", [1, 2], **mitosis(measurements=[3]))), "an object expected"),
        (collection(offset_px0=[1]), "offset_px0: x and y expected"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, value: Any, why: str | None) -> None:
    if why is None:
        assert len(read(tmp_path, value).cells) == 0
        return
    with pytest.raises(FormatError, match=why) as caught:
        read(tmp_path, value)
    assert "\n" not in str(caught.value)
