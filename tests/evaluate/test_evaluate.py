from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, ScaleError
from mitoscope.evaluate import PROTOCOLS, ChosenThreshold, Evaluation, choose_threshold, evaluate
from mitoscope.exchange import detections_csv, truth_csv
from mitoscope.exchange.predictions import read_predictions
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.statistics import Score
from tests.evaluate.made import make

TUPAC = PROTOCOLS["tupac"]
NONE = np.empty((0, 2))
PREDICTIONS = {
    "a": Detections.of([[10, 10], [100, 100], [200, 200]], [0.9, 0.8, 0.5]),
    "b": Detections.of([[10, 10]], [0.9]),
    "d": Detections.empty(),
}
TRUTH = {"a": np.array([[12.0, 10.0], [200.0, 200.0]]), "c": np.array([[5.0, 5.0]]), "d": NONE}
TRUTH_AS_FOUND = {image: Detections.of(points, np.ones(len(points))) for image, points in TRUTH.items()}


def judge(threshold: float | ChosenThreshold = 0.5, **options: object) -> Evaluation:
    return evaluate(PREDICTIONS, TRUTH, protocol=TUPAC, threshold=threshold, **options)  # type: ignore[arg-type]


def test_all_images_of_either_side_are_judged() -> None:
    found = judge()
    assert found.images == {"a": Score(1, 1, 1), "b": Score(0, 1, 0), "c": Score(0, 0, 1), "d": Score()}
    assert found.score == Score(1, 2, 2)
    assert found.without_predictions == ("c",)
    assert found.without_truth == ("b",)


def test_only_scores_strictly_above_the_threshold_are_judged() -> None:
    assert judge(0.5).images["a"] == Score(1, 1, 1)
    assert judge(0.49).images["a"] == Score(2, 1, 0)
    assert judge(1.0).score == Score(0, 0, 3)


def test_only_the_class_in_question_is_judged() -> None:
    both = Detections.concat([PREDICTIONS["a"], Detections.of([[12, 10]], [1.0], label=LOOK_ALIKE.name)])
    found = evaluate({"a": both}, {"a": TRUTH["a"]}, protocol=TUPAC, threshold=0.5)
    assert found.score == Score(1, 1, 1)


def test_the_rows_give_the_score() -> None:
    found = judge(0.4)
    for image, matching in found.matchings.items():
        assert len(matching.truth_of) == len(found.judged[image])
        assert (matching.truth_of >= 0).sum() == found.images[image].tp
        assert (matching.detection_of < 0).sum() == found.images[image].fn


