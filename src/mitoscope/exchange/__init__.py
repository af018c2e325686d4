"""The files of the field, one module a format, reading and writing side by side.

`FORMATS` knows the formats by name and by content; every annotation format reads into and writes from a
:class:`~mitoscope.store.Study`. Ground truth is read by one door, `read_ground_truth`, what was found by
another, `read_any_predictions`; class names are mapped at both, and on import, by `apply_mapping`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitoscope.exchange.classes import apply_mapping, stated_classes
    from mitoscope.exchange.coco.results import is_results_list
    from mitoscope.exchange.csv_text import dump_rows, inert, plain, read_rows, shortest
    from mitoscope.exchange.domains import published_split
    from mitoscope.exchange.format import BoxLayout, Content, Format, ReadOptions, WriteOptions
    from mitoscope.exchange.geojson.reading import read_tumour
    from mitoscope.exchange.importing import Incoming, read_incoming
    from mitoscope.exchange.predictions import (
        findings_in,
        is_result,
        read_any_predictions,
        read_detections,
        read_findings,
        read_manifests,
        read_results,
        table_columns,
        with_scale,
    )
    from mitoscope.exchange.registry import FORMATS, detect_format, find_format, join, read_study, write_study
    from mitoscope.exchange.result import (
        COHORT,
        MANIFEST,
        TABLE,
        TISSUE,
        Result,
        check_names,
        find_broken_manifests,
        find_folders,
        find_manifests,
        is_cohort_table,
        prior_shift_of,
        read_all_manifests,
        read_manifest,
        read_result,
        result_stem,
        write_bytes,
        write_result,
    )
    from mitoscope.exchange.table import COLUMN_NAMES, Row, read_table
    from mitoscope.exchange.truth import is_store, parse_reference, read_ground_truth

_NAMES = {
    "classes": ("apply_mapping", "stated_classes"),
    "coco.results": ("is_results_list",),
    "csv_text": ("dump_rows", "inert", "plain", "read_rows", "shortest"),
    "domains": ("published_split",),
    "format": ("BoxLayout", "Content", "Format", "ReadOptions", "WriteOptions"),
    "geojson.reading": ("read_tumour",),
    "importing": ("Incoming", "read_incoming"),
    "predictions": (
        "findings_in",
        "is_result",
        "read_any_predictions",
        "read_detections",
        "read_findings",
        "read_manifests",
        "read_results",
        "table_columns",
        "with_scale",
    ),
    "registry": ("FORMATS", "detect_format", "find_format", "join", "read_study", "write_study"),
    "result": (
        "COHORT",
        "MANIFEST",
        "Result",
        "TABLE",
        "TISSUE",
        "check_names",
        "find_folders",
        "find_broken_manifests",
        "find_manifests",
        "is_cohort_table",
        "prior_shift_of",
        "read_all_manifests",
        "read_manifest",
        "read_result",
        "result_stem",
        "write_bytes",
        "write_result",
    ),
    "table": ("COLUMN_NAMES", "Row", "read_table"),
    "truth": ("is_store", "parse_reference", "read_ground_truth"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
"""The module of each name; it is loaded when the name is first used."""

__all__ = [
    "COHORT",
    "COLUMN_NAMES",
    "FORMATS",
    "MANIFEST",
    "TABLE",
    "TISSUE",
    "BoxLayout",
    "Content",
    "Format",
    "Incoming",
    "ReadOptions",
    "Result",
    "Row",
    "WriteOptions",
    "apply_mapping",
    "check_names",
    "detect_format",
    "dump_rows",
    "find_broken_manifests",
    "find_folders",
    "find_format",
    "find_manifests",
    "findings_in",
    "inert",
    "is_cohort_table",
    "is_result",
    "is_results_list",
    "is_store",
    "join",
    "parse_reference",
    "plain",
    "prior_shift_of",
    "published_split",
    "read_all_manifests",
    "read_any_predictions",
    "read_detections",
    "read_findings",
    "read_ground_truth",
    "read_incoming",
    "read_manifest",
    "read_manifests",
    "read_result",
    "read_results",
    "read_rows",
    "read_study",
    "read_table",
    "read_tumour",
    "result_stem",
    "shortest",
    "stated_classes",
    "table_columns",
    "with_scale",
    "write_bytes",
    "write_result",
    "write_study",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mitoscope.exchange' has no attribute {name!r}")
    return getattr(import_module(f"mitoscope.exchange.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
