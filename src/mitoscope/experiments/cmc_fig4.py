"""CMC Figure 4: how the mitotic count is spread within the tumour of each case, and maps of four cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import COVERED_MIN, FIELD_ASPECT, TEN_HPF_MM2, mitotic_count, window_size
from mitoscope.detections import Detections, Searched
from mitoscope.exchange import stated_classes
from mitoscope.experiments.chart import CountMaps, SlideMap
from mitoscope.experiments.counted import QUARTILES, Counted, quartiles, share_from, spread
from mitoscope.experiments.experiment import Result
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.experiments.wsi import (
    AREA,
    CMC,
    WSI_MPP,
    left_out,
    left_out_notes,
    read_database,
    slide_regions,
)
from mitoscope.geometry import Mpp, SizePx
from mitoscope.image_names import stem
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Policy, RegionKind, Study
from mitoscope.tissue import TissueMask

ELSTON_ELLIS: Final = (10, 20)
"""Least mitotic figures of the mitotic scores 2 and 3, in ten fields of `ELSTON_ELLIS_FIELD_MM2` (Elston and
Ellis 1991)."""
ELSTON_ELLIS_FIELD_MM2: Final = 0.274
CUT_OFFS: Final = {
    f"least count of mitotic score {score}": math.ceil(cut * TEN_HPF_MM2 / (10 * ELSTON_ELLIS_FIELD_MM2))
    for score, cut in zip((2, 3), ELSTON_ELLIS, strict=True)
}
"""The same for the smaller area of ten fields here."""
_MAPS: Final = 4
_SHORT: Final = 8
"""Characters of a slide's name in figures."""
STEP_PX0: Final = 128
"""Between neighbouring positions: four cells of SlideRunner's map of mitotic counts."""


def _count(files: tuple[Path, ...]) -> Result:
    study = read_database(files[0])
    cases = [measure_case(study, place) for place in range(len(study.slides))]
    return {"cases": cases, "left_out": left_out(study)}


def measure_case(study: Study, place: int) -> dict[str, Any]:
    """Return all that table and figure show of a case; lengths in mm."""
    mpp, (size, regions) = Mpp.square(WSI_MPP), slide_regions(study, place)
    figures = _figures(study, place)
    found = Detections.of(figures, np.ones(len(figures)), searched=Searched(mpp, size, threshold=0.0))
    # Without an outline nothing lies in the tumour.
    verdicts = np.full(len(figures), 0 if regions.tumour is not None else -1)
    counted = mitotic_count(found, regions=regions, verdicts=verdicts, splits=0)
    inside, box = figures[counted.counted], counted.box_px0
    mask = None
    if regions.tumour is not None:
        mask = TissueMask.of_region(regions.tumour, mpp=mpp, slide_size=size)
    window = window_size(TEN_HPF_MM2, aspect=FIELD_ASPECT, mpp=mpp)
    positions = [] if mask is None else counts_in_tumour(inside, mask, window=window).tolist()
    rings = {
        kind: [
            _mm(region.vertices_px0)
            for region in study.regions
            if region.slide == place and region.kind is kind
        ]
        for kind in RegionKind
    }
    return {
        "slide": stem(study.slides[place].name),
        "area_mm2": 0.0 if regions.tumour is None else regions.tumour.area_mm2(mpp),
        "figures": len(figures),
        "positions": positions,
        "mitotic_count": counted.count,
        "hot_spot": _mm([[box.x, box.y], [box.width, box.height]]),
        "tumour": rings[RegionKind.TUMOUR],
        "excluded": rings[RegionKind.EXCLUSION],
        "figures_in_tumour": _mm(inside),
    }


def _figures(study: Study, place: int) -> NDArray[np.float64]:
    label = study.labels.names.index(MITOTIC_FIGURE.name)
    recorded, _ = stated_classes(study, Policy.RECORDED)
    own = (recorded == label) & ~study.cells.deleted & (study.cells.slide == place)
    return np.asarray(study.cells.centres_px0[own])


def _mm(points_px0: NDArray[np.float64] | Sequence[Sequence[float]]) -> list[list[float]]:
    mm: list[list[float]] = np.round(np.asarray(points_px0, np.float64) * WSI_MPP * 1e-3, 3).tolist()
    return mm


def _ordered(result: Result) -> list[Mapping[str, Any]]:
    """Return the cases in the order of CMC Table 1, others behind them."""
    place = {slide: number for number, slide in enumerate(CMC.slides)}
    return sorted(result["cases"], key=lambda case: (place.get(case["slide"], math.inf), case["slide"]))


def _short_name(case: Mapping[str, Any]) -> str:
    number, _, slide = CMC.title(case["slide"]).rpartition(" ")
    return f"{number} {slide[:_SHORT]}".lstrip()


def _values(case: Mapping[str, Any]) -> NDArray[np.int64]:
    """Return the count at each position."""
    positions = np.array(case["positions"], dtype=np.int64)
    return np.repeat(np.arange(len(positions)), positions)


