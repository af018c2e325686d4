"""MIDOG++ Tables 2 and 3, exactly, from the published annotation files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitoscope.curation.midog_tables import (
    TABLE_2,
    TABLE_2_COLUMNS,
    TABLE_3,
    TABLE_3_COLUMNS,
    TableCell,
    table_2,
    table_3,
)
from mitoscope.experiments.exact.counted import Counted
from mitoscope.experiments.exact.midogpp_files import NEEDS, midogpp_files, read_midogpp
from mitoscope.experiments.experiment import Result
from mitoscope.experiments.table import Column, Entry, Row, Table

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


def _result(cells: Sequence[TableCell]) -> Result:
    return {
        "cells": [
            {"row": one.row, "column": one.column, "published": one.published, "note": one.reason}
            | ({"found": one.low} if one.low == one.high else {"low": one.low, "high": one.high})
            for one in cells
        ]
    }


def _count_2(files: tuple[Path, ...]) -> Result:
    return _result(table_2(read_midogpp(files)))


def _count_3(files: tuple[Path, ...]) -> Result:
    return _result(table_3(read_midogpp(files)))


def _rows(result: Result, names: Sequence[str], columns: Sequence[str]) -> tuple[Row, ...]:
    cells: dict[tuple[str, str], dict[str, Any]] = {
        (one["row"], one["column"]): one for one in result["cells"]
    }

    def entry(row: str, column: str) -> Entry:
        own = cells.get((row, column), {})
        return Entry(**{name: value for name, value in own.items() if name not in ("row", "column")})

    return tuple(Row(DOMAIN_NAMES[row], tuple(entry(row, column) for column in columns)) for row in names)


def _table_2(result: Result) -> Table:
    columns = tuple(Column(name, 1 if "median" in name else 0) for name in TABLE_2_COLUMNS)
    return Table(
        "MIDOG++ Table 2: cases and labelled cells by domain",
        "domain",
        columns,
        _rows(result, tuple(TABLE_2), TABLE_2_COLUMNS),
        published_in="MIDOG++ Table 2",
    )


def _table_3(result: Result) -> Table:
    note = (
        "From domain 2 on a label of the authors' candidate model stands in some lists of labels, so that "
        "the file gives a range for some figures, not a value."
    )
    return Table(
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
