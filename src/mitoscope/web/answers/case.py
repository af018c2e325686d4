"""The case view: its window, the hot spot, and what was signed."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact

Verdict = Literal[-1, 0, 1]
"""-1: rejected, 0: nothing was said, 1: called a mitotic figure."""


@exact
class CountWindow(TypedDict):
    """What is counted over: a size in level-0 px, its mm², and width to height as in ``4:3``."""

    width: int
    height: int
    area_mm2: float
    aspect: str


@exact
class HotSpot(TypedDict):
    """The upper left corner of the window that holds most figures, in level-0 px, and their number."""

    x: float
    y: float
    count: int


@exact
class HotSpotBox(HotSpot):
    """A hot spot with its width and height in level-0 px and its area in mm²."""

    width: float
    height: float
    area_mm2: float


@exact
class WindowBox(TypedDict):
    """Where a window lies, in level-0 px."""

    x: float
    y: float
    width: float
    height: float


@exact
class SignedBase(TypedDict):
    """What was counted: figures above a threshold in a window, and what became of the candidates."""

    count: int
    threshold: float
    window: WindowBox
    area_mm2: float
    candidates: int
    accepted: int
    rejected: int
    comment: str


@exact
class SignedCell(TypedDict):
    """A cell under a result: its centre in level-0 px, a model's score, and what the rater made of it."""

    x: float
    y: float
    score: float | None
    verdict: Verdict
    is_counted: bool


@exact
class SignedCount(SignedBase):
    """A count with its cells, and the figures on the whole slide."""

    figures: int
    cells: list[SignedCell]


@exact
class SignedContent(SignedCount):
    """A result as it was signed: the slide and its file, the mm² of tissue in the window, the last event."""

    slide: str
    fingerprint: str
    covered_mm2: float
    version: int


@exact
class Result(SignedBase):
    """A signed result without its cells: who signed it and when, in seconds since 1970, and where it lies."""

    id: int
    slide: int
    round: int
    rater_name: str
    time_s: float
    report: str
    manifest: str


@exact
class FullResult(Result):
    """A signed result with what was signed."""

    content: SignedContent


@exact
class Results(TypedDict):
    """Signed results, the newest first."""

    results: list[Result]


@exact
class Signed(Done):
    """A result that was signed."""

    result: Result


@exact
class Case(TypedDict):
    """A case: the hot spot at the round's threshold, the mm² of tissue, and the results so far.

    The floor is the lowest score of a candidate, null where there is none.
    """

    threshold: float
    window: CountWindow
    hot_spot: HotSpot
    tissue_mm2: float
    floor: float | None
    mitotic_label: int
    results: list[Result]