def _tabulate(result: Result) -> ResultTable:
    columns = [Column("tumour, mm²", 2), Column("mitotic figures", 0), Column("of these in the tumour", 0)]
    columns += [Column(name, 1) for name in QUARTILES]
    columns += [Column("mitotic count (hot spot)", 0)]
    columns += [Column(f"share of the tumour with {cut:g} or more") for cut in CUT_OFFS.values()]
    cuts = " and ".join(f"{cut:g}" for cut in CUT_OFFS.values())
    notes = (
        f"Lowest to highest: mitotic figures in a window of {TEN_HPF_MM2:g} mm², 4:3, over its positions "
        f"{STEP_PX0} px apart of which at least 95 % are tumour; a dash where it fits nowhere.",
        f"At {WSI_MPP:g} µm/px, that of the paper's window. The areas of the paper count the pixels on the "
        "outline in full.",
        "Cut-offs of the mitotic score (Elston and Ellis 1991): "
        f"{ELSTON_ELLIS[0]} and {ELSTON_ELLIS[1]} in ten fields of {ELSTON_ELLIS_FIELD_MM2:g} mm², in "
        f"{TEN_HPF_MM2:g} mm² {cuts}.",
    )
    return ResultTable(
        "CMC Figure 4: mitotic count within the tumour of each case",
        "case",
        tuple(columns),
        tuple(_row(case) for case in _ordered(result)),
        published_in="areas and mitotic figures, CMC Table 1 (CODAEL)",
        notes=(*notes, *left_out_notes(result["left_out"])),
    )


def _row(case: Mapping[str, Any]) -> TableRow:
    printed, values = CMC.table.rows.get(case["slide"], {}), _values(case)
    figures = printed.get(f"{MITOTIC_FIGURE.name}, CODAEL")
    entries = (
        Entry(case["area_mm2"], published=printed.get(AREA)),
        Entry(float(case["figures"]), published=None if figures is None else float(figures)),
        Entry(float(len(case["figures_in_tumour"]))),
        *spread(values, published_median=None),
        Entry(float(case["mitotic_count"])),
        *(share_from(values, cut) for cut in CUT_OFFS.values()),
    )
    return TableRow(CMC.title(case["slide"]), entries)


def _plot(result: Result) -> CountMaps:
    cases = _ordered(result)
    mapped = sorted((case for case in cases if case["tumour"]), key=lambda case: case["mitotic_count"])
    chosen = np.unique(np.linspace(0, len(mapped) - 1, min(_MAPS, len(mapped))).round().astype(int))
    return CountMaps(
        "CMC Figure 4: mitotic count within the tumour of each case",
        f"mitotic figures in {TEN_HPF_MM2:g} mm²",
        {_short_name(case): tuple(quartiles(_values(case))) for case in cases},
        {_short_name(case): float(case["mitotic_count"]) for case in cases},
        CUT_OFFS,
        tuple(_map(mapped[place]) for place in chosen.tolist()),
        f"{TEN_HPF_MM2:g} mm²",
    )


def _map(case: Mapping[str, Any]) -> SlideMap:
    (x, y), (width, height) = case["hot_spot"]
    return SlideMap(
        f"{_short_name(case)}\nmitotic count {case['mitotic_count']}",
        case["tumour"],
        case["excluded"],
        case["figures_in_tumour"],
        (x, y, width, height),
    )


def counts_in_tumour(
    points_px0: NDArray[np.float64], tumour: TissueMask, *, window: SizePx, step_px0: int = STEP_PX0
) -> NDArray[np.int64]:
    """Return how many positions of the window hold 0, 1, 2, ... points.

    Parameters
    ----------
    points_px0 : ndarray, shape (n, 2)
        Points in level-0 px.
    tumour : TissueMask
        Positions count of which at least 95 % are tumour.
    window : SizePx
        In level-0 px.
    step_px0 : int
        Between neighbouring positions.

    Returns
    -------
    ndarray of int64
        Positions by count; empty where the window fits nowhere.
    """
    size = tumour.slide_size
    free = size.width - window.width, size.height - window.height
    if min(free) < 0:
        return np.zeros(0, np.int64)
    shape = free[1] // step_px0 + 1, free[0] // step_px0 + 1
    counts = _counts(points_px0, window, shape=shape, step=step_px0)
    rows, columns = np.indices(shape)
    origins = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64) * step_px0
    covered = tumour.areas_in(origins, width_px0=window.width, height_px0=window.height)
    fits = covered >= COVERED_MIN * window.area * tumour.mpp.pixel_area_mm2
    return np.bincount(counts.ravel()[fits]).astype(np.int64)


def _counts(
    points: NDArray[np.float64], window: SizePx, *, shape: tuple[int, int], step: int
) -> NDArray[np.int64]:
    """Count at all positions at once: a point counts for a block of origins, a window up and left."""
    limit = np.array([shape[1], shape[0]])
    side = np.array([window.width, window.height])
    # An origin o holds a point p where o <= p < o + side.
    first = np.clip(np.floor((points - side) / step).astype(np.intp) + 1, 0, limit)
    last = np.clip(np.floor(points / step).astype(np.intp) + 1, 0, limit)
    edges = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    for columns, rows, sign in (
        (first[:, 0], first[:, 1], 1),
        (last[:, 0], first[:, 1], -1),
        (first[:, 0], last[:, 1], -1),
        (last[:, 0], last[:, 1], 1),
    ):
        np.add.at(edges, (rows, columns), sign)
    return edges.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


CMC_FIG4: Final = Counted(
    "cmc-fig4",
    "CMC",
    "Figure 4: mitotic count within the tumour of each case, maps of four",
    f"cmc: {CMC.outlines} in databases, no pixels",
    partial(CMC.files, only_outlines=True),
    _count,
    _tabulate,
    _plot,
    ("cmc-table1",),
)
"""As an experiment."""
