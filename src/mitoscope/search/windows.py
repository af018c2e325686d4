"""Windows: what a network is shown of a place, read once, mirrored or white beyond the border."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import Pixels

_WHITE = 255


class Source(Protocol):
    """What windows are read from: a slide's `Plane`, or a field of training."""

    @property
    def size(self) -> SizePx:
        """Columns and rows, px of the source."""
        ...

    def read(self, box: BoxPx) -> Pixels:
        """Read a box that lies inside."""
        ...


@dataclass(frozen=True, eq=False)
class Block:
    """What was read for some windows.

    Parameters
    ----------
    windows : tuple of ndarray of uint8, shape (h, w, 3)
        One for each box.
    box : BoxPx
        The part of the source that was read.
    rgb : ndarray of uint8, shape (box.height, box.width, 3)
        Its pixels.
    valid : ndarray of bool, shape (box.height, box.width)
        Where the source has pixels.
    damaged : tuple of BoxPx
        Parts of the box that could not be decoded, in px of the source.
    """

    windows: tuple[NDArray[np.uint8], ...]
    box: BoxPx
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    damaged: tuple[BoxPx, ...]

    def valid_at(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points (n, 2) in px of the source lie on a pixel that it has."""
        column = np.floor(points[:, 0]).astype(np.intp) - self.box.x
        row = np.floor(points[:, 1]).astype(np.intp) - self.box.y
        inside = (column >= 0) & (column < self.box.width) & (row >= 0) & (row < self.box.height)
        valid = np.zeros(len(points), dtype=np.bool_)
        valid[inside] = self.valid[row[inside], column[inside]]
        return valid


def read_windows(source: Source, boxes: Sequence[BoxPx], *, mirror_px: int | None) -> Block:
    """Read neighbouring windows in one go.

    Parameters
    ----------
    source : Source
    boxes : sequence of BoxPx
        At least one; in px of the source, and may reach beyond it.
    mirror_px : int or None
        How deep a window is mirrored at the source's border (Akram et al. 2018: 64 px); beyond that it is
        white. The halo of a network, since nothing further out can change what a tile owns; 0: white at
        once; None: without end, folded back and forth.

    Raises
    ------
    SlideReadError
        If a slide's file can no longer be opened.
    """
    size = source.size
    rows = [mirrored(box.y, box.bottom, size=size.height, depth=mirror_px) for box in boxes]
    columns = [mirrored(box.x, box.right, size=size.width, depth=mirror_px) for box in boxes]
    read = _bounds(rows, columns)
    if read is None:  # nothing but white
        white = tuple(np.full((box.height, box.width, 3), _WHITE, np.uint8) for box in boxes)
        nothing = Pixels.nothing(1, 1)
        return Block(white, BoxPx(0, 0, 1, 1), nothing.rgb, nothing.valid, ())
    pixels = source.read(read)
    whole = BoxPx(0, 0, size.width, size.height)
    windows = tuple(
        _inside(pixels, read, box) if box.intersection(whole) == box else _folded(pixels, read, row, column)
        for box, row, column in zip(boxes, rows, columns, strict=True)
    )
    return Block(windows, read, pixels.rgb, pixels.valid, pixels.damaged)


def window(source: Source, box: BoxPx, *, mirror_px: int | None) -> NDArray[np.uint8]:
    """Return one window, uint8 (box.height, box.width, 3); see `read_windows`."""
    return read_windows(source, (box,), mirror_px=mirror_px).windows[0]


def crop_at(x: float, y: float, side: int) -> BoxPx:
    """Return the square around a point; its middle is at most half a pixel from it."""
    return BoxPx(int(np.rint(x - side / 2)), int(np.rint(y - side / 2)), side, side)


def mirrored(
    start: int, stop: int, *, size: int, depth: int | None
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the pixel that each position along an axis shows, and whether it shows one.

    Parameters
    ----------
    start, stop : int
        Positions; those outside of [0, size) lie beyond the border.
    size : int
        Pixels along the axis.
    depth : int or None
        How far beyond the border there is a mirror image; None: everywhere.

    Returns
    -------
    tuple of ndarray
        Index of the pixel, and where it counts. The pixel at the border comes twice (2, 1, 0, 0, 1, 2): the
        axis of the mirror is the edge of the picture, so that a place x lies again at -x.
    """
    position = np.arange(start, stop)
    folded = position % (2 * size)
    index = np.where(folded < size, folded, 2 * size - 1 - folded)
    if depth is None:
        return index, np.ones(len(index), dtype=np.bool_)
    return index, (position >= -depth) & (position < size + depth)


_Axis = tuple[NDArray[np.intp], NDArray[np.bool_]]


def _bounds(rows: list[_Axis], columns: list[_Axis]) -> BoxPx | None:
    """Return what has to be read for windows; None where they show nothing of the source."""
    needed = [
        (row[row_known], column[column_known])
        for (row, row_known), (column, column_known) in zip(rows, columns, strict=True)
        if row_known.any() and column_known.any()
    ]
    if not needed:
        return None
    y, bottom = min(int(r.min()) for r, _ in needed), max(int(r.max()) for r, _ in needed) + 1
    x, right = min(int(c.min()) for _, c in needed), max(int(c.max()) for _, c in needed) + 1
    return BoxPx(x, y, right - x, bottom - y)


def _inside(pixels: Pixels, read: BoxPx, box: BoxPx) -> NDArray[np.uint8]:
    return pixels.rgb[box.y - read.y : box.bottom - read.y, box.x - read.x : box.right - read.x]


def _folded(pixels: Pixels, read: BoxPx, rows: _Axis, columns: _Axis) -> NDArray[np.uint8]:
    (row, row_known), (column, column_known) = rows, columns
    # What is white shows no pixel: its index may lie outside of what was read.
    row, column = (row - read.y).clip(0, read.height - 1), (column - read.x).clip(0, read.width - 1)
    # Axis after axis: both at once would take five times as long.
    shown = pixels.rgb.take(row, axis=0).take(column, axis=1)
    if not row_known.all():
        shown[~row_known] = _WHITE
    if not column_known.all():
        shown[:, ~column_known] = _WHITE
    return shown
