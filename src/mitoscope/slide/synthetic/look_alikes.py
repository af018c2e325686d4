"""Look-alikes: cells that are taken for mitotic figures, and are none.

Criteria after Donovan et al. (2021): smooth outline, homogeneous chromatin, a nuclear membrane, or a shrunken
eosinophilic cell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mitoscope.slide.synthetic.nuclei import lymphocyte
from mitoscope.slide.synthetic.sprite import Canvas, Optics, Sprite


def apoptotic_body(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a shrunken hypereosinophilic cell with smooth round fragments, in a halo."""
    radius = scale * rng.uniform(2.8, 3.9)
    canvas = Canvas(rng, optics, radius * 1.75)
    shift = (rng.normal(0, 0.25), rng.normal(0, 0.25))
    cell = canvas.oval(
        radius, radius * rng.uniform(0.8, 1.0), angle=rng.uniform(0, np.pi), wobble=0.05, at=shift
    )
    halo = canvas.fill(canvas.oval(radius * 1.32, radius * 1.25, wobble=0.05), soft_um=0.3)
    body = canvas.fill(cell, soft_um=0.25)
    chromatin = np.zeros_like(canvas.x)
    first = rng.uniform(1.1, 1.9)
    for size in (first, *rng.uniform(0.45, 1.1, rng.integers(0, 4))):
        r, theta = rng.uniform(0, 1) * max(radius - size - 0.4, 0.1), rng.uniform(0, 2 * np.pi)
        place = (shift[0] + r * np.cos(theta), shift[1] + r * np.sin(theta))
        globule = canvas.oval(size, size * rng.uniform(0.85, 1.0), at=place, wobble=0.02)
        chromatin = np.maximum(chromatin, canvas.fill(globule, soft_um=0.14))
    canvas.cover = np.maximum(halo * 0.96, body)
    canvas.eosin = body * rng.uniform(0.42, 0.62) * (1 + 0.06 * canvas.noise(1.5)) * (1 - 0.4 * chromatin)
    canvas.haematoxylin = body * 0.07 + chromatin * rng.uniform(0.75, 1.0)
    return canvas.sprite(chromatin)


def pyknotic_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a shrunken nucleus: small, smooth, homogeneous, dark."""
    long_um = scale * rng.uniform(2.0, 3.1)
    canvas = Canvas(rng, optics, long_um + 3.2)
    angle = rng.uniform(0, np.pi)
    depth = canvas.oval(long_um, long_um * rng.uniform(0.6, 0.95), angle=angle, wobble=0.04)
    mask = canvas.fill(depth, soft_um=0.22)
    cell = canvas.fill(canvas.oval(long_um + 2.0, long_um + 1.3, angle=angle, wobble=0.08), soft_um=0.5)
    canvas.cover = np.maximum(mask * 0.97, cell * 0.75)
    canvas.haematoxylin = mask * rng.uniform(0.62, 0.85) + 0.06 * (cell - mask).clip(0)
    canvas.eosin = mask * 0.32 + (cell - mask).clip(0) * rng.uniform(0.28, 0.42)
    return canvas.sprite(mask)


def hyperchromatic_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a large dark nucleus with a smooth membrane and smudged chromatin."""
    long_um = scale * rng.uniform(4.2, 5.8)
    canvas = Canvas(rng, optics, long_um * 1.3)
    depth = canvas.oval(long_um, long_um * rng.uniform(0.6, 0.85), angle=rng.uniform(0, np.pi), wobble=0.06)
    mask = canvas.fill(depth)
    rim = np.exp(-np.square((depth - 0.3) / 0.3)) * 0.10
    chromatin = rng.uniform(0.46, 0.62) + 0.045 * canvas.noise(1.3) + 0.04 * canvas.noise(3.0) + rim
    canvas.cover = mask * 0.9
    canvas.haematoxylin = mask * chromatin
    canvas.eosin = mask * 0.26
    return canvas.sprite(mask)


KINDS: dict[str, Callable[[np.random.Generator, Optics, float], Sprite]] = {
    "apoptotic body": apoptotic_body,
    "pyknotic nucleus": pyknotic_nucleus,
    "hyperchromatic nucleus": hyperchromatic_nucleus,
    "lymphocyte": lymphocyte,
}
"""The look-alikes that are painted, by name."""

KIND_SHARES: dict[str, float] = {
    "apoptotic body": 0.32,
    "pyknotic nucleus": 0.22,
    "hyperchromatic nucleus": 0.26,
    "lymphocyte": 0.20,
}
"""How often each kind occurs."""
