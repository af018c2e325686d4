"""The published rules by which detections are matched with the truth. They are not comparable."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.evaluate.matching import Matching, Points
from mitoscope.evaluate.rules import (
    match_any_near,
    match_boxes,
    match_by_balls,
    match_closest_unmatched,
    match_most,
)
from mitoscope.evaluate.sweep import Rule, Sweep, Sweeper, sweep_by_score, sweep_in_truth_order
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
    sweeper : callable
        The rule: points, scores and true points, and the radius as keyword → sweep.
    """

    name: str
    summary: str
    source: str
    radius_px: float
    radius_um: float | None
    sweeper: Sweeper

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
        return self.sweep(points_px0, scores, truth_px0, mpp=mpp).matching

    def sweep(
        self, points_px0: ArrayLike, scores: ArrayLike, truth_px0: ArrayLike, *, mpp: Mpp | None = None
    ) -> Sweep:
        """Match one image at every threshold at once; parameters and errors as for `match`.

        Returns
        -------
        Sweep
            ``sweep(...).steps.at(t)`` is the score of ``match(...)`` with the detections strictly above t.
        """
        points, confidence, truth = _checked(points_px0, scores, truth_px0)
        points, truth, radius = self._measure(points, truth, mpp)
        return self.sweeper(points, confidence, truth, radius=radius)

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
            mend="give the centres of the boxes" if boxes else "one row per point: x, y",
        )
    if not np.isfinite(array).all():
        raise NonFiniteError(f"NaN or infinity among the coordinates of the {what}", where="evaluation")
    return array


def _by_score(rule: Rule) -> Sweeper:
    return partial(sweep_by_score, rule=rule)


MITOSCOPE = Protocol(
    name="mitoscope",
    summary=(
        "one to one within 7.5 µm (30 px), inclusive: at every threshold as many hits as any one-to-one "
        "matching can have, higher scores first"
    ),
    source=(
        "mitoscope's own: the radius of TUPAC16 and MIDOG, with augmenting paths (Kuhn 1955) in place of a "
        "greedy choice, so that neither the order of rows nor a lower threshold takes a hit away"
    ),
    radius_px=30.0,
    radius_um=7.5,
    sweeper=_by_score(match_most),
)

TUPAC = Protocol(
    name="tupac",
    summary=(
        "one to one within 30 px (7.5 µm), inclusive: by descending score, each detection takes the closest "
        "true figure that is still unmatched"
    ),
    source=(
        "TUPAC16 challenge (Veta et al. 2019), in the one-to-one reading of Akram et al. 2018: a true figure "
        "is matched once, a second detection of it is a false positive"
    ),
    radius_px=30.0,
    radius_um=7.5,
    sweeper=_by_score(match_closest_unmatched),
)

MIDOG = Protocol(
    name="midog",
    summary=(
        "one to one within 7.5 µm (30 px), inclusive: in the order of the truth, each true figure takes the "
        "nearest detection that is still unused"
    ),
    source=(
        "MIDOG 2021, 2022 and 2025 evaluation containers and the MIDOG++ code (Aubreville et al. 2023): "
        "evalutils score_detection, radius 7.5e-3 mm"
    ),
    radius_px=30.0,
    radius_um=7.5,
    sweeper=sweep_in_truth_order,
)

CMC = Protocol(
    name="cmc",
    summary=(
        "25 px, many to many: detections thinned by score within 25 px, then all members of every 25-px ball "
        "that holds a detection and a true figure are hits"
    ),
    source=(
        "evaluation code of CMC (Aubreville et al. 2020) and CCMCT (Bertram et al. 2019): nms_WSI, "
        "calculate_F1; pixels of level 0, about 0.25 µm/px"
    ),
    radius_px=25.0,
    radius_um=None,
    sweeper=_by_score(match_by_balls),
)

AMIDA = Protocol(
    name="amida",
    summary=(
        "within 7.5 µm (30 px), inclusive: a true figure with any detection near it is found, several "
        "detections of it count once, a detection near none is false"
    ),
    source=(
        "AMIDA13 challenge (Veta et al. 2015, section on evaluation); the same rule scores deep-histopath "
        "(CODAIT), the IBM model of Ji et al."
    ),
    radius_px=30.0,
    radius_um=7.5,
    sweeper=_by_score(match_any_near),
)

MITOS2012 = Protocol(
    name="mitos2012",
    summary=(
        "within 5 µm (20 px), inclusive, between centroids, one to one: by descending score, each detection "
        "takes the closest true figure that is still unmatched"
    ),
    source=(
        "ICPR 2012 contest (Roux et al. 2013), definition of D, TP and FP; its page names 8 µm in the "
        "introduction and 5 µm in the definitions, which the papers follow (Cireşan et al. 2013). What a "
        "second detection of a figure counts is not stated: here it is false"
    ),
    radius_px=20.0,
    radius_um=5.0,
    sweeper=_by_score(match_closest_unmatched),
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (MITOSCOPE, MIDOG, CMC, TUPAC, AMIDA, MITOS2012)
}
"""The protocols by name, the default first; ``iou@t`` is made by :func:`iou_protocol`."""

BOX_SIDE_UM = 22.5
"""Side of the boxes around centres in the evaluation of MIDOG: 2 × 0.01125 mm, so that an overlap of one half
is a shift by 7.5 µm along an axis (evaluation container; MIDOG++ code)."""


def iou_protocol(iou: float, *, side_um: float = BOX_SIDE_UM, side_px: float | None = None) -> Protocol:
    """Return the rule of COCO at one overlap, with squares of one size around the centres.

    Parameters
    ----------
    iou : float
        Least intersection over union, in (0, 1].
    side_um : float, default 22.5
        Side of the squares where the resolution is known.
    side_px : float, optional
        Side in level-0 pixels where it is not; by default `side_um` at 0.25 µm/px: 90 px.

    Raises
    ------
    ConfigError
        If the overlap is not in (0, 1] or a side is not positive.
    """
    if not 0 < iou <= 1:
        raise ConfigError(f"an overlap of {iou:g} is not in (0, 1]", where="--protocol", mend="e.g. iou@0.5")
    px = side_um / SCANNED_MPP if side_px is None else side_px
    if not (side_um > 0 and px > 0):
        raise ConfigError("the side of a box must be positive", where="--protocol")
    return Protocol(
        name=f"iou@{iou:g}",
        summary=(
            f"squares of {side_um:g} µm ({px:g} px) around the centres, one to one: by descending score, "
            f"each takes the unmatched true square of greatest intersection over union, at least {iou:g}"
        ),
        source="COCO (Lin et al. 2014, cocoeval); boxes as in the evaluation of MIDOG and MIDOG++",
        radius_px=px / 2,
        radius_um=side_um / 2,
        sweeper=_by_score(partial(match_boxes, iou=iou)),
    )


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name; ``iou@0.5`` and the like at any overlap.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    key = name.strip().casefold()
    if key.startswith("iou@"):
        try:
            return iou_protocol(float(key.removeprefix("iou@")))
        except ValueError:
            raise ConfigError(
                f"no overlap in {name!r}", where="--protocol", mend="write e.g. iou@0.5"
            ) from None
    if key not in PROTOCOLS:
        raise ConfigError(
            f"no protocol {name!r}",
            where="--protocol",
            mend=f"choose one of: {', '.join(PROTOCOLS)}, iou@0.5 (any overlap)",
        )
    return PROTOCOLS[key]
