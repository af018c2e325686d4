"""How densely a slide is stained: the median optical density of its tissue."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.tissue.colour import NO_GLASS, optical_density, stained

StainDensity = tuple[float, float, float]
"""Median optical density of stained tissue at 8 µm/px, in red, green and blue."""

PIXELS_MIN: Final = 16
"""Fewer stained pixels of 8 µm say nothing of a stain."""


def stain_density(rgb: NDArray[np.uint8], where: NDArray[np.bool_] | None = None) -> StainDensity | None:
    """Return the median optical density of stained pixels.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        Mean colours of 8 µm of slide each.
    where : ndarray of bool, shape (h, w), optional
        Only these pixels.

    Returns
    -------
    StainDensity or None
        None where fewer than 16 pixels carry stain.
    """
    density = optical_density(rgb)
    kept = stained(density, NO_GLASS) if where is None else stained(density, NO_GLASS) & where
    if np.count_nonzero(kept) < PIXELS_MIN:
        return None
    red, green, blue = (round(float(value), 4) for value in np.median(density[kept], axis=0))
    return red, green, blue
