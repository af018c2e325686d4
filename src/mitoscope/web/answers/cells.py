"""Cells as a rater may see them in a round."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.store import Shape
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import Pair
from mitoscope.web.bodies import Cell, Seen


@exact
class Opinion(TypedDict):
    """What somebody else said of a cell, and when, in seconds since 1970."""

    rater: int
    rater_name: str
    label: int
    round_name: str
    time_s: float | None


@exact
class CellRecord(TypedDict):
    """One cell: centre and size in level-0 px, its shape as 1 spot, 2 box, 3 circle or 4 polygon.

    The label is my own of this round, 0 where I have given none; the score is a model's.
    """

    cell: Cell
    slide: int
    x: float
    y: float
    width: float
    height: float
    shape: Shape
    vertices: list[Pair] | None
    label: int
    score: float | None
    is_deleted: bool
    seen: Seen
    others: list[Opinion]


@exact
class CellColumns(TypedDict):
    """The cells of a slide, one column a value: centres and sizes in level-0 px, shapes as of one cell.

    A label or rater of 0 is none; raters are named by their ids. Deleted are those gone since the version
    that was asked for; not complete is what has too many cells.
    """

    version: int
    complete: bool
    cell: list[Cell]
    x: list[float]
    y: list[float]
    width: list[float]
    height: list[float]
    shape: list[Shape]
    label: list[int]
    score: list[float | None]
    rater: list[int]
    mine: list[bool]
    seen: list[Seen]
    raters: dict[str, str]
    deleted: list[Cell]


@exact
class Queue(TypedDict):
    """The next cells without my label, and how many of the round I have labelled."""

    cells: list[CellRecord]
    labelled: int
    of: int


@exact
class LastCells(TypedDict):
    """The cells that I labelled last, the newest first."""

    cells: list[CellRecord]


@exact
class Acted(Done):
    """An action on disk: its cell, the number of its event, and the cell as it is seen from now on."""

    cell: Cell
    seq: int
    seen: Seen
