"""The kinds of things in a study: geometry, raters, rounds, regions."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from mitoscope.region import RegionKind
from mitoscope.truth import RaterKind

__all__ = ["RaterKind", "RegionKind", "RoundKind", "Shape"]


class Shape(IntEnum):
    """The geometry of a cell; its bounds and vertices are in px0."""

    SPOT = 1
    """A point: both corners of the bounds are the point."""
    BOX = 2
    """The bounds are the box."""
    CIRCLE = 3
    """The bounds are the bounding square (or the box of an ellipse)."""
    POLYGON = 4
    """Vertices, not closed: the first is not repeated at the end."""


class RoundKind(StrEnum):
    """In which part of the work a label was given (CCMCT, CMC and MIDOG++, section Methods)."""

    UNSTATED = "unstated"
    SCREENING = "screening"
    SECOND_READ = "second read"
    CONSENSUS = "consensus"
    THIRD_EXPERT = "third expert"
    CANDIDATE_REVIEW = "candidate review"
    BOARD_REVIEW = "board review"
    CROWD_BOXES = "crowd boxes"
    """Boxes drawn on tiles by many reviewers (Ji et al.)."""
    CROWD_TILES = "crowd tiles"
    """Yes or no to whole tiles by many reviewers (Ji et al.)."""
    CASE_REVIEW = "case review"
    """A pathologist corrects the candidates of a case and signs its mitotic count."""

    @property
    def is_blinded(self) -> bool:
        """Whether raters of this round do not see the labels of others."""
        return self in (RoundKind.SCREENING, RoundKind.SECOND_READ)
