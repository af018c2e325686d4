from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange import geojson
from mitoscope.geometry import BoxPx0, PointPx0
from mitoscope.labels import LOOK_ALIKE
from mitoscope.region import Region, outline

SQUARE = np.array([[10.0, 10.0], [90.0, 10.0], [90.0, 90.0], [10.0, 90.0]])
HOLE = np.array([[40.0, 40.0], [60.0, 40.0], [60.0, 60.0]])
FOUND = Detections.concat(
    [
        Detections.of([[100.25, 200.5]], [0.875]),
        Detections.of([[300.0, 400.0], [5.1, 6.2]], [0.5, 0.1], label=LOOK_ALIKE.name),
    ]
)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def polygon(*rings: Any, **properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": [np.array(ring).tolist() for ring in rings]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_the_file_is_what_qupath_reads(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    geojson.write(path, FOUND, hot_spot=BoxPx0(0, 0, 400, 300), mitotic_count=1)
    value = read(path)
    assert value["type"] == "FeatureCollection"
    hot_spot, figure, *others = value["features"]
    assert hot_spot["properties"]["objectType"] == "annotation"
    assert hot_spot["properties"]["measurements"] == {"Mitotic count": 1}
    assert hot_spot["geometry"]["coordinates"] == [[[0, 0], [400, 0], [400, 300], [0, 300], [0, 0]]]
    assert figure["properties"] == {
        "objectType": "detection",
        "classification": {"name": "mitotic figure", "color": [224, 49, 49]},
        "measurements": {"Score": 0.875},
    }
    ring = np.array(figure["geometry"]["coordinates"][0])
    assert figure["geometry"]["type"] == "Polygon"
    assert (ring[0] == ring[-1]).all()
    assert np.hypot(*(ring - [100.25, 200.5]).T) == pytest.approx(25, abs=1e-3)
    assert [one["properties"]["classification"]["name"] for one in others] == ["look-alike"] * 2


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(st.tuples(st.floats(0, 2e5), st.floats(0, 2e5), st.floats(0, 1)), max_size=6),
    origin=st.sampled_from([PointPx0(0, 0), PointPx0(1234.0, 567.0)]),
)
def test_detections_are_read_back(
    points: list[tuple[float, float, float]], origin: PointPx0, tmp_path: Path
) -> None:
    path = tmp_path / "slide.geojson"
    rows = np.array(points).reshape(-1, 3)
    written = Detections.of(rows[:, :2], rows[:, 2])
    geojson.write(path, written, origin_px0=origin)
    again = geojson.read(path, origin_px0=origin).detections
    assert np.abs(again.points_px0 - written.points_px0).max(initial=0) < 1e-9
    assert np.array_equal(again.score, written.score)
    assert np.array_equal(again.label, written.label)


