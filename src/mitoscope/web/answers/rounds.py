"""Rounds, with a rater's progress in them."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from mitoscope.store import RoundKind
from mitoscope.store.terms import ShowsCells, SpeaksAs
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import Pair


@exact
class RoundSettings(TypedDict):
    """What was stated of the work: fields in µm, areas in mm², scores and shares in [0, 1]."""

    field_um: NotRequired[Pair]
    threshold: NotRequired[float]
    area_mm2: NotRequired[float]
    aspect: NotRequired[str]
    minimum_reviewers: NotRequired[int]
    gold_needed: NotRequired[int]
    pass_mark: NotRequired[float]


@exact
class Round(TypedDict):
    """A round: its terms, how many cells I have labelled of how many, and where I was in it.

    A position is what the page has put there, or null.
    """

    id: int
    name: str
    kind: RoundKind
    is_blinded: bool
    is_open: bool
    slides: list[int]
    shows_labels: bool
    shows_cells: ShowsCells
    speaks_as: SpeaksAs
    review: str | None
    bin: int | None
    bins: int | None
    board: int | None
    labelled: int
    cells: int
    position: Any
    settings: RoundSettings


@exact
class StaffedRound(Round):
    """A round, and the ids of those who work in it."""

    raters: list[int]


@exact
class StaffedRounds(TypedDict):
    """All rounds of the study."""

    rounds: list[StaffedRound]


@exact
class RoundSet(StaffedRound, Done):
    """A round that was opened or changed."""
