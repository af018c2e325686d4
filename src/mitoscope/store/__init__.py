"""The annotation store: who said what about which cell, in one SQLite file a study."""

from __future__ import annotations

from mitoscope.store.actions import Acknowledgement, Geometry
from mitoscope.store.agreed import Agreed, Policy
from mitoscope.store.builder import StudyBuilder
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.ingest import ImportReport, Source
from mitoscope.store.kinds import RaterKind, RegionKind, RoundKind, Shape
from mitoscope.store.manifest import FrozenSlide, Manifest, Query, parse_version
from mitoscope.store.overview import Overview
from mitoscope.store.quarantine import sift
from mitoscope.store.records import (
    UNSTATED_ROUND,
    DatasetVersion,
    ModelSearch,
    QuarantineEntry,
    Rater,
    Region,
    Round,
    SlideRecord,
    Study,
)
from mitoscope.store.store import Store
from mitoscope.store.versions import Frozen
from mitoscope.truth import Domain

__all__ = [
    "UNSTATED_ROUND",
    "Acknowledgement",
    "Agreed",
    "Cells",
    "DatasetVersion",
    "Domain",
    "Frozen",
    "FrozenSlide",
    "Geometry",
    "ImportReport",
    "LabelEvents",
    "Manifest",
    "ModelSearch",
    "Overview",
    "Policy",
    "QuarantineEntry",
    "Query",
    "Rater",
    "RaterKind",
    "Region",
    "RegionKind",
    "Round",
    "RoundKind",
    "Shape",
    "SlideRecord",
    "Source",
    "Store",
    "Study",
    "StudyBuilder",
    "parse_version",
    "sift",
]