def test_the_result_for_json() -> None:
    result = json.loads(json.dumps(judge().as_dict(), allow_nan=False))
    assert {key: result[key] for key in ("protocol", "tp", "fp", "fn", "threshold", "images")} == {
        "protocol": "tupac",
        "tp": 1,
        "fp": 2,
        "fn": 2,
        "threshold": 0.5,
        "images": 4,
    }
    assert (result["precision"], result["recall"], result["f1"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert result["per_image"]["d"]["f1"] is None
    low, high = result["intervals_95"]["f1"]
    assert 0 <= low <= 1 / 3 <= high <= 1


def test_the_bootstrap_draws_cases() -> None:
    one_case = judge(cases=dict.fromkeys("abcd", "case"))
    assert one_case.intervals.f1 is None
    assert judge(cases={"a": "1", "b": "1", "c": "2", "d": "2"}).intervals != judge().intervals
    with pytest.raises(FormatError, match="'b' has no case"):
        judge(cases={"a": "1"})


def test_duplicates_are_judged_one_by_one_and_counted() -> None:
    twice = {"a": Detections.of([[10, 10], [10, 10]], [0.9, 0.8])}
    truth = {"a": np.array([[10.0, 10.0]])}
    found = evaluate(twice, truth, protocol=TUPAC, threshold=0.5)
    assert (found.score, found.duplicates) == (Score(1, 1, 0), 1)
    assert evaluate(twice, truth, protocol=PROTOCOLS["cmc"], threshold=0.5).score == Score(1, 0, 0)


def test_nothing_at_all_is_stated() -> None:
    nothing = evaluate({"a": Detections.empty()}, {"a": NONE}, protocol=TUPAC, threshold=0.5).as_dict()
    for key in ("precision", "recall", "f1", "average_precision", "best_f1", "froc"):
        assert nothing[key] is None, key
    assert nothing["calibration"]["ece"] is None
    assert nothing["mean_over_images"]["f1"] == {"mean": None, "sd": None, "n": 0, "undefined": 1}


def test_the_unit_of_the_radius_is_stated() -> None:
    assert judge().as_dict()["radius"].startswith("30 px, no resolution given")
    assert judge(mpp=Mpp.square(0.25)).as_dict()["radius"] == "7.5 µm"
    with pytest.raises(ScaleError, match="--mpp"):
        judge(mpp=Mpp.square(40.0))


def test_a_chosen_threshold_says_where_it_comes_from() -> None:
    steps = TUPAC.sweep(PREDICTIONS["a"].points_px0, PREDICTIONS["a"].score, TRUTH["a"]).steps
    found = judge(threshold=choose_threshold(steps))
    assert found.threshold == found.as_dict()["threshold"] == 0.25
    assert "validation set" in found.as_dict()["threshold_source"]
    assert judge().as_dict()["threshold_source"] == "given"


def test_averages_are_named() -> None:
    result = judge().as_dict()
    assert result["average"] == "micro: pooled over all images"
    values = [score.f1 for score in judge().images.values() if score.f1 is not None]
    assert result["mean_over_images"]["f1"]["mean"] == pytest.approx(np.mean(values))
    by_case = judge(cases={"a": "1", "b": "1", "c": "2", "d": "2"})
    assert by_case.case_scores == {"1": Score(1, 2, 1), "2": Score(0, 0, 1)}
    assert by_case.mean_over_cases.f1.n == 2


def test_groups_add_up_and_need_all_images() -> None:
    groups = judge().by({"a": "x", "b": "y", "c": "x", "d": "x"})
    assert groups == {"x": Score(1, 1, 2), "y": Score(0, 1, 0)}
    intervals = judge().intervals_by({"a": "x", "b": "y", "c": "x", "d": "x"})
    assert intervals["x"].f1 is not None
    assert intervals["y"].f1 is None  # one case
    with pytest.raises(FormatError, match="'b' has no group"):
        judge().by({"a": "x"})


def test_look_alikes_are_judged_where_known() -> None:
    assert judge().as_dict()["look_alikes"] is None
    found = judge(look_alikes={"a": np.array([[100.0, 95.0]])}).look_alikes
    assert found is not None
    assert (found.figures, found.look_alikes, found.elsewhere) == (1, 1, 1)


def test_two_detectors_are_compared_on_the_same_cases() -> None:
    better = evaluate(TRUTH_AS_FOUND, TRUTH, protocol=TUPAC, threshold=0.5, repeats=200)
    worse = judge(repeats=200)
    # The worse one has a detection on an image without truth; the better one has none there.
    found = better.compare(worse)
    assert found.f1.value == pytest.approx(1 - 1 / 3)
    assert found.cases == 4
    less = evaluate(PREDICTIONS, {"a": TRUTH["a"], "d": NONE}, protocol=TUPAC, threshold=0.5)
    with pytest.raises(FormatError, match="c: an image that only one of the detectors"):
        better.compare(less)
    same = {image: PREDICTIONS[image] for image in ("a", "d")}
    worse = evaluate(same, TRUTH, protocol=TUPAC, threshold=0.5, repeats=200)
    found = better.compare(worse)
    assert found.f1.value == pytest.approx(1 - 0.4)
    assert json.loads(json.dumps(found.as_dict()))["cases"] == 3
    with pytest.raises(FormatError, match="not comparable"):
        better.compare(evaluate(same, TRUTH, protocol=PROTOCOLS["cmc"], threshold=0.5))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_curve_and_the_score_agree(name: str) -> None:
    predictions, truth = make(images=4, figures=30, seed=4)
    for threshold in (0.0, 0.4, 0.6):
        found = evaluate(predictions, truth, protocol=PROTOCOLS[name], threshold=threshold)
        assert found.total_steps.at(threshold) == found.score
    # Calibration is that of all candidates: the sum over the bins is the score without a threshold.
    lowest = evaluate(predictions, truth, protocol=PROTOCOLS[name], threshold=0.0)
    bins = found.reliability()
    assert bins.n.sum() == sum(int(m.judged.sum()) for m in lowest.matchings.values())
    true = sum(int((m.truth_of >= 0).sum()) for m in lowest.matchings.values())
    assert np.nansum(bins.n * bins.true_share) == pytest.approx(true)


def test_bad_input_is_refused() -> None:
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match=r"is not in \[0, 1\]"):
            judge(threshold)
    with pytest.raises(FormatError, match="nothing to judge"):
        evaluate({}, {}, protocol=TUPAC, threshold=0.5)


@pytest.mark.realdata
def test_the_truth_is_perfect_and_31_px_beside_it_is_worthless(data: Path, tmp_path: Path) -> None:
    truth = {
        image: cells.labelled(MITOTIC_FIGURE.name)
        for image, cells in truth_csv.read(data / "midesec" / "labels.csv").items()
    }
    for name, shift, expected in (("same", 0.0, Score(tp=115)), ("near", 21.0, None), ("far", 31.0, None)):
        folder = tmp_path / name
        folder.mkdir()
        for image, points in truth.items():
            found = Detections.of(points + np.array([shift, 0]), np.ones(len(points)))
            detections_csv.write(folder / f"{image}.csv", found)
        result = evaluate(
            read_predictions(folder), truth, protocol=TUPAC, threshold=0.5, mpp=Mpp.square(0.25)
        ).score
        assert result.tp + result.fn == 115
        if expected is not None:
            assert result == expected
        else:
            assert result.tp > 110 if name == "near" else result.tp < 10
