"""Gold tiles out of what is settled: tiles on which every cell has a class, with figures or without.

A tile is taken only where somebody has looked at all of it, where no cell waits for a class or a third
expert, and where no figure is cut by its border. What only a crowd or a model says settles nothing here: a
crowd is not tested by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.labels import is_figure
from mitoscope.store import (
    KnownCell,
    RoundKind,
    TaskTile,
    disputed,
    examined_areas,
    read_labels,
    settled_cells,
)

FIGURE_PX0 = 50.0
"""Side of the box of a figure that was marked by a point (CCMCT, CMC, MIDOG++: 50 px)."""


@dataclass(frozen=True, slots=True)
class GoldFound:
    """Gold tiles: those with figures and those without, and how many of either there were to choose from."""

    tiles: tuple[TaskTile, ...]
    with_figures: int
    without: int


def gold_tiles(
    connection: sqlite3.Connection,
    round_id: int,
    kind: RoundKind,
    corners: Mapping[int, NDArray[np.float64]],
    *,
    side_px0: float,
    positive: int,
    negative: int,
    seed: int = 0,
) -> GoldFound:
    """Return tiles with known answers, drawn at random from the settled labels of the study.

    Parameters
    ----------
    connection : Connection
        Of the study.
    round_id : int
        The round of the tiles, whose kind says what is asked: boxes, or yes and no.
    kind : RoundKind
        Of that round.
    corners : mapping of int to ndarray of float64, shape (n, 2)
        Slide id → upper left corners of the tiles that may be taken, e.g. those with tissue, in level-0 px.
    side_px0 : float
        Side of a tile.
    positive, negative : int
        How many with and without figures, at most.
    seed : int
        Of the drawing.
    """
    examined = examined_areas(connection)
    names = {id_: label.name for id_, label in read_labels(connection).items()}
    figures = {id_ for id_, name in names.items() if is_figure(name)}
    open_ = set(disputed(connection))
    known = settled_cells(connection)
    found: tuple[list[TaskTile], list[TaskTile]] = ([], [])
    for slide, places in corners.items():
        if slide not in examined:
            continue
        area = examined[slide].region
        cells = known.get(slide, [])
        for x, y in places.tolist():
            box = (x, y, x + side_px0, y + side_px0)
            if area is not None and not shapely.covers(area.shape, shapely.box(*box)):
                continue
            boxes = _boxes_on(box, cells, figures, open_)
            if boxes is None:
                continue
            gold: dict[str, Any] = {"answer": bool(boxes)}
            if kind is RoundKind.CROWD_BOXES:
                gold = {"boxes": boxes}
            found[0 if boxes else 1].append(TaskTile(0, round_id, slide, x, y, side_px0, gold=gold))
    rng = np.random.default_rng(seed)
    chosen = [
        tiles[at]
        for tiles, n in zip(found, (positive, negative), strict=True)
        for at in sorted(rng.permutation(len(tiles))[:n].tolist())
    ]
    return GoldFound(tuple(chosen), len(found[0]), len(found[1]))


def _boxes_on(
    tile: tuple[float, float, float, float],
    cells: Collection[KnownCell],
    figures: Collection[int],
    undecided: Collection[int],
) -> list[list[float]] | None:
    """Return the boxes of the figures on a tile as x, y, width, height; None where something is not known."""
    left, top, right, bottom = tile
    boxes = []
    for cell in cells:
        x_min, y_min, x_max, y_max = _grown(cell.corners_px0)
        if x_max <= left or y_max <= top or x_min >= right or y_min >= bottom:
            continue
        if cell.label_id == 0 or cell.id in undecided:
            return None
        if cell.label_id in figures:
            if x_min < left or y_min < top or x_max > right or y_max > bottom:
                return None
            boxes.append([x_min, y_min, x_max - x_min, y_max - y_min])
    return boxes


def _grown(corners: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """Return the box of a cell; a point stands for a box around it."""
    x_min, y_min, x_max, y_max = corners
    if x_max > x_min and y_max > y_min:
        return corners
    x, y, half = (x_min + x_max) / 2, (y_min + y_max) / 2, FIGURE_PX0 / 2
    return x - half, y - half, x + half, y + half
