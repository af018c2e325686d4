"""Each image is matched once: the same numbers as by matching it for every threshold anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.evaluate import Evaluation, Matching, Protocol, Sweep, evaluate, find_protocol
from mitoscope.evaluate.judged_image import LookAlikeScore, judge_look_alikes
from mitoscope.statistics import Score
from tests.evaluate.made import make, truth_of
from tests.evaluate.test_protocols import NAMES, POINTS, SCORES, Points

THRESHOLDS = [0.0, 0.2, 0.35, 0.5, 0.9, 1.0]


def match_above(protocol: Protocol, found: Detections, truth: NDArray[np.float64], cut: float) -> Matching:
    """Leave out what is not above the threshold, then match: the rule as it is published."""
    judged = found.above(cut)
    return protocol.match(judged.points_px0, judged.score, truth)


def pairs_of(matching: Matching) -> set[tuple[int, int]]:
    return {(n, m) for n, m in enumerate(matching.truth_of.tolist()) if m >= 0}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60)
@given(points=POINTS, truth=POINTS, look_alikes=POINTS, data=st.data())
def test_what_is_read_off_one_match_equals_matching_anew(
    name: str, points: Points, truth: Points, look_alikes: Points, data: st.DataObject
) -> None:
    found = Detections.of(points, [data.draw(SCORES) for _ in points])
    figures, others = (np.array(side).reshape(-1, 2) for side in (truth, look_alikes))
    protocol = find_protocol(name)
    # What appears twice in the truth is one: every true place once.
    figures, others = np.unique(figures, axis=0), np.unique(others, axis=0)
    rng = np.random.default_rng(len(points))
    figures = figures[rng.permutation(len(figures))]
    known = truth_of({"a": figures}, look_alikes={"a": others})
    judged = evaluate({"a": found}, known, protocol=protocol, threshold=0.0, repeats=1)
    for cut in THRESHOLDS:
        expected = match_above(protocol, found, figures, cut)
        at = judged.at(cut)
        matching = at.judged_images["a"].sweep.at(cut)
        assert at.score == at.images["a"] == expected.score == matching.score
        # Matched, false or thinned is the same for each detection; of equally large matchings of the default
        # another may be taken, in which a figure has another detection.
        assert (np.minimum(matching.truth_of, 0) == np.minimum(expected.truth_of, 0)).all()
        if name != "mitoscope":
            assert pairs_of(matching) == pairs_of(expected)
            assert matching.detection_of.tolist() == expected.detection_of.tolist()
        above = found.above(cut)
        assert (at.look_alikes or LookAlikeScore(at.score.tp, 0, at.score.fp, 0)) == judge_look_alikes(
            above.points_px0, above.score, matching=expected, look_alikes_px0=others, protocol=protocol
        )


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_at_another_threshold_equal_new_ones(name: str) -> None:
    predictions, truth = make(images=5, figures=40, seed=7)
    look_alikes = {image: points + 60 for image, points in truth.items()}
    known, protocol = truth_of(truth, look_alikes=look_alikes), find_protocol(name)
    judged = evaluate(predictions, known, protocol=protocol, threshold=0.2, repeats=50)
    for cut in (0.0, 0.45, 0.7):
        anew = evaluate(predictions, known, protocol=protocol, threshold=cut, repeats=50)
        assert judged.at(cut).as_dict() == anew.as_dict()


def naive(sweep: Sweep, cut: float) -> Score:
    """Read every rule off the matching of all detections, that of MIDOG as well."""
    return sweep.matching.of(sweep.scores > cut).score


def test_control_midog_cannot_be_read_off_the_matching_of_all() -> None:
    # The nearest detection has the lower score: above 0.5 the other one finds the figure.
    found = Detections.of([[0, 0], [10, 0]], [0.3, 0.9])
    truth = np.array([[0.0, 0.0]])
    protocol = find_protocol("midog")
    sweep = protocol.sweep(found.points_px0, found.score, truth)
    expected = match_above(protocol, found, truth, 0.5).score
    assert sweep.at(0.5).score == sweep.steps.at(0.5) == expected == Score(tp=1)
    assert naive(sweep, 0.5) == Score(fp=1, fn=1)


def test_each_image_is_matched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions, truth = make(images=3, figures=20, seed=2)
    calls = []

    def counted(protocol: Protocol, *args: object, **options: object) -> Sweep:
        calls.append(protocol.name)
        return sweep(protocol, *args, **options)  # type: ignore[arg-type]

    sweep = Protocol.sweep
    monkeypatch.setattr(Protocol, "sweep", counted)
    judged: Evaluation = evaluate(predictions, truth_of(truth), threshold=0.5, repeats=20)
    judged.as_dict()
    judged.at(0.3).as_dict()
    assert len(calls) == 3
    assert judged.look_alikes is None
    assert LookAlikeScore().precision_among_look_alikes is None
