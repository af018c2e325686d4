"""Interphase nuclei and blood cells: what fills the tissue between the figures."""

from __future__ import annotations

import numpy as np

from mitoscope.slide.synthetic.noise import Float
from mitoscope.slide.synthetic.sprite import Canvas, Optics, Sprite


def tumour_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a vesicular nucleus of a carcinoma cell, 30 to 50 px long at 0.25 µm/px."""
    long_um = scale * rng.uniform(4.0, 6.2)
    short_um = long_um * rng.uniform(0.66, 0.95)
    canvas = Canvas(rng, optics, long_um * 1.35)
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


def _vesicular(canvas: Canvas, depth: Float, *, coarse: float) -> Float:
    fine, clumps = canvas.noise(0.9), canvas.noise(2.0)
    rim = np.exp(-np.square((depth - 0.35) / 0.34)) * (0.20 + 0.07 * canvas.noise(1.4))
    clumped = np.clip(clumps - 0.55, 0, 1.6) * 0.16 * coarse
    return np.asarray(np.clip(0.25 + 0.055 * coarse * fine + clumped + rim, 0.06, 0.9), dtype=np.float32)


def _nucleolus(canvas: Canvas, radius_um: float, mask: Float) -> Float:
    r, theta = canvas.rng.uniform(0, 0.55) * radius_um, canvas.rng.uniform(0, 2 * np.pi)
    size = canvas.rng.uniform(0.45, 0.95)
    spot = canvas.oval(size, size, at=(r * np.cos(theta), r * np.sin(theta)), wobble=0.12)
    return canvas.fill(spot) * mask


def shadow_nucleus(rng: np.random.Generator, optics: Optics, scale: float) -> Sprite:
    """Return a nucleus above or below the focal plane: pale and without texture."""
    long_um = scale * rng.uniform(3.8, 5.6)
    canvas = Canvas(rng, optics, long_um * 1.6)
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
    canvas = Canvas(rng, optics, long_um * 1.25)
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
    canvas = Canvas(rng, optics, radius * 1.7)
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
    canvas = Canvas(rng, optics, radius * 1.4)
    depth = canvas.oval(radius, radius * rng.uniform(0.7, 1.0), angle=rng.uniform(0, np.pi), wobble=0.05)
    mask = canvas.fill(depth)
    canvas.cover = mask
    canvas.eosin = mask * (rng.uniform(0.50, 0.70) - 0.16 * np.clip(depth / radius, 0, 1))
    canvas.haematoxylin = mask * 0.01
    return canvas.sprite(mask)


def debris(rng: np.random.Generator, optics: Optics, _scale: float = 1.0) -> Sprite:
    """Return nuclear dust of a necrosis: dark specks of different size, or a ghost of a nucleus."""
    canvas = Canvas(rng, optics, 5.5)
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
