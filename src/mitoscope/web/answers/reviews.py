"""Reviews of candidates, and what they and the rules of a study come to."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact

NextStep = Literal["two experts read", "a third expert decides", "done"]


@exact
class ReviewOpened(Done):
    """The ids of the rounds of a review, its new cells, and the detections that are no new candidate."""

    rounds: list[int]
    cells: int
    known: int


@exact
class ReviewProgress(TypedDict):
    """How far a review is; ``read`` counts the cells that each expert has read, by name."""

    name: str
    cells: int
    read: dict[str, int]
    waiting: int
    disputed: int
    undecided: int
    next_step: NextStep


@exact
class ThirdAsked(Done):
    """The id of a third expert's round, null where nothing is disputed, and how many cells are new in it."""

    round: int | None
    cells: int


@exact
class Concluded(Done):
    """Cells whose agreed class was recorded now, had been before, and that have none."""

    written: int
    unchanged: int
    open: int


@exact
class Settled(Concluded):
    """What a rule settled, and how many cells two experts dispute without a third."""

    disputed: int