def test_coordinates_may_be_relative_to_the_vendors_bounds(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    geojson.write(path, FOUND, hot_spot=BoxPx0(1000, 2000, 10, 10), origin_px0=PointPx0(1000, 2000))
    assert read(path)["features"][0]["geometry"]["coordinates"][0][0] == [0, 0]


def test_regions_with_holes_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tumour.geojson"
    region = Region(outline(SQUARE, [HOLE]).union(outline(SQUARE + 200)), "Tumor")
    geojson.write(path, Detections.empty(), regions=[region])
    (again,) = geojson.read(path).annotations
    assert again.name == "Tumor"
    assert again.shape.equals(region.shape)


def test_the_tumour_is_what_is_called_so(tmp_path: Path) -> None:
    path = tmp_path / "tumour.geojson"
    stroma = polygon(SQUARE + 500, objectType="annotation", classification={"name": "Stroma"})
    tumour = polygon(SQUARE, HOLE, objectType="annotation", classification={"name": "Tumor: invasive"})
    hot_spot = polygon(SQUARE + 900, objectType="annotation", classification={"name": "Hot spot"})
    cell = polygon(SQUARE + 700, objectType="detection")
    found = geojson.read_tumour(put(path, [stroma, tumour, hot_spot, cell])).tumour
    assert found is not None
    assert found.contains([[20, 20], [55, 45], [520, 520], [920, 920], [720, 720]]).tolist() == [
        True,
        False,
        False,
        False,
        False,
    ]
    with pytest.raises(FormatError, match=r"no outline; draw the tumour"):
        geojson.read_tumour(put(path, [hot_spot, cell]))


def test_the_source_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    geojson.write(path, FOUND)
    assert geojson.read(path).detections.source.tolist() == ["slide.geojson"] * 3


def test_points_old_measurements_and_bare_geometries_are_read(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    point = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [1, 2, 0]},
        "properties": {
            "objectType": "annotation",
            "classification": {"name": "NMF", "colorRGB": -1},
            "measurements": [{"name": "Score", "value": 0.25}],
        },
    }
    points = {
        "type": "Feature",
        "geometry": {"type": "MultiPoint", "coordinates": [[3, 4], [5, 6]]},
        "properties": None,
    }
    line = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[3, 4], [5, 6]]}}
    nowhere = {"type": "Feature", "geometry": None}
    found = geojson.read(put(path, [point, points, line, nowhere])).detections
    assert found.points_px0.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert found.score.tolist() == [0.25, 1, 1]
    assert found.label.tolist() == ["look-alike", "mitotic figure", "mitotic figure"]
    bare = geojson.read(put(path, polygon(SQUARE)["geometry"]))
    assert len(bare.annotations) == 1


RING = SQUARE.tolist()
BAD: dict[str, tuple[Any, str]] = {
    "not JSON": ("{", r"slide\.geojson: not JSON at line 1"),
    "empty": ("", "not JSON"),
    "deep": ("[" * 1_000_000, r"slide\.geojson: nested too deep"),
    "deep geometry": ('{"type":"Polygon","coordinates":' + "[" * 1_000_000, "nested too deep"),
    "NaN": ('{"type":"Point","coordinates":[NaN,1]}', "NaN"),
    "text": ('"tumour"', "an object expected"),
    "no features": ({"type": "FeatureCollection"}, "a list expected, got nothing"),
    "no GeoJSON": ({"images": []}, "not GeoJSON: no features"),
    "number as feature": ([7], r"feature 1: an object expected, got int"),
    "unknown geometry": (
        [{"geometry": {"type": "Circle"}}],
        r"feature 1\.geometry: a geometry of unknown type 'Circle'",
    ),
    "flat ring": ([polygon([1, 2, 3])], r"feature 1\.geometry: a list expected, got int"),
    "short position": ([polygon([[1], [2], [3]])], "a position of 2 numbers expected, got 1"),
    "text position": ([polygon([["a", "b"]] * 4)], "a number expected, got str 'a'"),
    "null position": (
        [{"geometry": {"type": "Point", "coordinates": [None, 1]}}],
        "a position that is not a number",
    ),
    "two corners": (
        [polygon(RING), polygon(RING[:2])],
        "feature 2.geometry: a polygon of 2 corners has no area",
    ),
    "no ring": ([{"geometry": {"type": "Polygon", "coordinates": []}}], "a polygon without a ring"),
    "no polygon": (
        [{"geometry": {"type": "MultiPolygon", "coordinates": []}}],
        "an outline without a polygon",
    ),
    "score": (
        [polygon(RING, objectType="detection", measurements={"Score": 7})],
        r"a score in \[0, 1\] expected, got 7",
    ),
    "detection as line": (
        [{"geometry": {"type": "LineString", "coordinates": []}, "properties": {"objectType": "detection"}}],
        "a detection as 'LineString'",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_end_in_one_line_with_the_place(name: str, tmp_path: Path) -> None:
    content, message = BAD[name]
    with pytest.raises(FormatError, match=message) as caught:
        geojson.read(put(tmp_path / "slide.geojson", content))
    assert "\n" not in str(caught.value)
