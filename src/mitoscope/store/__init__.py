"""The annotation store: who said what about which cell, in one SQLite file a study."""

from __future__ import annotations

from mitoscope.store.builder import StudyBuilder
from mitoscope.store.columns import Cells, LabelEvents
from mitoscope.store.kinds import RaterKind, RegionKind, RoundKind, Shape
from mitoscope.store.records import (
    UNSTATED_ROUND,
    DatasetVersion,
    Domain,
    QuarantineEntry,
    Rater,
    Region,
    Round,
    SlideRecord,
    Study,
)

__all__ = [
    "UNSTATED_ROUND",
    "Cells",
    "DatasetVersion",
    "Domain",
    "LabelEvents",
    "QuarantineEntry",
    "Rater",
    "RaterKind",
    "Region",
    "RegionKind",
    "Round",
    "RoundKind",
    "Shape",
    "SlideRecord",
    "Study",
    "StudyBuilder",
]
