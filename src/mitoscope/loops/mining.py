"""Mining unlabelled slides for figures that a detector is sure of, whichever way they lie (FG-WSI)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mitoscope.config import Config
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx
from mitoscope.loops.consistency import look_eight_ways
from mitoscope.search import Detector, read_windows
from mitoscope.slide import Plane, Slide
from mitoscope.tiles import Tile, TileGrid, merge, owned

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


def mine_slide(slide: Slide, detector: Detector, config: MiningConfig, *, source: str) -> Mined:
    """Search an unlabelled slide.

    Parameters
    ----------
    slide : Slide
    detector : Detector
    config : MiningConfig
    source : str
        Of the detections: the detector's name.

    Raises
    ------
    SlideReadError
        If the slide's file can no longer be opened.
    """
    plane = Plane(slide, detector.mpp)
    total, parts = MiningCount(), []
    for tile in _grid(plane, config):
        count, points, score = _mine_tile(plane, tile, detector, config)
        total += count
        parts.append(Detections.of(plane.to_px0(points), score, source=source))
    return Mined(merge(parts, radius_px0=config.same_px * max(plane.scale)), total)


def _grid(plane: Plane, config: MiningConfig) -> TileGrid:
    """Return tiles that touch and cover the plane; windows are squares, so that they can be turned."""
    whole = BoxPx(0, 0, plane.size.width, plane.size.height)
    core_px = max(config.window_px - config.overlap_px, 1)
    return TileGrid(whole, core_px, config.overlap_px // 2, 1, least_px=config.window_px)


def _mine_tile(
    plane: Plane, tile: Tile, detector: Detector, config: MiningConfig
) -> tuple[MiningCount, NDArray[np.float64], NDArray[np.float64]]:
    """Return the count and the mined points in plane px, with their lowest scores."""
    block = read_windows(plane, [tile.window], mirror_px=detector.mirror_px(config.overlap_px // 2))
    (shown,) = block.windows
    # What lies beyond the slide is white or mirrored and says nothing about the tissue.
    if not block.valid.any() or float(block.rgb[block.valid].mean()) > config.blank_rgb:
        return MiningCount(windows=1, blank=1), np.empty((0, 2)), np.empty(0)
    seen = look_eight_ways(shown, detector.network, floor=config.floor)
    points = seen.points + np.array([tile.window.x, tile.window.y])
    mine = owned(points, tile)
    kept = mine & (seen.lowest > config.threshold)
    count = MiningCount(1, 0, int(seen.looks == 1), int(mine.sum()), int(kept.sum()))
    return count, points[kept], seen.lowest[kept]
