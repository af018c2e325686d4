"""A protocol: a named rule by which detections are matched with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.near import Points
from mitoscope.evaluate.steps import Steps
from mitoscope.evaluate.sweep import Rule, steps_of, sweep_groups
from mitoscope.geometry import Mpp

SCANNED_MPP = 0.25
"""µm/px at which 7.5 µm are 30 px: that of the challenges' slides (TUPAC16, MIDOG)."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A named matching rule.

    Attributes
    ----------
    name : str
        As in ``--protocol``.
    summary : str
        The rule in one line.
    source : str
        Where it was published.
    radius_px : float
        Largest distance in level-0 pixels, where the resolution is not known.
    radius_um : float or None
        Largest distance in µm, where it is; None for a rule that was published in pixels and counts pixels
        whatever the resolution.
    rule : callable
        Points, scores and true points, and the radius as keyword → matching.
    settles_by_score : bool
        Whether the outcome for a detection never hangs on those with lower scores.
    """

    name: str
    summary: str
    source: str
    radius_px: float
    radius_um: float | None
    rule: Rule
    settles_by_score: bool = True

    def match(
        self, points_px0: ArrayLike, scores: ArrayLike, truth_px0: ArrayLike, *, mpp: Mpp | None = None
    ) -> Matching:
        """Match the detections of one image with its true figures.

        Parameters
        ----------
        points_px0 : array_like, shape (n, 2)
            Detections in level-0 pixels, already above the threshold.
        scores : array_like, shape (n,)
            Their scores.
        truth_px0 : array_like, shape (m, 2)
            True figures in level-0 pixels.
        mpp : Mpp, optional
            Resolution; with it distances are measured in µm, without it in pixels.

        Raises
        ------
        FormatError
            If there are not as many scores as detections, or boxes where points are expected.
        NonFiniteError
            If a coordinate or a score is NaN or infinite.
        """
        points, confidence, truth = _checked(points_px0, scores, truth_px0)
        points, truth, radius = self._measure(points, truth, mpp)
        return self.rule(points, confidence, truth, radius=radius)

    def sweep(
        self, points_px0: ArrayLike, scores: ArrayLike, truth_px0: ArrayLike, *, mpp: Mpp | None = None
    ) -> Steps:
        """Judge the detections of one image at every threshold; parameters and errors as for `match`.

        Returns
        -------
        Steps
            ``sweep(...).at(t)`` is the score of ``match(...)`` with the detections strictly above t.
        """
        points, confidence, truth = _checked(points_px0, scores, truth_px0)
        points, truth, radius = self._measure(points, truth, mpp)
        if self.settles_by_score:
            return steps_of(self.rule(points, confidence, truth, radius=radius), confidence)
        return sweep_groups(points, confidence, truth, radius=radius, rule=self.rule)

    def say_radius(self, mpp: Mpp | None = None) -> str:
        """Return the distance in words, for the result."""
        if self.radius_um is None:
            return f"{self.radius_px:g} px at any resolution, as published"
        if mpp is None:
            return (
                f"{self.radius_px:g} px, no resolution given ({self.radius_um:g} µm at {SCANNED_MPP} µm/px)"
            )
        return f"{self.radius_um:g} µm"

    def _measure(self, points: Points, truth: Points, mpp: Mpp | None) -> tuple[Points, Points, float]:
        if mpp is None or self.radius_um is None:
            return points, truth, self.radius_px
        scale = np.array([mpp.x, mpp.y])
        return points * scale, truth * scale, self.radius_um


def _checked(points_px0: ArrayLike, scores: ArrayLike, truth_px0: ArrayLike) -> tuple[Points, Points, Points]:
    points, truth = _points(points_px0, "detections"), _points(truth_px0, "truth")
    confidence = np.asarray(scores, dtype=np.float64).reshape(-1)
    if len(confidence) != len(points):
        raise FormatError(f"{len(points)} detections with {len(confidence)} scores", where="evaluation")
    if not np.isfinite(confidence).all():
        raise NonFiniteError("NaN or infinity among the scores", where="evaluation")
    return points, confidence, truth


def _points(points: ArrayLike, what: str) -> Points:
    array = np.asarray(points, dtype=np.float64)
    if array.size == 0:
        return np.empty((0, 2))
    if array.ndim != 2 or array.shape[1] != 2:
        boxes = array.ndim == 2 and array.shape[1] == 4
        raise FormatError(
            f"points of shape (n, 2) expected for the {what}, got {array.shape}",
            where="evaluation",
            mend="give the centres of the boxes" if boxes else "one row a point: x, y",
        )
    if not np.isfinite(array).all():
        raise NonFiniteError(f"NaN or infinity among the coordinates of the {what}", where="evaluation")
    return array
