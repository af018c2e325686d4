"""Two detectors on the same cases: the difference, and how sure it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.evaluate.curves import average_precision, draw_average_precision
from mitoscope.evaluate.sweep import Steps
from mitoscope.statistics import REPEATS, Interval, Score, draw_shares, draw_sums, percentiles

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Difference:
    """First minus second.

    Attributes
    ----------
    value : float or None
        None where either is 0/0.
    interval : Interval or None
        95 % of the paired draws; None with fewer than two cases.
    p : float or None
        Two-sided: twice the share of draws on the other side of 0 (ties count to both), at least 1 / repeats.
    """

    value: float | None
    interval: Interval | None
    p: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        ends = None if self.interval is None else self.interval.as_list()
        return {"difference": self.value, "interval_95": ends, "p": self.p}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of two detectors, first minus second, over the same draws of the same cases."""

    precision: Difference
    recall: Difference
    f1: Difference
    average_precision: Difference
    cases: int

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        names = ("precision", "recall", "f1", "average_precision")
        return {"cases": self.cases, **{name: getattr(self, name).as_dict() for name in names}}


def compare(
    first: Mapping[str, tuple[Score, Steps]],
    second: Mapping[str, tuple[Score, Steps]],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
    drawn: tuple[Floats, Floats] | None = None,
) -> Comparison:
    """Compare two detectors by paired bootstrap over cases.

    Parameters
    ----------
    first, second : mapping of str to (Score, Steps)
        Score at the detector's threshold and steps of each case; the same cases.
    repeats, seed
        Of the bootstrap.
    drawn : two ndarrays of float64, shape (repeats,), optional
        Average precision of either in each draw of the same cases, where it is known already.

    Raises
    ------
    FormatError
        If the cases differ: then nothing is paired.
    """
    if first.keys() != second.keys():
        odd = sorted(first.keys() ^ second.keys())[0]
        raise FormatError("a case that only one of the detectors has", where=odd, mend="judge both on it")
    names = sorted(first)
    sides = [[side[name][0] for name in names] for side in (first, second)]
    totals = [Score.total(side) for side in sides]
    steps = [{name: side[name][1] for name in names} for side in (first, second)]
    areas = [average_precision(Steps.total(side.values())) for side in steps]
    values = [
        (total.precision, total.recall, total.f1, area) for total, area in zip(totals, areas, strict=True)
    ]
    draws: list[Floats | None] = [None] * 4
    if len(names) > 1:
        a, b = (draw_shares(side, repeats=repeats, seed=seed) for side in sides)
        ap = drawn or [draw_average_precision(side, repeats=repeats, seed=seed) for side in steps]
        draws = [*(a - b), ap[0] - ap[1]]
    precision, recall, f1, area = (
        _difference(*sides_and_draws) for sides_and_draws in zip(*values, draws, strict=True)
    )
    return Comparison(precision, recall, f1, area, cases=len(names))


def difference_of_sums(
    sides: Sequence[Floats],
    measure: Callable[[Floats], Floats],
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Difference:
    """Return the difference of a measure of sums over cases, first minus second, by paired bootstrap.

    Parameters
    ----------
    sides : two ndarrays of float64, shape (cases, s)
        What each case adds to the sums of either detector, the cases in one order.
    measure : callable
        Sums of shape (..., s) → values of shape (...); NaN where it is not defined.
    repeats, seed
        Of the bootstrap.
    """
    first, second = sides
    values = [float(measure(side.sum(axis=0))) for side in sides]
    known = [None if np.isnan(value) else value for value in values]
    if len(first) < 2:
        return _difference(known[0], known[1], None)
    drawn = draw_sums(np.column_stack([first, second]), repeats=repeats, seed=seed)
    split = first.shape[1]
    return _difference(known[0], known[1], measure(drawn[:, :split]) - measure(drawn[:, split:]))


def _difference(first: float | None, second: float | None, drawn: NDArray[np.float64] | None) -> Difference:
    value = None if first is None or second is None else first - second
    if drawn is None or np.isnan(drawn).all():
        return Difference(value, None, None)
    known = drawn[~np.isnan(drawn)]
    beyond = min(float((known <= 0).mean()), float((known >= 0).mean()))
    return Difference(value, percentiles(drawn), min(1.0, max(2 * beyond, 1 / len(known))))
