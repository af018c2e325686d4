"""Boards: where each cell stands, and its class before and now."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.bodies import Cell, Seen

PictureState = Literal["drawing", "ready", "failed"]


@exact
class BoardOpened(Done):
    """The ids of a board and of its round."""

    board: int
    round: int


@exact
class BoardColumns(TypedDict):
    """A board: its picture in px of its own, how far that is drawn, and its cells, one column a value.

    Places are columns and rows of the board, x and y the centre of a cell in level-0 px of its slide; a label
    of 0 is none.
    """

    id: int
    name: str
    round: int
    columns: int
    rows: int
    cell_px: int
    width: int
    height: int
    max_level: int
    tile_size: int
    state: PictureState
    done: float
    of: float
    reason: str | None
    cell: list[Cell]
    column: list[int]
    row: list[int]
    slide: list[int]
    x: list[float]
    y: list[float]
    before: list[int]
    label: list[int]
    seen: list[Seen]


@exact
class ReclassedCell(TypedDict):
    """A cell whose label was another before, 0 for none; its centre in level-0 px."""

    cell: Cell
    before: int
    now: int
    slide: int
    x: float
    y: float


@exact
class Reclassed(TypedDict):
    """The cells that have another class on a board than before."""

    cells: list[ReclassedCell]


@exact
class SecondAsked(Done):
    """The id of the round in which the re-classed cells are read again, and how many they are."""

    round: int
    cells: int
