"""Judging tiles instead of cells, by whether they hold a mitotic figure (Ji et al., Tables 4 to 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.geometry import SizePx

TILE_PX = 250
"""Side of a test tile in level-0 pixels at 40x (Ji et al.: 196,000 tiles of 250 × 250)."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Tiles of one size from the image's origin; those at the right and lower edge may be cut off."""

    image: SizePx
    side_px: int = TILE_PX

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return -(-self.image.height // self.side_px), -(-self.image.width // self.side_px)

    def holding(self, points_px0: Points) -> NDArray[np.bool_]:
        """Say of each tile whether it holds a point, shape (rows, columns); tiles are half-open.

        Raises
        ------
        FormatError
            If a point lies beside the image.
        """
        held = np.zeros(self.shape, np.bool_)
        row, column = self._tiles_of(points_px0)
        held[row, column] = True
        return held

    def touching(self, boxes_px0: Points) -> NDArray[np.bool_]:
        """Say of each tile whether a box x1, y1, x2, y2, shape (n, 4), overlaps it, shape (rows, columns)."""
        touched = np.zeros(self.shape, np.bool_)
        boxes = np.asarray(boxes_px0, np.float64).reshape(-1, 4)
        low = np.maximum(np.floor(boxes[:, :2] / self.side_px), 0).astype(np.intp)
        high = np.ceil(boxes[:, 2:] / self.side_px).astype(np.intp)
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
            touched[top:bottom, left:right] = True
        return touched

    def highest(self, points_px0: Points, scores: Points) -> Points:
        """Return the highest score of the detections in each tile, 0 without any, shape (rows, columns)."""
        found = np.zeros(self.shape)
        row, column = self._tiles_of(points_px0)
        np.maximum.at(found, (row, column), np.asarray(scores, np.float64))
        return found

    def _tiles_of(self, points_px0: Points) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        points = np.asarray(points_px0, np.float64).reshape(-1, 2)
        if not ((points >= 0) & (points < [self.image.width, self.image.height])).all():
            raise FormatError(
                f"a point beside the image of {self.image.width} × {self.image.height} px", where="tiles"
            )
        column, row = (points // self.side_px).astype(np.intp).T
        return row, column


@dataclass(frozen=True, eq=False)
class TileRates:
    """Outcome of tiles at thresholds; outcomes at the same thresholds add up over images.

    Attributes
    ----------
    threshold : ndarray, shape (t,)
        Scores strictly above it are positive.
    tp, fp, fn, tn : ndarray of int64, shape (t,)
        Tiles.
    """

    threshold: Points
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    fn: NDArray[np.int64]
    tn: NDArray[np.int64]

    def __add__(self, other: TileRates) -> TileRates:
        if not np.array_equal(self.threshold, other.threshold):
            raise FormatError("tiles judged at different thresholds", where="tiles")
        return TileRates(
            self.threshold, self.tp + other.tp, self.fp + other.fp, self.fn + other.fn, self.tn + other.tn
        )

    @property
    def true_positive_rate(self) -> Points:
        """Share of the tiles with a figure that are positive, shape (t,); NaN without any."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def false_positive_rate(self) -> Points:
        """Share of the tiles without a figure that are positive, shape (t,); NaN without any."""
        return _share(self.fp, self.fp + self.tn)

    @property
    def precision(self) -> Points:
        """Share of the positive tiles with a figure, shape (t,); NaN without any."""
        return _share(self.tp, self.tp + self.fp)


def judge_tiles(scores: ArrayLike, positive: ArrayLike, *, thresholds: ArrayLike) -> TileRates:
    """Judge tiles at thresholds.

    Parameters
    ----------
    scores : array_like, shape (n,) or (rows, columns)
        Of a classifier, a regressor, or the highest score of the detections in the tile.
    positive : array_like of bool, of the same shape
        Whether the tile has a figure.
    thresholds : array_like, shape (t,)
        Scores strictly above count.

    Raises
    ------
    FormatError
        If the shapes differ.
    NonFiniteError
        If a score is NaN or infinite.
    """
    score, truth = np.asarray(scores, np.float64), np.asarray(positive, np.bool_)
    if score.shape != truth.shape:
        raise FormatError(f"scores of {score.shape} with outcomes of {truth.shape}", where="tiles")
    if not np.isfinite(score).all():
        raise NonFiniteError("NaN or infinity among the scores", where="tiles")
    cut = np.asarray(thresholds, np.float64).reshape(-1)
    with_figure, without = np.sort(score[truth]), np.sort(score[~truth])
    tp = len(with_figure) - np.searchsorted(with_figure, cut, side="right")
    fp = len(without) - np.searchsorted(without, cut, side="right")
    return TileRates(cut, tp, fp, len(with_figure) - tp, len(without) - fp)


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Points:
    return np.asarray(np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0))
