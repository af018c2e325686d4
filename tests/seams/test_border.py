"""A place looks the same when a network learns it and when it is asked about it, at every border."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.bundle import Border
from mitoscope.data.picture import Picture
from mitoscope.data.window import Window, cut_patch
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.search import read_windows
from mitoscope.slide import MemorySlide, Plane
from mitoscope.tiles import Tile, TileGrid

pytestmark = pytest.mark.train

RGB = np.random.default_rng(5).integers(0, 255, (150, 190, 3)).astype(np.uint8)
PLACES = list(product((1, 95, 189), (1, 75, 149)))
"""Every corner, every edge, and the middle."""
HALO = 32


def _detected(tile: Tile, border: Border) -> NDArray[np.uint8]:
    plane = Plane(MemorySlide(RGB, mpp=Mpp.square(0.25)), 0.25)
    depth = HALO if border == "mirror" else 0
    return read_windows(plane, [tile.window], mirror_px=depth).windows[0]


def _tile_around(x: int, y: int) -> Tile:
    whole = BoxPx(0, 0, RGB.shape[1], RGB.shape[0])
    core = BoxPx(x - 1, y - 1, 2, 2).intersection(whole)
    assert core is not None
    (tile,) = TileGrid(core, 2, HALO, 1)
    return tile


def _learnt(tile: Tile, border: Border) -> NDArray[np.uint8]:
    side, box = max(tile.window.width, tile.window.height), tile.window
    centre = Window(0, box.x + side // 2, box.y + side // 2)
    return cut_patch(centre, (Picture("p", "s", "c", RGB),), side=side, border=border).rgb


@pytest.mark.parametrize("border", ["mirror", "white"])
@pytest.mark.parametrize("place", PLACES)
def test_training_and_detection_see_the_same_pixels(place: tuple[int, int], border: Border) -> None:
    tile = _tile_around(*place)
    shown = _detected(tile, border)
    learnt = _learnt(tile, border)[: shown.shape[0], : shown.shape[1]]
    np.testing.assert_array_equal(learnt, shown)


def test_control_a_mirror_that_leaves_out_the_border_pixel_shows_others() -> None:
    """The rule that training once had: 2, 1, 0, 1, 2 instead of 2, 1, 0, 0, 1, 2."""
    padded = np.pad(RGB, ((HALO, HALO), (HALO, HALO), (0, 0)), mode="reflect")
    differing = 0
    for place in PLACES:
        tile = _tile_around(*place)
        shown = _detected(tile, "mirror")
        y, x = tile.window.y + HALO, tile.window.x + HALO
        differing += not np.array_equal(padded[y : y + shown.shape[0], x : x + shown.shape[1]], shown)
    assert differing == len(PLACES) - 1  # all but the one in the middle
