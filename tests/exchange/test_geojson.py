"""GeoJSON of a slide, as QuPath writes it and as it reads it."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.detections import Detections, Searched
from mitoscope.errors import FormatError, RegionError
from mitoscope.exchange import geojson
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.predictions import read_detections
from mitoscope.exchange.registry import read_study
from mitoscope.geometry import BoxPx, BoxPx0, PointPx0
from mitoscope.labels import LOOK_ALIKE
from mitoscope.region import Region as Drawn
from mitoscope.region import join_outlines, outline
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
    return geojson.read(path, options or ReadOptions())


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
        (RegionKind.EXCLUSION, 4),
        (RegionKind.EXCLUSION, 3),
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
    assert {one.why for one in study.quarantine} == {geojson.NOT_A_CELL}
    assert [one.what for one in study.quarantine] == ["my area", "LineString", "Hot spot"]


def test_what_detect_writes_is_read(tmp_path: Path) -> None:
    found = Detections.of(np.array([[100.25, 200], [30, 40]]), [0.9, 0.125], source="x")
    geojson.write_findings(tmp_path / "a.geojson", found, hot_spot=BoxPx0(0, 0, 50, 50), mitotic_count=2)
    study = geojson.read(tmp_path / "a.geojson", ReadOptions())
    assert np.allclose(study.cells.centres_px0, found.points_px0)
    assert stated_classes(study, models=True)[1].tolist() == [0.9, 0.125]


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
    geojson.write(made(), tmp_path / "a.geojson", WriteOptions())
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
    assert len(found[2]["geometry"]["coordinates"][0]) == geojson.CIRCLE_VERTICES + 1
    assert found[3]["properties"]["classification"]["name"] == "Tumor"


def test_coordinates_can_count_from_the_bounds(tmp_path: Path) -> None:
    bounds = BoxPx(1000, 2000, 5000, 5000)
    geojson.write(made(), tmp_path / "a.geojson", WriteOptions(bounds=bounds))
    value = json.loads((tmp_path / "a.geojson").read_text(encoding="utf-8"))
    assert value["features"][0]["geometry"]["coordinates"] == [200, 200]
    assert value["offset_px0"] == [1000, 2000]
    assert geojson.read(tmp_path / "a.geojson", ReadOptions()) == made()
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
        ({"images": []}, "not GeoJSON: no features"),
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


FOUND = Detections.concat(
    [
        Detections.of([[100.25, 200.5]], [0.875]),
        Detections.of([[300.0, 400.0], [5.1, 6.2]], [0.5, 0.1], label=LOOK_ALIKE.name),
    ]
)


def features_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
    return found


def test_findings_are_written_as_qupath_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    geojson.write_findings(path, FOUND, hot_spot=BoxPx0(0, 0, 400, 300), mitotic_count=1)
    hot_spot, figure, *others = features_of(path)
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
    ids = [one["id"] for one in (figure, *others)]
    assert len({str(uuid.UUID(one)) for one in ids}) == 3


def test_what_is_not_above_the_threshold_is_a_candidate(tmp_path: Path) -> None:
    found = Detections.of([[1, 2], [3, 4], [5, 6]], [0.9, 0.5, 0.4]).with_searched(Searched(threshold=0.5))
    geojson.write_findings(tmp_path / "a.geojson", found)
    names = [one["properties"]["classification"]["name"] for one in features_of(tmp_path / "a.geojson")]
    assert names == ["mitotic figure", *["mitotic figure candidate"] * 2]
    again = read_detections(tmp_path / "a.geojson")["a"]
    assert again.label.tolist() == ["mitotic figure"] * 3
    assert again.score.tolist() == [0.9, 0.5, 0.4]


def test_atypical_figures_have_a_class_and_a_colour_of_their_own(tmp_path: Path) -> None:
    label = ["mitotic figure", "atypical mitotic figure", "atypical mitotic figure"]
    found = Detections.of([[1, 2], [3, 4], [5, 6]], [0.9, 0.8, 0.4]).relabelled(np.array(label))
    geojson.write_findings(tmp_path / "a.geojson", found.with_searched(Searched(threshold=0.5)))
    classes = [one["properties"]["classification"] for one in features_of(tmp_path / "a.geojson")]
    assert [one["name"] for one in classes] == [*label[:2], "mitotic figure candidate"]
    assert classes[1]["color"] == [156, 54, 181]
    again = read_detections(tmp_path / "a.geojson")["a"]
    assert again.label.tolist() == [*label[:2], "mitotic figure"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(
        st.tuples(st.floats(0, 2e5), st.floats(0, 2e5), st.floats(0, 1)),
        max_size=6,
        unique_by=lambda p: p[:2],
    ),
    origin=st.sampled_from([PointPx0(0, 0), PointPx0(1234.0, 567.0)]),
)
def test_findings_are_read_back(
    points: list[tuple[float, float, float]], origin: PointPx0, tmp_path: Path
) -> None:
    path = tmp_path / "slide.geojson"
    rows = np.array(points).reshape(-1, 3)
    written = Detections.of(rows[:, :2], rows[:, 2])
    geojson.write_findings(path, written, origin_px0=origin)
    again = read_detections(path, options=ReadOptions(offset_px0=(origin.x, origin.y)))["slide"]
    assert np.abs(again.points_px0 - written.points_px0).max(initial=0) < 1e-9
    assert np.array_equal(again.score, written.score)
    assert np.array_equal(again.label, written.label)


def test_findings_may_be_relative_to_the_vendors_bounds(tmp_path: Path) -> None:
    path = tmp_path / "slide.geojson"
    tumour = Drawn.of_polygon(np.array(SQUARE[:4]) + np.array([1000, 2000]), "Tumor")
    origin = PointPx0(1000, 2000)
    geojson.write_findings(
        path, FOUND, hot_spot=BoxPx0(1000, 2000, 10, 10), regions=[tumour], origin_px0=origin
    )
    region, hot_spot = (one["geometry"]["coordinates"][0] for one in features_of(path)[:2])
    assert hot_spot[0] == [0, 0]
    assert sorted(region[:4]) == [[0, 0], [0, 10], [10, 0], [10, 10]]
    again = geojson.read_tumour(path, origin_px0=origin).tumour
    assert again is not None
    assert again.bounds_px0 == BoxPx0(1000, 2000, 10, 10)


def test_regions_of_a_study_count_from_the_bounds_too(tmp_path: Path) -> None:
    bounds = BoxPx(1000, 2000, 5000, 5000)
    geojson.write(made(), tmp_path / "a.geojson", WriteOptions(bounds=bounds))
    region = features_of(tmp_path / "a.geojson")[-1]["geometry"]["coordinates"][0]
    assert region == [[0, -1000], [10, -1000], [10, -990], [0, -990], [0, -1000]]
    found = geojson.read_tumour(tmp_path / "a.geojson").tumour
    assert found is not None
    assert found.bounds_px0 == BoxPx0(1000, 1000, 10, 10)


def test_regions_with_holes_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "tumour.geojson"
    square, hole = np.array(SQUARE[:4]) * 10.0, np.array([[40.0, 40.0], [60.0, 40.0], [60.0, 60.0]])
    region = Drawn(outline(square, [hole]).union(outline(square + 200)), "Tumor")
    geojson.write_findings(path, Detections.empty(), regions=[region])
    again = geojson.read_tumour(path).tumour
    assert again is not None
    assert again.shape.equals(region.shape)


def put(path: Path, *features: Any) -> Path:
    path.write_text(json.dumps(list(features)), encoding="utf-8")
    return path


def outlined(name: str, left: float, *holes: Any, width: float = 100) -> dict[str, Any]:
    ring = [[left, 0], [left + width, 0], [left + width, 100], [left, 100], [left, 0]]
    return feature("Polygon", [ring, *holes], objectType="annotation", classification={"name": name})


@pytest.mark.parametrize("name", ["Ignore*", "Non-tumor", "Peritumoral stroma", "Tumor: Necrosis", "Nekrose"])
def test_both_readers_take_an_exclusion_out_of_the_tumour(tmp_path: Path, name: str) -> None:
    path = put(tmp_path / "a.geojson", outlined("Tumor", 0, width=200), outlined(name, 100))
    tumour = geojson.read_tumour(path).tumour
    study = read_study(path)
    assert tumour is not None
    assert tumour.shape.area == pytest.approx(100 * 100)
    joined = join_outlines((one.kind, outline(one.vertices_px0)) for one in study.regions).tumour
    assert joined == tumour


def test_an_island_of_tumour_in_a_hole_is_tumour_for_both_readers(tmp_path: Path) -> None:
    hole = [[20, 20], [80, 20], [80, 80], [20, 80], [20, 20]]
    island = [[40, 40], [60, 40], [60, 60], [40, 60], [40, 40]]
    ring = [[0, 0], [100, 0], [100, 100], [0, 100], [0, 0]]
    drawn = feature("MultiPolygon", [[ring, hole], [island]], classification={"name": "Tumor"})
    tumour = geojson.read_tumour(put(tmp_path / "a.geojson", drawn)).tumour
    study = read_study(tmp_path / "a.geojson")
    joined = join_outlines((one.kind, outline(one.vertices_px0)) for one in study.regions).tumour
    assert tumour is not None
    assert joined is not None
    assert tumour.shape.area == joined.shape.area == 10_000 - 3600 + 400


def test_a_hole_in_an_exclusion_is_not_excluded(tmp_path: Path) -> None:
    hole = [[20, 20], [80, 20], [80, 80], [20, 80], [20, 20]]
    path = put(tmp_path / "a.geojson", outlined("Tumor", 0), outlined("Ignore*", 0, hole))
    study = read_study(path)
    joined = join_outlines((one.kind, outline(one.vertices_px0)) for one in study.regions).tumour
    tumour = geojson.read_tumour(path).tumour
    assert tumour is not None
    assert joined is not None
    assert tumour.shape.area == joined.shape.area == 3600


def test_the_tumour_is_what_is_called_so(tmp_path: Path) -> None:
    detection = outlined("Tumor", 700) | {
        "properties": {"objectType": "detection", "classification": "Tumor"}
    }
    path = put(
        tmp_path / "tumour.geojson",
        outlined("Stroma", 500),
        outlined("Karzinom", 0),
        outlined("Hot spot", 900),
        detection,
    )
    inside = geojson.read_tumour(path).tumour
    assert inside is not None
    assert inside.contains([[20, 20], [520, 20], [920, 20], [720, 20]]).tolist() == [
        True,
        False,
        False,
        False,
    ]
    # An outline without any class was drawn for this: it is the tumour.
    bare = put(tmp_path / "bare.geojson", feature("Polygon", [SQUARE]))
    assert geojson.read_tumour(bare).tumour is not None
    with pytest.raises(FormatError, match=r"no outline; draw the tumour"):
        geojson.read_tumour(put(tmp_path / "none.geojson", outlined("Hot spot", 0), detection))
    with pytest.raises(RegionError, match=r"'Block A' \(1\); name the classes that are tumour"):
        geojson.read_tumour(put(tmp_path / "odd.geojson", outlined("Block A", 0), outlined("Tumor", 100)))
    named = geojson.read_tumour(tmp_path / "odd.geojson", ("Block A",)).tumour
    assert named is not None
    assert named.bounds_px0 == BoxPx0(0, 0, 100, 100)


@pytest.mark.parametrize(
    ("ring", "why"),
    [
        ([[0, 0], [10, 10], [10, 0], [0, 10]], "features\\[0\\]: an outline crosses itself"),
        ([[0, 0], [10, 10]], "features\\[0\\]: a polygon of 2 corners has no area"),
        ([[0, 0], [10, 10], [20, 20]], "features\\[0\\]: an outline without area"),
        ([[0, 0], [None, 10], [20, 20]], "NaN or infinite"),
    ],
)
def test_an_outline_that_cannot_be_used_is_refused_or_quarantined(
    tmp_path: Path, ring: Any, why: str
) -> None:
    path = put(tmp_path / "a.geojson", feature("Polygon", [ring], classification={"name": "Tumor"}))
    with pytest.raises(RegionError, match=why):
        geojson.read_tumour(path)
    study = read_study(path)
    assert len(study.regions) == 0
    assert len(study.quarantine) == 1


def test_what_qupath_could_not_measure_is_empty(tmp_path: Path) -> None:
    one = feature("Polygon", [SQUARE], **mitosis(measurements={"Area": 2.0, "Length": "NaN"}))
    for text in (json.dumps([one]), json.dumps([one]).replace('"NaN"', "NaN")):
        study = read(tmp_path, text)
        assert study.cells.attributes[0]["geojson.measurements"] == {"Area": 2.0, "Length": None}


def test_an_object_without_a_geometry_is_set_aside(tmp_path: Path) -> None:
    root = {"type": "Feature", "id": "r", "geometry": None, "properties": {"objectType": "root"}}
    study = read(tmp_path, collection(feature("Point", [1, 2], **mitosis()), root))
    assert len(study.cells) == 1
    assert [(one.why, one.what) for one in study.quarantine] == [(geojson.NO_GEOMETRY, "root")]


@pytest.mark.parametrize("colour", [[200, 0, 0], -3670016, 13107200])
def test_colours_are_lists_or_integers(tmp_path: Path, colour: Any) -> None:
    known = {"objectType": "annotation", "classification": {"name": "Tubule", "color": colour}}
    assert read(tmp_path, collection(feature("Point", [1, 2], **known))).labels.labels[0].colour == "#c80000"


def test_the_named_rater_gave_the_labels(tmp_path: Path) -> None:
    value = collection(feature("Point", [1, 2], **mitosis()))
    assert read(tmp_path, value, ReadOptions(rater="me")).raters == (Rater("me"),)
    net = ReadOptions(rater="RetinaNet")
    assert read(tmp_path, value, net).raters == (Rater("RetinaNet", RaterKind.MODEL),)
