"""The figures of a comparison: curves of all detectors, F1 of strata, and counts against the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate import Contest, Entry, EntryScores, Scoreboard, Value, precision_recall
from mitoscope.figure import INK, PALE, QUIET, name_label, place_axes, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

_WIDTH_INCH: Final = 11.6
_PANEL_INCH: Final = 3.1
_LEFTS_INCH: Final = (0.6, 4.45, 8.3)
_TOP_INCH: Final = 0.35
_ROW_INCH: Final = 0.3
_DIFFERENCES_INCH: Final = 7.6
_CURVE_MAX: Final = 400
"""Points of a curve at most: more would not be seen."""
_FALSE_MAX: Final = 40.0
"""False positives per mm² up to which the curve is shown at most; per image 8, as challenges read it."""
_FALSE_PER_IMAGE_MAX: Final = 8.0
_STYLES: Final = ("-", (0, (5, 1.5)), "-.", (0, (1, 1.2)))
_MARKS: Final = "osD^vP*X"


@style()
def draw_curves(contest: Contest, board: Scoreboard) -> Figure:
    """Draw precision and recall, free response and calibration of all; dots mark the thresholds."""
    from matplotlib.figure import Figure

    rows = -(-len(contest.entries) // 3)
    figure = Figure(figsize=(_WIDTH_INCH, _TOP_INCH + _PANEL_INCH + 0.75 + 0.2 * rows))
    ranked = _ranked(contest, board)
    for draw, left in zip(
        (_draw_precision_recall, _draw_free_response, _draw_reliability), _LEFTS_INCH, strict=True
    ):
        axes = place_axes(figure, left=left, top=_TOP_INCH, width=_PANEL_INCH, height=_PANEL_INCH)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.01)
        axes.grid()
        draw(axes, ranked)
    handles = [_handle(place, name_label(scores.name)) for place, (_, scores) in enumerate(ranked)]
    figure.legend(handles=handles, loc="lower left", ncols=3, bbox_to_anchor=(0.045, 0.0), fontsize=9)
    return figure


def _ranked(contest: Contest, board: Scoreboard) -> list[tuple[Entry, EntryScores]]:
    by_name = {entry.name: entry for entry in contest.entries}
    return [(by_name[scores.name], scores) for scores in board.entries]


def _handle(place: int, label: str) -> Line2D:
    from matplotlib.lines import Line2D as Line

    return Line(
        [], [], color=f"C{place % 7}", linestyle=_line(place), marker=_MARKS[place % len(_MARKS)], label=label
    )


def _line(place: int) -> Any:
    return _STYLES[place % len(_STYLES)]


def _title(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(title, fontweight="bold")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)


def _mark(axes: Axes, x: float, y: float, place: int) -> None:
    axes.plot(
        [x], [y], _MARKS[place % len(_MARKS)], color=f"C{place % 7}", markersize=8, markeredgecolor="white",
        clip_on=False, zorder=5,
    )  # fmt: skip


def _draw_precision_recall(axes: Axes, ranked: Sequence[tuple[Entry, EntryScores]]) -> None:
    _title(axes, "Precision and recall", "recall", "precision")
    for place, (entry, scores) in enumerate(ranked):
        curve = precision_recall(entry.judged.total_steps)
        kept = np.unique(np.linspace(0, len(curve.recall) - 1, _CURVE_MAX).round().astype(int))
        if len(curve.recall):
            axes.plot(
                curve.recall[kept], curve.precision[kept], color=f"C{place % 7}", linestyle=_line(place)
            )
        measures = scores.overall.measures
        recall, precision = measures["recall"].value, measures["precision"].value
        if recall is not None and precision is not None:
            _mark(axes, recall, precision, place)


def _draw_free_response(axes: Axes, ranked: Sequence[tuple[Entry, EntryScores]]) -> None:
    per_mm2 = all(scores.free_response.false_per_mm2 is not None for _, scores in ranked)
    unit = "mm²" if per_mm2 else "image"
    _title(axes, "Free response (FROC)", f"false positives per {unit}", "recall")
    reached = 0.0
    for place, (entry, scores) in enumerate(ranked):
        curve = scores.free_response
        rates = (curve.false_per_mm2 if per_mm2 else curve.false_per_image) or []
        # Recall rises at the rate at which it is reached; before the first detection it is 0.
        axes.step(
            [0.0, *rates], [0.0, *curve.recall], where="post", color=f"C{place % 7}", linestyle=_line(place)
        )
        reached = max(reached, *rates, 0.1)
        share = scores.overall.measures["recall"].value
        size = scores.overall.examined_mm2 if per_mm2 else float(len(entry.judged.images))
        if share is not None and size:
            _mark(axes, scores.overall.fp / size, share, place)
    axes.set_xlim(0, min(_FALSE_MAX if per_mm2 else _FALSE_PER_IMAGE_MAX, reached * 1.05))


def _draw_reliability(axes: Axes, ranked: Sequence[tuple[Entry, EntryScores]]) -> None:
    _title(axes, "Calibration", "score", "share that is true")
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1.0, linestyle=(0, (4, 3)))
    for place, (_, scores) in enumerate(ranked):
        filled = [part for part in scores.calibration.bins if part.n]
        scores_there = [part.mean_score or 0.0 for part in filled]
        shares = [part.true_share or 0.0 for part in filled]
        axes.plot(scores_there, shares, color=f"C{place % 7}", linestyle=_line(place), linewidth=1.1)
        # Of few candidates the share says little: their marks are small.
        size = [12 + 14 * np.log10(part.n) ** 1.6 for part in filled]
        axes.scatter(
            scores_there, shares, s=size, color=f"C{place % 7}", marker=_MARKS[place % len(_MARKS)],
            edgecolor="white", linewidth=0.6, clip_on=False, zorder=3,
        )  # fmt: skip


@style()
def draw_strata(board: Scoreboard) -> Figure:
    """Draw the F1 of each detector over all images and in each stratum, with intervals by case."""
    from matplotlib.figure import Figure

    rows: list[tuple[str, list[Value]]] = [
        ("all images", [entry.overall.measures["f1"] for entry in board.entries])
    ]
    heads: dict[int, str] = {}
    for place, part in enumerate(board.entries[0].strata):
        heads[len(rows)] = part.by
        rows.append(("", []))
        for name in part.strata:
            values = [entry.strata[place].strata[name].measures["f1"] for entry in board.entries]
            rows.append((name_label(name), values))
    n = len(board.entries)
    tops, bottom = _stack([0.34 if row in heads else 0.17 * n + 0.16 for row in range(len(rows))])
    figure = Figure(figsize=(_WIDTH_INCH, 0.35 + bottom + 0.55))
    axes = place_axes(figure, left=2.9, top=0.35, width=_WIDTH_INCH - 2.9 - 2.7, height=bottom)
    axes.set_title("F1, with 95 % interval by case", fontweight="bold")
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom, 0)
    shown = [row for row in range(len(rows)) if row not in heads]
    axes.set_yticks([tops[row] for row in shown], labels=[rows[row][0] for row in shown])
    axes.grid(axis="x")
    for row, (_, values) in enumerate(rows):
        for place, value in enumerate(values):
            _draw_value(axes, value, tops[row] + (place - (n - 1) / 2) * 0.17, place)
    for row, by in heads.items():
        axes.annotate(
            name_label(by), (0, tops[row] + 0.06), (-4, 0), xycoords=axes.get_yaxis_transform(),
            textcoords="offset points", va="center", ha="right", fontweight="bold",
        )  # fmt: skip
    axes.legend(
        handles=[_handle(place, name_label(entry.name)) for place, entry in enumerate(board.entries)],
        loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0,
    )  # fmt: skip
    return figure


def _stack(heights: Sequence[float]) -> tuple[list[float], float]:
    """Return the middles of rows of these heights, one below the other, and where the last one ends."""
    ends = np.cumsum(heights).tolist()
    return [end - height / 2 for end, height in zip(ends, heights, strict=True)], ends[-1]


def _draw_value(axes: Axes, value: Value, y: float, place: int) -> None:
    if value.interval_95 is not None:
        axes.plot(list(value.interval_95), [y, y], color=f"C{place % 7}")
    if value.value is not None:
        _mark(axes, value.value, y, place)


@style()
def draw_differences(board: Scoreboard) -> Figure:
    """Draw the paired differences of F1, precision, recall and average precision of every two."""
    from matplotlib.figure import Figure

    names = {"f1": "F1", "precision": "precision", "recall": "recall", "average_precision": "AP"}
    pitch = len(names) + 1
    rows = [
        (place * pitch + row + 1, title, pair.differences[name])
        for place, pair in enumerate(board.pairs)
        for row, (name, title) in enumerate(names.items())
    ]
    height = _ROW_INCH * pitch * len(board.pairs)
    figure = Figure(figsize=(_DIFFERENCES_INCH, 0.1 + height + 0.35))
    axes = place_axes(figure, left=1.0, top=0.1, width=_DIFFERENCES_INCH - 1.9, height=height)
    ends = [abs(end) for _, _, found in rows for end in found.interval_95 or (found.difference or 0.0,)]
    reach = 1.08 * max([0.05, *ends])
    axes.set_xlim(-reach, reach)
    axes.set_ylim(pitch * len(board.pairs) - 0.5, -0.5)
    axes.set_yticks([row for row, _, _ in rows], labels=[title for _, title, _ in rows])
    axes.axvline(0, color=INK, linewidth=1.0)
    axes.grid(axis="x")
    for place, pair in enumerate(board.pairs):
        axes.annotate(
            f"{name_label(pair.first)} minus {name_label(pair.second)}",
            (0, place * pitch),
            (-66, 0),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            va="center",
            fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )
    for row, _, found in rows:
        sure = found.interval_95 is not None and (found.interval_95[0] > 0 or found.interval_95[1] < 0)
        colour = "C0" if sure else QUIET
        if found.interval_95 is not None:
            axes.plot(list(found.interval_95), [row, row], color=colour)
        if found.difference is not None:
            axes.plot([found.difference], [row], "o", color=colour, markersize=7, markeredgecolor="white")
            axes.annotate(
                f"{found.difference:+.3f}", (1.02, row), xycoords=axes.get_yaxis_transform(), va="center"
            )
    return figure


@style()
def draw_counts(contest: Contest, board: Scoreboard) -> Figure | None:
    """Draw for each detector the difference of its counts over their mean (Bland and Altman).

    None where nothing is counted.
    """
    from matplotlib.figure import Figure

    ranked = [(entry, scores) for entry, scores in _ranked(contest, board) if scores.counts.images]
    if not ranked:
        return None
    rows = -(-len(ranked) // 3)
    pitch = 3.4
    figure = Figure(figsize=(_WIDTH_INCH, 0.15 + pitch * rows))
    pairs = [contest.counts[entry.name].counts for entry, _ in ranked]
    most = max(float(pair.mean(axis=1).max()) for pair in pairs)
    gap = max(1.0, *(float(np.abs(pair[:, 0] - pair[:, 1]).max()) for pair in pairs))
    for place, ((_, scores), pair) in enumerate(zip(ranked, pairs, strict=True)):
        axes = place_axes(
            figure,
            left=_LEFTS_INCH[place % 3],
            top=_TOP_INCH + pitch * (place // 3),
            width=_PANEL_INCH,
            height=2.5,
        )
        _title(axes, name_label(scores.name), "mean of found and true count", "found − true")
        _draw_agreement(axes, pair, scores, place)
        axes.set_xlim(-0.04 * max(most, 1.0), 1.06 * max(most, 1.0))
        axes.set_ylim(-1.2 * gap, 1.2 * gap)
        axes.grid()
    return figure


def _draw_agreement(axes: Axes, pair: NDArray[np.int64], scores: EntryScores, place: int) -> None:
    mean, gap = pair.mean(axis=1), pair[:, 0] - pair[:, 1]
    places, times = np.unique(np.column_stack([mean, gap]), axis=0, return_counts=True)
    axes.axhline(0, color=PALE, linewidth=0.8)
    axes.scatter(
        places[:, 0], places[:, 1], s=14 + 16 * times, color=f"C{place % 7}", alpha=0.75, edgecolor="white",
        linewidth=0.6, clip_on=False, zorder=3,
    )  # fmt: skip
    lower, upper = scores.counts.limits_of_agreement
    for value, line in ((scores.counts.bias, "-"), (lower, (0, (4, 3))), (upper, (0, (4, 3)))):
        if value.value is not None:
            axes.axhline(value.value, color=INK, linewidth=1.0, linestyle=line)
            axes.annotate(
                f"{value.value:+.1f}", (1.0, value.value), (0, 2), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", fontsize=8, va="bottom", ha="right", color=QUIET,
            )  # fmt: skip
