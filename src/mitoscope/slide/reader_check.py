"""The fast reader against OpenSlide, on a handful of tiles of the slide at hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.slide.jpeg_tile_reader import JpegTileReader
from mitoscope.slide.openslide_reader import OpenSlideReader

TOLERANCE_GREY = 2
"""Most grey levels by which two JPEG decoders may differ (promise 5)."""
_MARGIN_PX = 2


def find_disagreement(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
    """Compare both readers on each level: the tiles at the corners and the one with most in it.

    Returns
    -------
    str or None
        What differs, as ``"decodes …"``; None where the readers agree. A tile that either cannot decode
        proves nothing, unless the fast reader can decode none.
    """
    for level in range(len(reference.info.levels)):
        compared, undecodable = 0, 0
        for index in fast.table(level).samples():
            worst = _worst_difference(fast, reference, level=level, index=index)
            if worst is None:
                undecodable += 1
                continue
            compared += 1
            if worst > TOLERANCE_GREY:
                return f"decodes tile {index} of level {level} {worst:.0f} grey levels apart"
        if undecodable and not compared:
            return f"decodes none of {undecodable} tiles of level {level}"
    return None


def _worst_difference(
    fast: JpegTileReader, reference: OpenSlideReader, *, level: int, index: int
) -> float | None:
    """Return the largest difference over a tile in grey levels; None where only OpenSlide can decode it."""
    size = reference.info.levels[level].size
    tile = fast.table(level).box(index)
    box = tile.intersection(BoxPx(0, 0, size.width, size.height))
    assert box is not None  # tiles lie on their level
    theirs = reference.read(box, level=level)
    ours = fast.tile(level, index)
    if ours is None:
        return None if theirs.valid.any() else 0.0
    expected = ours[: box.height, : box.width].astype(np.float32)
    found, known = theirs.rgb, theirs.valid
    shift_x, shift_y = (_shift(corner, reference.downsamples[level]) for corner in (box.x, box.y))
    if shift_x or shift_y:
        inner = slice(_MARGIN_PX, -_MARGIN_PX), slice(_MARGIN_PX, -_MARGIN_PX)
        expected = _shifted(_shifted(expected, shift_x, axis=1), shift_y, axis=0)[inner]
        found, known = found[inner], known[inner]
    return float(np.abs(expected - found)[known].max(initial=0.0))


def _shift(corner: int, factor: float) -> float:
    """Return how far beside a tile's corner OpenSlide begins to read it, in px of the level.

    It starts on whole px0; where these are no whole px of the level, it interpolates between two of them.
    """
    return round(corner * factor) / factor - corner


def _shifted(rgb: NDArray[np.float32], shift: float, *, axis: int) -> NDArray[np.float32]:
    """Return the colours between neighbours, as OpenSlide interpolates them; the first and last are wrong."""
    neighbour = np.roll(rgb, -1 if shift > 0 else 1, axis=axis)
    between: NDArray[np.float32] = rgb + abs(shift) * (neighbour - rgb)
    return between
