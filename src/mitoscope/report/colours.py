"""Colours of the report: readable on H&E, on paper and for colour-blind readers.

H&E is pink to violet; marks are yellow or blue with a contrasting casing, and differ in shape as well, so
that nothing hangs on telling red from green (Okabe and Ito 2008, colour universal design).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIGURE = "#f0e442"
"""Mitotic figures: the yellow of Okabe and Ito, drawn with a dark casing."""
HOT_SPOT = "#0072b2"
"""The hot spot: the blue of Okabe and Ito, drawn with a white casing."""
GAP = "#d55e00"
"""Areas that could not be read: the vermilion of Okabe and Ito, hatched."""
TISSUE = "#2f3b45"
"""Outline of the tissue."""
COUNTED = "#2f3b45"
"""Bars of the histogram above the threshold."""
NOT_COUNTED = "#b9c2cb"
"""Bars of the histogram below the threshold."""
INK = "#1b1f24"
"""Text and dark casings."""

_DENSITY_ANCHORS = (
    "#fcfdbf",
    "#feca8d",
    "#fd9668",
    "#f1605d",
    "#cd4071",
    "#9e2f7f",
    "#721f81",
    "#440f76",
    "#180f3d",
)


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def density_colours() -> NDArray[np.uint8]:
    """Return the colour scale of the density map, uint8, shape (256, 3), from none to most.

    From pale to dark, so that paper stays white where there is nothing; lightness falls evenly (the anchors
    are those of the *magma* scale of Smith and van der Walt, CC0, reversed).
    """
    anchors = np.array([rgb(colour) for colour in _DENSITY_ANCHORS], dtype=np.float64)
    at = np.linspace(0.0, 1.0, len(anchors))
    grid = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(grid, at, anchors[:, channel]) for channel in range(3)]
    return np.round(np.column_stack(channels)).astype(np.uint8)


def density_gradient() -> list[tuple[float, str]]:
    """Return offsets in [0, 1] and colours of the density scale, for a drawn legend."""
    steps = len(_DENSITY_ANCHORS) - 1
    return [(index / steps, colour) for index, colour in enumerate(_DENSITY_ANCHORS)]


def lightness(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return CIE L* of sRGB colours, uint8, shape (n, 3)."""
    linear = colours / 255.0
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    cube_root = np.where(
        luminance > (6 / 29) ** 3, np.cbrt(luminance), luminance / (3 * (6 / 29) ** 2) + 4 / 29
    )
    return np.asarray(116 * cube_root - 16)
