"""Nuclei: those at rest, those in mitosis, and what looks like a mitosis; blood cells between them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mitoscope.slide.synthetic.noise import Float
from mitoscope.slide.synthetic.sprite import Optics, Sprite, SpriteCanvas

CELL_RADIUS_UM = 6.6
"""Radius of a rounded mitotic cell."""


def tumour_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a vesicular nucleus of a carcinoma cell, 30 to 50 px long at 0.25 µm/px."""
    long_um = scale * rng.uniform(4.0, 6.2)
    short_um = long_um * rng.uniform(0.66, 0.95)
    canvas = SpriteCanvas(rng, optics, long_um * 1.35)
    depth = canvas.oval(long_um, short_um, angle=rng.uniform(0, np.pi), wobble=rng.uniform(0.03, 0.08))
    darkness = rng.choice([0.7, 1.0, 1.35], p=[0.3, 0.5, 0.2]) * rng.uniform(0.9, 1.1)
    mask = canvas.fill(depth)
    chromatin = _vesicular(canvas, depth, coarse=rng.uniform(0.5, 1.2))
    for _ in range(rng.choice([0, 1, 2, 3], p=[0.2, 0.42, 0.28, 0.1])):
        chromatin += 0.34 * _nucleolus(canvas, short_um, mask)
    canvas.cover = mask * 0.8
    canvas.haematoxylin = darkness * chromatin * mask
    canvas.eosin = mask * (0.10 + 0.06 * darkness) + 0.10 * darkness * chromatin * mask
    return canvas.sprite(mask)


def _vesicular(canvas: SpriteCanvas, depth: Float, *, coarse: float) -> Float:
    fine, clumps = canvas.noise(0.9), canvas.noise(2.0)
    rim = np.exp(-np.square((depth - 0.35) / 0.34)) * (0.20 + 0.07 * canvas.noise(1.4))
    clumped = np.clip(clumps - 0.55, 0, 1.6) * 0.16 * coarse
    return np.asarray(np.clip(0.25 + 0.055 * coarse * fine + clumped + rim, 0.06, 0.9), dtype=np.float32)


def _nucleolus(canvas: SpriteCanvas, radius_um: float, mask: Float) -> Float:
    r, theta = canvas.rng.uniform(0, 0.55) * radius_um, canvas.rng.uniform(0, 2 * np.pi)
    size = canvas.rng.uniform(0.45, 0.95)
    spot = canvas.oval(size, size, at=(r * np.cos(theta), r * np.sin(theta)), wobble=0.12)
    return canvas.fill(spot) * mask


