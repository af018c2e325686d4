"""Simulated experts and studies of known truth: what the loops are proved with."""

from __future__ import annotations

from mitoscope.curation.simulated.expert import (
    DISAGREEMENT,
    MISS,
    SimulatedExpert,
    chance,
    confusion_for,
)
from mitoscope.curation.simulated.study import SimulatedStudy, TrueCells

__all__ = [
    "DISAGREEMENT",
    "MISS",
    "SimulatedExpert",
    "SimulatedStudy",
    "TrueCells",
    "chance",
    "confusion_for",
]
