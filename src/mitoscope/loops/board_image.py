"""The picture of a board: all crops with frames in the colours of their classes, as a deep-zoom pyramid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.board import Grid, Layout
from mitoscope.errors import FormatError, OutputError
from mitoscope.fsio import atomic_write
from mitoscope.slide.synthetic.pyramid import JpegTiff, encode_tile, reopened

TILE_PX = 512
FRAME_PX = 4
"""Width of the frames (CMC: red around mitotic figures, blue around look-alikes)."""
QUALITY = 85
WHITE = np.full(3, 255, dtype=np.uint8)

Progress = Callable[[float, float], None]


def write_board(
    path: Path,
    layout: Layout,
    crops: NDArray[np.uint8],
    colours: Sequence[str],
    *,
    mpp: float,
    progress: Progress | None = None,
) -> None:
    """Write a board as a pyramidal TIFF, which every viewer of slides opens.

    One row of tiles is in memory at a time, whatever the size of the board.

    Parameters
    ----------
    path : Path
        ``.tif`` or ``.tiff``; an earlier file is replaced when the new one is complete.
    layout : Layout
        Where each crop stands.
    crops : ndarray of uint8, shape (n, side, side, 3)
        In the order of the layout; a mapped file where they are many. The side is the grid's place.
    colours : sequence of str, shape (n,)
        Frame of each crop, ``#rrggbb``.
    mpp : float
        Resolution of the crops in µm/px.
    progress : callable, optional
        Called with the number of finished tiles and their total.

    Raises
    ------
    FormatError
        If there is not one crop and one colour a place, or the crops have another side than the places.
    OutputError
        If the name does not end in .tif or .tiff, or the file cannot be written; nothing is left behind then.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise OutputError("a board is a TIFF", where=path, mend="name it .tif or .tiff")
    if not path.parent.is_dir():
        raise OutputError("no such folder", where=path.parent, mend="create it or choose another --out")
    side = layout.grid.cell_px
    if crops.shape != (len(layout.column), side, side, 3) or len(colours) != len(layout.column):
        what = f"{len(layout.column)} places of {side} px, crops {crops.shape}, {len(colours)} colours"
        raise FormatError(what, where="board", mend="give a crop and a colour for each place")
    text = f"Similarity board of {len(layout.column)} crops, written by mitoscope"
    with atomic_write(path) as stream, reopened(stream) as file:
        tiff = JpegTiff(file, size=layout.grid.size, tile_px=TILE_PX, mpp=mpp, description=text)
        paint = _Canvas(layout, crops, colours).paint
        tiff.write(paint, quality=QUALITY, glass=WHITE, folder=path.parent, progress=progress)


class _Canvas:
    """A board as something to be painted tile by tile."""

    def __init__(self, layout: Layout, crops: NDArray[np.uint8], colours: Sequence[str]) -> None:
        self.grid: Grid = layout.grid
        self._crops = crops
        self._colours = np.array([_rgb(colour) for colour in colours], dtype=np.uint8).reshape(-1, 3)
        self._crop_at = np.full((self.grid.rows, self.grid.columns), -1, dtype=np.int64)
        self._crop_at[layout.row, layout.column] = np.arange(len(layout.column))
        self._blank = encode_tile(np.full((TILE_PX, TILE_PX, 3), 255, dtype=np.uint8), QUALITY)

    def paint(self, column: int, row: int) -> tuple[bytes, NDArray[np.uint8] | None]:
        """Return a tile of the board as JPEG and as pixels, shape (512, 512, 3); None where it is blank."""
        side = self.grid.cell_px
        x, y = column * TILE_PX, row * TILE_PX
        places = self._crop_at[y // side : -(-(y + TILE_PX) // side), x // side : -(-(x + TILE_PX) // side)]
        if (places < 0).all():
            return self._blank, None
        # Painted on whole places, then cut: a crop may reach into the tile from outside.
        canvas = np.full((places.shape[0] * side, places.shape[1] * side, 3), 255, dtype=np.uint8)
        for down, across in np.argwhere(places >= 0).tolist():
            part = canvas[down * side : (down + 1) * side, across * side : (across + 1) * side]
            self._paint_crop(part, int(places[down, across]))
        left, top = x % side, y % side
        tile = np.full((TILE_PX, TILE_PX, 3), 255, dtype=np.uint8)
        cut = canvas[top : top + TILE_PX, left : left + TILE_PX]
        tile[: cut.shape[0], : cut.shape[1]] = cut
        return encode_tile(tile, QUALITY), tile

    def _paint_crop(self, part: NDArray[np.uint8], crop: int) -> None:
        part[:] = self._crops[crop]
        width = min(FRAME_PX, self.grid.cell_px // 8)
        if width:
            colour = self._colours[crop]
            part[:width], part[-width:], part[:, :width], part[:, -width:] = colour, colour, colour, colour


def _rgb(colour: str) -> tuple[int, int, int]:
    try:
        value = int(colour.removeprefix("#"), 16)
    except ValueError:
        value = -1
    if len(colour) != 7 or value < 0:
        raise FormatError(f"colour {colour!r} is not #rrggbb", where="board")
    return value >> 16, (value >> 8) & 255, value & 255
