"""Regions of tumour and exclusion, and regions of interest."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.store import RegionKind
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import Pair


@exact
class Region(TypedDict):
    """A region: vertices in level-0 px, not closed; its area in mm², and the number of its last change."""

    id: int
    kind: RegionKind
    name: str
    vertices: list[Pair]
    area_mm2: float | None
    seen: int


@exact
class Regions(TypedDict):
    """The regions of a slide, and the mm² of tumour without exclusions; null where the mpp is not known."""

    regions: list[Region]
    area_mm2: float | None


@exact
class RegionSet(Done):
    """A region that was drawn, changed or restored, and the mm² of tumour without exclusions since."""

    region: Region
    area_mm2: float | None


@exact
class RegionDeleted(Done):
    """A region that is gone, and the mm² of tumour without exclusions since."""

    region: None
    area_mm2: float | None


@exact
class InterestRecord(TypedDict):
    """A region of interest: upper left corner and size in level-0 px; the mm² are null without an mpp.

    Its pixels lie at the address ``tiff``.
    """

    id: int
    name: str
    slide: int
    x: float
    y: float
    width: float
    height: float
    area_mm2: float | None
    rater_name: str
    tiff: str


@exact
class Interests(TypedDict):
    """The regions of interest of a slide."""

    interests: list[InterestRecord]


@exact
class InterestPlaced(Done):
    """A region of interest that was placed."""

    interest: InterestRecord
