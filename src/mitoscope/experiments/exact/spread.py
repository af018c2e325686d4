"""How a quantity is spread, as entries of a table: lowest, quartiles, highest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.experiments.table import Entry

QUARTILES: Final = ("lowest", "lower quartile", "median", "upper quartile", "highest")
"""Names of the columns."""


def quartiles(values: Sequence[int] | NDArray[np.int64]) -> list[float]:
    """Return lowest, lower quartile, median, upper quartile and highest; nothing of no values."""
    return np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist() if len(values) else []


def spread(values: Sequence[int] | NDArray[np.int64], *, published_median: float | None) -> list[Entry]:
    """Return an entry for each of `QUARTILES`, the median beside the published one."""
    found: Sequence[float | None] = quartiles(values) or [None] * len(QUARTILES)
    return [
        Entry(value, published=published_median if name == "median" else None)
        for name, value in zip(QUARTILES, found, strict=True)
    ]


def share_from(values: Sequence[int] | NDArray[np.int64], least: float) -> Entry:
    """Return the share of values that reach a least one."""
    return Entry(float(np.mean(np.asarray(values) >= least)) if len(values) else None)
