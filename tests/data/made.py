"""Painted pictures with dark discs for cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.picture import Picture


def tissue(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Paint pink noise."""
    random = np.random.default_rng(seed)
    base = np.array([215, 160, 200]) + random.normal(0, 12, (height, width, 1))
    return np.clip(base + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def with_spot(rgb: NDArray[np.uint8], x: float, y: float, *, radius: float = 9.0) -> NDArray[np.uint8]:
    """Paint a dark disc."""
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    out = rgb.copy()
    out[np.hypot(columns + 0.5 - x, rows + 0.5 - y) < radius] = (60, 30, 90)
    return out


def crop(name: str, *, seed: int = 0) -> Picture:
    """Make a crop with a figure in its centre."""
    rgb = with_spot(tissue(128, 128, seed=seed), 64, 64)
    return Picture(name, "mitosis_crops", f"MIDOG/{name}", rgb, np.array([[64.0, 64.0]]), mirror_px=40)


def empty_field(name: str, *, side: int = 256, seed: int = 0) -> Picture:
    """Make a field without figures."""
    return Picture(name, "negative_fields", f"field/{name}", tissue(side, side, seed=seed), mirror_px=side)
