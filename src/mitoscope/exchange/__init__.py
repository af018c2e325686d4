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
    from mitoscope.exchange.names import IMAGE_SUFFIXES, match_stems, stem
    from mitoscope.exchange.predictions import (
        findings_in,
        is_result,
        is_table,
        read_any_predictions,
        read_detections,
        read_findings,
        read_results,
        with_scale,
    )
    from mitoscope.exchange.registry import FORMATS, detect_format, find_format, read_study, write_study
    from mitoscope.exchange.result import (
        MANIFEST,
        TABLE,
        Result,
        find_manifests,
        read_manifest,
        read_result,
        write_bytes,
        write_result,
    )
    from mitoscope.exchange.table import read_table
    from mitoscope.exchange.truth import is_store, parse_reference, read_ground_truth

_HOME = {
    "BoxLayout": "format",
    "Content": "format",
    "FORMATS": "registry",
    "Format": "format",
    "IMAGE_SUFFIXES": "names",
    "MANIFEST": "result",
    "ReadOptions": "format",
    "Result": "result",
    "TABLE": "result",
    "WriteOptions": "format",
    "apply_mapping": "classes",
    "detect_format": "registry",
    "dump_rows": "csv_text",
    "find_format": "registry",
    "find_manifests": "result",
    "findings_in": "predictions",
    "inert": "csv_text",
    "is_result": "predictions",
    "is_results_list": "coco.results",
    "is_store": "truth",
    "is_table": "predictions",
    "match_stems": "names",
    "parse_reference": "truth",
    "plain": "csv_text",
    "published_split": "domains",
    "read_any_predictions": "predictions",
    "read_detections": "predictions",
    "read_findings": "predictions",
    "read_ground_truth": "truth",
    "read_manifest": "result",
    "read_result": "result",
    "read_results": "predictions",
    "read_rows": "csv_text",
    "read_study": "registry",
    "read_table": "table",
    "read_tumour": "geojson.reading",
    "shortest": "csv_text",
    "stated_classes": "classes",
    "stem": "names",
    "with_scale": "predictions",
    "write_bytes": "result",
    "write_result": "result",
    "write_study": "registry",
}
"""The module of each name; it is loaded when the name is first used."""

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MANIFEST",
    "TABLE",
    "BoxLayout",
    "Content",
    "Format",
    "ReadOptions",
    "Result",
    "WriteOptions",
    "apply_mapping",
    "detect_format",
    "dump_rows",
    "find_format",
    "find_manifests",
    "findings_in",
    "inert",
    "is_result",
    "is_results_list",
    "is_store",
    "is_table",
    "match_stems",
    "parse_reference",
    "plain",
    "published_split",
    "read_any_predictions",
    "read_detections",
    "read_findings",
    "read_ground_truth",
    "read_manifest",
    "read_result",
    "read_results",
    "read_rows",
    "read_study",
    "read_table",
    "read_tumour",
    "shortest",
    "stated_classes",
    "stem",
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
