from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate import PROTOCOLS, Evaluation, Score, evaluate
from mitoscope.exchange import detections_csv, truth_csv
from mitoscope.exchange.predictions import read_predictions
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE

TUPAC = PROTOCOLS["tupac"]
NONE = np.empty((0, 2))
PREDICTIONS = {
    "a": Detections.of([[10, 10], [100, 100], [200, 200]], [0.9, 0.8, 0.5]),
    "b": Detections.of([[10, 10]], [0.9]),
    "d": Detections.empty(),
}
TRUTH = {"a": np.array([[12.0, 10.0], [200.0, 200.0]]), "c": np.array([[5.0, 5.0]]), "d": NONE}


def judge(threshold: float = 0.5, **options: object) -> Evaluation:
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
