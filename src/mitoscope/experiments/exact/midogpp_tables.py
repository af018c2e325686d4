"""MIDOG++ Tables 2 and 3, exactly, from the published annotation files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from mitoscope.curation.midog_tables import (
    TABLE_2,
    TABLE_2_COLUMNS,
    TABLE_3,
    TABLE_3_COLUMNS,
    TableCell,
    table_2,
    table_3,
)
from mitoscope.exchange import ReadOptions, read_study
from mitoscope.experiments.exact.counted import Counted, find_file
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.store import Study

LABELS: Final = "MIDOG++.json"
DOMAINS: Final = "datasets_xvalidation.csv"
NEEDS: Final = f"midogpp: {LABELS} and {DOMAINS}, no pixels"
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
_SIDE = (7215, 5412)
DOMAIN_NAMES = {
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
    "total": "total",
}
"""The paper's domains."""


def midogpp_files(workplace: Workplace) -> tuple[Path, ...]:
    """Return the two files; for the smoke size they are made.

    Raises
    ------
    TrainingDataError
        If one is not there.
    """
    if workplace.size is Size.SMOKE:
        return _make(make_directory(workplace.out / "synthetic" / "midogpp"))
    return tuple(find_file(workplace.data, name, data_set="midogpp") for name in (LABELS, DOMAINS))


@lru_cache(maxsize=2)
def _read(files: tuple[Path, ...]) -> Study:
    labels, domains = files
    return read_study(labels, None, ReadOptions(domains=domains))


def read_midogpp(files: tuple[Path, ...]) -> Study:
    """Read both files as one study.

    Raises
    ------
    FormatError
        If one is damaged.
    """
    return _read(files)


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


def _result(cells: Sequence[TableCell]) -> Result:
    return {
        "cells": [
            {"row": cell.row, "column": cell.column, "published": cell.published, "note": cell.reason}
            | ({"found": cell.low} if cell.low == cell.high else {"low": cell.low, "high": cell.high})
            for cell in cells
        ]
    }


def _count_2(files: tuple[Path, ...]) -> Result:
    return _result(table_2(read_midogpp(files)))


def _count_3(files: tuple[Path, ...]) -> Result:
    return _result(table_3(read_midogpp(files)))


def _rows(result: Result, names: Sequence[str], columns: Sequence[str]) -> tuple[TableRow, ...]:
    cells: dict[tuple[str, str], dict[str, Any]] = {
        (cell["row"], cell["column"]): cell for cell in result["cells"]
    }

    def entry(row: str, column: str) -> Entry:
        own = cells.get((row, column), {})
        return Entry(**{name: value for name, value in own.items() if name not in ("row", "column")})

    return tuple(
        TableRow(DOMAIN_NAMES[row], tuple(entry(row, column) for column in columns)) for row in names
    )


def _table_2(result: Result) -> ResultTable:
    columns = tuple(Column(name, 1 if "median" in name else 0) for name in TABLE_2_COLUMNS)
    return ResultTable(
        "MIDOG++ Table 2: cases and labelled cells by domain",
        "domain",
        columns,
        _rows(result, tuple(TABLE_2), TABLE_2_COLUMNS),
        published_in="MIDOG++ Table 2",
    )


def _table_3(result: Result) -> ResultTable:
    note = (
        "From domain 2 on a label of the authors' candidate model stands in some lists of labels, so that "
        "the file gives a range for some figures, not a value."
    )
    return ResultTable(
        "MIDOG++ Table 3: agreement of the experts by domain, in %",
        "domain",
        tuple(Column(name, 2) for name in TABLE_3_COLUMNS),
        _rows(result, tuple(TABLE_3), TABLE_3_COLUMNS),
        published_in="MIDOG++ Table 3",
        notes=(note,),
    )


MIDOGPP_TABLES = (
    Counted(
        "midogpp-table2",
        "MIDOG++",
        "Table 2: cases and labelled cells by domain",
        NEEDS,
        midogpp_files,
        _count_2,
        _table_2,
    ),
    Counted(
        "midogpp-table3",
        "MIDOG++",
        "Table 3: agreement of the experts by domain",
        NEEDS,
        midogpp_files,
        _count_3,
        _table_3,
    ),
)
"""Both as experiments."""
