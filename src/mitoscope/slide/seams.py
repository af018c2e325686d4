"""Seams inside of a decoded JPEG tile: what a damaged stream leaves where its decoder does not complain.

A flipped bit that changes the mean of one block changes that of all blocks after it, for each mean is stored
as the difference to the one before. The picture then steps along a staircase: above the rest of the block's
own row, and below the part before it. Tissue does not step along such lines; where it does, it steps along
others as well.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import SizePx
from mitoscope.slide.coded_colours import read_coded_colours

SUSPECT_FROM = 8.0
"""Grey levels by which a staircase has to step more than others in its tile; at most 7.3 in the tiles of a
real slide, 2.4 in real fields that were compressed anew."""
UNIT_LEAST_PX = 4
"""Side of a coded unit in which a seam is told from what is beside it, where tiles are reduced."""
_PART_LEAST = 2
"""Blocks on either side of the step of a staircase: one alone is noise."""


def looks_damaged(stream: bytes, rgb: NDArray[np.uint8], *, inside: SizePx, reduction: int = 1) -> bool:
    """Return whether a seam shows in a tile that could be decoded.

    Parameters
    ----------
    stream : bytes
        The tile as it is stored: JPEG.
    rgb : ndarray of uint8, shape (h, w, 3)
        The whole tile as it is decoded.
    inside : SizePx
        How much of it lies on its level, in px of `rgb`: what is beyond may be filled in by blocks.
    reduction : int
        Factor by which it was reduced while it was decoded.

    Returns
    -------
    bool
        False where it cannot be told, because too little of the tile is there.
    """
    coded = read_coded_colours(stream)
    if coded is None or coded.unit is None:
        return False
    unit = SizePx(coded.unit.width // reduction, coded.unit.height // reduction)
    if min(unit.width, unit.height) < UNIT_LEAST_PX:
        return False
    rows = inside.height // unit.height * unit.height
    columns = inside.width // unit.width * unit.width
    return seam(rgb[:rows, :columns], unit) > SUSPECT_FROM


def seam(rgb: NDArray[np.uint8], unit: SizePx) -> float:
    """Return by how many grey levels a tile steps along a staircase between its rows of coded units.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        A tile as it is decoded, cut at a whole unit.
    unit : SizePx
        What is coded together: 8 px, or 16 where chroma is stored more coarsely; less in a reduced tile.

    Returns
    -------
    float
        The largest step in red, green or blue, less that along the same lines some px beside, so that what is
        straight in the picture is no seam; 0 where the tile is too small.
    """
    height, width = rgb.shape[:2]
    if height < 3 * unit.height or width // unit.width <= 2 * _PART_LEAST:
        return 0.0
    found = _staircase(rgb, unit, unit.height)
    if found <= SUSPECT_FROM:  # what else there is can only make it less
        return found
    beside = (unit.height // 4, unit.height // 2, 3 * unit.height // 4)
    return found - max(_staircase(rgb, unit, unit.height + rows) for rows in beside)


def _staircase(rgb: NDArray[np.uint8], unit: SizePx, first: int) -> float:
    """Return the largest step along a staircase between rows `first`, `first` + a unit, and so on."""
    above2, above, below, below2 = _rows_around(rgb, unit, first)
    units = above.shape[1]
    # Twice what the row below differs from the row above, less how both rise by themselves.
    steps = 3 * (below - above) + above2 - below2
    before = steps.cumsum(axis=1, dtype=np.float32)
    lengths = 2 * np.arange(1, units, dtype=np.float32)[:, None]
    prefix = before[1:, :-1] / lengths
    suffix = (before[:-1, -1:] - before[:-1, :-1]) / lengths[::-1]
    prefix, suffix = (part[:, _PART_LEAST - 1 : units - _PART_LEAST] for part in (prefix, suffix))
    both = np.where(prefix * suffix > 0, np.minimum(np.abs(prefix), np.abs(suffix)), 0)
    return float(both.max(initial=0))


def _rows_around(rgb: NDArray[np.uint8], unit: SizePx, first: int) -> NDArray[np.int16]:
    """Return two rows above and two below each line, as means of the columns of each unit.

    Shape (4, lines, units, 3), to whole grey levels.
    """
    height, width = rgb.shape[:2]
    lines, units = (height - first + 2) // unit.height, width // unit.width
    bands = rgb[first - 2 :][: lines * unit.height, : units * unit.width]
    rows = np.ascontiguousarray(bands.reshape(lines, unit.height, -1, 3)[:, :4])
    image = Image.fromarray(rows.reshape(4 * lines, -1, 3)).reduce((unit.width, 1))
    return np.asarray(image, np.int16).reshape(lines, 4, units, 3).swapaxes(0, 1)
