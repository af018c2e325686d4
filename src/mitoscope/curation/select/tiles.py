"""The tiles that could be labelled next, and the score a model gives each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.crowd import TILE_PX
from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.geometry import SizePx


@dataclass(frozen=True, eq=False)
class ScoredTiles:
    """Tiles of some slides.

    Parameters
    ----------
    slides : tuple of str
        Names.
    slide : ndarray of int64, shape (n,)
        Index into ``slides``.
    boxes_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max in level-0 pixels; cut off at the slide's border.
    score : ndarray of float64, shape (n,)
        In [0, 1].
    """

    slides: tuple[str, ...]
    slide: NDArray[np.int64]
    boxes_px0: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slide)

    def rows_of(self, slide: str) -> NDArray[np.intp]:
        """Return the rows of the tiles of a slide, in order; none where it is not there."""
        index = self.slides.index(slide) if slide in self.slides else -1
        return np.flatnonzero(self.slide == index)


def score_tiles(
    sizes: Mapping[str, SizePx], found: Mapping[str, Detections], *, tile_px: int = TILE_PX
) -> ScoredTiles:
    """Cut slides into tiles and give each the highest score of a detection whose centre it holds, else 0.

    Parameters
    ----------
    sizes : mapping of str to SizePx
        Slide name → level-0 size.
    found : mapping of str to Detections
        Slide name → detections; a slide without an entry has none.
    tile_px : int
        Side of a tile in level-0 pixels (Ji et al.: 1,000).

    Raises
    ------
    FormatError
        If the tile has no side, a slide of the detections is not among the sizes, or a detection is outside
        of its slide.
    """
    if tile_px < 1:
        raise FormatError(f"tiles of {tile_px} px", where="tiles", mend="write e.g. --tile 1000")
    odd = sorted(set(found) - set(sizes))
    if odd:
        raise FormatError("detections of a slide that is not known", where=odd[0], mend="add it to the study")
    parts = [
        _tiles_of(size, found.get(name, Detections.empty()), tile_px, name) for name, size in sizes.items()
    ]
    counts = [len(score) for _, score in parts]
    return ScoredTiles(
        tuple(sizes),
        np.repeat(np.arange(len(parts), dtype=np.int64), counts),
        np.concatenate([boxes for boxes, _ in parts] or [np.empty((0, 4))]),
        np.concatenate([score for _, score in parts] or [np.empty(0)]),
    )


def _tiles_of(
    size: SizePx, found: Detections, tile_px: int, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns, rows = -(-size.width // tile_px), -(-size.height // tile_px)
    column, row = (np.floor(one / tile_px).astype(np.int64) for one in (found.x_px0, found.y_px0))
    # A centre on the far border belongs to the last tile: coordinates are continuous up to the size.
    column[found.x_px0 == size.width] = columns - 1
    row[found.y_px0 == size.height] = rows - 1
    outside = (column < 0) | (column >= columns) | (row < 0) | (row >= rows)
    outside |= (found.x_px0 > size.width) | (found.y_px0 > size.height)
    if outside.any():
        x, y = found.points_px0[outside][0].tolist()
        raise FormatError(
            f"({x:g}, {y:g}) is outside the slide ({size.width} × {size.height} px)", where=name
        )
    score = np.zeros(rows * columns)
    np.maximum.at(score, row * columns + column, found.score)
    return _boxes(size, columns, rows, tile_px), score


def _boxes(size: SizePx, columns: int, rows: int, tile_px: int) -> NDArray[np.float64]:
    y, x = (one.ravel() * float(tile_px) for one in np.mgrid[:rows, :columns])
    right, bottom = np.minimum(x + tile_px, size.width), np.minimum(y + tile_px, size.height)
    return np.column_stack([x, y, right, bottom])


def chosen_slides(tiles: ScoredTiles, slides: Sequence[str]) -> NDArray[np.bool_]:
    """Return which tiles are on some slides, shape (n,); all where no slide is named.

    Raises
    ------
    FormatError
        If a slide is not there.
    """
    odd = [slide for slide in slides if slide not in tiles.slides]
    if odd:
        raise FormatError(
            f"no slide {odd[0]!r}", where="tiles", mend=f"known are {', '.join(tiles.slides[:5])}"
        )
    if not slides:
        return np.ones(len(tiles), dtype=np.bool_)
    return np.isin(tiles.slide, [tiles.slides.index(slide) for slide in slides])
