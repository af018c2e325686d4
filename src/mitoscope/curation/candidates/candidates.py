"""Candidates: what a detector found where nobody has labelled a cell, in bins by score."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.tiles import suppress

RADIUS_PX0 = 25.0
"""A detection within this distance of a cell, centre to centre, is that cell (CCMCT, CMC: 25 px)."""
BINS = 10
"""Candidates are shown in ten groups by score (CCMCT, section ODAEL)."""


def candidates(
    found: Detections, known_px0: ArrayLike, *, radius_px0: float = RADIUS_PX0, threshold: float = 0.0
) -> Detections:
    """Return the detections that are no known cell, by descending score.

    Of detections within the radius of each other the one of the highest score stays: no rater is asked twice.

    Parameters
    ----------
    found : Detections
        Of one slide.
    known_px0 : array_like, shape (k, 2)
        Centres of its known cells in level-0 pixels.
    radius_px0 : float
        Distance within which (inclusive) two points are one cell.
    threshold : float
        Scores not above it are left out; low, so that few figures are lost.

    Raises
    ------
    ConfigError
        If the radius is not positive.
    """
    if not radius_px0 > 0:
        raise ConfigError(f"a radius of {radius_px0:g} px", mend="write e.g. --radius 25")
    ordered = found.above(threshold).sort()
    known = np.asarray(known_px0, dtype=np.float64).reshape(-1, 2)
    if len(known) and len(ordered):
        distance, _ = cKDTree(known).query(ordered.points_px0)
        ordered = ordered.take(np.asarray(distance) > radius_px0)
    return suppress(ordered, radius_px0=radius_px0)


def bin_of(score: ArrayLike, *, bins: int = BINS) -> NDArray[np.int64]:
    """Return the bin of each score, from 1: bin 1 of ten holds scores above 0.9, bin 10 those up to 0.1.

    Raises
    ------
    ConfigError
        If there is no bin.
    """
    if bins < 1:
        raise ConfigError(f"{bins} bins", mend="at least 1")
    # Rounded before it is cut: 0.3 · 10 is 3.0000000000000004 in some sums that lead to 0.3.
    place = np.ceil(np.round(np.asarray(score, dtype=np.float64) * bins, 9)).astype(np.int64)
    return bins + 1 - np.clip(place, 1, bins)
