"""Judging many images against the ground truth: who is judged, where, at which resolution and threshold."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConfigError, FormatError, NotExaminedError, ScaleError
from mitoscope.evaluate import PROTOCOLS, ChosenThreshold, Evaluation, choose_threshold, evaluate
from mitoscope.exchange import Result, detections_csv
from mitoscope.exchange.predictions import read_any_predictions
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.region import Region
from mitoscope.statistics import Score
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells
from tests.evaluate.made import make, truth_of

TUPAC = PROTOCOLS["tupac"]
NONE = np.empty((0, 2))
PREDICTIONS = {
    "a": Detections.of([[10, 10], [100, 100], [200, 200]], [0.9, 0.8, 0.5]),
    "b": Detections.of([[10, 10]], [0.9]),
    "d": Detections.empty(),
}
FIGURES = {"a": np.array([[12.0, 10.0], [200.0, 200.0]]), "c": np.array([[5.0, 5.0]]), "d": NONE}
TRUTH = truth_of(FIGURES)
TRUTH_AS_FOUND = {image: Detections.of(points, np.ones(len(points))) for image, points in FIGURES.items()}


def judge(threshold: float | ChosenThreshold | None = 0.5, **options: object) -> Evaluation:
    return evaluate(PREDICTIONS, TRUTH, protocol=TUPAC, threshold=threshold, **options)  # type: ignore[arg-type]


def test_the_images_of_the_truth_are_judged() -> None:
    found = judge()
    assert found.images == {"a": Score(1, 1, 1), "c": Score(0, 0, 1), "d": Score()}
    assert found.score == Score(1, 1, 2)
    assert found.without_predictions == ("c",)
    assert found.without_truth == ("b",)


def test_an_image_that_the_truth_does_not_name_changes_nothing() -> None:
    perfect = {"a": TRUTH_AS_FOUND["a"]}
    more = perfect | dict.fromkeys(("x", "y", "z"), PREDICTIONS["b"])
    truth = truth_of({"a": FIGURES["a"]})
    judged = evaluate(more, truth, protocol=TUPAC, threshold=0.5)
    assert judged.score == evaluate(perfect, truth, protocol=TUPAC, threshold=0.5).score
    assert judged.score.f1 == 1.0
    assert judged.without_truth == ("x", "y", "z")
    # One without a cell is judged: what was found there is false.
    stated = truth_of({"a": FIGURES["a"], "x": NONE})
    assert evaluate(more, stated, protocol=TUPAC, threshold=0.5).score == Score(2, 1, 0)


def test_names_are_matched_without_folder_and_suffix() -> None:
    truth = truth_of({"slides/a.svs": FIGURES["a"]})
    assert evaluate({"a.tiff": TRUTH_AS_FOUND["a"]}, truth, protocol=TUPAC, threshold=0.5).score == Score(2)
    with pytest.raises(FormatError, match="the results are of 'b', the ground truth of 'a'"):
        evaluate({"b": TRUTH_AS_FOUND["a"]}, truth, protocol=TUPAC, threshold=0.5)


def test_only_scores_strictly_above_the_threshold_are_judged() -> None:
    assert judge(0.5).images["a"] == Score(1, 1, 1)
    assert judge(0.49).images["a"] == Score(2, 1, 0)
    assert judge(1.0).score == Score(0, 0, 3)


def found_at(points: object, score: object, **stated: object) -> Detections:
    return Detections.of(points, score, searched=Searched(**stated))  # type: ignore[arg-type]


def test_each_result_is_judged_at_its_own_threshold() -> None:
    points, scores = [[10, 10], [100, 100]], [0.9, 0.4]
    found = {
        "a": found_at(points, scores, threshold=0.5),
        "b": found_at(points, scores, threshold=0.3),
    }
    truth = truth_of(dict.fromkeys("abc", points))
    judged = evaluate(found, truth, protocol=TUPAC)
    assert judged.images == {"a": Score(1, 0, 1), "b": Score(2), "c": Score(0, 0, 2)}
    assert judged.thresholds == {"a": 0.5, "b": 0.3, "c": 0.0}
    assert judged.threshold is None
    assert judged.threshold_source == "stated by the results"
    result = judged.as_dict()
    assert result["threshold"] is None
    assert result["per_image"]["b"]["threshold"] == 0.3
    assert judged.at(0.5).score == Score(2, 0, 4)
    # Of one that states none, all count, and the result says so.
    silent = evaluate({**found, "c": Detections.of(points, scores)}, truth, protocol=TUPAC)
    assert silent.images["c"] == Score(2)
    assert silent.threshold_source == "stated by the results, 0 where they state none"
    same = evaluate({"a": found["a"]}, truth_of({"a": points, "c": points}), protocol=TUPAC)
    assert same.threshold == 0.5


def test_figures_are_judged_atypical_ones_included() -> None:
    both = Detections.concat(
        [
            PREDICTIONS["a"],
            Detections.of([[12, 10]], [1.0], label=LOOK_ALIKE.name),
            Detections.of([[300, 300]], [0.8], label=ATYPICAL_FIGURE.name),
        ]
    )
    cells = TrueCells.of(
        [[12, 10], [200, 200], [300, 300]], [MITOTIC_FIGURE.name] * 2 + [ATYPICAL_FIGURE.name]
    )
    truth = GroundTruth((SlideTruth("a", cells, stated_examined=ExaminedArea.whole("a test")),))
    assert evaluate({"a": both}, truth, protocol=TUPAC, threshold=0.5).score == Score(2, 1, 1)


def test_the_resolution_is_each_images_own() -> None:
    # 22 px off: within 7.5 µm at 0.25 µm/px, not at 0.5.
    points, off = [[100, 100]], [[122, 100]]
    found = {
        "a": found_at(off, [1.0], mpp=Mpp.square(0.25)),
        "b": found_at(off, [1.0], mpp=Mpp.square(0.5)),
    }
    truth = truth_of({"a": points, "b": points})
    judged = evaluate(found, truth, protocol=TUPAC)
    assert judged.images == {"a": Score(1), "b": Score(0, 1, 1)}
    result = judged.as_dict()
    assert result["mpp"] is None
    assert [row["mpp"] for row in result["per_image"].values()] == [0.25, 0.5]
    assert result["radius"] == "7.5 µm"
    # The truth may state it as well; what is given fills what is missing, and replaces nothing.
    assert evaluate({"b": found["b"]}, truth, protocol=TUPAC, mpp=Mpp.square(0.25)).score == Score(0, 1, 2)
    replaced = evaluate(found, truth, protocol=TUPAC, mpp=Mpp.square(0.25), mpp_override=True)
    assert replaced.score == Score(2)
    assert replaced.as_dict()["mpp"] == 0.25
    silent = {"a": Detections.of(off, [1.0])}
    for mpp, expected in ((0.25, Score(1)), (0.5, Score(0, 1, 1))):
        stated = truth_of({"a": points}, mpp=Mpp.square(mpp))
        assert evaluate(silent, stated, protocol=TUPAC).score == expected


def test_control_one_resolution_for_all_images_judges_by_the_wrong_radius() -> None:
    points, off = [[100, 100]], [[122, 100]]
    found = {"b": found_at(off, [1.0], mpp=Mpp.square(0.5))}
    naive = TUPAC.match(off, [1.0], points, mpp=Mpp.square(0.25)).score
    assert naive != evaluate(found, truth_of({"b": points}), protocol=TUPAC).score


def test_two_resolutions_of_one_image_are_refused() -> None:
    found = {"a": found_at([[5, 5]], [1.0], mpp=Mpp.square(0.5))}
    truth = truth_of({"a": [[5, 5]]}, mpp=Mpp.square(0.25))
    with pytest.raises(
        ScaleError, match=r"a: the result states 0.5 µm/px, the ground truth 0.25.*--mpp-override"
    ):
        evaluate(found, truth, protocol=TUPAC)
    assert evaluate(found, truth, protocol=TUPAC, mpp=Mpp.square(0.25), mpp_override=True).score == Score(1)
    near = truth_of({"a": [[5, 5]]}, mpp=Mpp.square(0.509))
    assert evaluate(found, near, protocol=TUPAC).score == Score(1)
    with pytest.raises(ScaleError, match=r"the ground truth 0\.511"):
        evaluate(found, truth_of({"a": [[5, 5]]}, mpp=Mpp.square(0.511)), protocol=TUPAC)


def test_pixels_and_micrometres_are_not_mixed() -> None:
    found = {
        "a": found_at([[5, 5]], [1.0], mpp=Mpp.square(0.5)),
        "b": Detections.of([[5, 5]], [1.0]),
    }
    truth = truth_of({image: [[5, 5]] for image in "abc"})
    with pytest.raises(ScaleError, match="no resolution is stated for 'b', for other images there is one"):
        evaluate(found, truth, protocol=TUPAC)
    assert evaluate(found, truth, protocol=TUPAC, mpp=Mpp.square(0.25)).score == Score(2, 0, 1)
    assert evaluate(found, truth, protocol=PROTOCOLS["cmc"]).score == Score(2, 0, 1)  # in pixels for all


def test_outside_of_what_was_looked_at_nothing_is_judged() -> None:
    area = ExaminedArea(Region.of_box(BoxPx0(0, 0, 150, 150)), "screened fields")
    truth = truth_of(
        {"a": FIGURES["a"]}, look_alikes={"a": [[100, 100], [300, 300]]}, examined=area, mpp=Mpp.square(0.25)
    )
    found = {"a": found_at([[10, 10], [100, 100], [200, 200], [400, 400]], [0.9, 0.8, 0.9, 0.3])}
    judged = evaluate(found, truth, protocol=TUPAC, threshold=0.5)
    assert judged.score == Score(1, 1, 0)
    result = judged.as_dict()
    assert result["not_judged"] == {"detections": 1, "figures": 1, "figures_not_searched": 0}
    assert judged.at(0.2).as_dict()["not_judged"]["detections"] == 2
    assert result["per_image"]["a"]["examined"] == "screened fields"
    area = result["examined"].pop("area_mm2")
    assert (result["examined"], area) == ({"images": {"screened fields": 1}}, pytest.approx(0.0375**2))
    assert result["per_image"]["a"]["examined_mm2"] == pytest.approx((150 * 0.00025) ** 2)
    assert result["look_alikes"]["look_alikes_shown"] == 1
    assert result["average_precision"] == pytest.approx(1.0)
    # control: without the area what nobody looked at is false
    everywhere = truth_of({"a": FIGURES["a"][:1]})
    assert evaluate(found, everywhere, protocol=TUPAC, threshold=0.5).score == Score(1, 2, 0)


def test_a_whole_slide_needs_a_statement_of_what_was_looked_at() -> None:
    truth = GroundTruth((SlideTruth("a", TrueCells.of([[10.0, 10.0]], MITOTIC_FIGURE.name)),))
    found = found_at([[10, 10]], [0.9], mpp=Mpp.square(0.25), size=SizePx(50_000, 40_000))
    with pytest.raises(NotExaminedError, match="--examined"):
        evaluate({"a": found}, truth, protocol=TUPAC)
    small = found.with_searched(replace(found.searched, size=SizePx(4_000, 3_000)))
    judged = evaluate({"a": small}, truth, protocol=TUPAC)
    assert judged.score == Score(1)
    assert "region image" in judged.as_dict()["per_image"]["a"]["examined"]
    assert judged.as_dict()["per_image"]["a"]["examined_mm2"] == pytest.approx(0.75)


def test_rows_of_the_truth_that_stand_twice_are_one() -> None:
    twice = truth_of({"a": np.repeat(FIGURES["a"], 2, axis=0)})
    judged = evaluate({"a": TRUTH_AS_FOUND["a"]}, twice, protocol=TUPAC)
    assert judged.score == Score(2)
    assert judged.as_dict()["ground_truth"]["notes"] == ["2 repeated rows of the ground truth counted once"]


def test_the_rows_give_the_score() -> None:
    found = judge(0.4)
    for image, known in found.judged_images.items():
        matching = known.sweep.at(found.thresholds[image])
        assert len(matching.truth_of) == len(found.judged[image])
        assert (matching.truth_of >= 0).sum() == found.images[image].tp
        assert (matching.detection_of < 0).sum() == found.images[image].fn


def test_the_result_for_json() -> None:
    result = json.loads(json.dumps(judge().as_dict(), allow_nan=False))
    assert {key: result[key] for key in ("protocol", "tp", "fp", "fn", "threshold", "images")} == {
        "protocol": "tupac",
        "tp": 1,
        "fp": 1,
        "fn": 2,
        "threshold": 0.5,
        "images": 3,
    }
    assert (result["precision"], result["recall"], result["f1"]) == pytest.approx((1 / 2, 1 / 3, 2 / 5))
    assert result["per_image"]["d"]["f1"] is None
    low, high = result["intervals_95"]["f1"]
    assert 0 <= low <= 2 / 5 <= high <= 1


def by_cases(cases: dict[str, str]) -> Evaluation:
    return evaluate(PREDICTIONS, truth_of(FIGURES, cases=cases), protocol=TUPAC, threshold=0.5)


def test_the_bootstrap_draws_cases() -> None:
    one_case = by_cases(dict.fromkeys("acd", "case"))
    assert one_case.intervals.f1 is None
    assert by_cases({"a": "1", "c": "1", "d": "2"}).intervals != judge().intervals


def test_duplicates_are_judged_one_by_one_and_counted() -> None:
    twice = {"a": Detections.of([[10, 10], [10, 10]], [0.9, 0.8])}
    truth = truth_of({"a": [[10.0, 10.0]]})
    found = evaluate(twice, truth, protocol=TUPAC, threshold=0.5)
    assert (found.score, found.duplicates) == (Score(1, 1, 0), 1)
    assert evaluate(twice, truth, protocol=PROTOCOLS["cmc"], threshold=0.5).score == Score(1, 0, 0)


def test_nothing_at_all_is_stated() -> None:
    nothing = evaluate(
        {"a": Detections.empty()}, truth_of({"a": NONE}), protocol=TUPAC, threshold=0.5
    ).as_dict()
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
    steps = TUPAC.sweep(PREDICTIONS["a"].points_px0, PREDICTIONS["a"].score, FIGURES["a"]).steps
    found = judge(threshold=choose_threshold(steps))
    assert found.threshold == found.as_dict()["threshold"] == 0.25
    assert "validation set" in found.as_dict()["threshold_source"]
    assert judge().as_dict()["threshold_source"] == "given"


def test_averages_are_named() -> None:
    result = judge().as_dict()
    assert result["average"] == "micro: pooled over all images"
    values = [score.f1 for score in judge().images.values() if score.f1 is not None]
    assert result["mean_over_images"]["f1"]["mean"] == pytest.approx(np.mean(values))
    by_case = by_cases({"a": "1", "c": "2", "d": "2"})
    assert by_case.case_scores == {"1": Score(1, 1, 1), "2": Score(0, 0, 1)}
    assert by_case.mean_over_cases.f1.n == 2


def test_groups_add_up_and_need_all_images() -> None:
    groups = judge().by({"a": "x", "c": "y", "d": "x"})
    assert groups == {"x": Score(1, 1, 1), "y": Score(0, 0, 1)}
    intervals = judge().intervals_by({"a": "x", "c": "y", "d": "x"})
    assert intervals["x"].f1 is not None
    assert intervals["y"].f1 is None  # one case
    with pytest.raises(FormatError, match="'c' has no group"):
        judge().by({"a": "x"})


def test_look_alikes_are_judged_where_known() -> None:
    assert judge().as_dict()["look_alikes"] is None
    truth = truth_of(FIGURES, look_alikes={"a": [[100.0, 95.0]]})
    found = evaluate(PREDICTIONS, truth, protocol=TUPAC, threshold=0.5).look_alikes
    assert found is not None
    assert (found.figures, found.look_alikes, found.elsewhere) == (1, 1, 0)


def test_two_detectors_are_compared_on_the_same_cases() -> None:
    better = evaluate(TRUTH_AS_FOUND, TRUTH, protocol=TUPAC, threshold=0.5, repeats=200)
    found = better.compare(judge(repeats=200))
    assert found.f1.value == pytest.approx(1 - 0.4)
    assert json.loads(json.dumps(found.as_dict()))["cases"] == 3
    less = evaluate(PREDICTIONS, truth_of({"a": FIGURES["a"], "d": NONE}), protocol=TUPAC, threshold=0.5)
    with pytest.raises(FormatError, match="c: an image that only one of the detectors"):
        better.compare(less)
    with pytest.raises(FormatError, match="not comparable"):
        better.compare(evaluate(PREDICTIONS, TRUTH, protocol=PROTOCOLS["cmc"], threshold=0.5))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_curve_and_the_score_agree(name: str) -> None:
    predictions, truth = make(images=4, figures=30, seed=4)
    for threshold in (0.0, 0.4, 0.6):
        found = evaluate(predictions, truth_of(truth), protocol=PROTOCOLS[name], threshold=threshold)
        assert found.total_steps.at(threshold) == found.score
    # Calibration is that of all candidates: the sum over the bins is the score without a threshold.
    lowest = evaluate(predictions, truth_of(truth), protocol=PROTOCOLS[name], threshold=0.0)
    matchings = [image.sweep.at(0.0) for image in lowest.judged_images.values()]
    bins = found.reliability()
    assert bins.n.sum() == sum(int(m.judged.sum()) for m in matchings)
    true = sum(int((m.truth_of >= 0).sum()) for m in matchings)
    assert np.nansum(bins.n * bins.true_share) == pytest.approx(true)


def test_bad_input_is_refused() -> None:
    for threshold in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match=r"is not in \[0, 1\]"):
            judge(threshold)
    with pytest.raises(FormatError, match="nothing to judge"):
        evaluate({}, GroundTruth(()), protocol=TUPAC, threshold=0.5)


@pytest.mark.realdata
def test_the_truth_is_perfect_and_31_px_beside_it_is_worthless(data: Path, tmp_path: Path) -> None:
    truth = read_ground_truth(data / "midesec" / "labels.csv")
    for name, shift, expected in (("same", 0.0, Score(tp=115)), ("near", 21.0, None), ("far", 31.0, None)):
        folder = tmp_path / name
        folder.mkdir()
        for slide in truth:
            points = slide.cells.figures_px0
            found = Detections.of(points + np.array([shift, 0]), np.ones(len(points)))
            detections_csv.write(folder / f"{slide.name}.csv", found)
        result = evaluate(
            read_any_predictions(folder), truth, protocol=TUPAC, threshold=0.5, mpp=Mpp.square(0.25)
        ).score
        assert result.tp + result.fn == 115
        if expected is not None:
            assert result == expected
        else:
            assert result.tp > 110 if name == "near" else result.tp < 10


def test_results_as_they_are_read_are_judged_as_their_detections() -> None:
    truth = GroundTruth((SlideTruth("a", TrueCells.of([[10, 10]], MITOTIC_FIGURE.name)),))
    found = Detections.of([[11, 10], [500, 500]], [0.9, 0.8])
    assert evaluate({"a": Result("a", found)}, truth).score == evaluate({"a": found}, truth).score
