"""From amounts of stain to what the camera sees: the law of Beer and Lambert."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Float, generator

INK_DENSITY: dict[str, tuple[float, float, float]] = {
    "blue": (1.25, 0.75, 0.22),
    "green": (1.05, 0.35, 0.80),
    "black": (1.15, 1.10, 1.00),
}
"""Optical density of a full stroke of each marker pen in red, green and blue."""


@dataclass(frozen=True)
class Stain:
    """The stains of one slide.

    Parameters
    ----------
    haematoxylin, eosin, ink : ndarray of float32, shape (3,)
        Optical density (base 10) of one unit in red, green and blue.
    white : ndarray of float32, shape (3,)
        Grey value of empty glass.
    """

    haematoxylin: Float
    eosin: Float
    ink: Float
    white: Float

    @classmethod
    def of(cls, config: SyntheticSlideConfig) -> Stain:
        """Return the stains of a slide: those of its domain, varied by its seed."""
        domain, rng = config.domain, generator(config.seed, 40)
        strengths = np.exp(rng.normal(0, domain.stain_variation, 2))
        vectors = []
        for vector, strength in zip(
            (domain.haematoxylin, domain.eosin),
            (domain.haematoxylin_strength * strengths[0], domain.eosin_strength * strengths[1]),
            strict=True,
        ):
            varied = np.array(vector) * np.exp(rng.normal(0, 0.4 * domain.stain_variation, 3))
            vectors.append((strength * varied / np.linalg.norm(varied)).astype(np.float32))
        ink = np.array(INK_DENSITY[config.ink_colour], dtype=np.float32)
        return cls(vectors[0], vectors[1], ink, np.array(domain.white, dtype=np.float32))

    def transmit(self, haematoxylin: Float, eosin: Float, ink: Float | None = None) -> Float:
        """Return grey values, shape (3, h, w), behind the given amounts of stain, shape (h, w)."""
        grey = np.empty((3, *haematoxylin.shape), dtype=np.float32)
        natural = np.float32(-np.log(10.0))
        for channel in range(3):
            exponent = haematoxylin * (natural * self.haematoxylin[channel])
            exponent += eosin * (natural * self.eosin[channel])
            if ink is not None:
                exponent += ink * (natural * self.ink[channel])
            np.exp(exponent, out=exponent)
            np.multiply(exponent, self.white[channel], out=grey[channel])
        return grey


def expose(grey: Float, sensor: Float) -> NDArray[np.uint8]:
    """Return grey values with the noise of the sensor as 8-bit pixels, shape (h, w, 3).

    Parameters
    ----------
    grey : ndarray of float32, shape (3, h, w)
    sensor : ndarray of float32, shape (h, w)
        Noise, added to all channels: cameras denoise colour more than brightness.
    """
    rgb = np.empty((*sensor.shape, 3), dtype=np.uint8)
    rounded = sensor + np.float32(0.5)
    for channel in range(3):
        rgb[..., channel] = np.clip(grey[channel] + rounded, 0.0, 255.0)
    return rgb
