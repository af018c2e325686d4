"""Searching fields under training: tiles as in inference, so that nothing is lost or doubled at a seam."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.bundle import Border
from mitoscope.data.picture import Picture
from mitoscope.models.family import Layout
from mitoscope.train.detect import search, suppressed

pytestmark = pytest.mark.train


def bright(windows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A detector of single light pixels; white is the border."""
    found = np.zeros((len(windows), 64, 3))
    for index, window in enumerate(windows):
        rows, columns = np.nonzero(window[..., 0] == 254)
        found[index, : len(rows)] = np.column_stack([columns + 0.5, rows + 0.5, np.full(len(rows), 0.9)])
    return found


def field(places: list[tuple[int, int]], width: int, height: int) -> Picture:
    rgb = np.zeros((height, width, 3), dtype=np.uint8)
    for x, y in places:
        rgb[y, x] = 254
    return Picture("f", "s", "c", rgb)


@pytest.mark.parametrize("any_window", [True, False])
def test_every_place_is_found_once(any_window: bool) -> None:
    places = [(3, 5), (63, 64), (64, 64), (100, 20), (199, 149)]
    layout = Layout(0.25, 8, 16, 96, any_window=any_window, top_k=64)
    (found,) = search(bright, [field(places, 200, 150)], layout)
    assert sorted(map(tuple, found.points[:, :2].tolist())) == [(x + 0.5, y + 0.5) for x, y in sorted(places)]
    assert len(found.among(np.array(places, dtype=np.float64))) == len(places)


def test_a_network_at_half_the_resolution_sees_means_and_says_places_of_the_field() -> None:
    rgb = np.zeros((150, 200, 3), dtype=np.uint8)
    for x, y in [(4, 6), (100, 20), (198, 148)]:
        rgb[y : y + 2, x : x + 2] = 254
    rgb[40, 40] = 254  # a quarter of a square: no light pixel after reduction
    layout = Layout(0.5, 4, 8, 48, any_window=True, top_k=64, reduction=2)
    (found,) = search(bright, [Picture("f", "s", "c", rgb)], layout)
    assert sorted(map(tuple, found.points[:, :2].tolist())) == [(5, 7), (101, 21), (199, 149)]


@pytest.mark.parametrize(("border", "beyond"), [("mirror", 60), ("white", 255)])
def test_beyond_a_field_lies_what_the_recipe_has_shown_in_training(border: Border, beyond: int) -> None:
    seen: list[NDArray[np.uint8]] = []

    def keep(windows: NDArray[np.uint8]) -> NDArray[np.float64]:
        seen.extend(windows)
        return np.zeros((len(windows), 1, 3))

    grey = Picture("f", "s", "c", np.full((40, 50, 3), 60, dtype=np.uint8))
    search(keep, [grey], Layout(0.25, 8, 16, 96, any_window=True, top_k=64), border=border)
    (window,) = seen
    assert (window[:, 82:] == 255).all()  # further than the halo: up to the next multiple of the stride
    window = window[:, :82]
    assert (window[:16] == beyond).all()
    assert (window[:, :16] == beyond).all()
    assert (window[16:56, 16:66] == 60).all()
    assert (window[56:] == beyond).all()


def test_some_tiles_are_always_the_same() -> None:
    layout = Layout(0.25, 8, 16, 96, any_window=False, top_k=64)
    fields = [field([(10, 10)], 400, 300), field([], 300, 300)]
    one, other = (search(bright, fields, layout, tiles_max=3, seed=4) for _ in range(2))
    assert sum(len(found.cores) for found in one) == 3
    assert [found.cores for found in one] == [found.cores for found in other]


def test_glass_is_left_out_but_no_labelled_figure() -> None:
    layout = Layout(0.25, 8, 16, 96, any_window=False, top_k=64)
    rgb = field([(10, 10), (180, 20)], 640, 64).rgb
    rgb[:, 128:] = 255
    rgb[20, (180, 580)] = 254
    glass = Picture("f", "s", "c", rgb, np.array([[580.0, 20.0]]))
    (found,) = search(bright, [glass], layout, without_glass=True)
    assert sorted(found.points[:, 0].tolist()) == [10.5, 580.5]
    assert len(found.among(glass.figures)) == 1
    (every,) = search(bright, [glass], layout)
    assert len(every.points) == 3
    assert len(found.cores) < len(every.cores)


def test_the_lesser_of_two_near_ones_is_left_out() -> None:
    points = np.array([[10.0, 10, 0.5], [15, 10, 0.9], [100, 10, 0.4], [200, 10, 0.05]])
    found = suppressed(points, radius_px=25, floor=0.1)
    assert found.score.tolist() == [0.9, 0.4]
