"""Cells as a rater may see them in a round, as the page reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.store import SeenCell, SeenCells, SeenTokens, Shape
from mitoscope.web.forms import Answer, Cell, Pair, Seen, described


class Opinion(Answer):
    """What somebody else said of a cell, and when, in seconds since 1970."""

    rater: int
    rater_name: str
    label: int
    round_name: str
    time_s: float | None


class CellRecord(Answer):
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


class CellColumns(Answer):
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


def describe_cell(cell: SeenCell, tokens: SeenTokens) -> CellRecord:
    """Return a cell with what the rater may know of it."""
    x, y = cell.centre_px0
    x_min, y_min, x_max, y_max = cell.bounds_px0
    return described(
        CellRecord,
        cell,
        cell=cell.public_id,
        slide=cell.slide_id,
        x=x,
        y=y,
        width=x_max - x_min,
        height=y_max - y_min,
        shape=Shape(cell.shape),
        vertices=None if cell.vertices_px0 is None else cell.vertices_px0.tolist(),
        label=cell.label_id,
        seen=seen_token(cell, tokens),
        others=[
            described(
                Opinion, of, rater=of.rater_id, rater_name=of.rater, label=of.label_id, round_name=of.round
            )
            for of in cell.others
        ],
    )


def seen_token(cell: SeenCell, tokens: SeenTokens) -> str:
    """Return what was seen of a cell, as the page gives it back with an action."""
    return tokens.of(cell.cell_id, cell.seen)[0]


def describe_cells(
    cells: SeenCells, tokens: SeenTokens, names: dict[int, str], *, version: int
) -> CellColumns:
    """Return the cells of a slide in columns; the version is what the page is told of their state."""
    bounds = cells.bounds_px0
    raters = sorted(set(cells.rater_id.tolist()) - {0})
    return {
        "version": version,
        "complete": cells.is_complete,
        "cell": cells.public_id.tolist(),
        "x": _numbers((bounds[:, 0] + bounds[:, 2]) / 2),
        "y": _numbers((bounds[:, 1] + bounds[:, 3]) / 2),
        "width": _numbers(bounds[:, 2] - bounds[:, 0]),
        "height": _numbers(bounds[:, 3] - bounds[:, 1]),
        "shape": cells.shape.tolist(),
        "label": cells.label_id.tolist(),
        "score": _scores(cells.score),
        "rater": cells.rater_id.tolist(),
        "mine": cells.is_mine.tolist(),
        "seen": tokens.of(cells.cell_id, cells.seen),
        "raters": {str(rater): names[rater] for rater in raters},
        "deleted": list(cells.deleted),
    }


def _numbers(values: NDArray[np.float64]) -> list[float]:
    """Return pixels to a thousandth; where all are whole, as whole numbers, which are written faster."""
    rounded = values.round(3)
    whole = rounded.astype(np.int64)
    numbers: list[float] = (whole if np.array_equal(whole, rounded) else rounded).tolist()
    return numbers


def _scores(values: NDArray[np.float64]) -> list[float | None]:
    """Return scores to four places, None for NaN."""
    if np.isnan(values).all():
        return [None] * len(values)
    return [None if score != score else score for score in values.round(4).tolist()]
