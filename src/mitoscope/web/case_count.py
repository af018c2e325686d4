"""The mitotic count of a case as a pathologist leaves it: candidates above a threshold, corrected by hand.

A cell counts as a mitotic figure if the pathologist says so; where the pathologist has said nothing, if a
model's score is strictly above the threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import FIELD_ASPECT, TEN_HPF_MM2
from mitoscope.count.hot_spot import find_hot_spot, window_size
from mitoscope.geometry import Aspect, BoxPx0, SizePx
from mitoscope.slide import SlideInfo
from mitoscope.store.cells_seen import SeenCells
from mitoscope.store.terms import Terms
from mitoscope.tissue import TissueMask

THRESHOLD = 0.5
"""Where a round states none."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """The cells of a case.

    Parameters
    ----------
    cell_id : ndarray of int64, shape (n,)
        Ids.
    points_px0 : ndarray of float64, shape (n, 2)
        Centres.
    score : ndarray of float64, shape (n,)
        A model's; NaN where no model found the cell.
    verdict : ndarray of int64, shape (n,)
        1: the pathologist calls it a mitotic figure; -1: something else; 0: has said nothing.
    """

    cell_id: NDArray[np.int64]
    points_px0: NDArray[np.float64]
    score: NDArray[np.float64]
    verdict: NDArray[np.int64]

    def counted(self, threshold: float) -> NDArray[np.bool_]:
        """Say of each cell whether it counts as a mitotic figure."""
        above = np.nan_to_num(self.score, nan=-1.0) > threshold
        return np.asarray((self.verdict == 1) | ((self.verdict == 0) & above))


def case_candidates(
    cells: SeenCells, *, figure_id: int, is_verdict: NDArray[np.bool_] | None = None
) -> Candidates:
    """Return the cells of a case; labels of others are no verdict of the pathologist's.

    Parameters
    ----------
    cells : SeenCells
        As the pathologist sees them.
    figure_id : int
        Of the label mitotic figure.
    is_verdict : ndarray of bool, shape (n,), optional
        Whose label counts; by default the pathologist's own of this round.
    """
    own = cells.is_mine if is_verdict is None else is_verdict
    bounds = cells.bounds_px0
    verdict = np.where(cells.label_id == figure_id, 1, -1)
    return Candidates(
        cell_id=cells.cell_id,
        points_px0=(bounds[:, :2] + bounds[:, 2:]) / 2,
        score=cells.score,
        verdict=np.where(own & (cells.label_id > 0), verdict, 0),
    )


def case_window(terms: Terms, info: SlideInfo) -> tuple[SizePx, float, Aspect]:
    """Return the window that a round counts over: its size in level-0 pixels, its area and its aspect."""
    area = float(terms.settings.get("area_mm2", TEN_HPF_MM2))
    stated = terms.settings.get("aspect")
    aspect = FIELD_ASPECT if stated is None else Aspect.parse(str(stated))
    size = window_size(area, aspect=aspect, mpp=info.mpp)
    return SizePx(min(size.width, info.size.width), min(size.height, info.size.height)), area, aspect


def count_in(candidates: Candidates, threshold: float, box: BoxPx0) -> int:
    """Return how many figures lie in a window, its right and lower edge excluded."""
    points = candidates.points_px0[candidates.counted(threshold)]
    in_columns = (points[:, 0] >= box.x) & (points[:, 0] < box.right)
    return int(np.count_nonzero(in_columns & (points[:, 1] >= box.y) & (points[:, 1] < box.bottom)))


def hottest(
    candidates: Candidates, threshold: float, *, window: SizePx, info: SlideInfo, tissue: TissueMask | None
) -> tuple[BoxPx0, int]:
    """Return the window that holds most figures, and their number."""
    points = candidates.points_px0[candidates.counted(threshold)]
    size = np.array([info.size.width, info.size.height])
    on_slide = ((points >= 0) & (points < size)).all(axis=1)
    found = find_hot_spot(points[on_slide], window=window, slide_size=info.size, tissue=tissue)
    return found.box_px0, found.count
