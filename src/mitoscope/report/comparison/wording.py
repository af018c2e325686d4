"""The numbers of a comparison in words, for the terminal and the page alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mitoscope.evaluate import (
    COUNT_ERROR,
    LOWER_IS_BETTER,
    MEASURES,
    EntryScores,
    PairedDifference,
    Scoreboard,
    Value,
)
from mitoscope.wording import plural

COUNT_TITLES: Final = {
    COUNT_ERROR: "count: absolute error",
    "count_bias": "count: bias",
    "count_icc": "count: ICC",
    "hot_spot_overlap": "hot spot: overlap",
    "hot_spot_share": "hot spot: share of the fullest",
}
"""Measures of the count, and what they are called in tables."""
TITLES: Final = {**MEASURES, **COUNT_TITLES}
_OF_STRATA: Final = (
    "figures_per_mm2",
    "share_of_figures",
    "precision_at_common_prevalence",
    "f1_at_common_prevalence",
)
"""Measures that say something only where strata are compared: those of the whole leave them out."""
_HIGHER_IS_BETTER: Final = frozenset({"count_icc", "hot_spot_overlap", "hot_spot_share"})
_COUNTS: Final = frozenset({COUNT_ERROR, "count_bias"})


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure of all that are compared, by rank.

    Attributes
    ----------
    name, title : str
    values : tuple of str
        With the interval in brackets; a dash, or 0/0, without a value.
    best : tuple of bool
        Whether none is better; all False where nothing is better or worse.
    absent : str
        Why a value is not there; empty where all are.
    """

    name: str
    title: str
    values: tuple[str, ...]
    best: tuple[bool, ...]
    absent: str = ""


def measures_of(entry: EntryScores) -> dict[str, Value]:
    """Return every measure of one detector, those of its counts last."""
    counts = entry.counts
    return {
        **entry.overall.measures,
        COUNT_ERROR: counts.absolute_error,
        "count_bias": counts.bias,
        "count_icc": counts.icc,
        "hot_spot_overlap": counts.hot_spot_overlap,
        "hot_spot_share": counts.hot_spot_share,
    }


def measure_rows(board: Scoreboard) -> list[MeasureRow]:
    """Return the measures that anyone has, then what each needed."""
    every = [measures_of(entry) for entry in board.entries]
    first = ("f1", "precision", "recall", "average_precision")
    order = [*first, *(name for name in TITLES if name not in (*first, *_OF_STRATA))]
    rows = [
        _row(name, [measures[name] for measures in every])
        for name in order
        if any(measures[name].value is not None for measures in every)
    ]
    return [*rows, *_cost_rows(board)]


def _row(name: str, values: list[Value]) -> MeasureRow:
    numbers = [value.value for value in values]
    known = [number for number in numbers if number is not None]
    best: tuple[bool, ...] = (False,) * len(values)
    is_ranked = name in LOWER_IS_BETTER or name in _HIGHER_IS_BETTER or name in MEASURES
    if is_ranked and len(set(known)) > 1:
        top = min(known) if name in LOWER_IS_BETTER else max(known)
        best = tuple(number == top for number in numbers)
    absent = next((value.absent_because for value in values if value.absent_because not in (None, "0/0")), "")
    return MeasureRow(
        name, TITLES[name], tuple(say_value(name, value) for value in values), best, absent or ""
    )


def say_value(name: str, value: Value) -> str:
    """Return a number with its interval."""
    if value.value is None:
        return "0/0" if value.absent_because == "0/0" else "–"
    decimals = 2 if name in _COUNTS or (name.endswith("_per_mm2") and not name.startswith("recall")) else 3
    sign = "+" if name == "count_bias" else ""
    ends = value.interval_95
    text = f"{value.value:{sign}z.{decimals}f}"
    return text if ends is None else f"{text} [{ends[0]:{sign}z.{decimals}f}, {ends[1]:{sign}z.{decimals}f}]"


def _cost_rows(board: Scoreboard) -> list[MeasureRow]:
    costs = [entry.cost for entry in board.entries]
    none = (False,) * len(costs)
    rows = []
    if any(cost is not None for cost in costs):
        speed = [
            "–" if cost is None or cost.seconds_per_mm2 is None else f"{cost.seconds_per_mm2:.2f}"
            for cost in costs
        ]
        rows.append(MeasureRow("seconds_per_mm2", "seconds per mm² of tissue", tuple(speed), none))
    if any(cost is not None and cost.peak_mb is not None for cost in costs):
        memory = ["–" if cost is None or cost.peak_mb is None else f"{cost.peak_mb:,.0f}" for cost in costs]
        rows.append(MeasureRow("peak_mb", "peak memory, MB", tuple(memory), none))
    return rows


def sizes(board: Scoreboard) -> str:
    """Return how much was judged."""
    images, cases, figures = len(board.images), board.cases, board.figures
    return (
        f"{images} {plural(images, 'image')} of {cases} {plural(cases, 'case')}, "
        f"{figures} true {plural(figures, 'figure')}"
    )


def threshold_of(entry: EntryScores) -> str:
    """Return the threshold of a detector and where it comes from."""
    value = entry.threshold.value
    shown = "thresholds of each image" if value is None else f"threshold {value:.4g}"
    return f"{shown} ({entry.threshold.source})"


def source_of(entry: EntryScores) -> str:
    """Return who found it, as far as the results state it."""
    if entry.detector is None:
        return "results without a stated detector"
    return f"{entry.detector} {entry.version or ''}".strip()


def pair_lines(board: Scoreboard) -> list[str]:
    """Return the paired differences that the terminal shows."""
    lines = []
    for pair in board.pairs:
        lines.append(
            f"{pair.first} minus {pair.second}, paired over {pair.cases} {plural(pair.cases, 'case')}:"
        )
        for name, found in pair.differences.items():
            if found.difference is not None:
                lines.append(f"  {TITLES[name]:<24}{say_difference(name, found)}")
    return lines


def say_difference(name: str, found: PairedDifference) -> str:
    """Return a difference with its interval and p."""
    if found.difference is None:
        return "0/0"
    decimals = 2 if name in _COUNTS or name == "false_per_mm2" else 3
    text = f"{found.difference:+z.{decimals}f}"
    if found.interval_95 is None or found.p is None:
        return text
    low, high = found.interval_95
    return f"{text} [{low:+z.{decimals}f}, {high:+z.{decimals}f}], p {found.p:.3g}"


def is_sure(found: PairedDifference) -> bool:
    """Return whether the interval of a difference leaves out 0."""
    ends = found.interval_95
    return ends is not None and (ends[0] > 0 or ends[1] < 0)
