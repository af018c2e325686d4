"""How well a detector tells mitotic figures from their look-alikes, where experts labelled both."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.matching import UNMATCHED, Matching
from mitoscope.evaluate.protocols import Protocol
from mitoscope.geometry import Mpp


@dataclass(frozen=True, slots=True)
class LookAlikeScore:
    """Where the detections fall; scores add up.

    Attributes
    ----------
    figures : int
        Mitotic figures found.
    look_alikes : int
        Look-alikes taken for mitotic figures.
    elsewhere : int
        False detections on cells that nobody labelled.
    look_alikes_shown : int
        Look-alikes that there are.
    """

    figures: int = 0
    look_alikes: int = 0
    elsewhere: int = 0
    look_alikes_shown: int = 0

    def __add__(self, other: LookAlikeScore) -> LookAlikeScore:
        return LookAlikeScore(
            self.figures + other.figures,
            self.look_alikes + other.look_alikes,
            self.elsewhere + other.elsewhere,
            self.look_alikes_shown + other.look_alikes_shown,
        )

    @property
    def precision_among_look_alikes(self) -> float | None:
        """Of the detections on a labelled cell, the share on mitotic figures; None without any."""
        on_labelled = self.figures + self.look_alikes
        return self.figures / on_labelled if on_labelled else None

    @property
    def share_mistaken(self) -> float | None:
        """Share of the look-alikes that were taken for mitotic figures; None without any."""
        return self.look_alikes / self.look_alikes_shown if self.look_alikes_shown else None

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            **asdict(self),
            "precision_among_look_alikes": self.precision_among_look_alikes,
            "share_mistaken": self.share_mistaken,
        }


def judge_look_alikes(
    points_px0: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    matching: Matching,
    look_alikes_px0: NDArray[np.float64],
    protocol: Protocol,
    mpp: Mpp | None = None,
) -> LookAlikeScore:
    """Say of the false detections of one image which fell on look-alikes, by the same protocol.

    Parameters
    ----------
    points_px0, scores : ndarray, shape (n, 2) and (n,)
        Detections above the threshold.
    matching : Matching
        Of these with the mitotic figures.
    look_alikes_px0 : ndarray, shape (k, 2)
        Look-alikes in level-0 pixels.
    """
    false = matching.truth_of == UNMATCHED
    mistaken = protocol.match(points_px0[false], scores[false], look_alikes_px0, mpp=mpp)
    on_look_alike = int(np.count_nonzero(mistaken.truth_of >= 0))
    return LookAlikeScore(
        figures=matching.score.tp,
        look_alikes=mistaken.score.tp,
        elsewhere=int(false.sum()) - on_look_alike,
        look_alikes_shown=len(look_alikes_px0),
    )
