from __future__ import annotations

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS
from mitoscope.train.judging import judge

pytestmark = pytest.mark.train
TUPAC = PROTOCOLS["tupac"]


def test_the_best_threshold_separates_figures_from_look_alikes() -> None:
    found = [
        Detections.of([[10, 10], [90, 90]], [0.8, 0.4]),
        Detections.of([[50, 50], [200, 200]], [0.7, 0.5]),
    ]
    curve = judge(found, [np.array([[12.0, 10.0]]), np.array([[50.0, 60.0]])], TUPAC)
    best = curve.best()
    assert best.f1 == 1.0
    assert 0.5 <= best.threshold < 0.7
    loose = curve.at(0.1).score
    assert (loose.tp, loose.fp, loose.fn) == (2, 2, 0)
    assert curve.intervals(0.1).precision is not None
    assert curve.average_precision() == 1.0


def test_thresholds_below_the_floor_are_not_chosen() -> None:
    found = [Detections.of([[10, 10], [90, 90]], [0.8, 0.2])]
    curve = judge(found, [np.array([[10.0, 10.0], [90.0, 90.0]])], TUPAC)
    assert curve.best().threshold < 0.2
    assert curve.best(floor=0.4).threshold >= 0.4


def test_no_detection_is_used_twice() -> None:
    truth = [np.array([[12.0, 10.0], [8.0, 10.0]])]
    score = judge([Detections.of([[10, 10]], [0.9])], truth, TUPAC).at(0.5).score
    assert (score.tp, score.fp, score.fn) == (1, 0, 1)


def test_the_protocol_decides() -> None:
    """Two detections of one figure: a false positive under TUPAC's rule, none under that of CMC."""
    found, truth = [Detections.of([[10, 10], [14, 10]], [0.9, 0.8])], [np.array([[12.0, 10.0]])]
    assert judge(found, truth, TUPAC).at(0.5).score.fp == 1
    assert judge(found, truth, PROTOCOLS["cmc"]).at(0.5).score.fp == 0


def test_without_figures_and_detections_f1_is_nought() -> None:
    assert judge([Detections.empty()], [np.empty((0, 2))], TUPAC).best().f1 == 0.0


def test_images_of_one_case_are_drawn_together() -> None:
    good, bad = Detections.of([[10, 10]], [0.9]), Detections.of([[90, 90]], [0.9])
    found, truth = [good, bad] * 4, [np.array([[10.0, 10.0]])] * 8
    alone = judge(found, truth, TUPAC).intervals(0.5).recall
    # Every case has a good and a bad image: whichever cases are drawn, half of the figures are found.
    together = judge(found, truth, TUPAC, cases=["a", "a", "b", "b", "c", "c", "d", "d"])
    within = together.intervals(0.5).recall
    assert alone is not None
    assert within is not None
    assert alone.low < 0.5 < alone.high
    assert within.low == within.high == 0.5
    assert len(together.cases) == 4
