"""CMC Table 1 and CCMCT Table 1: tumour area and labelled cells of each slide by class and variant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from mitoscope.exchange import stated_classes, stem
from mitoscope.experiments.exact.counted import Counted
from mitoscope.experiments.exact.wsi_databases import (
    CCMCT,
    CMC,
    WSI_MPP,
    WsiSet,
    extent,
    left_out,
    left_out_notes,
    read_database,
)
from mitoscope.experiments.exact.wsi_published import (
    CCMCT_SLIDES,
    CCMCT_TEST_FIGURES,
    CCMCT_TOTAL_MM2,
    CMC_TABLE_1,
    CMC_VARIANTS,
)
from mitoscope.experiments.experiment import Result
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Policy, Study, regions_of

AREA: Final = "tumour, mm²"
TEST: Final = "test slides"
TOTAL: Final = "total"
_MAIN: Final = (MITOTIC_FIGURE.name, LOOK_ALIKE.name)

PublishedCounts = dict[tuple[str, str], float]
"""By slide, `TEST` or `TOTAL`, and column."""


def column_of(label: str, variant: str) -> str:
    """Return the name of the column of a class in a variant."""
    return f"{label}, {variant}"


def cmc_published() -> PublishedCounts:
    """Return the figures of CMC Table 1, and their sums."""
    found: PublishedCounts = {}
    for slide, row in CMC_TABLE_1.items():
        found[slide, AREA] = row.area_mm2
        for label, counts in zip(_MAIN, (row.figures, row.look_alikes), strict=True):
            found |= {
                (slide, column_of(label, variant)): float(count)
                for variant, count in zip(CMC_VARIANTS, counts, strict=True)
            }
    columns = {column for _, column in found}
    tests = [slide for slide, row in CMC_TABLE_1.items() if row.tests]
    for name, slides in ((TEST, tests), (TOTAL, list(CMC_TABLE_1))):
        found |= {(name, column): sum(found[slide, column] for slide in slides) for column in columns}
    return found


def ccmct_published() -> PublishedCounts:
    """Return what is published of CCMCT: areas, ODAEL by slide, figures of the test slides."""
    found: PublishedCounts = {}
    figures, look_alikes = (column_of(label, "ODAEL") for label in _MAIN)
    for slide, row in CCMCT_SLIDES.items():
        found[slide, AREA] = row.area_mm2
        found[slide, figures], found[slide, look_alikes] = float(row.figures), float(row.look_alikes)
    found[TOTAL, AREA] = CCMCT_TOTAL_MM2
    found[TOTAL, figures] = float(sum(row.figures for row in CCMCT_SLIDES.values()))
    found[TOTAL, look_alikes] = float(sum(row.look_alikes for row in CCMCT_SLIDES.values()))
    for variant, count in CCMCT_TEST_FIGURES.items():
        found[TEST, column_of(MITOTIC_FIGURE.name, variant)] = float(count)
    return found


def _count(of: WsiSet, files: tuple[Path, ...]) -> Result:
    *variants, outlines = (read_database(path) for path in files)
    counts = {name: _cells(study) for name, study in zip(of.variants, variants, strict=True)}
    return {"areas": _areas(outlines), "counts": counts, "left_out": left_out(outlines)}


def _areas(study: Study) -> dict[str, float]:
    """Return the area of the tumour of each slide in mm²."""
    mpp = Mpp(WSI_MPP, WSI_MPP)
    areas = {}
    for place, slide in enumerate(study.slides):
        drawn = [region for region in study.regions if region.slide == place]
        tumour = regions_of(drawn, replace(slide, size=extent(study, place))).tumour
        areas[stem(slide.name)] = 0.0 if tumour is None else tumour.area_mm2(mpp)
    return areas


def _cells(study: Study) -> dict[str, dict[str, int]]:
    """Return the cells of each slide by class; those marked as deleted are among them, as in the papers."""
    label = stated_classes(study, Policy.RECORDED)[0]
    return {
        stem(slide.name): {
            name: int(np.count_nonzero((label == index) & (study.cells.slide == place)))
            for index, name in enumerate(study.labels.names)
        }
        for place, slide in enumerate(study.slides)
    }


def _tabulate(
    title: str, published: PublishedCounts, known: Mapping[str, Any], source: str, result: Result
) -> ResultTable:
    counts: Mapping[str, Mapping[str, Mapping[str, int]]] = result["counts"]
    slides = _slides(result, list(known))
    columns = [AREA, *(column_of(label, variant) for label in _labels(counts) for variant in counts)]
    found = {(slide, AREA): area for slide, area in result["areas"].items()}
    for variant, of_slide in counts.items():
        for slide, cells in of_slide.items():
            found |= {(slide, column_of(label, variant)): float(count) for label, count in cells.items()}
    tests = [slide for slide in slides if slide in known and known[slide].tests]
    # Sums are compared only where the same slides are summed.
    same = set(slides) == set(known)

    def total(name: str, of: Sequence[str]) -> TableRow:
        return TableRow(
            name,
            tuple(
                Entry(
                    sum(found.get((slide, column), 0.0) for slide in of) if of else None,
                    published=published.get((name, column)) if same else None,
                )
                for column in columns
            ),
        )

    rows = [
        TableRow(
            _name(slide, known),
            tuple(
                Entry(found.get((slide, column)), published=published.get((slide, column)))
                for column in columns
            ),
        )
        for slide in slides
    ]
    return ResultTable(
        title,
        "slide",
        tuple(Column(name, 2 if name == AREA else 0) for name in columns),
        (*rows, total(TEST, tests), total(TOTAL, slides)),
        published_in=source,
        notes=(*_NOTES, *left_out_notes(result["left_out"])),
    )


_NOTES: Final = (
    f"Areas by the outlines themselves at {WSI_MPP:g} µm/px; the papers filled them at the lowest level of "
    "the pyramid, with the pixels on the outline: 0.13 % more.",
    "Cells by the class they came to; those marked as deleted are counted, as in the papers.",
)


def _slides(result: Result, known: Sequence[str]) -> list[str]:
    """Return the slides of all databases in the order of the paper, others behind them."""
    there = {*result["areas"], *(slide for counts in result["counts"].values() for slide in counts)}
    return [*(slide for slide in known if slide in there), *sorted(there - set(known))]


def _labels(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """Return the classes that hold cells, mitotic figure and look-alike first."""
    used = {
        label
        for of_slide in counts.values()
        for cells in of_slide.values()
        for label, count in cells.items()
        if count
    }
    return [*_MAIN, *sorted(used - set(_MAIN))]


def _name(slide: str, known: Mapping[str, Any]) -> str:
    number = getattr(known.get(slide), "number", None)
    return slide if number is None else f"{number} {slide}"


def _experiment(
    of: WsiSet, *, paper: str, known: Mapping[str, Any], published: Callable[[], PublishedCounts], source: str
) -> Counted:
    title = f"{paper} Table 1: tumour area and labelled cells of each slide by variant"
    return Counted(
        f"{of.name}-table1",
        paper,
        "Table 1: tumour area and labelled cells of each slide by variant",
        of.needs,
        of.files,
        partial(_count, of),
        partial(_tabulate, title, published(), known, source),
    )


WSI_TABLES = (
    _experiment(CMC, paper="CMC", known=CMC_TABLE_1, published=cmc_published, source="CMC Table 1"),
    _experiment(
        CCMCT,
        paper="CCMCT",
        known=CCMCT_SLIDES,
        published=ccmct_published,
        source="areas of the CCMCT paper, the published labels of ODAEL, test figures of each variant",
    ),
)
"""Both as experiments."""