def shadow_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a nucleus above or below the focal plane: pale and without texture."""
    long_um = scale * rng.uniform(3.8, 5.6)
    canvas = SpriteCanvas(rng, optics, long_um * 1.6)
    depth = canvas.oval(long_um, long_um * rng.uniform(0.65, 0.95), angle=rng.uniform(0, np.pi))
    mask = canvas.fill(depth, soft_um=0.7)
    canvas.cover = mask * 0.5
    canvas.haematoxylin = mask * rng.uniform(0.12, 0.24) * (1 + 0.08 * canvas.noise(2.2))
    canvas.eosin = mask * 0.14
    return canvas.sprite(mask)


def fibroblast(rng: np.random.Generator, optics: Optics, angle: float) -> Sprite:
    """Return an elongated nucleus of the stroma that lies along the fibres."""
    long_um = rng.uniform(4.0, 8.0)
    short_um = rng.uniform(0.9, 1.9)
    canvas = SpriteCanvas(rng, optics, long_um * 1.25)
    turn = angle + rng.normal(0, 0.15)
    depth = canvas.oval(long_um, short_um, angle=turn, bend=rng.normal(0, 0.06), wobble=0.05)
    mask = canvas.fill(depth)
    chromatin = 0.42 + 0.06 * canvas.noise(1.2) + 0.1 * np.exp(-np.square((depth - 0.3) / 0.3))
    canvas.cover = mask * 0.8
    canvas.haematoxylin = mask * chromatin * rng.uniform(0.7, 1.25)
    canvas.eosin = mask * 0.22
    return canvas.sprite(mask)


def lymphocyte(rng: np.random.Generator, optics: Optics, _scale: float = 1.0) -> Sprite:
    """Return a lymphocyte: small, round, dark, clumped chromatin, a thin pale rim."""
    radius = rng.uniform(2.9, 3.7)
    canvas = SpriteCanvas(rng, optics, radius * 1.7)
    depth = canvas.oval(radius, radius * rng.uniform(0.86, 1.0), angle=rng.uniform(0, np.pi), wobble=0.03)
    mask = canvas.fill(depth)
    halo = canvas.fill(depth + rng.uniform(0.4, 1.0), soft_um=0.35)
    clumps = np.clip(canvas.noise(1.7), -1.2, 1.4)
    canvas.cover = np.maximum(mask * 0.9, halo * 0.6)
    canvas.haematoxylin = mask * np.clip(0.56 + 0.10 * clumps, 0.2, 1.0) * rng.uniform(0.9, 1.15)
    canvas.eosin = mask * 0.26 + (halo - mask).clip(0) * 0.06
    return canvas.sprite(mask)


def erythrocyte(rng: np.random.Generator, optics: Optics, _scale: float = 1.0) -> Sprite:
    """Return a red blood cell: a disc of eosin without a nucleus, paler in the middle."""
    radius = rng.uniform(2.9, 3.6)
    canvas = SpriteCanvas(rng, optics, radius * 1.4)
    depth = canvas.oval(radius, radius * rng.uniform(0.7, 1.0), angle=rng.uniform(0, np.pi), wobble=0.05)
    mask = canvas.fill(depth)
    canvas.cover = mask
    canvas.eosin = mask * (rng.uniform(0.50, 0.70) - 0.16 * np.clip(depth / radius, 0, 1))
    canvas.haematoxylin = mask * 0.01
    return canvas.sprite(mask)


def debris(rng: np.random.Generator, optics: Optics, _scale: float = 1.0) -> Sprite:
    """Return nuclear dust of a necrosis: dark specks of different size, or a ghost of a nucleus."""
    canvas = SpriteCanvas(rng, optics, 5.5)
    total = np.zeros_like(canvas.x)
    if rng.random() < 0.35:
        ghost = canvas.fill(canvas.oval(4.2, 3.4, angle=rng.uniform(0, np.pi)), soft_um=0.6)
        total += ghost * rng.uniform(0.06, 0.14)
    else:
        for _ in range(rng.integers(1, 4)):
            size = rng.uniform(0.35, 1.1)
            at = (rng.normal(0, 1.3), rng.normal(0, 1.3))
            total = np.maximum(total, canvas.fill(canvas.oval(size, size, at=at)) * rng.uniform(0.25, 0.6))
    canvas.cover = np.clip(total, 0, 0.5)
    canvas.haematoxylin = total
    canvas.eosin = total * 0.2
    return canvas.sprite(total)


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
    canvas = SpriteCanvas(rng, optics, reach + 6.4 * scale)
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
) -> SpriteCanvas:
    radius = scale * CELL_RADIUS_UM * rng.uniform(0.9, 1.08)
    canvas = SpriteCanvas(rng, optics, radius * stretch + 1.6)
    _clear_cytoplasm(canvas, canvas.oval(radius * stretch, radius, angle=angle, wobble=0.05))
    return canvas


def _clear_cytoplasm(canvas: SpriteCanvas, depth: Float) -> None:
    mask = canvas.fill(depth, soft_um=0.3)
    border = np.exp(-np.square(depth / 0.35))
    granules = 1 + 0.22 * canvas.noise(0.8) + 0.12 * canvas.noise(2.5)
    pallor = canvas.rng.uniform(0.09, 0.21)
    # Some rounded cells have shrunk away from their neighbours.
    gap = canvas.rng.choice([0.0, 0.5], p=[0.6, 0.4]) * np.exp(-np.square((depth + 0.5) / 0.4))
    canvas.cover = np.maximum(mask * 0.92, gap)
    canvas.eosin = mask * pallor * np.clip(granules, 0.2, 2) + 0.10 * border * mask
    canvas.haematoxylin = mask * 0.04 * np.clip(granules, 0.2, 2)


def _two_bars(canvas: SpriteCanvas, angle: float, *, gap_um: float, length_um: float, bend: float) -> Float:
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


def _stained(canvas: SpriteCanvas, depth: Float, *, roughness: float, veil: Float | None = None) -> Sprite:
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


def apoptotic_body(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a shrunken hypereosinophilic cell with smooth round fragments, in a halo."""
    radius = scale * rng.uniform(2.8, 3.9)
    canvas = SpriteCanvas(rng, optics, radius * 1.75)
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
    canvas = SpriteCanvas(rng, optics, long_um + 3.2)
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
    canvas = SpriteCanvas(rng, optics, long_um * 1.3)
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
