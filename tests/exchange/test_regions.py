"""Outlines of files as regions: what a class delimits, and what is set aside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mitoscope.exchange.regions import kind_of_outline, region_class, set_aside
from mitoscope.exchange.registry import read_study, write_study
from mitoscope.geometry import SizePx
from mitoscope.region import RegionKind
from mitoscope.store import Cells, LabelEvents, Rater, Region, Shape, SlideRecord, Study

SQUARE = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=float)
BOW_TIE = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], dtype=float)


@pytest.mark.parametrize(
    ("name", "size", "kind"),
    [
        ("Tumorzone", 1, RegionKind.TUMOUR),
        ("Non-tumor", 1, RegionKind.EXCLUSION),
        ("10 HPF", 1, RegionKind.INTEREST),
        ("Tubule", 1, None),
        ("non-mitotic cell", 1, None),
        ("Other", 1, None),
        ("Other", 1000, RegionKind.EXCLUSION),
    ],
)
def test_a_class_of_cells_is_no_region_unless_it_is_too_large(
    name: str, size: float, kind: RegionKind | None
) -> None:
    assert kind_of_outline(name, SQUARE * size) is kind


@pytest.mark.parametrize("kind", RegionKind)
@pytest.mark.parametrize("name", ["", "Invasion front", "mitosis", "Tumor", "Necrosis", "ROI 1"])
def test_a_region_is_written_under_a_class_that_is_read_as_its_kind(kind: RegionKind, name: str) -> None:
    written = region_class(Region(0, SQUARE, kind, name))
    assert kind_of_outline(written, SQUARE) is kind


def test_crossed_polygons_are_set_aside_with_their_labels() -> None:
    both = np.vstack([SQUARE, BOW_TIE])
    study = Study(
        (SlideRecord("a.svs"),),
        raters=(Rater("expert 1"),),
        cells=Cells.of(
            [0, 0],
            [[0, 0, 10, 10]] * 2,
            shape=[Shape.POLYGON] * 2,
            vertices_px0={0: both[:4], 1: both[4:]},
        ),
        events=LabelEvents.of([0, 1], [0, 0], [-1, -1]),
        regions=(Region(0, SQUARE), Region(0, BOW_TIE, name="tumour 2")),
    )
    found = set_aside(study, source="a.geojson")
    assert len(found.cells) == 1
    assert len(found.events) == 1
    assert found.regions == (Region(0, SQUARE),)
    assert [(one.where, one.why, one.slide) for one in found.quarantine] == [
        ("a.geojson: cell 1", "a polygon that crosses itself", "a.svs"),
        ("a.geojson: region 1", "a polygon that crosses itself", "a.svs"),
    ]
    assert '"tumour 2"' in found.quarantine[1].what
    assert "expert 1" in found.quarantine[0].what


def test_regions_outside_of_the_slide_or_without_area_are_set_aside() -> None:
    line = np.array([[0.0, 0], [5, 5], [10, 10]])
    regions = tuple(Region(0, ring) for ring in (SQUARE, SQUARE + 100, line, SQUARE - 10))
    found = set_aside(Study((SlideRecord("a.svs", SizePx(100, 100)),), regions=regions), source="a")
    assert found.regions == (Region(0, SQUARE),)
    assert [one.why for one in found.quarantine] == [
        "outside the slide",
        "a polygon of fewer than 3 vertices",
        "outside the slide",
    ]


def test_a_hand_drawn_outline_with_a_tiny_loop_is_kept() -> None:
    angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([np.cos(angle), np.sin(angle)]) * 20_000 + 30_000
    ring[[100, 101]] = ring[[101, 100]]  # the line turns back for a moment
    study = Study((SlideRecord("a.svs"),), regions=(Region(0, ring),))
    assert set_aside(study, source="a") == study


@pytest.mark.parametrize("name", ["geojson", "dicom", "sliderunner"])
def test_what_a_region_delimits_is_said_by_the_format_itself(name: str, tmp_path: Path) -> None:
    """Without the study that rides along: another program may have rewritten the file."""
    named = [
        (RegionKind.TUMOUR, "Invasion front"),
        (RegionKind.EXCLUSION, ""),
        (RegionKind.INTEREST, "2 mm²"),
    ]
    named += [(kind, "mitosis") for kind in RegionKind]
    regions = tuple(Region(0, SQUARE * 10 + 5 * n, kind, text) for n, (kind, text) in enumerate(named))
    path = tmp_path / "a"
    write_study(Study((SlideRecord("slide"),), regions=regions), path, name)
    if name == "geojson":
        value = json.loads(path.read_text(encoding="utf-8"))
        value.pop("mitoscope", None)
        path.write_text(json.dumps(value), encoding="utf-8")
    if name == "dicom":
        pydicom = pytest.importorskip("pydicom")
        dataset = pydicom.dcmread(path)
        dataset.remove_private_tags()
        dataset.save_as(path)
    again = read_study(path, name)
    assert [one.kind for one in again.regions] == [one.kind for one in regions]
    assert all(
        np.array_equal(one.vertices_px0, other.vertices_px0)
        for one, other in zip(again.regions, regions, strict=True)
    )
    assert len(again.cells) == 0
