"""Augmentation: one change a file, each drawn into a record and applied from it."""

from __future__ import annotations

from mitoscope.data.augment.config import AugmentConfig
from mitoscope.data.augment.drawn import Drawn, draw

__all__ = ["AugmentConfig", "Drawn", "draw"]
