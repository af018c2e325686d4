from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.detections import Detections
from mitoscope.train.judging import judge, visible_figures

pytestmark = pytest.mark.train


def test_the_best_threshold_separates_figures_from_look_alikes() -> None:
    found = [
        Detections.of([[10, 10], [90, 90]], [0.8, 0.4]),
        Detections.of([[50, 50], [200, 200]], [0.7, 0.5]),
    ]
    curve = judge(found, [np.array([[12.0, 10.0]]), np.array([[50.0, 60.0]])])
    best = curve.best()
    assert best.f1 == 1.0
    assert 0.5 <= best.threshold < 0.7
    loose = curve.at(0.1).score
    assert (loose.tp, loose.fp, loose.fn) == (2, 2, 0)
    assert curve.intervals(0.1).precision is not None


def test_no_detection_is_used_twice() -> None:
    curve = judge([Detections.of([[10, 10]], [0.9])], [np.array([[12.0, 10.0], [8.0, 10.0]])])
    score = curve.at(0.5).score
    assert (score.tp, score.fp, score.fn) == (1, 0, 1)


def test_without_figures_and_detections_f1_is_nought() -> None:
    assert judge([Detections.empty()], [np.empty((0, 2))]).best().f1 == 0.0


def test_figures_beyond_the_picture_are_not_asked_for() -> None:
    rgb = np.zeros((20, 30, 3), np.uint8)
    picture = Picture("p", "s", "c", rgb, np.array([[5.0, 5.0], [35.0, 5.0], [5.0, -1.0]]))
    assert visible_figures(picture).tolist() == [[5.0, 5.0]]
