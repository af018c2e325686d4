"""Outlines: what their names say, their area, what lies inside; against counting pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import CrossedOutlineError, RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import (
    Outline,
    Region,
    RegionKind,
    SlideRegions,
    join_outlines,
    kind_of_name,
    outline,
    regions_of_outlines,
)


@pytest.mark.parametrize(
    "name",
    [
        "Tumor",
        "Tumorzone",
        "Tumor region",
        "tumour 2",
        "Karzinom",
        "Tumor: Positive",
        "Tumor: Negative",
        "Tumour without necrosis",
        "Viable tumour (no necrosis)",
        "necrosis-free tumour",
        "Tumor exkl. Nekrose",
        "Skin: Tumour",
    ],
)
def test_names_of_tumour(name: str) -> None:
    assert kind_of_name(name) is RegionKind.TUMOUR


@pytest.mark.parametrize(
    "name",
    [
        "Non-tumor",
        "Peritumoral stroma",
        "Tumor: Necrosis",
        "Ignore*",
        "Nekrose",
        "kein Tumor",
        "tumour-free",
        "Tumour-free margin",
        "Peri-tumoral",
        "outside tumour",
        "Tumor Stroma",
        "exclude necrosis",
        "Stroma",
    ],
)
def test_names_of_what_is_not_counted(name: str) -> None:
    assert kind_of_name(name) is RegionKind.EXCLUSION


@pytest.mark.parametrize("name", ["10 HPF", "ROI 1", "Hot spot", "Region of interest"])
def test_names_of_what_was_looked_at(name: str) -> None:
    assert kind_of_name(name) is RegionKind.INTEREST


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Lymph node",
        "mitotic figure",
        "Annotation",
        "Tumour margin",
        "skin tumour",
        "Negative for tumour",
        "tumour and stroma",
        "no necrosis",
    ],
)
def test_names_that_do_not_say(name: str) -> None:
    assert kind_of_name(name) is None


@given(st.integers(3, 9), st.integers(0, 2**31))
def test_area_and_inside_equal_the_raster(corners: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, corners))
    radius = random.uniform(20, 90, corners)
    ring = 100 + np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    try:
        region = Region.of_polygon(ring)
    except RegionError:
        return
    mask = region.raster((0.5, 0.5), (400, 400))
    row, column = np.mgrid[0:400, 0:400]
    centres = np.column_stack([(column.ravel() + 0.5) / 2, (row.ravel() + 0.5) / 2])
    assert np.count_nonzero(region.contains(centres) != mask.ravel()) <= 2  # rounding on an edge
    assert mask.sum() / 4 == pytest.approx(region.shape.area, abs=0.6 * region.shape.length)


def test_a_point_on_the_edge_between_two_boxes_is_in_one() -> None:
    left, right = Region.of_box(BoxPx0(0, 0, 10, 10)), Region.of_box(BoxPx0(10, 0, 10, 10))
    points = [[10.0, 5.0], [0.0, 0.0], [20.0, 5.0], [5.0, 10.0]]
    assert left.contains(points).tolist() == [False, True, False, False]
    assert right.contains(points).tolist() == [True, False, False, False]


def test_exclusions_are_taken_out_of_tumour() -> None:
    found = join_outlines(
        [
            (RegionKind.TUMOUR, outline([[0, 0], [100, 0], [100, 100], [0, 100]])),
            (RegionKind.EXCLUSION, outline([[50, 0], [100, 0], [100, 100], [50, 100]])),
        ]
    )
    assert found.tumour is not None
    assert found.tumour.area_mm2(Mpp.square(1.0)) == pytest.approx(0.005)
    size = SizePx(90, 200)
    counted = found.counted_on(size)
    assert counted is not None
    assert counted.contains([[25, 25], [75, 25]]).tolist() == [True, False]
    only_excluded = SlideRegions(exclusion=found.exclusion).counted_on(size)
    assert only_excluded is not None
    assert only_excluded.contains([[25, 25], [75, 25], [75, 150], [95, 150]]).tolist() == [
        True,
        False,
        True,
        False,
    ]
    assert SlideRegions().counted_on(size) is None


def test_a_bow_tie_is_refused_and_a_tiny_loop_is_not() -> None:
    with pytest.raises(CrossedOutlineError, match="crosses itself"):
        outline([[0, 0], [100, 100], [100, 0], [0, 100]])
    loop = [[0, 0], [1000, 0], [1000, 1000], [1, 1000], [-1, 999], [1, 999], [-1, 1000], [0, 500]]
    assert outline(loop).area == pytest.approx(1e6, rel=0.01)


@pytest.mark.parametrize(
    "corners", [[[0, 0], [1, 1]], [[0, 0], [1, 1], [2, 2]], [[0, 0], [float("nan"), 1], [2, 0]]]
)
def test_what_has_no_area_is_refused(corners: list[list[float]]) -> None:
    with pytest.raises(RegionError):
        outline(corners)


def test_unknown_classes_are_listed_with_the_option() -> None:
    square = outline([[0, 0], [1, 0], [1, 1], [0, 1]])
    with pytest.raises(RegionError, match=r"'Lymph node' \(1\).*--tumour-class"):
        regions_of_outlines([Outline(square, "Tumor"), Outline(square, "Lymph node")])
    chosen = regions_of_outlines(
        [Outline(square, "Lymph node"), Outline(square, "Tumor")], tumour_classes=["lymph node"]
    )
    assert chosen.tumour is not None


def test_outlines_without_any_name_are_the_tumour() -> None:
    assert regions_of_outlines([Outline(outline([[0, 0], [1, 0], [1, 1], [0, 1]]))]).tumour is not None
