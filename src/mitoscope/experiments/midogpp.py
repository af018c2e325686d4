"""MIDOG++ from its annotation files: Tables 2 and 3, Figure 2, and the mitotic counts that follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import TEN_HPF_MM2, mitotic_count
from mitoscope.detections import Detections, Searched
from mitoscope.exchange import ReadOptions, read_study, stated_classes
from mitoscope.experiments.chart import BoxPlots
from mitoscope.experiments.counted import QUARTILES, Counted, find_file, share_from, spread
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.midogpp_tables import TABLE_2, TABLE_3, TOTAL, TableCell, row_of, table_2, table_3
from mitoscope.experiments.published import published
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Policy, SlideRecord, Study

LABELS: Final = "MIDOG++.json"
DOMAINS: Final = "datasets_xvalidation.csv"
DOMAIN_NAMES: Final = {
    "1a": "1a human breast cancer, Hamamatsu XR",
    "1b": "1b human breast cancer, Hamamatsu S360",
    "1c": "1c human breast cancer, Aperio CS2",
    "2": "2 canine lung cancer",
    "3": "3 canine lymphosarcoma",
    "4": "4 canine cutaneous mast cell tumour",
    "5": "5 human neuroendocrine tumour",
    "6": "6 canine soft tissue sarcoma",
    "6a": "6a canine soft tissue sarcoma, AMC",
    "6b": "6b canine soft tissue sarcoma, VMU",
    "7": "7 human melanoma",
    TOTAL: TOTAL,
}
"""The paper's domains."""
_MADE: Final = (
    ("human breast cancer", "Hamamatsu XR", "UMC Utrecht"),
    ("human breast cancer", "Hamamatsu S360", "UMC Utrecht"),
    ("human breast cancer", "Aperio CS2", "UMC Utrecht"),
    ("canine lung cancer", "3DHistech", "VMU Vienna"),
    ("canine lymphoma", "3DHistech", "VMU Vienna"),
    ("canine cutaneous mast cell tumor", "Aperio CS2", "FU Berlin"),
    ("human neuroendocrine tumor", "Hamamatsu XR", "UMC Utrecht"),
    ("canine soft tissue sarcoma", "3DHistech", "AMC New York"),
    ("canine soft tissue sarcoma", "3DHistech", "VMU Vienna"),
    ("human melanoma", "Hamamatsu XR", "UMC Utrecht"),
)
_SIDE: Final = (7215, 5412)
MPP: Final = 0.25
"""At which areas are taken where neither the file nor its scanner states one."""
CUT_OFFS: Final = {
    **dict.fromkeys(("1a", "1b", "1c"), (15.0,)),
    "2": (31.0,),
    "3": (61.0, 101.0),
    "4": (7.0,),
    "6a": (10.0, 20.0),
    "6b": (10.0, 20.0),
}
"""Least counts of the higher grades: breast 15, lung above 30, lymphosarcoma above 60 and 100 (MIDOG++,
Overall description); mast cell tumour (Kiupel et al. 2011), soft-tissue sarcoma scores."""
_MEDIANS: Final = {MITOTIC_FIGURE.name: "mitotic median", LOOK_ALIKE.name: "non-mitotic median"}

OfSlide = Callable[[NDArray[np.float64], SlideRecord], int]


def _files(workplace: Workplace) -> tuple[Path, ...]:
    """Return labels and domains; for the smoke size they are made."""
    if workplace.size is Size.SMOKE:
        return _make(make_directory(workplace.out / "synthetic" / "midogpp"))
    return tuple(find_file(workplace.data, name, data_set="midogpp") for name in (LABELS, DOMAINS))


@lru_cache(maxsize=2)
def _read(files: tuple[Path, ...]) -> Study:
    labels, domains = files
    return read_study(labels, None, ReadOptions(domains=domains))


def _make(folder: Path) -> tuple[Path, ...]:
    random = np.random.default_rng(0)
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    rows = ["Slide;Dataset;Tumor;Scanner;Origin;Species"]
    for number in range(1, 2 * len(_MADE) + 1):
        tumour, scanner, laboratory = _MADE[(number - 1) // 2]
        images.append({"id": number, "file_name": f"{number:03}.tiff", "width": _SIDE[0], "height": _SIDE[1]})
        rows.append(
            f"{number};{('train', 'test')[number % 2]};{tumour};{scanner};{laboratory};{tumour.split()[0]}"
        )
        for _ in range(int(random.integers(4, 16))):
            votes = random.integers(1, 3, 2).tolist()
            votes += [] if votes[0] == votes[1] else [int(random.integers(1, 3))]
            x, y = random.integers((60, 60), np.subtract(_SIDE, 60)).tolist()
            annotation = {"id": len(annotations) + 1, "image_id": number, "labels": votes}
            box = [x - 25, y - 25, x + 25, y + 25]
            annotations.append(annotation | {"category_id": int(np.bincount(votes).argmax()), "bbox": box})
    categories = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}]
    content = {"images": images, "categories": categories, "annotations": annotations}
    for name, text in ((LABELS, json.dumps(content)), (DOMAINS, "\n".join(rows) + "\n")):
        with atomic_write(folder / name) as stream:
            stream.write(text.encode())
    return folder / LABELS, folder / DOMAINS


