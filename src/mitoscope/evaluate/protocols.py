"""The published rules by which detections are matched with the truth. They are not comparable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import ConfigError, FormatError, NonFiniteError
from mitoscope.evaluate.matching import Matching, match_closest_unmatched
from mitoscope.geometry import Mpp

Rule = Callable[..., Matching]


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
    radius_um : float
        Largest distance in µm, where it is.
    rule : callable
        Points, scores and true points, and the radius as keyword → matching.
    """

    name: str
    summary: str
    source: str
    radius_px: float
    radius_um: float
    rule: Rule

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
            If there are not as many scores as detections.
        NonFiniteError
            If a coordinate or a score is NaN or infinite.
        """
        points, truth = _points(points_px0, "detections"), _points(truth_px0, "truth")
        confidence = np.asarray(scores, dtype=np.float64).reshape(-1)
        if len(confidence) != len(points):
            raise FormatError(f"{len(points)} detections with {len(confidence)} scores", where="evaluation")
        if not np.isfinite(confidence).all():
            raise NonFiniteError("NaN or infinity among the scores", where="evaluation")
        if mpp is None:
            return self.rule(points, confidence, truth, radius=self.radius_px)
        scale = np.array([mpp.x, mpp.y])
        return self.rule(points * scale, confidence, truth * scale, radius=self.radius_um)


def _points(points: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(array).all():
        raise NonFiniteError(f"NaN or infinity among the coordinates of the {what}", where="evaluation")
    return array


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
    rule=match_closest_unmatched,
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (TUPAC,)}
"""The protocols by name."""


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise ConfigError(
            f"no protocol {name!r}", where="--protocol", mend=f"choose one of: {', '.join(PROTOCOLS)}"
        )
    return PROTOCOLS[name]
