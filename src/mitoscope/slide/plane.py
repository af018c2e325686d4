"""A slide seen at another resolution: what a detector sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.resample import Sampling, best_level, exact_step, read_sampled, sampled_size
from mitoscope.slide.slide import Slide

TOLERANCE = 0.10
"""Relative difference of the resolution below which a level is taken as it is (CCMCT to MIDOG++: scanners of
0.23 to 0.25 µm/px are mixed without resampling)."""


class Plane:
    """A slide resampled to a stated resolution.

    Where a level is within the tolerance of the wanted resolution, its own pixels are used. Otherwise, where
    a level reduced by 2, 4 or 8 is and the slide can be read that way (`Slide.read_reduced`), they come
    reduced from the decoder. Otherwise they are made by bicubic resampling with antialiasing from the finest
    level needed. Windows agree bit for bit where they overlap.

    Parameters
    ----------
    slide : Slide
        The slide; it stays open and is not owned.
    mpp : Mpp or float
        The wanted resolution in µm per plane px.
    tolerance : float
        Largest relative difference that is left as it is.

    Attributes
    ----------
    size : SizePx
        Size of the whole slide in plane px.
    scale : tuple of float
        px0 per plane px in x and y, exactly.
    mpp : tuple of float
        µm per plane px in x and y, exactly.
    """

    def __init__(self, slide: Slide, mpp: Mpp | float, tolerance: float = TOLERANCE) -> None:
        if not 0 <= tolerance < 1:
            raise ConfigError(f"tolerance {tolerance:g} is not in [0, 1)")
        wanted = mpp if isinstance(mpp, Mpp) else Mpp.square(mpp)
        own = slide.info.mpp
        self._slide = slide
        self._sampling = _choose(slide, (wanted.x / own.x, wanted.y / own.y), tolerance)
        level = slide.info.level(self._sampling.level)
        self.size: SizePx = sampled_size(slide, self._sampling)
        self.scale = (
            self._sampling.step_x * self._sampling.reduction * level.downsample_x,
            self._sampling.step_y * self._sampling.reduction * level.downsample_y,
        )
        self.mpp = (self.scale[0] * own.x, self.scale[1] * own.y)

    @property
    def level(self) -> int:
        """The pyramid level that is read."""
        return self._sampling.level

    @property
    def native(self) -> bool:
        """Whether the level's own pixels are used, whole."""
        return self._sampling.native and self.reduction == 1

    @property
    def reduction(self) -> int:
        """The factor by which the decoder reduces the level; 1 where it does not."""
        return self._sampling.reduction

    def read(self, box: BoxPx) -> Pixels:
        """Read a box in plane px; it may reach beyond the slide.

        Raises
        ------
        SlideReadError
            If the slide is closed or its file can no longer be opened.
        """
        return read_sampled(self._slide, box, sampling=self._sampling)

    def to_px0(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (n, 2) in px0; both frames are continuous, a pixel's centre is at one half."""
        moved: NDArray[np.float64] = np.asarray(points, np.float64) * np.asarray(self.scale)
        return moved

    def from_px0(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return points (n, 2) in plane px."""
        moved: NDArray[np.float64] = np.asarray(points, np.float64) / np.asarray(self.scale)
        return moved


def _choose(slide: Slide, wanted: tuple[float, float], tolerance: float) -> Sampling:
    """Choose the level and the step; `wanted` is px0 per plane px in x and y."""
    steps = [(wanted[0] / level.downsample_x, wanted[1] / level.downsample_y) for level in slide.info.levels]
    for reduction in (1, *slide.reductions):
        off = [max(abs(x / reduction - 1), abs(y / reduction - 1)) for x, y in steps]
        nearest = min(range(len(off)), key=off.__getitem__)
        if off[nearest] <= tolerance + 1e-9:
            return Sampling(nearest, 1.0, 1.0, reduction)
    level = best_level(slide, min(wanted))
    return Sampling(level, exact_step(steps[level][0]), exact_step(steps[level][1]))
