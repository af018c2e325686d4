"""Consistency over the eight ways, and mining with networks whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.geometry import Mpp
from mitoscope.loops.mining import WAYS, MiningConfig, look_eight_ways, mine_slide, turned, turned_back
from mitoscope.search import Detector
from mitoscope.slide import MemorySlide

from .oracle import find_dark_red

DARK = 60


def spotted(side: int, spots: list[tuple[int, int, int]]) -> NDArray[np.uint8]:
    window = np.full((side, side, 3), DARK, dtype=np.uint8)
    for x, y, green in spots:
        window[y, x] = (255, green, 0)
    return window


@given(st.integers(0, 7), st.integers(0, 19), st.integers(0, 19))
@settings(max_examples=60)
def test_a_point_comes_back_from_every_way(way: int, x: int, y: int) -> None:
    found = find_dark_red(turned(spotted(20, [(x, y, 200)]), way)[None])[0]
    assert turned_back(found[:, :2], way, 20).tolist() == [[x + 0.5, y + 0.5]]


def test_the_eight_ways_are_eight() -> None:
    window = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert len({turned(window, way).tobytes() for way in range(WAYS)}) == WAYS


def test_what_is_found_all_ways_is_consistent_and_what_is_not_is_not() -> None:
    window = spotted(64, [(10, 20, 200), (50, 40, 150)])

    def sees_less_mirrored(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = find_dark_red(windows)
        if (windows[0] == turned(window, 5)).all():
            found[..., 2] *= found[..., 2] > 0.7
        return found

    seen = look_eight_ways(window, sees_less_mirrored, floor=0.1)
    assert seen.looks == 8
    lowest = dict(zip(map(tuple, seen.points.tolist()), seen.lowest.tolist(), strict=True))
    assert lowest[10.5, 20.5] == pytest.approx(200 / 255)
    assert lowest[50.5, 40.5] == 0


def test_where_the_first_look_finds_nothing_the_others_are_spared() -> None:
    calls = []

    def counted(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(len(windows))
        return find_dark_red(windows)

    assert look_eight_ways(spotted(32, [(3, 3, 80)]), counted, floor=0.5).looks == 1
    assert calls == [1]
    with pytest.raises(ConfigError, match="square windows"):
        look_eight_ways(np.zeros((4, 5, 3), dtype=np.uint8), counted, floor=0.5)


def test_every_figure_of_a_slide_is_mined_once_and_glass_is_skipped() -> None:
    rgb = np.full((700, 900, 3), 250, dtype=np.uint8)
    rgb[:, :600] = DARK
    places = [(5, 5), (64, 64), (135, 200), (136, 300), (300, 136), (595, 690), (271, 543)]
    for x, y in places:
        rgb[y, x] = (255, 200, 0)
    rgb[650, 100] = (255, 100, 0)  # above the floor, but not above the threshold
    config = MiningConfig(window_px=192, overlap_px=56, floor=0.3, threshold=0.6, same_px=5)
    mined = mine_slide(
        MemorySlide(rgb, mpp=Mpp.square(0.25)), Detector(find_dark_red, 0.25), config, source="d"
    )
    assert sorted(map(tuple, mined.figures.points_px0.tolist())) == sorted(
        (x + 0.5, y + 0.5) for x, y in places
    )
    count = mined.count
    assert (count.candidates, count.consistent) == (8, 7)
    assert count.consistency == pytest.approx(7 / 8)
    assert count.windows == 7 * 6
    assert count.blank >= 5
    assert count.looked_at_once + count.blank < count.windows
