"""Mining unlabelled slides for figures that a detector is sure of, whichever way they lie (FG-WSI)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mitoscope.config import Config
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx
from mitoscope.loops.consistency import Find, look_eight_ways
from mitoscope.slide import Plane, Slide
from mitoscope.tiles import suppress

Share = Annotated[float, Field(ge=0, le=1)]


class MiningConfig(Config):
    """How unlabelled slides are mined.

    Parameters
    ----------
    window_px : int
        Side of the windows (Akram et al.: 512).
    overlap_px : int
        Of neighbouring windows (Akram et al.: 120); a figure belongs to the window in whose core it lies.
    blank_rgb : float
        Windows whose mean over all pixels and channels is above it are glass and are skipped.
    floor : float
        Where no score of the first look is above it, the other seven ways are spared.
    threshold : float
        A candidate is mined if its score is above it all eight ways.
    same_px : float
        Mined figures within it are one (TUPAC: 30 px).
    """

    window_px: Annotated[int, Field(ge=64)] = 512
    overlap_px: Annotated[int, Field(ge=0)] = 120
    blank_rgb: Annotated[float, Field(gt=0, le=255)] = 230.0
    floor: Share = 0.5
    threshold: Share = 0.5
    same_px: Annotated[float, Field(gt=0)] = 30.0


@dataclass(frozen=True, slots=True)
class MiningCount:
    """What was looked at on a slide.

    Parameters
    ----------
    windows, blank : int
        Windows, and those skipped as glass.
    looked_at_once : int
        Windows whose other seven ways were spared.
    candidates, consistent : int
        Above the floor at the first look, and those that stayed above the threshold all eight ways.
    """

    windows: int = 0
    blank: int = 0
    looked_at_once: int = 0
    candidates: int = 0
    consistent: int = 0

    def __add__(self, other: MiningCount) -> MiningCount:
        return MiningCount(
            self.windows + other.windows,
            self.blank + other.blank,
            self.looked_at_once + other.looked_at_once,
            self.candidates + other.candidates,
            self.consistent + other.consistent,
        )

    @property
    def consistency(self) -> float:
        """Share of the candidates that stayed; NaN where there were none."""
        return self.consistent / self.candidates if self.candidates else float("nan")


@dataclass(frozen=True, eq=False)
class Mined:
    """Figures of a slide in level-0 px; their score is the lowest of the eight."""

    figures: Detections
    count: MiningCount


def mine_slide(slide: Slide, find: Find, config: MiningConfig, *, mpp: float, source: str) -> Mined:
    """Search an unlabelled slide.

    Parameters
    ----------
    slide : Slide
    find : callable
        The detector's network.
    config : MiningConfig
    mpp : float
        Resolution at which the detector works.
    source : str
        Of the detections: the detector's name.

    Raises
    ------
    SlideReadError
        If the slide's file can no longer be opened.
    """
    plane = Plane(slide, mpp)
    total, parts = MiningCount(), []
    for core in _cores(plane, config):
        count, points, score = _mine_core(plane, core, find, config)
        total += count
        if len(points):
            parts.append(Detections.of(plane.to_px0(points), score, source=source))
    same_px0 = config.same_px * max(plane.scale)
    found = suppress(Detections.concat(parts).sort(), radius_px0=same_px0)
    return Mined(found, total)


def _cores(plane: Plane, config: MiningConfig) -> Iterator[BoxPx]:
    """Yield the cores of the windows: they touch and cover the plane."""
    side = max(config.window_px - config.overlap_px, 1)
    for y in range(0, plane.size.height, side):
        for x in range(0, plane.size.width, side):
            yield BoxPx(x, y, min(side, plane.size.width - x), min(side, plane.size.height - y))


def _mine_core(
    plane: Plane, core: BoxPx, find: Find, config: MiningConfig
) -> tuple[MiningCount, NDArray[np.float64], NDArray[np.float64]]:
    """Return the count and the mined points in plane px, with their lowest scores."""
    margin = config.overlap_px // 2
    corner = BoxPx(core.x - margin, core.y - margin, config.window_px, config.window_px)
    pixels = plane.read(corner)
    # What lies beyond the slide is white too and says nothing about the tissue.
    if not pixels.valid.any() or float(pixels.rgb[pixels.valid].mean()) > config.blank_rgb:
        return MiningCount(windows=1, blank=1), np.empty((0, 2)), np.empty(0)
    seen = look_eight_ways(pixels.rgb, find, floor=config.floor)
    points = seen.points + np.array([corner.x, corner.y])
    own = (points >= (core.x, core.y)).all(axis=1) & (points < (core.right, core.bottom)).all(axis=1)
    kept = own & (seen.lowest > config.threshold)
    count = MiningCount(1, 0, int(seen.looks == 1), int(own.sum()), int(kept.sum()))
    return count, points[kept], seen.lowest[kept]
