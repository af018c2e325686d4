"""Figures of an evaluation: precision and recall, FROC, scores over thresholds, calibration, groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mitoscope.evaluate import Evaluation, Interval, Score, froc, precision_recall
from mitoscope.evaluate.calibration import Reliability
from mitoscope.report.axes import FRAME, QUIET, Axes
from mitoscope.report.colours import COUNTED, HOT_SPOT
from mitoscope.report.plot import Box, Dot, Line, Shape, Sheet, Text

FIRST = HOT_SPOT
"""The detector that is judged: the blue of Okabe and Ito."""
SECOND = "#d55e00"
"""The one it is compared with: their vermilion."""
THIRD = "#009e73"
"""A third curve: their bluish green."""
FALSE_PER_IMAGE_MAX = 8.0
"""FROC curves are shown up to the last rate at which challenges read them."""
_PANEL, _LEFT, _TOP = 330.0, 72.0, 96.0
_GAP, _GAP_BELOW = 100.0, 128.0
"""Between panels; below them stand the names of axes and the legend."""
_ROW = 26.0
_NAME_MAX = 34


@dataclass(frozen=True)
class Judged:
    """An evaluation and the name under which it is drawn."""

    name: str
    evaluation: Evaluation


@dataclass(frozen=True)
class GroupScore:
    """A group of images, its score and the interval of its F1."""

    name: str
    score: Score
    interval: Interval | None
    images: int


def draw_evaluation(
    judged: Judged, *, other: Judged | None = None, groups: Sequence[GroupScore] = (), by: str = ""
) -> Sheet:
    """Draw one or two detectors in four panels, and the F1 of groups below.

    Parameters
    ----------
    judged : Judged
        The detector.
    other : Judged, optional
        One that it is compared with, under the same protocol.
    groups : sequence of GroupScore
        Cases, domains or slides.
    by : str
        What the groups are.
    """
    rows = _group_height(groups)
    sheet = Sheet(_LEFT + 2 * _PANEL + _GAP + 40, _TOP + 2 * _PANEL + _GAP_BELOW + 84 + rows)
    sides = [(judged, FIRST)] if other is None else [(judged, FIRST), (other, SECOND)]
    sheet.add(*_headline(judged.evaluation))
    right, low = _LEFT + _PANEL + _GAP, _TOP + _PANEL + _GAP_BELOW
    sheet.add(*_precision_recall(sides, Axes(_LEFT, _TOP, _PANEL, _PANEL)))
    sheet.add(*_froc(sides, right, _TOP))
    sheet.add(*_over_thresholds(judged, Axes(_LEFT, low, _PANEL, _PANEL)))
    sheet.add(*draw_reliability(judged.evaluation.reliability(), Axes(right, low, _PANEL, _PANEL)))
    if groups:
        sheet.add(*_groups(groups, by, top=low + _PANEL + 120, width=sheet.width))
    return sheet


def _headline(evaluation: Evaluation) -> list[Shape]:
    f1 = "undefined" if evaluation.score.f1 is None else f"{evaluation.score.f1:.3f}"
    ends = evaluation.intervals.f1
    interval = "" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]"
    scale = f"protocol {evaluation.protocol.name}, {evaluation.radius}"
    threshold = f"threshold {evaluation.threshold:.3g} ({evaluation.threshold_source})"
    return [
        Text(_LEFT, 24, f"F1 {f1}{interval} over {len(evaluation.images)} images", 17),
        Text(_LEFT, 46, f"{scale}; {threshold}; dots mark it", 11.5, colour=QUIET),
    ]


Sides = Sequence[tuple[Judged, str]]


def _precision_recall(sides: Sides, axes: Axes) -> list[Shape]:
    shapes = axes.frame("Precision and recall", "recall", "precision")
    entries = []
    for judged, colour in sides:
        curve = precision_recall(judged.evaluation.total_steps)
        shapes += axes.line(curve.recall.tolist(), curve.precision.tolist(), colour)
        score = judged.evaluation.score
        if score.precision is not None and score.recall is not None:
            shapes.append(Dot(*axes.place(score.recall, score.precision), 5, colour))
        area = judged.evaluation.average_precision
        entries.append(
            (f"{_short(judged.name)}: AP {'undefined' if area is None else f'{area:.3f}'}", colour)
        )
    return [*shapes, *axes.legend(entries)]


def _froc(sides: Sides, left: float, top: float) -> list[Shape]:
    curves = [
        (froc(judged.evaluation.total_steps, images=len(judged.evaluation.images)), judged, colour)
        for judged, colour in sides
    ]
    reached = max((float(curve.false_rate.max(initial=0.0)) for curve, _, _ in curves), default=0.0)
    axes = Axes(left, top, _PANEL, _PANEL, (0.0, min(FALSE_PER_IMAGE_MAX, max(reached * 1.05, 0.1))))
    shapes = axes.frame("FROC", "false positives per image", "recall")
    entries = []
    for curve, judged, colour in curves:
        shown = curve.false_rate <= axes.x_range[1]
        rate, recall = curve.false_rate[shown], curve.recall[shown]
        # A curve of steps: recall rises at the rate at which it is reached.
        x, y = np.repeat(rate, 2)[1:], np.repeat(recall, 2)[:-1]
        shapes += axes.line(x.tolist(), y.tolist(), colour)
        score = judged.evaluation.score
        at = score.fp / len(judged.evaluation.images)
        if score.recall is not None and at <= axes.x_range[1]:
            shapes.append(Dot(*axes.place(at, score.recall), 5, colour))
        mean = curve.mean_recall()
        said = "undefined" if np.isnan(mean) else f"{mean:.3f}"
        entries.append((f"{_short(judged.name)}: mean recall {said}", colour))
    return [*shapes, *axes.legend(entries)]


def _over_thresholds(judged: Judged, axes: Axes) -> list[Shape]:
    evaluation = judged.evaluation
    shapes = axes.frame(f"Scores over the threshold: {_short(judged.name)}", "threshold", "score")
    thresholds = np.linspace(0.0, 1.0, 401)
    scores = [Score(*row) for row in evaluation.total_steps.at_many(thresholds).tolist()]
    for name, colour in (("precision", SECOND), ("recall", THIRD), ("f1", FIRST)):
        values = [getattr(score, name) for score in scores]
        heights = [float("nan") if value is None else value for value in values]
        shapes += axes.line(thresholds.tolist(), heights, colour)
    top, bottom = axes.place(evaluation.threshold, 1.0), axes.place(evaluation.threshold, 0.0)
    shapes.append(Line([top, bottom], COUNTED, 1.2, dashed=True))
    return [*shapes, *axes.legend([("F1", FIRST), ("precision", SECOND), ("recall", THIRD)])]


def draw_reliability(curve: Reliability, axes: Axes) -> list[Shape]:
    """Return the panel of a reliability curve: the nearer to the diagonal, the better calibrated."""
    error = "" if curve.ece is None else f": expected error {curve.ece:.3f}"
    shapes = axes.frame(f"Calibration{error}", "score (numbers: candidates)", "share that is true")
    edges = curve.edges.tolist()
    for low, high, share in zip(edges[:-1], edges[1:], curve.true_share.tolist(), strict=True):
        if not np.isnan(share):
            (left, top), (right, bottom) = axes.place(low, share), axes.place(high, 0.0)
            shapes.append(Box(left + 1, top, right - left - 2, bottom - top, "#a9cce3"))
    shapes += axes.line([0.0, 1.0], [0.0, 1.0], FRAME, width=1.2, dashed=True)
    middles = ((curve.edges[:-1] + curve.edges[1:]) / 2).tolist()
    columns = (middles, curve.mean_score.tolist(), curve.true_share.tolist(), curve.n.tolist())
    for middle, mean, share, n in zip(*columns, strict=True):
        if n:
            x, y = axes.place(mean, share)
            shapes.append(Dot(x, y, 4, FIRST))
            above = y - 12 if y > axes.top + 20 else y + 13
            shapes.append(Text(axes.place(middle, share)[0], above, _say(n), 10, "middle", QUIET))
    return [*shapes, axes.outline()]


def _say(n: int) -> str:
    return str(n) if n < 1000 else f"{n / 1000:.1f}k" if n < 99_500 else f"{n / 1000:.0f}k"


def _group_height(groups: Sequence[GroupScore]) -> float:
    return 80 + _ROW * len(groups) if groups else 0.0


def _groups(groups: Sequence[GroupScore], by: str, *, top: float, width: float) -> list[Shape]:
    left = _LEFT + 180
    axes = Axes(left, top, width - left - 190, _ROW * len(groups), (0.0, 1.0), (0.0, float(len(groups))))
    # Frames of groups have names instead of numbers on the y axis.
    shapes: list[Shape] = [
        Text(_LEFT - 42, top - 16, f"F1 by {by}, with 95 % interval over its cases", 13.5),
        *axes.x_ticks(),
        axes.outline(),
        Text(axes.left + axes.width + 12, top - 16, "F1   (images; TP, FP, missed)", 10.5, colour=QUIET),
    ]
    for place, group in enumerate(groups):
        y = top + _ROW * (place + 0.5)
        shapes.append(Text(left - 10, y, _short(group.name), 11.5, "end"))
        counts = f"({group.images}; {group.score.tp}, {group.score.fp}, {group.score.fn})"
        f1 = group.score.f1
        shapes.append(
            Text(axes.left + axes.width + 12, y, f"{'0/0' if f1 is None else f'{f1:.3f}'}   {counts}", 11)
        )
        if group.interval is not None:
            ends = [axes.place(one, 0.0)[0] for one in (group.interval.low, group.interval.high)]
            shapes.append(Line([(ends[0], y), (ends[1], y)], FIRST, 2.0))
        if f1 is not None:
            shapes.append(Dot(axes.place(f1, 0.0)[0], y, 5, FIRST))
    return shapes


def group_scores(evaluation: Evaluation, group_of: Mapping[str, str]) -> tuple[GroupScore, ...]:
    """Return the groups of an evaluation's images with their intervals, for a table or a figure."""
    intervals = evaluation.intervals_by(group_of)
    sizes = {name: sum(group_of[image] == name for image in evaluation.images) for name in intervals}
    return tuple(
        GroupScore(name, score, intervals[name].f1, sizes[name])
        for name, score in evaluation.by(group_of).items()
    )


def _short(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"
