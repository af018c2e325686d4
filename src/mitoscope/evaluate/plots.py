"""Figures of an evaluation: precision and recall, FROC, scores over thresholds, calibration, groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mitoscope.errors import ConfigError
from mitoscope.evaluate.curves import froc, precision_recall
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judging import GroupScore
from mitoscope.evaluate.scorecard import Measure, Scorecard
from mitoscope.figure import (
    FIRST,
    INK,
    PALE_BLUE,
    QUIET,
    SECOND,
    THIRD,
    axes_for,
    name_label,
    place_axes,
    style,
)
from mitoscope.statistics import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FALSE_PER_IMAGE_MAX = 8.0
"""FROC curves are shown up to the last rate at which challenges read them."""
_WIDTH_INCH, _PANEL_INCH = 8.6, 3.3
_LEFT_INCH, _RIGHT_INCH = 0.62, 4.98
"""Left edges of the panels."""
_TOP_INCH, _ROW_INCH = 1.05, 4.65
"""Upper edge of the first panel, and from there to the one below: names of axes and the legend between."""
_GROUPS_TOP_INCH, _GROUP_INCH = _TOP_INCH + 2 * _ROW_INCH + 0.1, 0.27
_LETTER_INCH = 0.082
"""Mean width of a letter beside the groups."""
_STYLES = ("-", (0, (5, 1.5)), "-.")
"""Of curves in turn, so that they differ without colours."""


@dataclass(frozen=True)
class NamedEvaluation:
    """An evaluation and the name under which it is drawn."""

    name: str
    evaluation: Evaluation


@style()
def draw_evaluation(
    judged: NamedEvaluation,
    *,
    other: NamedEvaluation | None = None,
    groups: Sequence[GroupScore] = (),
    by: str = "",
    cards: Sequence[Scorecard] = (),
) -> Figure:
    """Draw one or two detectors in four panels, and the F1 of groups and strata below.

    Parameters
    ----------
    judged : NamedEvaluation
        The detector.
    other : NamedEvaluation, optional
        One that it is compared with, under the same protocol.
    groups : sequence of GroupScore
        Cases, domains or slides.
    by : str
        What the groups are.
    cards : sequence of Scorecard
        Strata, each with its F1 at its own and at the common prevalence.
    """
    from matplotlib.figure import Figure

    rows = [len(groups)] if groups else []
    rows += [len(card.strata) + 1 for card in cards]
    below = sum(map(_rows_inch, rows)) if rows else -0.1
    figure = Figure(figsize=(_WIDTH_INCH, _GROUPS_TOP_INCH + below))
    _write_headline(figure, judged.evaluation)
    sides = [judged] if other is None else [judged, other]
    _draw_precision_recall(_panel(figure, 0, 0), sides)
    _draw_froc(_panel(figure, 0, 1), sides)
    _draw_over_thresholds(_panel(figure, 1, 0), judged)
    _draw_reliability(_panel(figure, 1, 1), judged)
    top = _GROUPS_TOP_INCH
    if groups:
        _draw_groups(figure, groups, by, top=top)
        top += _rows_inch(len(groups))
    for card in cards:
        _draw_strata(figure, card, top=top)
        top += _rows_inch(len(card.strata) + 1)
    return figure


@style()
def plot_curve(evaluation: Evaluation, kind: str, ax: Axes | None = None, *, name: str) -> Axes:
    """Draw one panel of `draw_evaluation` alone; see `Evaluation.plot`."""
    side = NamedEvaluation(name, evaluation)
    axes_of: dict[str, Callable[[Axes], None]] = {
        "precision-recall": lambda axes: _draw_precision_recall(axes, [side]),
        "froc": lambda axes: _draw_froc(axes, [side]),
        "thresholds": lambda axes: _draw_over_thresholds(axes, side),
        "calibration": lambda axes: _draw_reliability(axes, side),
    }
    if kind not in axes_of:
        raise ConfigError(f"no plot {kind!r}", where="kind", mend=f"choose one of: {', '.join(axes_of)}")
    axes = axes_for(ax, aspect=1.0, width_inch=4.4)
    axes_of[kind](axes)
    return axes


def _rows_inch(rows: int) -> float:
    return 0.85 + _GROUP_INCH * rows


def _panel(figure: Figure, row: int, column: int) -> Axes:
    return place_axes(
        figure,
        left=(_LEFT_INCH, _RIGHT_INCH)[column],
        top=_TOP_INCH + _ROW_INCH * row,
        width=_PANEL_INCH,
        height=_PANEL_INCH,
    )


def _write_headline(figure: Figure, evaluation: Evaluation) -> None:
    f1 = "undefined" if evaluation.score.f1 is None else f"{evaluation.score.f1:.3f}"
    ends = evaluation.intervals.f1
    interval = "" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]"
    n = len(evaluation.images)
    left, height = 0.12 / _WIDTH_INCH, figure.get_figheight()
    title = f"F1 {f1}{interval} over {n} {'image' if n == 1 else 'images'}"
    figure.text(left, 1 - 0.15 / height, title, fontsize=14, va="top")
    figure.text(
        left,
        1 - 0.46 / height,
        f"protocol {evaluation.protocol.name}, {evaluation.radius}; "
        f"{evaluation.threshold_text} ({evaluation.threshold_source}), marked by dots",
        color=QUIET,
        va="top",
    )


def _frame(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(title, fontweight="bold")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.01)
    axes.grid()


def _draw_precision_recall(axes: Axes, sides: Sequence[NamedEvaluation]) -> None:
    _frame(axes, "Precision and recall", "recall", "precision")
    for side, colour, line in zip(sides, (FIRST, SECOND), _STYLES, strict=False):
        curve, score = precision_recall(side.evaluation.total_steps), side.evaluation.score
        label = f"{name_label(side.name)}: AP {_share(side.evaluation.average_precision)}"
        axes.plot(curve.recall, curve.precision, color=colour, linestyle=line, label=label)
        if score.precision is not None and score.recall is not None:
            _mark(axes, score.recall, score.precision, colour)
    _legend(axes)


def _draw_froc(axes: Axes, sides: Sequence[NamedEvaluation]) -> None:
    curves = [froc(side.evaluation.total_steps, images=len(side.evaluation.images)) for side in sides]
    reached = max((float(curve.false_rate.max(initial=0.0)) for curve in curves), default=0.0)
    right = min(FALSE_PER_IMAGE_MAX, max(reached * 1.05, 0.1))
    _frame(axes, "FROC", "false positives per image", "recall")
    for curve, side, colour, line in zip(curves, sides, (FIRST, SECOND), _STYLES, strict=False):
        shown = curve.false_rate <= right
        mean = curve.mean_recall()
        label = f"{name_label(side.name)}: mean recall {_share(None if np.isnan(mean) else mean)}"
        # Recall rises at the rate at which it is reached.
        axes.step(
            curve.false_rate[shown],
            curve.recall[shown],
            where="post",
            color=colour,
            linestyle=line,
            label=label,
        )
        rate, recall = side.evaluation.score.fp / len(side.evaluation.images), side.evaluation.score.recall
        if recall is not None and rate <= right:
            _mark(axes, rate, recall, colour)
    axes.set_xlim(0, right)
    _legend(axes)


def _draw_over_thresholds(axes: Axes, judged: NamedEvaluation) -> None:
    evaluation = judged.evaluation
    _frame(axes, "Scores over the threshold", "threshold", "score")
    thresholds = np.linspace(0.0, 1.0, 401)
    scores = [Score(*row) for row in evaluation.total_steps.at_many(thresholds).tolist()]
    for name, colour, line in zip(
        ("F1", "precision", "recall"), (FIRST, SECOND, THIRD), _STYLES, strict=True
    ):
        values = [getattr(score, name.lower()) for score in scores]
        heights = [np.nan if value is None else value for value in values]
        axes.plot(thresholds, heights, color=colour, linestyle=line, label=name)
    for value in sorted(set(evaluation.thresholds.values())):
        axes.axvline(value, color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    _legend(axes, columns=3, title=name_label(judged.name))


def _draw_reliability(axes: Axes, judged: NamedEvaluation) -> None:
    """Draw the reliability curve: the nearer to the diagonal, the better calibrated."""
    curve = judged.evaluation.reliability()
    error = "" if curve.ece is None else f": expected error {curve.ece:.3f}"
    _frame(axes, f"Calibration{error}", "score (numbers: candidates)", "share that is true")
    filled = curve.n > 0
    middles = (curve.edges[:-1] + curve.edges[1:]) / 2
    widths = 0.94 * np.diff(curve.edges)
    axes.bar(middles[filled], curve.true_share[filled], widths[filled], color=PALE_BLUE)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)), label="perfectly calibrated")
    axes.plot(
        curve.mean_score[filled],
        curve.true_share[filled],
        "o",
        color=FIRST,
        markeredgecolor="white",
        clip_on=False,
        label=name_label(judged.name),
    )
    columns = (middles, curve.true_share, curve.n)
    for middle, share, n in zip(*(column[filled].tolist() for column in columns), strict=True):
        above = share < 0.93
        axes.annotate(
            _say_number(n),
            (middle, share),
            (0, 6 if above else -6),
            textcoords="offset points",
            ha="center",
            va="bottom" if above else "top",
            fontsize=7.5,
            color=QUIET,
        )
    _legend(axes, columns=2)


def _draw_groups(figure: Figure, groups: Sequence[GroupScore], by: str, *, top: float) -> None:
    title = f"F1 by {name_label(by)}, with 95 % interval over its cases"
    axes = _rows_panel(figure, [group.name for group in groups], title, top=top)
    for row, group in enumerate(groups):
        numbers = f"({group.images}; {group.score.tp}, {group.score.fp}, {group.score.fn})"
        _draw_row(axes, row, Measure(group.score.f1, group.interval), numbers)
    _head(axes, "F1   (images; TP, FP, missed)")


def _draw_strata(figure: Figure, card: Scorecard, *, top: float) -> None:
    title = f"F1 by {name_label(card.by)}, with 95 % interval over its cases"
    strata = [card.overall, *card.strata]
    axes = _rows_panel(figure, [stratum.name for stratum in strata], title, top=top)
    for row, stratum in enumerate(strata):
        dense = stratum.measures["figures_per_mm2"].value
        numbers = f"({stratum.images}; {'–' if dense is None else f'{dense:.1f}'})"
        at_common = stratum.measures["f1_at_common_prevalence"].value
        if at_common is not None:
            axes.plot([at_common], [row], "D", color=SECOND, markerfacecolor="white", clip_on=False, zorder=4)
        _draw_row(axes, row, stratum.measures["f1"], numbers)
    _head(axes, "F1   (images; figures/mm²)")
    if card.common_per_mm2 is not None:
        axes.set_xlabel(f"F1; diamonds: as if all had {card.common_per_mm2:.1f} figures per mm²")


def _rows_panel(figure: Figure, names: Sequence[str], title: str, *, top: float) -> Axes:
    labels = [name_label(name) for name in names]
    left = max(_LEFT_INCH, 0.25 + _LETTER_INCH * max(map(len, labels)))
    width, height = _WIDTH_INCH - 2.1 - left, _GROUP_INCH * len(labels)
    axes = place_axes(figure, left=left, top=top, width=width, height=height)
    axes.set_title(title, fontweight="bold", x=(_LEFT_INCH - left) / width)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels=labels)
    axes.set_xlabel("F1")
    axes.grid(axis="x")
    return axes


def _draw_row(axes: Axes, row: int, f1: Measure, numbers: str) -> None:
    if f1.interval is not None:
        axes.plot([f1.interval.low, f1.interval.high], [row, row], color=FIRST)
    if f1.value is not None:
        _mark(axes, f1.value, row, FIRST)
    shown = "0/0" if f1.value is None else f"{f1.value:.3f}"
    axes.annotate(f"{shown}   {numbers}", (1.02, row), xycoords=axes.get_yaxis_transform(), va="center")


def _head(axes: Axes, text: str) -> None:
    axes.annotate(
        text,
        (1.02, 1.0),
        (0, 6),
        xycoords="axes fraction",
        textcoords="offset points",
        color=QUIET,
        fontsize=8,
    )


def _mark(axes: Axes, x: float, y: float, colour: str) -> None:
    axes.plot([x], [y], "o", color=colour, markersize=7, markeredgecolor="white", clip_on=False, zorder=5)


def _legend(axes: Axes, *, columns: int = 1, title: str = "") -> None:
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.14),
        ncols=columns,
        borderaxespad=0.0,
        title=title or None,
        title_fontsize=8.5,
        alignment="left",
    )


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"


def _say_number(n: int) -> str:
    return str(n) if n < 1000 else f"{n / 1000:.1f}k" if n < 99_500 else f"{n / 1000:.0f}k"
