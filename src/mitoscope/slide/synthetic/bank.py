"""The bank: every sprite and texture of one slide, drawn once and stamped many times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mitoscope.slide.synthetic.config import StainDomain
from mitoscope.slide.synthetic.noise import Float, generator, periodic_noise, sample
from mitoscope.slide.synthetic.nuclei import (
    KINDS,
    PHASES,
    debris,
    erythrocyte,
    fibroblast,
    lymphocyte,
    shadow_nucleus,
    tumour_nucleus,
)
from mitoscope.slide.synthetic.sprite import Optics, Sprite

FIBRE_ANGLES = (0.35, 1.35, 2.45)
"""Directions of the collagen textures in radians."""
TEXTURE_SIDE_PX = 1024
"""Period of the textures."""
VARIANTS = 24
"""Number of different sprites of each figure and of each rarer cell."""
TUMOUR_VARIANTS = 80
_FIBROBLAST_VARIANTS = 16
_SEED = 2601


@dataclass(frozen=True)
class Bank:
    """Sprites by name and periodic textures.

    Parameters
    ----------
    sprites : dict
        Variants by name of the cell, phase or kind; ``fibroblast 0`` and so on for each fibre direction.
    granules, mottling : ndarray of float32, shape (1024, 1024)
        Texture of cytoplasm: fine and coarse.
    fibres : tuple of ndarray of float32, shape (1024, 1024)
        Collagen density in [0, 1.5], one texture a direction.
    sensor : ndarray of float32, shape (512, 512)
        Noise of the sensor in grey levels.
    """

    sprites: dict[str, tuple[Sprite, ...]]
    granules: Float
    mottling: Float
    fibres: tuple[Float, ...]
    sensor: Float


@lru_cache(maxsize=4)
def build_bank(domain: StainDomain, mpp: float) -> Bank:
    """Draw all sprites and textures.

    Parameters
    ----------
    domain : StainDomain
        Optics and cell size.
    mpp : float
        µm per level-0 pixel.

    Notes
    -----
    The bank does not depend on the seed of the slide, only which sprite is stamped where: slides of
    one domain share it.
    """
    seed = _SEED
    optics = Optics(px_per_um=1 / mpp, blur_px=domain.blur_um / mpp, sharpening=domain.sharpening)
    makers: dict[str, tuple[Callable[[np.random.Generator, Optics, float], Sprite], int]] = {
        "tumour nucleus": (tumour_nucleus, TUMOUR_VARIANTS),
        "shadow nucleus": (shadow_nucleus, VARIANTS),
        "stromal lymphocyte": (lymphocyte, VARIANTS),
        "erythrocyte": (erythrocyte, VARIANTS),
        "debris": (debris, VARIANTS),
        **{name: (maker, VARIANTS) for name, maker in (PHASES | KINDS).items()},
    }
    sprites: dict[str, tuple[Sprite, ...]] = {}
    for salt, (name, (maker, count)) in enumerate(makers.items()):
        rng = generator(seed, 1, salt)
        sprites[name] = tuple(maker(rng, optics, domain.cell_scale) for _ in range(count))
    for index, angle in enumerate(FIBRE_ANGLES):
        rng = generator(seed, 2, index)
        sprites[f"fibroblast {index}"] = tuple(
            fibroblast(rng, optics, angle) for _ in range(_FIBROBLAST_VARIANTS)
        )
    return Bank(sprites, *_textures(optics, domain, seed))


def _textures(
    optics: Optics, domain: StainDomain, seed: int
) -> tuple[Float, Float, tuple[Float, ...], Float]:
    px, side = optics.px_per_um, TEXTURE_SIDE_PX
    granules = periodic_noise(generator(seed, 3), side, wavelength=max(2.4 * px, 2.4), octaves=3)
    mottling = periodic_noise(generator(seed, 4), side, wavelength=9 * px, octaves=2)
    fibres = tuple(
        _collagen(generator(seed, 5, index), px, angle) for index, angle in enumerate(FIBRE_ANGLES)
    )
    sensor = generator(seed, 6).standard_normal((512, 512)).astype(np.float32) * domain.noise_grey
    return (
        optics.image(granules, wrap=True),
        mottling,
        tuple(optics.image(f, wrap=True) for f in fibres),
        sensor,
    )


def _collagen(rng: np.random.Generator, px_per_um: float, angle: float) -> Float:
    side = TEXTURE_SIDE_PX
    fine = periodic_noise(rng, side, wavelength=max(1.5 * px_per_um, 2.2), stretch=8.0, angle=angle)
    bundles = periodic_noise(rng, side, wavelength=6.0 * px_per_um, octaves=2, stretch=5.0, angle=angle)
    straight = 0.62 + 0.16 * fine + 0.30 * bundles
    # Collagen runs in waves: the straight texture is bent by slow noise.
    waves = [periodic_noise(rng, side, wavelength=wave * px_per_um) for wave in (38.0, 21.0)]
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float64)
    bend = (2.0 * waves[0] + 0.6 * waves[1]) * px_per_um
    bent = sample(straight, columns - bend * np.sin(angle), rows + bend * np.cos(angle))
    return np.clip(bent, 0.0, 1.6).astype(np.float32)
