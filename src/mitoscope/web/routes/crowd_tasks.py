"""Tiles of the crowd: the next one, what is said of them, and how each rater stands."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.curation.qualification import State
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import AgreedBox, Box


@exact
class Standing(TypedDict):
    """How a rater stands: gold tiles answered of those needed, the share that was right, and the mark."""

    state: State
    done: int
    needed: int
    score: float
    pass_mark: float


@exact
class ShownTile(TypedDict):
    """A tile: its upper left corner and side in level-0 px."""

    id: int
    slide: int
    x: float
    y: float
    side: float


@exact
class NextTile(TypedDict):
    """The next tile to be looked at, null where none is left for me, and how I stand."""

    tile: ShownTile | None
    answered: int
    of: int
    qualification: Standing


@exact
class BoxesFeedback(TypedDict):
    """Whether boxes were right, and the known ones: x, y, width and height in level-0 px."""

    is_right: bool
    boxes: list[Box]


@exact
class YesNoFeedback(TypedDict):
    """Whether a yes or no was right, and the known answer."""

    is_right: bool
    answer: bool


@exact
class TileAnswered(Done):
    """The id of a tile that was answered, how I stand, and how I did where the test goes on."""

    tile: int
    qualification: Standing
    feedback: BoxesFeedback | YesNoFeedback | None


@exact
class TilesAdded(Done):
    """How many tiles are new."""

    tiles: int


@exact
class JudgedTile(ShownTile):
    """A tile with what the qualified said: merged boxes with their agreement, or how many said yes.

    The score is the share of yes, null without an answer, or the sum of the boxes' agreement.
    """

    is_gold: bool
    reviewers: int
    boxes: list[AgreedBox]
    yes: int
    score: float | None


@exact
class CrowdRater(TypedDict):
    """One of the crowd: tiles answered, and the median of the seconds that were taken for one."""

    id: int
    name: str
    answered: int
    qualification: Standing
    seconds_median: float | None


@exact
class CrowdTiles(TypedDict):
    """All tiles of a round, and who answered."""

    tiles: list[JudgedTile]
    raters: list[CrowdRater]


@exact
class CrowdConcluded(Done):
    """How many cells were made of merged boxes."""

    cells: int
