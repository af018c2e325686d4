"""Averages of scores, each by its name: micro, and mean over slides, cases or folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mitoscope.evaluate.score import Score


@dataclass(frozen=True, slots=True)
class Average:
    """Mean and standard deviation of what is defined.

    Attributes
    ----------
    mean : float or None
        None if nothing is defined.
    sd : float or None
        Of the sample (n - 1); None with fewer than two values.
    n : int
        Values that are defined.
    undefined : int
        Values that are 0/0 and left out.
    """

    mean: float | None
    sd: float | None
    n: int
    undefined: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> Average:
        """Average values; None says nothing."""
        values = list(values)
        known = [value for value in values if value is not None]
        return cls(
            mean=float(np.mean(known)) if known else None,
            sd=float(np.std(known, ddof=1)) if len(known) > 1 else None,
            n=len(known),
            undefined=len(values) - len(known),
        )

    def __str__(self) -> str:
        if self.mean is None:
            return "undefined (0/0)"
        return f"{self.mean:.3f}" if self.sd is None else f"{self.mean:.3f} ± {self.sd:.3f}"


@dataclass(frozen=True, slots=True)
class MeanScore:
    """Mean over units (slides, cases) of each unit's own precision, recall and F1: the macro average."""

    precision: Average
    recall: Average
    f1: Average


def micro(scores: Iterable[Score]) -> Score:
    """Return the sum: its shares are the micro average, as in the CMC and CCMCT papers."""
    return sum(scores, Score())


def mean_score(scores: Iterable[Score]) -> MeanScore:
    """Return the mean of the shares of each, as the MIDOG++ paper says it averages over slides.

    Notes
    -----
    A slide with neither figures nor detections has no F1 and is left out; how many were is stated. (The
    published code of MIDOG++ pools instead: that is :func:`micro`.)
    """
    scores = list(scores)
    return MeanScore(
        Average.of(score.precision for score in scores),
        Average.of(score.recall for score in scores),
        Average.of(score.f1 for score in scores),
    )


def sum_by(scores: Mapping[str, Score], group_of: Mapping[str, str]) -> dict[str, Score]:
    """Return the sum of the scores of each group, in the order in which groups appear.

    Parameters
    ----------
    scores : mapping of str to Score
        By image.
    group_of : mapping of str to str
        Image → case, domain, ...

    Raises
    ------
    KeyError
        If an image has no group.
    """
    sums: dict[str, Score] = {}
    for image, score in scores.items():
        group = group_of[image]
        sums[group] = sums.get(group, Score()) + score
    return sums
