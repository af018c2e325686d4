"""The files of the field, one module a format, reading and writing side by side.

`FORMATS` knows the formats by name and by content; every annotation format reads into and writes from a
:class:`~mitoscope.store.Study`. Ground truth is read by one door, `read_ground_truth`, what was found by
another, `read_any_predictions`; class names are mapped at both, and on import, by `apply_mapping`.
"""

from __future__ import annotations

from mitoscope.exchange.classes import apply_mapping
from mitoscope.exchange.format import BoxLayout, Format, ReadOptions, WriteOptions
from mitoscope.exchange.geojson import read_tumour
from mitoscope.exchange.names import IMAGE_SUFFIXES, match_stems, stem
from mitoscope.exchange.predictions import read_any_predictions, read_detections, read_results
from mitoscope.exchange.registry import FORMATS, detect_format, find_format, read_study, write_study
from mitoscope.exchange.result import Result, read_result
from mitoscope.exchange.truth import parse_reference, read_ground_truth

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "BoxLayout",
    "Format",
    "ReadOptions",
    "Result",
    "WriteOptions",
    "apply_mapping",
    "detect_format",
    "find_format",
    "match_stems",
    "parse_reference",
    "read_any_predictions",
    "read_detections",
    "read_ground_truth",
    "read_result",
    "read_results",
    "read_study",
    "read_tumour",
    "stem",
    "write_study",
]
