"""MIDOG++ by case: Figure 2, and the mitotic counts that follow from the published points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import TEN_HPF_MM2, mitotic_count
from mitoscope.curation.midog_tables import TABLE_2, row_of
from mitoscope.detections import Detections, Searched
from mitoscope.exchange import stated_classes
from mitoscope.experiments.chart import BoxPlots
from mitoscope.experiments.exact.counted import QUARTILES, Counted, share_from, spread
from mitoscope.experiments.exact.midogpp_tables import DOMAIN_NAMES, NEEDS, midogpp_files, read_midogpp
from mitoscope.experiments.experiment import Result
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Policy, SlideRecord, Study

MPP: Final = 0.25
"""At which areas are taken where neither the file nor its scanner states one."""
CUT_OFFS: Final = {"4": (7.0,), "6a": (10.0, 20.0), "6b": (10.0, 20.0)}
"""Least counts of the higher grades: mast cell tumour (Kiupel et al. 2011), soft-tissue sarcoma scores."""
_MEDIANS: Final = {"mitotic figure": 2, "look-alike": 4}

OfSlide = Callable[[NDArray[np.float64], SlideRecord], int]


def _by_domain(study: Study, label: str, count: OfSlide) -> dict[str, list[int]]:
    index = study.labels.names.index(label)
    own = (stated_classes(study, Policy.RECORDED)[0] == index) & ~study.cells.deleted
    values: dict[str, list[int]] = {row: [] for row in TABLE_2 if row != "total"}
    for place, slide in enumerate(study.slides):
        row = row_of(slide.domain)
        if row and slide.size is not None:
            points = study.cells.centres_px0[own & (study.cells.slide == place)]
            values[row].append(count(points, slide))
    return values


def _cells_of(points: NDArray[np.float64], slide: SlideRecord) -> int:
    del slide
    return len(points)


def _hot_spot(points: NDArray[np.float64], slide: SlideRecord) -> int:
    searched = Searched(slide.mpp or Mpp.square(MPP), slide.size, threshold=0.0)
    return mitotic_count(Detections.of(points, np.ones(len(points)), searched=searched)).count


def _count_figure(files: tuple[Path, ...]) -> Result:
    study = read_midogpp(files)
    return {label: _by_domain(study, label, _cells_of) for label in (MITOTIC_FIGURE.name, LOOK_ALIKE.name)}


def _count_hot_spots(files: tuple[Path, ...]) -> Result:
    return {MITOTIC_FIGURE.name: _by_domain(read_midogpp(files), MITOTIC_FIGURE.name, _hot_spot)}


def _spread(values: list[int], published: float | None) -> tuple[Entry, ...]:
    cases = float(len(values)) if values else None
    return (Entry(cases), *spread(values, published_median=published))


def _published(row: str, label: str) -> float | None:
    value: Any = TABLE_2[row][_MEDIANS[label]]
    return None if value is None else float(value)


def _figure_table(result: Result) -> ResultTable:
    rows = [
        TableRow(f"{DOMAIN_NAMES[row]}: {label}", _spread(values, _published(row, label)))
        for label, domains in result.items()
        for row, values in domains.items()
    ]
    return ResultTable(
        "MIDOG++ Figure 2: labelled cells of a case by domain",
        "domain and label",
        (Column("cases", 0), *(Column(name, 1) for name in QUARTILES)),
        tuple(rows),
        published_in="medians, MIDOG++ Table 2",
    )


def _count_table(result: Result) -> ResultTable:
    rows = []
    for row, values in result[MITOTIC_FIGURE.name].items():
        cuts = CUT_OFFS.get(row, ())
        shares = [share_from(values, cut) for cut in cuts]
        shares += [Entry()] * (2 - len(shares))
        rows.append(TableRow(DOMAIN_NAMES[row], (*_spread(values, None), *shares)))
    columns = [Column("cases", 0), *(Column(name, 1) for name in QUARTILES)]
    columns += [Column("share at or above the first cut-off"), Column("share at or above the second")]
    notes = (
        f"The most figures in a window of {TEN_HPF_MM2:g} mm², 4:3, at the resolution of the scanner; "
        "where the image is smaller, over the image.",
        "Cut-offs: 7 for canine mast cell tumours, 10 and 20 for canine soft tissue sarcomas.",
    )
    title = "Mitotic count of a case by domain of MIDOG++, after CMC Figure 4"
    return ResultTable(title, "domain", tuple(columns), tuple(rows), notes=notes)


def _boxes(title: str, y_label: str, values: dict[str, list[int]], **more: Any) -> BoxPlots:
    groups = {DOMAIN_NAMES[row]: tuple(map(float, own)) for row, own in values.items() if own}
    return BoxPlots(title, y_label, groups, **more)


def _plot_figure(result: Result) -> BoxPlots:
    label = MITOTIC_FIGURE.name
    medians = {
        DOMAIN_NAMES[row]: value for row in result[label] if (value := _published(row, label)) is not None
    }
    return _boxes(
        "Mitotic figures of a case by domain of MIDOG++",
        "mitotic figures of a case",
        result[label],
        published=medians,
        published_in="MIDOG++ Table 2",
    )


def _plot_counts(result: Result) -> BoxPlots:
    return _boxes(
        "Mitotic count by domain of MIDOG++",
        f"mitotic figures in {TEN_HPF_MM2:g} mm²",
        result[MITOTIC_FIGURE.name],
        cut_offs={DOMAIN_NAMES[row]: cuts for row, cuts in CUT_OFFS.items()},
    )


MIDOGPP_COUNTS = (
    Counted(
        "midogpp-fig2",
        "MIDOG++",
        "Figure 2: labelled cells of a case by domain",
        NEEDS,
        midogpp_files,
        _count_figure,
        _figure_table,
        _plot_figure,
    ),
    Counted(
        "midogpp-counts",
        "MIDOG++",
        "mitotic counts from the published points, after CMC Figure 4",
        NEEDS,
        midogpp_files,
        _count_hot_spots,
        _count_table,
        _plot_counts,
    ),
)
"""Both as experiments."""
