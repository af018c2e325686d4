"""Crowd boxes and tile scores, worked out by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.curation import CrowdBoxes, merge_crowd_boxes, sub_tiles, tile_scores
from mitoscope.errors import FormatError

BOX = [100.0, 100.0, 150.0, 150.0]


def test_two_overlapping_boxes_of_five_reviewers() -> None:
    merged = merge_crowd_boxes(
        [BOX, [110.0, 100.0, 160.0, 150.0], [500.0, 500.0, 550.0, 550.0]], [0, 1, 2], reviewers=5
    )
    assert merged is not None
    assert merged.boxes_px0.tolist() == [[105, 100, 155, 150]]
    assert merged.agreement.tolist() == [0.4]


def test_a_tile_of_four_reviewers_says_nothing() -> None:
    assert merge_crowd_boxes([BOX, BOX], [0, 1], reviewers=4) is None
    assert merge_crowd_boxes([BOX, BOX], [0, 1], reviewers=4, minimum_reviewers=4) is not None


def test_a_tile_without_boxes_is_an_answer() -> None:
    merged = merge_crowd_boxes([], [], reviewers=5)
    assert merged is not None
    assert tile_scores(merged, sub_tiles(0, 0)).tolist() == [0.0] * 49


def test_one_reviewer_is_one_voice_however_often_he_draws() -> None:
    alone = merge_crowd_boxes([BOX, BOX, BOX], [0, 0, 0], reviewers=5)
    assert alone is not None
    assert len(alone.agreement) == 0
    merged = merge_crowd_boxes([BOX, BOX, [120.0, 100.0, 170.0, 150.0]], [0, 0, 1], reviewers=5)
    assert merged is not None
    assert merged.agreement.tolist() == [0.4]
    assert merged.boxes_px0.tolist() == [[110, 100, 160, 150]]


def test_touching_boxes_do_not_overlap() -> None:
    merged = merge_crowd_boxes([BOX, [150.0, 100.0, 200.0, 150.0]], [0, 1], reviewers=5)
    assert merged is not None
    assert len(merged.agreement) == 0


@pytest.mark.parametrize("box", [[0, 0, 0, 10], [10, 0, 0, 10], [0, 0, np.nan, 10], [0, 0, np.inf, 10]])
def test_boxes_without_an_area_are_refused(box: list[float]) -> None:
    with pytest.raises(FormatError, match="a box that is empty"):
        merge_crowd_boxes([box], [0], reviewers=5)


def test_more_who_drew_than_who_reviewed() -> None:
    with pytest.raises(FormatError, match="6 drew boxes, but 5 reviewed"):
        merge_crowd_boxes([BOX] * 6, range(6), reviewers=5)


def test_49_sub_tiles_a_tile() -> None:
    tiles = sub_tiles(2000, 1000)
    assert len(tiles) == 49
    assert tiles[0].tolist() == [2000, 1000, 2250, 1250]
    assert tiles[1].tolist() == [2125, 1000, 2375, 1250]
    assert tiles[-1].tolist() == [2750, 1750, 3000, 2000]
    with pytest.raises(FormatError, match="do not fit"):
        sub_tiles(0, 0, sub_tile_px=2000)


def test_a_box_on_the_border_counts_by_the_part_inside() -> None:
    boxes = CrowdBoxes(np.array([[225.0, 0, 275, 50], [0, 0, 50, 50]]), np.array([0.4, 1.0]))
    assert tile_scores(boxes, [[0, 0, 250, 250]]).tolist() == [pytest.approx(0.5 * 0.4 + 1.0)]


corner = st.integers(0, 900)


@given(st.lists(st.tuples(corner, corner, st.integers(1, 100), st.integers(1, 100)), max_size=6), st.data())
@settings(max_examples=40, deadline=None)
def test_scores_equal_counting_pixels(rows: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    boxes = np.array([[x, y, x + w, y + h] for x, y, w, h in rows], dtype=np.float64).reshape(-1, 4)
    agreement = np.array([data.draw(st.floats(0, 1)) for _ in rows])
    tiles = sub_tiles(0, 0)[::7]
    expected = np.zeros(len(tiles))
    for (x, y, w, h), a in zip(rows, agreement, strict=True):
        canvas = np.zeros((1000, 1000))
        canvas[y : y + h, x : x + w] = a / (w * h)
        expected += [canvas[int(t[1]) : int(t[3]), int(t[0]) : int(t[2])].sum() for t in tiles]
    assert tile_scores(CrowdBoxes(boxes, agreement), tiles) == pytest.approx(expected, abs=1e-9)
