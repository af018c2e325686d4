"""Mitotic figures, phase by phase.

Criteria after Donovan et al. (2021), "Mitotic figures: normal, atypical, and mimics": no nuclear membrane,
dark aggregates with irregular, fuzzy projections, in a rounded, paler cell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mitoscope.slide.synthetic.noise import Float
from mitoscope.slide.synthetic.sprite import Canvas, Optics, Sprite

CELL_RADIUS_UM = 6.6
"""Radius of a rounded mitotic cell."""


def prometaphase(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return clumped, irregular chromatin without a membrane."""
    canvas = _rounded_cell(rng, optics, scale)
    radius = scale * rng.uniform(2.2, 3.2)
    depth = np.full_like(canvas.x, -9.0)
    for _ in range(rng.integers(10, 17)):
        r, theta = radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        place = (float(r * np.cos(theta)), float(r * np.sin(theta)) * 0.85)
        rod = canvas.rod(rng.uniform(1.6, 3.2), rng.uniform(0.9, 1.5), angle=rng.uniform(0, np.pi), at=place)
        depth = np.maximum(depth, rod)
    return _stained(canvas, depth, roughness=0.22)


def metaphase(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a metaphase plate seen from the side: a dark bar with fuzzy edges in a clear cell."""
    canvas = _rounded_cell(rng, optics, scale)
    length, width = scale * rng.uniform(6.2, 9.2), scale * rng.uniform(1.9, 2.9)
    angle = rng.uniform(0, np.pi)
    depth = canvas.rod(length, width, angle=angle, bend=rng.normal(0, 0.1))
    for _ in range(rng.integers(3, 8)):
        along = rng.uniform(-0.5, 0.5) * length
        place = (float(along * np.cos(angle)), float(along * np.sin(angle)))
        turn = angle + np.pi / 2 + rng.normal(0, 0.5)
        depth = np.maximum(
            depth, canvas.rod(width + rng.uniform(0.4, 1.6), rng.uniform(0.5, 0.9), angle=turn, at=place)
        )
    return _stained(canvas, depth, roughness=0.26)


def metaphase_ring(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a metaphase plate seen from the pole: a lumpy ring with a paler middle."""
    canvas = _rounded_cell(rng, optics, scale)
    radius, width = scale * rng.uniform(2.3, 3.1), scale * rng.uniform(1.5, 2.1)
    outline = canvas.oval(radius, radius * rng.uniform(0.8, 1.0), angle=rng.uniform(0, np.pi), wobble=0.1)
    depth = np.asarray(0.5 * width - np.abs(outline) + 0.22 * canvas.noise(2.4), dtype=np.float32)
    veil = canvas.fill(outline) * np.float32(rng.uniform(0.2, 0.55))
    return _stained(canvas, depth, roughness=0.26, veil=veil)


def anaphase(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return two parallel bars, bent round the poles."""
    angle = rng.uniform(0, np.pi)
    canvas = _rounded_cell(rng, optics, scale, angle=angle, stretch=1.18)
    depth = _two_bars(
        canvas, angle, gap_um=scale * rng.uniform(3.4, 5.4), length_um=scale * rng.uniform(5.0, 7.0), bend=0.3
    )
    return _stained(canvas, depth, roughness=0.22)


def telophase(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return two bars far apart, each in its daughter cell, with a cleavage furrow between."""
    angle, gap = rng.uniform(0, np.pi), scale * rng.uniform(7.2, 9.0)
    reach = 0.5 * gap
    canvas = Canvas(rng, optics, reach + 6.4 * scale)
    daughters = [
        canvas.oval(
            4.3 * scale,
            4.9 * scale,
            angle=angle,
            wobble=0.04,
            at=(side * np.cos(angle), side * np.sin(angle)),
        )
        for side in (reach - 0.4, 0.4 - reach)
    ]
    _clear_cytoplasm(canvas, np.maximum(*daughters))
    depth = _two_bars(canvas, angle, gap_um=gap, length_um=scale * rng.uniform(4.2, 5.8), bend=0.12)
    return _stained(canvas, depth, roughness=0.2)


def _rounded_cell(
    rng: np.random.Generator, optics: Optics, scale: float, *, angle: float = 0.0, stretch: float = 1.0
) -> Canvas:
    radius = scale * CELL_RADIUS_UM * rng.uniform(0.9, 1.08)
    canvas = Canvas(rng, optics, radius * stretch + 1.6)
    _clear_cytoplasm(canvas, canvas.oval(radius * stretch, radius, angle=angle, wobble=0.05))
    return canvas


def _clear_cytoplasm(canvas: Canvas, depth: Float) -> None:
    mask = canvas.fill(depth, soft_um=0.3)
    border = np.exp(-np.square(depth / 0.35))
    granules = 1 + 0.22 * canvas.noise(0.8) + 0.12 * canvas.noise(2.5)
    pallor = canvas.rng.uniform(0.09, 0.21)
    # Some rounded cells have shrunk away from their neighbours.
    gap = canvas.rng.choice([0.0, 0.5], p=[0.6, 0.4]) * np.exp(-np.square((depth + 0.5) / 0.4))
    canvas.cover = np.maximum(mask * 0.92, gap)
    canvas.eosin = mask * pallor * np.clip(granules, 0.2, 2) + 0.10 * border * mask
    canvas.haematoxylin = mask * 0.04 * np.clip(granules, 0.2, 2)


def _two_bars(canvas: Canvas, angle: float, *, gap_um: float, length_um: float, bend: float) -> Float:
    rng, depth = canvas.rng, np.full_like(canvas.x, -9.0)
    for side in (-0.5, 0.5):
        place = (float(side * gap_um * np.cos(angle)), float(side * gap_um * np.sin(angle)))
        turn = angle + np.pi / 2 + rng.normal(0, 0.1)
        # The ends of the chromosome arms trail towards the equator.
        curve = float(np.sign(side)) * (bend + rng.normal(0, 0.06))
        bar = canvas.rod(
            length_um * rng.uniform(0.9, 1.1), rng.uniform(1.5, 2.1), angle=turn, at=place, bend=curve
        )
        depth = np.maximum(depth, bar)
    return np.asarray(depth, dtype=np.float32)


def _stained(canvas: Canvas, depth: Float, *, roughness: float, veil: Float | None = None) -> Sprite:
    rough = depth + roughness * (canvas.noise(1.1) + 0.7 * canvas.noise(2.2))
    chromatin = canvas.fill(np.asarray(rough, dtype=np.float32), soft_um=canvas.rng.uniform(0.14, 0.26))
    body = chromatin if veil is None else np.maximum(chromatin, veil)
    strength = canvas.rng.uniform(0.72, 1.04) * (1 + 0.09 * canvas.noise(1.4))
    canvas.cover = np.maximum(canvas.cover, body * 0.97)
    canvas.haematoxylin = canvas.haematoxylin * (1 - body) + body * strength
    canvas.eosin = canvas.eosin * (1 - body) + body * 0.30
    return canvas.sprite(chromatin)


PHASES: dict[str, Callable[[np.random.Generator, Optics, float], Sprite]] = {
    "prometaphase": prometaphase,
    "metaphase": metaphase,
    "metaphase ring": metaphase_ring,
    "anaphase": anaphase,
    "telophase": telophase,
}
"""The phases that are painted, by name."""

PHASE_SHARES: dict[str, float] = {
    "prometaphase": 0.30,
    "metaphase": 0.38,
    "metaphase ring": 0.12,
    "anaphase": 0.12,
    "telophase": 0.08,
}
"""How often each phase occurs; metaphase is the most frequent in sections."""
