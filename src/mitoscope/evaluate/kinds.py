"""How well atypical mitotic figures are told from others, among the true figures that were found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from mitoscope.labels import ATYPICAL_FIGURE, MITOTIC_FIGURE
from mitoscope.statistics import ConfusionMatrix, Interval, balanced_accuracy, draw_sums, percentiles

KINDS: Final = (ATYPICAL_FIGURE.name, MITOTIC_FIGURE.name)
"""In the order of rows and columns."""


@dataclass(frozen=True)
class KindScore:
    """Atypical figures and others, as they are and as they were called; both are mitotic figures.

    Attributes
    ----------
    matrix : ConfusionMatrix
        Of the true figures that were found; rows are true, columns what the results call them.
    interval : Interval or None
        Of the balanced accuracy, by drawing cases; None for a single case.
    """

    matrix: ConfusionMatrix
    interval: Interval | None

    @classmethod
    def of(cls, by_case: Mapping[str, ConfusionMatrix], *, repeats: int, seed: int) -> Self | None:
        """Sum up cases; None where the truth has no atypical figure, or the results call none so."""
        parts = np.array([matrix.counts for matrix in by_case.values()], dtype=np.float64).reshape(-1, 4)
        counts = np.rint(parts.sum(axis=0)).astype(np.int64).reshape(2, 2)
        if not counts[0].sum() or not counts[:, 0].sum():
            return None
        interval = None
        if len(parts) > 1:
            drawn = draw_sums(parts, repeats=repeats, seed=seed).reshape(-1, 2, 2)
            interval = percentiles(balanced_accuracy(drawn))
        return cls(ConfusionMatrix(KINDS, counts), interval)

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean of the shares of both kinds that are called right; None where either has no figure."""
        return self.matrix.balanced_accuracy

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        (right, missed), (wrong, others) = self.matrix.counts.tolist()
        return {
            "of": "true figures that were found",
            "atypical_called_atypical": right,
            "atypical_called_other": missed,
            "other_called_atypical": wrong,
            "other_called_other": others,
            "balanced_accuracy": self.balanced_accuracy,
            "balanced_accuracy_95": None if self.interval is None else self.interval.as_list(),
        }
