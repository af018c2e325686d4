from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mitoscope.detections import Detections
from mitoscope.evaluate import (
    PROTOCOLS,
    Evaluation,
    NamedEvaluation,
    draw_evaluation,
    evaluate,
    group_scores,
    score_strata,
)
from mitoscope.figure import FIRST, SECOND, encode_figure
from mitoscope.geometry import Mpp
from tests.evaluate.made import make, truth_of

PROTOCOL = PROTOCOLS["mitoscope"]


def judged(better: float = 0.0) -> NamedEvaluation:
    predictions, truth = make(6, 15, seed=3, better=better)
    found = evaluate(predictions, truth_of(truth), protocol=PROTOCOL, threshold=0.5, repeats=100)
    return NamedEvaluation(f"detector {better:g}", found)


def texts(figure: Figure) -> str:
    return "\n".join(ET.fromstring(encode_figure(figure, "svg")).itertext())


def dots(axes: Axes) -> list[tuple[float, float, str]]:
    """Return the places and colours of single dots."""
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]), str(line.get_color()))  # type: ignore[index, arg-type]
        for line in axes.lines
        if line.get_marker() == "o" and len(line.get_xdata()) == 1  # type: ignore[arg-type]
    ]


def test_the_figure_states_the_numbers() -> None:
    found = judged()
    said = texts(draw_evaluation(found))
    assert f"F1 {found.evaluation.score.f1:.3f} [" in said
    assert f"detector 0: AP {found.evaluation.average_precision:.3f}" in said
    assert "protocol mitoscope" in said
    assert "threshold 0.5 (given)" in said
    for title in ("Precision and recall", "FROC", "Scores over the threshold", "Calibration: expected error"):
        assert title in said


def test_the_threshold_is_marked_on_the_curve() -> None:
    found = judged()
    score = found.evaluation.score
    assert score.recall is not None
    assert score.precision is not None
    (dot,) = dots(draw_evaluation(found).axes[0])
    assert dot == (score.recall, score.precision, FIRST)


def test_two_detectors_have_two_colours() -> None:
    drawn = draw_evaluation(judged(0.1), other=judged())
    for axes in drawn.axes[:2]:
        assert [colour for _, _, colour in dots(axes)] == [FIRST, SECOND]
    assert "detector 0.1: AP" in texts(drawn)
    assert "detector 0: AP" in texts(drawn)


def test_groups_stand_below() -> None:
    found = judged()
    group_of = {image: f"domain {n % 2}" for n, image in enumerate(found.evaluation.images)}
    groups = group_scores(found.evaluation, group_of)
    assert [group.name for group in groups] == ["domain 0", "domain 1"]
    assert sum(group.images for group in groups) == 6
    assert sum(group.score.tp for group in groups) == found.evaluation.score.tp
    assert all(group.interval is not None for group in groups)
    drawn = draw_evaluation(found, groups=groups, by="domain")
    assert drawn.get_figheight() > draw_evaluation(found).get_figheight()
    assert "F1 by domain" in texts(drawn)
    assert f"{groups[0].score.f1:.3f}" in texts(drawn)


def test_strata_stand_below_at_both_prevalences() -> None:
    found = judged()
    strata = {image: ("hot spot", "random")[n % 2] for n, image in enumerate(found.evaluation.images)}
    card = score_strata(found.evaluation, strata, by="region")
    plain = draw_evaluation(found, cards=[card])
    assert plain.get_figheight() > draw_evaluation(found).get_figheight()
    assert "F1 by region" in texts(plain)
    assert "hot spot" in texts(plain)
    assert "diamonds" not in texts(plain)
    images = {
        name: replace(image, mpp=Mpp.square(0.25), examined_mm2=0.5 + n)
        for n, (name, image) in enumerate(found.evaluation.judged_images.items())
    }
    card = score_strata(replace(found.evaluation, judged_images=images), strata, by="region")
    drawn = draw_evaluation(found, cards=[card])
    assert f"as if all had {card.common_per_mm2:.1f} figures per mm²" in texts(drawn)
    diamonds = [line.get_xdata() for line in drawn.axes[-1].lines if line.get_marker() == "D"]
    wanted = [one.measures["f1_at_common_prevalence"].value for one in (card.overall, *card.strata)]
    assert [float(x[0]) for x in diamonds] == wanted  # type: ignore[index, arg-type]


def nothing(detections: Detections, figures: int) -> Evaluation:
    truth = {"a": np.full((figures, 2), 10.0)}
    return evaluate({"a": detections}, truth_of(truth), protocol=PROTOCOL, threshold=0.5)


def test_what_is_undefined_is_drawn_as_such() -> None:
    for evaluation in (
        nothing(Detections.empty(), 0),
        nothing(Detections.empty(), 1),
        nothing(Detections.of([[10, 10]], [0.9]), 0),
    ):
        drawn = draw_evaluation(
            NamedEvaluation("none", evaluation), groups=group_scores(evaluation, {"a": "x"}), by="case"
        )
        assert encode_figure(drawn, "png").startswith(b"\x89PNG")
    empty = NamedEvaluation("none", nothing(Detections.empty(), 0))
    assert "F1 undefined over 1 image" in texts(draw_evaluation(empty))
