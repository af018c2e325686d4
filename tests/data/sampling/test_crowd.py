from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mitoscope.data.field import Labels
from mitoscope.data.picture import Picture
from mitoscope.data.sampling.by_share import CrowdConfig, plan_crowd
from mitoscope.data.sampling.scheme import HardPool, Scheme
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train

RGB = np.zeros((1000, 1000, 3), np.uint8)
# Alone in the middle of four sub-tiles; at the corner of the field, in one sub-tile only.
EVENTS = np.array([[312.0, 312.0], [20.0, 30.0]])
TILE = Picture("tile", "crowd", "c1", RGB, others=Labels.of(EVENTS, "mitotic figure", [0.6, 1.0]))
EMPTY = Picture("empty", "crowd", "c2", RGB)


def _plan(fields: tuple[Picture, ...] = (TILE, EMPTY), **values: object) -> Scheme:
    own: dict[str, object] = {"kind": "crowd", "batch": 11, "epoch": 110}
    return plan_crowd(fields, CrowdConfig.parse(own | values, where="test"), mpp=0.25)


def _windows(plan: Scheme, steps: int = 20) -> list[Window]:
    return [w for step in range(steps) for w in plan.windows(step, HardPool.empty(), seed=5)]


@pytest.mark.parametrize("negatives", [0, 1, 2.5, 10])
def test_negatives_to_positives_as_asked_for(negatives: float) -> None:
    epoch = 70 if negatives == 2.5 else 110
    windows = _windows(_plan(negatives=negatives, epoch=epoch, batch=10), steps=epoch // 5)
    positive = sum(w.score > 0 for w in windows)
    assert len(windows) - positive == negatives * positive


def test_sub_tiles_lie_on_their_grid_inside_the_field() -> None:
    for window in _windows(_plan(negatives=3)):
        left, top = window.x - 125, window.y - 125
        assert left % 125 == top % 125 == 0
        assert min(left, top) >= 0
        assert max(left, top) <= 750


def test_events_are_drawn_alike_often_however_many_sub_tiles_they_lie_in() -> None:
    windows = _windows(_plan(), steps=60)
    corner = sum(w.x == w.y == 125 for w in windows)  # holds the event in the corner, and not the other one
    assert 0.45 < corner / len(windows) < 0.55
    others = Counter((w.x, w.y) for w in windows if not w.x == w.y == 125)
    assert len(others) == 4
    assert min(others.values()) > 0.15 * sum(others.values())


def test_the_score_is_the_agreement_on_the_part_inside() -> None:
    plan = _plan()
    scores = {(w.x, w.y): w.score for w in _windows(plan)}
    assert scores[125, 125] == pytest.approx(0.9 * 1.0)  # 5 px of the box of 50 px lie outside of the field
    assert scores[250, 250] == pytest.approx(0.6)
    classes = {w.score for w in _windows(_plan(as_classes=True, negatives=1))}
    assert classes == {0.0, 1.0}


def test_what_cannot_be_sampled_is_an_error() -> None:
    small = Picture("s", "crowd", "c3", RGB[:200, :200], others=TILE.others)
    with pytest.raises(
        TrainingDataError, match="no mitotic figure on a field as large as a sub-tile of 250 px"
    ):
        _plan((small, EMPTY))
    places = np.stack(np.meshgrid(np.arange(10, 1000, 60), np.arange(10, 1000, 60)), -1).reshape(-1, 2)
    with pytest.raises(TrainingDataError, match="no sub-tile without an event"):
        _windows(_plan((Picture("f", "crowd", "c4", RGB, places.astype(float)),), negatives=10))


def test_a_smaller_number_of_events_or_negatives_lies_within_every_larger_one() -> None:
    places = np.stack(np.meshgrid(np.arange(100, 1000, 200), np.arange(100, 1000, 200)), -1).reshape(-1, 2)
    many = Picture("many", "crowd", "c5", RGB, places.astype(float))

    def shown(**values: object) -> set[tuple[int, float, float]]:
        windows = _windows(_plan((many, EMPTY), **values), steps=60)
        return {(w.picture, w.x, w.y) for w in windows if (w.score == 0) == ("negative_tiles" in values)}

    few, more, whole = (shown(events=number) for number in (2, 6, 0))
    assert few < more < whole
    two, five = (shown(negatives=1, negative_tiles=number) for number in (2, 5))
    assert two < five
    assert len(five) <= 5
    with pytest.raises(TrainingDataError, match="26 of 25 mitotic figures are asked for"):
        _plan((many,), events=26)
