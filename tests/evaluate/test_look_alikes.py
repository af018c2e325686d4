import numpy as np

from mitoscope.evaluate import PROTOCOLS
from mitoscope.evaluate.judged_image import LookAlikeScore, judge_look_alikes

POINTS = np.array([[0.0, 0.0], [100.0, 0.0], [200.0, 0.0], [300.0, 0.0]])
SCORES = np.array([0.9, 0.8, 0.7, 0.6])


def judge(name: str) -> LookAlikeScore:
    protocol = PROTOCOLS[name]
    matching = protocol.match(POINTS, SCORES, [[5, 0], [105, 0]])
    look_alikes = np.array([[200.0, 5.0], [500.0, 0.0], [2.0, 2.0]])
    return judge_look_alikes(
        POINTS, SCORES, matching=matching, look_alikes_px0=look_alikes, protocol=protocol
    )


def test_false_detections_fall_on_look_alikes_or_elsewhere() -> None:
    for name in PROTOCOLS:
        # The look-alike beside the first figure was not mistaken: that detection is the figure's.
        assert judge(name) == LookAlikeScore(2, 1, 1, 3)
    score = judge("mitoscope")
    assert score.precision_among_look_alikes == 2 / 3
    assert score.share_mistaken == 1 / 3


def test_scores_add_up_and_nothing_is_undefined() -> None:
    assert judge("midog") + LookAlikeScore(1, 1, 1, 1) == LookAlikeScore(3, 2, 2, 4)
    assert LookAlikeScore().precision_among_look_alikes is None
    assert LookAlikeScore().share_mistaken is None
