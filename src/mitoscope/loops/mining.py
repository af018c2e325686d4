"""Mining unlabelled slides for figures that a detector is sure of, whichever way they lie.

The eight ways are the flips and right-angle rotations of the square. Where the first look finds nothing of
note, the other seven are spared. What is mined is the *FG-WSI* of Akram et al. 2018.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.spatial import cKDTree

from mitoscope.config import Config
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx
from mitoscope.search import Detector, Find, read_windows
from mitoscope.slide import Plane, Slide
from mitoscope.tiles import Tile, TileGrid, merge, owned

WAYS = 8
SAME_FIGURE_PX = 30.0
"""Two finds this near are one figure (TUPAC: 30 px)."""
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
        return MiningCount(*map(sum, zip(astuple(self), astuple(other), strict=True)))

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


@dataclass(frozen=True, eq=False)
class Consistent:
    """Candidates of one window, seen eight ways.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        x and y in window px, from the first look.
    score : ndarray of float64, shape (n, 8)
        Of each way, the first look first; 0 where it was not found.
    looks : int
        Ways that were looked at: 8, or 1 where the others were spared.
    """

    points: NDArray[np.float64]
    score: NDArray[np.float64]
    looks: int

    @property
    def lowest(self) -> NDArray[np.float64]:
        """The lowest score over all ways, shape (n,): the candidate stays above every threshold below it."""
        return np.asarray(self.score.min(axis=1) if len(self.score) else np.empty(0))


def turned(window: NDArray[np.uint8], way: int) -> NDArray[np.uint8]:
    """Return a window turned one of eight ways: way % 4 quarter turns, mirrored before these from 4 on."""
    mirrored = window[:, ::-1] if way >= 4 else window
    return np.ascontiguousarray(np.rot90(mirrored, way % 4))


def turned_back(points: NDArray[np.floating], way: int, side_px: int) -> NDArray[np.float64]:
    """Return points (n, 2) of a turned square window where they are in the window itself."""
    x, y = np.asarray(points, dtype=np.float64).T
    for _ in range(way % 4):
        # np.rot90 takes (x, y) to (y, side − x): undone by (side − y, x).
        x, y = side_px - y, x
    return np.column_stack([side_px - x if way >= 4 else x, y])


def look_eight_ways(
    window: NDArray[np.uint8], find: Find, *, floor: float, radius_px: float = SAME_FIGURE_PX
) -> Consistent:
    """Search a window all eight ways.

    Parameters
    ----------
    window : ndarray of uint8, shape (side, side, 3)
    find : callable
        The network.
    floor : float
        Where no score of the first look is above it, the other ways are spared.
    radius_px : float
        A find within it of a candidate, after turning back, is the same figure.

    Raises
    ------
    ConfigError
        If the window is not a square: turned by a quarter it would be another window.
    """
    height, width = window.shape[:2]
    if height != width:
        raise ConfigError(f"a window of {width} × {height} px is not square", mend="use square windows")
    first = _above(find(window[None])[0], floor)
    points = first[:, :2].astype(np.float64)
    score = np.zeros((len(first), WAYS))
    score[:, 0] = first[:, 2]
    if not len(first):
        return Consistent(points, score, looks=1)
    # One by one: eight at once need eight times the memory and are not faster on a processor.
    for way in range(1, WAYS):
        other = _above(find(turned(window, way)[None])[0], 0.0)
        places = turned_back(other[:, :2], way, width)
        score[:, way] = _best_near(points, places, other[:, 2], radius_px)
    return Consistent(points, score, looks=WAYS)


def _above(found: NDArray[np.floating], floor: float) -> NDArray[np.floating]:
    return found[found[:, 2] > floor]


def _best_near(
    points: NDArray[np.float64], places: NDArray[np.float64], score: NDArray[np.floating], radius: float
) -> NDArray[np.float64]:
    best = np.zeros(len(points))
    if len(places):
        for row, near in enumerate(cKDTree(places).query_ball_point(points, radius)):
            best[row] = score[near].max(initial=0.0)
    return best