def _compare(table: Callable[[Study], list[TableCell]], files: tuple[Path, ...]) -> Result:
    return {
        "cells": [
            {"row": cell.row, "column": cell.column, "published": cell.published, "note": cell.reason}
            | ({"found": cell.low} if cell.low == cell.high else {"low": cell.low, "high": cell.high})
            for cell in table(_read(files))
        ]
    }


def _rows(result: Result, names: Sequence[str], columns: Sequence[Column]) -> tuple[TableRow, ...]:
    entries = {
        (cell["row"], cell["column"]): Entry(
            **{name: value for name, value in cell.items() if name not in ("row", "column")}
        )
        for cell in result["cells"]
    }
    return tuple(
        TableRow(DOMAIN_NAMES[row], tuple(entries.get((row, column.name), Entry()) for column in columns))
        for row in names
    )


TABLE_1: Final = published("midogpp-table1")
"""Cases and resolution of each domain."""


def _cases(files: tuple[Path, ...]) -> Result:
    """Return the resolutions of the cases of each domain, in µm/px."""
    study = _read(files)
    found: dict[str, list[float]] = {row: [] for row in TABLE_1.rows if row != TOTAL}
    for slide in study.slides:
        if row := row_of(slide.domain):
            found[row].append(round((slide.mpp or Mpp.square(MPP)).mean, 4))
    return found


def _table_1(result: Result) -> ResultTable:
    columns = (Column("cases", 0), Column("µm/px", 2))
    every = {row: tuple(values) for row, values in result.items()}
    every[TOTAL] = tuple(value for values in every.values() for value in values)
    rows = []
    for row, values in every.items():
        printed, scales = TABLE_1.rows[row], sorted(set(values))
        entry = (
            Entry(scales[0])
            if len(scales) == 1
            else Entry(low=min(values, default=0), high=max(values, default=0))
        )
        cases = Entry(float(len(values)), published=printed["cases"])
        rows.append(TableRow(DOMAIN_NAMES[row], (cases, replace(entry, published=printed.get("µm/px")))))
    title = "MIDOG++ Table 1: cases and resolution by domain"
    note = "The resolution that the scanner in the table of domains stands for."
    return ResultTable(title, "domain", columns, tuple(rows), TABLE_1.source, (note,))


def _table_2(result: Result) -> ResultTable:
    columns = tuple(Column(name, 1 if "median" in name else 0) for name in TABLE_2.columns)
    title = "MIDOG++ Table 2: cases and labelled cells by domain"
    return ResultTable(title, "domain", columns, _rows(result, list(TABLE_2.rows), columns), TABLE_2.source)


def _table_3(result: Result) -> ResultTable:
    note = (
        "From domain 2 on a label of the authors' candidate model stands in some lists of labels, so that "
        "the file gives a range for some figures, not a value."
    )
    columns = tuple(Column(name, 2) for name in TABLE_3.columns)
    title, rows = "MIDOG++ Table 3: agreement of the experts by domain, in %", list(TABLE_3.rows)
    return ResultTable(title, "domain", columns, _rows(result, rows, columns), TABLE_3.source, (note,))


def _by_domain(files: tuple[Path, ...], *, labels: Sequence[str], count: OfSlide) -> Result:
    """Return what is counted of the cells of each case, by label and domain."""
    study = _read(files)
    stated, found = stated_classes(study, Policy.RECORDED)[0], {}
    for label in labels:
        own = (stated == study.labels.names.index(label)) & ~study.cells.deleted
        values: dict[str, list[int]] = {row: [] for row in TABLE_2.rows if row != TOTAL}
        for place, slide in enumerate(study.slides):
            row = row_of(slide.domain)
            if row and slide.size is not None:
                values[row].append(count(study.cells.centres_px0[own & (study.cells.slide == place)], slide))
        found[label] = values
    return found


