"""Strata of an evaluation: what is per mm², and precision where figures are as frequent everywhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.errors import FormatError
from mitoscope.evaluate import MEASURES, Evaluation, Scorecard, evaluate, score_strata
from mitoscope.geometry import Mpp, SizePx
from tests.evaluate.made import truth_of

MPP = Mpp.square(0.25)
SIDE = SizePx(4000, 2000)
"""0.5 mm² at 0.25 µm/px."""
STRATA = {"a": "hot spot", "b": "hot spot", "c": "random", "d": "random"}


def found_on(true: int, false: int, *, low: int = 0, probabilities: bool = True) -> Detections:
    """Return detections on the first figures, false ones far from any, and candidates of a low score."""
    points = [(100.0 * (n + 1), 100.0) for n in range(true)]
    points += [(100.0 * (n + 1), 1000.0) for n in range(false)]
    points += [(100.0 * (n + 1), 1500.0) for n in range(low)]
    score = [0.9 - 0.01 * n for n in range(true)] + [0.8 - 0.01 * n for n in range(false)] + [0.2] * low
    searched = Searched(mpp=MPP, size=SIDE, threshold=0.5, calibrated=probabilities)
    return replace(Detections.of(np.reshape(points, (-1, 2)), score), searched=searched)


def figures(n: int) -> list[tuple[float, float]]:
    return [(100.0 * (place + 1), 100.0) for place in range(n)]


def judged(*, probabilities: bool = True) -> Evaluation:
    found = {
        "a": found_on(6, 1, low=2, probabilities=probabilities),
        "b": found_on(9, 1, probabilities=probabilities),
        "c": found_on(1, 1, probabilities=probabilities),
        "d": found_on(0, 3, low=1, probabilities=probabilities),
    }
    true = {"a": figures(8), "b": figures(10), "c": figures(2), "d": figures(0)}
    return evaluate(found, truth_of(true, mpp=MPP), repeats=50, seed=3)


def card_of(found: Evaluation) -> Scorecard:
    return score_strata(found, STRATA, by="region")


def values(card: Scorecard, name: str) -> list[float | None]:
    return [stratum.measures[name].value for stratum in (card.overall, *card.strata)]


def test_counts_per_mm2() -> None:
    card = card_of(judged())
    assert [(one.name, one.images, one.cases, one.area_mm2, one.figures) for one in card.strata] == [
        ("hot spot", 2, 2, 1.0, 18),
        ("random", 2, 2, 1.0, 2),
    ]
    assert values(card, "false_per_mm2") == [3, 2, 4]
    assert values(card, "missed_per_mm2") == [2, 3, 1]
    assert values(card, "figures_per_mm2") == [10, 18, 2]
    assert values(card, "share_of_figures") == pytest.approx([16 / 25, 15 / 19, 1 / 6])


def test_recall_at_a_false_rate_is_the_best_at_any_threshold() -> None:
    card = card_of(judged())
    # Hot spots: two false ones of score 0.8, above which 2 × 9 figures are found or not.
    assert values(card, "recall_at_2_false_per_mm2")[1] == pytest.approx(15 / 18)
    assert values(card, "recall_at_1_false_per_mm2")[2] == pytest.approx(1 / 2)


def test_at_a_common_prevalence_only_recall_and_false_rate_count() -> None:
    card = card_of(judged())
    assert card.common_per_mm2 == 10
    hot, random = 15 / 18, 1 / 2
    expected = [hot * 10 / (hot * 10 + 2), random * 10 / (random * 10 + 4)]
    assert values(card, "precision_at_common_prevalence")[1:] == pytest.approx(expected)
    f1 = [2 * r * 10 / (2 * r * 10 + false + (1 - r) * 10) for r, false in ((hot, 2), (random, 4))]
    assert values(card, "f1_at_common_prevalence")[1:] == pytest.approx(f1)
    # The whole has the common prevalence already.
    for name in ("precision", "f1"):
        assert values(card, name)[0] == pytest.approx(values(card, f"{name}_at_common_prevalence")[0])


def test_a_stratum_is_the_evaluation_of_its_images() -> None:
    card, found = card_of(judged()), judged()
    alone = found.on(["a", "b"])
    measures = card.strata[0].measures
    assert measures["f1"].value == alone.score.f1
    assert measures["f1"].interval == alone.intervals.f1
    assert measures["average_precision"].interval == alone.average_precision_interval
    assert measures["calibration_error"].value == pytest.approx(alone.reliability().ece)
    assert list(measures) == list(MEASURES)


def test_intervals_draw_cases_with_their_area() -> None:
    measures = card_of(judged()).strata[0].measures
    counts = np.array([[1, 0.5], [1, 0.5]])
    assert measures["false_per_mm2"].interval is not None
    assert [measures["false_per_mm2"].interval.low, measures["false_per_mm2"].interval.high] == [2, 2]
    fn = np.array([2, 1])
    drawn = np.random.default_rng(3).integers(2, size=(50, 2))
    rates = fn[drawn].sum(axis=1) / counts[drawn][..., 1].sum(axis=1)
    low, high = np.quantile(rates, [0.025, 0.975])
    interval = measures["missed_per_mm2"].interval
    assert interval is not None
    assert [interval.low, interval.high] == pytest.approx([low, high])


def test_without_a_known_area_the_reason_is_given() -> None:
    found = {name: Detections.of([[100.0, 100.0]], [0.9]) for name in "abcd"}
    unknown = evaluate(found, truth_of({name: figures(1) for name in "abcd"}, mpp=MPP), threshold=0.5)
    measures = card_of(unknown).strata[0].measures
    for name in ("false_per_mm2", "recall_at_2_false_per_mm2", "precision_at_common_prevalence"):
        assert measures[name].value is None
        assert measures[name].absent_because == "neither results nor ground truth state the size of a"
    assert measures["f1"].value == 1
    assert unknown.as_dict()["free_response"]["absent_because"] == measures["false_per_mm2"].absent_because
    pixels = evaluate(found, truth_of({name: figures(1) for name in "abcd"}), threshold=0.5)
    assert pixels.no_area == "the resolution of a is not known (--mpp)"


def test_a_stratum_of_known_area_keeps_its_rates() -> None:
    found = judged()
    image = replace(found.judged_images["d"], examined_mm2=None)
    card = card_of(replace(found, judged_images=found.judged_images | {"d": image}))
    assert card.common_per_mm2 is None
    hot, random = (stratum.measures for stratum in card.strata)
    assert hot["false_per_mm2"].value == 2
    assert random["false_per_mm2"].value is None
    assert "size of d" in str(hot["precision_at_common_prevalence"].absent_because)


def test_scores_that_are_no_probabilities_have_no_calibration_error() -> None:
    measure = card_of(judged(probabilities=False)).strata[0].measures["calibration_error"]
    assert measure.value is None
    assert measure.absent_because == "the results do not state that scores are probabilities"


def test_a_stratum_without_figures() -> None:
    card = score_strata(judged(), STRATA | {"d": "empty"})
    empty = card.strata[0].measures
    assert card.strata[0].name == "empty"
    assert empty["false_per_mm2"].value == 6
    assert empty["false_per_mm2"].interval is None
    for name in ("recall", "recall_at_1_false_per_mm2", "precision_at_common_prevalence"):
        assert empty[name].as_dict() == {"value": None, "interval_95": None, "absent_because": "0/0"}
    assert empty["precision"].value == 0


def test_every_image_needs_a_stratum() -> None:
    with pytest.raises(FormatError, match="the image 'd' has no stratum"):
        score_strata(judged(), dict.fromkeys("abc", "x"))
    with pytest.raises(FormatError, match="none of the images"):
        judged().on(["nothing"])


def test_the_overall_json_has_the_free_response() -> None:
    told = judged().as_dict()["free_response"]
    assert told["area_mm2"] == 2
    assert list(told["recall_at_false_per_mm2"]) == ["1", "2", "5"]
    assert told["recall_at_false_per_mm2"]["5"]["recall"] == pytest.approx(16 / 20)
    assert told["all_candidates"] == {"recall": 16 / 20, "false_per_mm2": 9 / 2}
    assert told["absent_because"] is None


MIDOG25_WINNER = {
    "hotspot": (2592, 463, 1093, 0.8484451715717037, 0.7033921300669221, 0.7691394659096232),
    "challenging": (265, 278, 113, 0.4880294650312533, 0.7010581992035497, 0.5754614554012362),
    "random": (649, 262, 253, 0.7124039509194249, 0.7195121943242658, 0.7159404303828238),
}
"""True, false and missed of the first of MIDOG 2025, track 1, by kind of region, and its published precision,
recall and F1 (DeepMicroscopy/MIDOG2025, Data/track1/wildsquirrel/metrics.json)."""


def test_the_published_scores_of_a_challenge_by_kind_of_region() -> None:
    found, true = {}, {}
    for kind, (hits, false, missed, *_) in MIDOG25_WINNER.items():
        place = np.arange(hits + false + missed) * 100.0
        points = np.column_stack([place % 10_000, place // 10_000 * 100])
        found[kind] = Detections.of(points[: hits + false], np.full(hits + false, 0.9))
        true[kind] = np.concatenate([points[:hits], points[hits + false :]])
    judgement = evaluate(found, truth_of(true), threshold=0.5, repeats=2)
    card = score_strata(judgement, {kind: kind for kind in MIDOG25_WINNER}, by="region")
    for stratum in card.strata:
        published = MIDOG25_WINNER[stratum.name][3:]
        ours = [stratum.measures[name].value for name in ("precision", "recall", "f1")]
        assert ours == pytest.approx(published, abs=1e-8)
    assert card.overall.measures["f1"].value == pytest.approx(0.7401308845535011, abs=1e-8)
    # The same share is found everywhere: what differs is how often figures occur, and what is false.
    recalls = [stratum.measures["recall"].value or 0 for stratum in card.strata]
    assert max(recalls) - min(recalls) < 0.02
