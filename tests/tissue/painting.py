"""Painted slides: a believable stain texture on glass, and a pyramid that counts what is read of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide.info import Level
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.slide import Slide

MPP = 2.0
GLASS = (243, 243, 243)
STROMA, NUCLEI = np.array([228.0, 170.0, 205.0]), np.array([90.0, 60.0, 140.0])


class PaintedSlide:
    """A slide at 2 µm/px on which tissue, ink and dirt are painted."""

    def __init__(self, width: int, height: int, *, glass: tuple[int, int, int] = GLASS) -> None:
        self.random = np.random.default_rng(1)
        self.rgb: NDArray[np.float64] = np.broadcast_to(np.array(glass, float), (height, width, 3)).copy()
        self.valid = np.ones((height, width), np.bool_)

    @property
    def shape(self) -> tuple[int, int]:
        return self.valid.shape[0], self.valid.shape[1]

    def disc(self, x: float, y: float, radius: float) -> NDArray[np.bool_]:
        rows, columns = np.ogrid[: self.shape[0], : self.shape[1]]
        return np.asarray((rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 < radius**2)

    def tissue(self, where: NDArray[np.bool_], *, strength: float = 1.0) -> None:
        cells = ndimage.gaussian_filter(self.random.random(self.shape), 1.2)
        share = np.clip((cells - np.quantile(cells, 0.75)) / (0.6 * cells.std()), 0, 1)[..., None]
        colour = STROMA + (NUCLEI - STROMA) * share
        self.rgb[where] = (self.rgb + (colour - self.rgb) * strength)[where]

    def ink(self, where: NDArray[np.bool_], colour: tuple[int, int, int], *, opacity: float = 0.95) -> None:
        soft = ndimage.gaussian_filter(where.astype(float), 1.0)[..., None] * opacity
        self.rgb += (np.array(colour) - self.rgb) * soft

    def noise(self, deviation: float) -> None:
        self.rgb += self.random.normal(0, deviation, self.rgb.shape)

    def slide(self) -> MemorySlide:
        return MemorySlide(self.pixels(), mpp=Mpp.square(MPP), valid=self.valid)

    def pixels(self) -> NDArray[np.uint8]:
        return self.rgb.clip(0, 255).round().astype(np.uint8)


class PyramidSlide(Slide):
    """A slide with levels, some of whose data may be damaged; keeps the boxes that were read."""

    def __init__(
        self, rgb: NDArray[np.uint8], *, mpp: float, factors: tuple[int, ...], tile: int | None = None
    ) -> None:
        self._levels = [
            np.asarray(Image.fromarray(rgb).reduce(f))[: rgb.shape[0] // f, : rgb.shape[1] // f]
            for f in factors
        ]
        height, width = rgb.shape[:2]
        levels = tuple(
            Level(
                SizePx(level.shape[1], level.shape[0]),
                width / level.shape[1],
                height / level.shape[0],
                SizePx(tile, tile) if tile else None,
            )
            for level in self._levels
        )
        self.info = replace(MemorySlide(rgb, mpp=Mpp.square(mpp)).info, levels=levels)
        self.damaged: dict[int, list[BoxPx]] = {}
        self.reads: list[tuple[int, BoxPx]] = []

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        self.reads.append((level, box))
        rgb = self._levels[level][box.y : box.bottom, box.x : box.right].copy()
        valid = np.ones(rgb.shape[:2], np.bool_)
        hit = [part for one in self.damaged.get(level, []) if (part := one.intersection(box))]
        for part in hit:
            valid[part.y - box.y : part.bottom - box.y, part.x - box.x : part.right - box.x] = False
        rgb[~valid] = 255
        return Pixels(rgb, valid, tuple(hit))

    def close(self) -> None:
        self.reads.clear()
