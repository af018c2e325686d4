"""Reading the windows of a chunk: every pixel decoded once, mirrored or white beyond the slide's border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.slide import Pixels, Plane
from mitoscope.tiles import Tile

_WHITE = 255


@dataclass(frozen=True, eq=False)
class Block:
    """What was read for some tiles.

    Parameters
    ----------
    windows : tuple of ndarray of uint8, shape (h, w, 3)
        One for each tile.
    box : BoxPx
        The part of the plane that was read.
    valid : ndarray of bool, shape (box.height, box.width)
        Where the slide has pixels.
    damaged : tuple of BoxPx
        Parts of the box that could not be decoded, in plane px.
    """

    windows: tuple[NDArray[np.uint8], ...]
    box: BoxPx
    valid: NDArray[np.bool_]
    damaged: tuple[BoxPx, ...]

    def valid_at(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points (n, 2) in plane px lie on a pixel that the slide has."""
        column = np.floor(points[:, 0]).astype(np.intp) - self.box.x
        row = np.floor(points[:, 1]).astype(np.intp) - self.box.y
        inside = (column >= 0) & (column < self.box.width) & (row >= 0) & (row < self.box.height)
        valid = np.zeros(len(points), dtype=np.bool_)
        valid[inside] = self.valid[row[inside], column[inside]]
        return valid


def read_block(plane: Plane, tiles: Sequence[Tile], *, margin_px: int) -> Block:
    """Read the windows of neighbouring tiles in one go.

    Parameters
    ----------
    plane : Plane
        The slide at the detector's resolution.
    tiles : sequence of Tile
        At least one.
    margin_px : int
        How deep a window is mirrored at the slide's border (Akram et al. 2018: 64 px); beyond that it is
        white. The halo, since nothing further out can change what a tile owns; or 0: white at once.

    Raises
    ------
    SlideReadError
        If the slide's file can no longer be opened.
    """
    slide = BoxPx(0, 0, plane.size.width, plane.size.height)
    box = _bounding([tile.window for tile in tiles]).intersection(slide)
    assert box is not None  # a tile's core lies in the slide
    pixels = plane.read(box)
    windows = tuple(_cut(pixels, box, tile.window, slide=slide, margin_px=margin_px) for tile in tiles)
    return Block(windows, box, pixels.valid, pixels.damaged)


def _bounding(boxes: Sequence[BoxPx]) -> BoxPx:
    x, y = min(box.x for box in boxes), min(box.y for box in boxes)
    return BoxPx(x, y, max(box.right for box in boxes) - x, max(box.bottom for box in boxes) - y)


def _cut(pixels: Pixels, box: BoxPx, wanted: BoxPx, *, slide: BoxPx, margin_px: int) -> NDArray[np.uint8]:
    if wanted.intersection(slide) == wanted:
        rows = slice(wanted.y - box.y, wanted.bottom - box.y)
        columns = slice(wanted.x - box.x, wanted.right - box.x)
        return pixels.rgb[rows, columns]
    row, row_known = _mirrored(wanted.y, wanted.bottom, size=slide.height, margin=margin_px)
    column, column_known = _mirrored(wanted.x, wanted.right, size=slide.width, margin=margin_px)
    window = np.full((wanted.height, wanted.width, 3), _WHITE, dtype=np.uint8)
    window[np.ix_(row_known, column_known)] = pixels.rgb[
        np.ix_(row[row_known] - box.y, column[column_known] - box.x)
    ]
    return window


def _mirrored(start: int, stop: int, *, size: int, margin: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the pixel that each position shows, mirrored at 0 and `size`, and which lie in the margin."""
    position = np.arange(start, stop)
    folded = position % (2 * size)
    index = np.where(folded < size, folded, 2 * size - 1 - folded)
    return index, (position >= -margin) & (position < size + margin)
