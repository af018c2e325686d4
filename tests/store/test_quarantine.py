"""Promise 14 as far as the store goes: nothing is moved or dropped in silence."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from mitoscope.geometry import SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    DatasetVersion,
    LabelEvents,
    Rater,
    Shape,
    SlideRecord,
    Source,
    Store,
    Study,
    sift,
)

from .making import scattered_study

SIZE = SizePx(1000, 800)


def study_of(bounds: list[list[float]], **columns: object) -> Study:
    cells = Cells.of(np.zeros(len(bounds)), bounds, **columns)  # type: ignore[arg-type]
    return Study((SlideRecord("a.svs", SIZE),), cells=cells)


@pytest.mark.parametrize(
    ("box", "why"),
    [
        ([np.nan, 1, 2, 2], "NaN or infinity"),
        ([1, 1, np.inf, 2], "NaN or infinity"),
        ([5, 5, 4, 6], "a box without extent"),
        ([5, 5, 5, 6], "a box without extent"),
        ([1001, 5, 1002, 6], "outside the slide"),
        ([5, -9, 6, -1], "outside the slide"),
        ([5, 801, 6, 900], "outside the slide"),
        ([1e300, 5, 1e301, 6], "outside the slide"),
    ],
)
def test_cells_that_cannot_be_there(box: list[float], why: str) -> None:
    sifted = sift(study_of([[1, 1, 3, 3], box], shape=[Shape.BOX, Shape.BOX]), source="f.json")
    assert len(sifted.cells) == 1
    (entry,) = sifted.quarantine
    assert (entry.where, entry.why, entry.slide) == ("f.json: cell 1", why, "a.svs")
    assert "bounds_px0" in entry.what


def test_boxes_over_the_edge_are_cells() -> None:
    # MIDOG++ holds boxes whose centre lies outside by 2 and 5 px (ids 15363, 15728).
    study = study_of([[-27, 100, 23, 150], [100, -30, 150, 20]], shape=[Shape.BOX, Shape.BOX])
    assert sift(study, source="f") is study


def test_the_second_of_two_at_one_place() -> None:
    sifted = sift(
        study_of([[1, 1, 1, 1], [2, 2, 2, 2], [1, 1, 1, 1]], external_id=["a", "b", "c"]), source="f"
    )
    assert sifted.cells.external_id.tolist() == ["a", "b"]
    assert [(one.where, one.why) for one in sifted.quarantine] == [("f: id c", "the same place twice")]


def test_another_plane_shape_slide_or_polygon_is_another_place() -> None:
    study = study_of(
        [[1, 1, 3, 3]] * 4, shape=[Shape.BOX, Shape.BOX, Shape.CIRCLE, Shape.BOX], z=[0, 1, 0, 2]
    )
    assert sift(study, source="f") is study
    triangle, other = np.array([[0.0, 0], [4, 0], [4, 4]]), np.array([[0.0, 0], [0, 4], [4, 4]])
    vertices = {0: triangle, 1: other, 2: triangle}
    polygons = study_of([[0, 0, 4, 4]] * 3, shape=[Shape.POLYGON] * 3, vertices_px0=vertices)
    assert [one.where for one in sift(polygons, source="f").quarantine] == ["f: cell 2"]


def test_a_deleted_cell_may_lie_under_a_live_one() -> None:
    study = study_of([[1, 1, 1, 1]] * 2, deleted=[True, False])
    assert sift(study, source="f") is study


def test_one_id_twice() -> None:
    sifted = sift(study_of([[1, 1, 1, 1], [2, 2, 2, 2]], guid=["g", "g"]), source="f")
    assert [one.why for one in sifted.quarantine] == ["the same id twice"]


def test_a_polygon_needs_an_area() -> None:
    study = study_of([[0, 0, 4, 4]], shape=[Shape.POLYGON], vertices_px0={0: np.zeros((2, 2))})
    assert [one.why for one in sift(study, source="f").quarantine] == ["a polygon of fewer than 3 vertices"]


def places(count: int, *, scale: float, seed: int = 0) -> list[list[float]]:
    points = np.random.default_rng(seed).uniform(0, [1000, 800], (count, 2)) * scale
    return [[float(x), float(y), float(x), float(y)] for x, y in points]


def test_half_scale_coordinates_are_held_back_unless_trusted() -> None:
    study = study_of(places(40, scale=0.5))
    sifted = sift(study, source="f")
    assert len(sifted.cells) == 0
    assert {one.why for one in sifted.quarantine} == {"coordinates at half scale"}
    assert len(sifted.quarantine) == 40
    assert sift(study, source="f", trust_scale=True) is study


def test_full_scale_few_cells_and_a_hot_spot_are_not_held_back() -> None:
    hot_spot = [[300.0 + x, 200.0 + x, 300.0 + x, 200.0 + x] for x in range(40)]
    for bounds in (places(40, scale=1.0), places(19, scale=0.5), hot_spot):
        study = study_of(bounds)
        assert sift(study, source="f") is study


def test_what_belongs_to_a_quarantined_cell_goes_with_it(store: Store) -> None:
    study = scattered_study(4, slides=1, seed=9)
    bounds = study.cells.bounds_px0.copy()
    bounds[1] = np.nan
    version = DatasetVersion("MEL", 1, np.array([0, 1, 3]), np.array([0, 1, 1]))
    guid = study.cells.guid + " x"
    study = replace(study, cells=replace(study.cells, bounds_px0=bounds, guid=guid), versions=(version,))
    report = store.import_study(study, source=Source("f"))
    assert report.quarantined == {"NaN or infinity": 1}
    whole = store.export_study()
    assert len(whole.cells) == 53
    assert len(whole.events) == 106
    assert whole.versions[0].cell.tolist() == [50, 52]
    content = json.loads(whole.quarantine[0].what)
    assert [rater for rater, _ in content["labels"]] == ["expert 1", "expert 2"]
    assert content["guid"] == "guid 1 x"
    store.verify()


def test_order_and_labels_of_the_others_stay() -> None:
    study = Study(
        (SlideRecord("a.svs", SIZE),),
        DEFAULT_LABELS,
        (Rater("x"),),
        cells=Cells.spots([0, 0, 0], [[1, 1], [-5, 1], [3, 3]]),
        events=LabelEvents.of([2, 1, 0], [0, 0, 0], [0, 1, 1]),
    )
    sifted = sift(study, source="f")
    assert sifted.events.cell.tolist() == [1, 0]
    assert sifted.events.label.tolist() == [0, 1]