def hot_spot(points_px0: NDArray[np.float64], slide: SlideRecord) -> int:
    """Return the mitotic count of an image from its figures, shape (n, 2) in level-0 px."""
    searched = Searched(slide.mpp or Mpp.square(MPP), slide.size, threshold=0.0)
    found = Detections.of(points_px0, np.ones(len(points_px0)), searched=searched)
    return mitotic_count(found, splits=0).count


def _spread(values: list[int], median: float | None) -> tuple[Entry, ...]:
    cases = float(len(values)) if values else None
    return (Entry(cases), *spread(values, published_median=median))


_SPREAD_COLUMNS: Final = (Column("cases", 0), *(Column(name, 1) for name in QUARTILES))


def _figure_table(result: Result) -> ResultTable:
    rows = tuple(
        TableRow(f"{DOMAIN_NAMES[row]}: {label}", _spread(values, float(TABLE_2.rows[row][_MEDIANS[label]])))
        for label, domains in result.items()
        for row, values in domains.items()
    )
    title = "MIDOG++ Figure 2: labelled cells of a case by domain"
    return ResultTable(title, "domain and label", _SPREAD_COLUMNS, rows, f"medians, {TABLE_2.source}")


def _count_table(result: Result) -> ResultTable:
    rows = []
    for row, values in result[MITOTIC_FIGURE.name].items():
        shares = [share_from(values, cut) for cut in CUT_OFFS.get(row, ())]
        shares += [Entry()] * (2 - len(shares))
        rows.append(TableRow(DOMAIN_NAMES[row], (*_spread(values, None), *shares)))
    names = ("share at or above the first cut-off", "share at or above the second")
    notes = (
        f"The most figures in a window of {TEN_HPF_MM2:g} mm², 4:3, at the resolution of the scanner; "
        "where the image is smaller, over the image.",
        "Cut-offs: 15 for breast, above 30 for lung, above 60 and 100 for lymphosarcoma (the paper's); 7 for "
        "canine mast cell tumours, 10 and 20 for canine soft tissue sarcomas.",
    )
    title = "Mitotic count of a case by domain of MIDOG++, after CMC Figure 4"
    return ResultTable(title, "domain", (*_SPREAD_COLUMNS, *map(Column, names)), tuple(rows), notes=notes)


def _boxes(title: str, y_label: str, result: Result, **more: Any) -> BoxPlots:
    values = result[MITOTIC_FIGURE.name]
    groups = {DOMAIN_NAMES[row]: tuple(map(float, own)) for row, own in values.items() if own}
    return BoxPlots(title, y_label, groups, **more)


def _plot_figure(result: Result) -> BoxPlots:
    medians = {
        DOMAIN_NAMES[row]: float(TABLE_2.rows[row]["mitotic median"]) for row in result[MITOTIC_FIGURE.name]
    }
    title = "Mitotic figures of a case by domain of MIDOG++"
    return _boxes(title, "mitotic figures of a case", result, published=medians, published_in=TABLE_2.source)


def _plot_counts(result: Result) -> BoxPlots:
    cuts = {DOMAIN_NAMES[row]: cuts for row, cuts in CUT_OFFS.items()}
    title, y_label = "Mitotic count by domain of MIDOG++", f"mitotic figures in {TEN_HPF_MM2:g} mm²"
    return _boxes(title, y_label, result, cut_offs=cuts)


_BESIDE: Final[dict[str, tuple[str, ...]]] = {
    "table1": ("midogpp-table1",),
    "table2": ("midogpp-table2",),
    "table3": ("midogpp-table3",),
    "fig2": ("midogpp-table2",),
    "counts": ("midogpp-cut-offs",),
}
"""Published tables beside the experiments."""
_NEEDS: Final = f"midogpp: {LABELS} and {DOMAINS}, no pixels"
MIDOGPP: Final = tuple(
    Counted(f"midogpp-{name}", "MIDOG++", shows, _NEEDS, _files, count, tabulate, plot, _BESIDE.get(name, ()))
    for name, shows, count, tabulate, plot in (
        ("table1", "Table 1: cases and resolution by domain", _cases, _table_1, None),
        ("table2", "Table 2: cases and labelled cells by domain", partial(_compare, table_2), _table_2, None),
        ("table3", "Table 3: agreement of the experts by domain", partial(_compare, table_3), _table_3, None),
        (
            "fig2",
            "Figure 2: mitotic figures of a case by domain",
            partial(_by_domain, labels=tuple(_MEDIANS), count=lambda points, _: len(points)),
            _figure_table,
            _plot_figure,
        ),
        (
            "counts",
            "mitotic counts from the published points, after CMC Figure 4",
            partial(_by_domain, labels=(MITOTIC_FIGURE.name,), count=hot_spot),
            _count_table,
            _plot_counts,
        ),
    )
)
"""Its experiments."""
