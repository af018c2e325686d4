"""Dust on the slide: dark specks and fibres, out of focus, on glass and tissue alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Float, generator

_SPECKS_PER_CM2 = 60.0


@dataclass(frozen=True)
class _Speck:
    x: float
    y: float
    long_px: float
    short_px: float
    angle: float
    darkness: float

    @property
    def reach_px(self) -> float:
        return 3.2 * self.long_px


class DustSpecks:
    """All dust of one slide."""

    def __init__(self, config: SyntheticSlideConfig) -> None:
        rng = generator(config.seed, 50)
        area_cm2 = config.width * config.height * config.mpp**2 * 1e-8
        count = int(rng.poisson(_SPECKS_PER_CM2 * area_cm2)) if config.dust else 0
        um = 1 / config.mpp
        self._specks = []
        for _ in range(count):
            long_px = rng.uniform(2.0, 9.0) * um
            slender = rng.choice([1.0, 0.2], p=[0.8, 0.2])
            self._specks.append(
                _Speck(
                    float(rng.uniform(0, config.width)),
                    float(rng.uniform(0, config.height)),
                    float(long_px / slender**0.5),
                    float(long_px * slender * rng.uniform(0.6, 1.0)),
                    float(rng.uniform(0, np.pi)),
                    float(rng.uniform(0.15, 0.6)),
                )
            )

    def _near(self, box: BoxPx) -> list[_Speck]:
        return [
            s
            for s in self._specks
            if box.x - s.reach_px < s.x < box.right + s.reach_px
            and box.y - s.reach_px < s.y < box.bottom + s.reach_px
        ]

    def touches(self, box: BoxPx) -> bool:
        """Return whether any speck reaches into a box of px0."""
        return bool(self._near(box))

    def stamp(self, grey: Float, box: BoxPx) -> None:
        """Darken the grey values (3, h, w) of a box by its specks."""
        for speck in self._near(box):
            columns = np.arange(box.x, box.right, dtype=np.float32) + 0.5 - speck.x
            rows = np.arange(box.y, box.bottom, dtype=np.float32) + 0.5 - speck.y
            u = columns[None, :] * np.cos(speck.angle) + rows[:, None] * np.sin(speck.angle)
            v = -columns[None, :] * np.sin(speck.angle) + rows[:, None] * np.cos(speck.angle)
            depth = np.square(u / speck.long_px) + np.square(v / speck.short_px)
            shade = 1 - speck.darkness * np.exp(-np.minimum(depth * depth, 60.0))
            grey *= shade.astype(np.float32)
