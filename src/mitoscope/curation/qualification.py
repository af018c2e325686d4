"""Who may answer for the crowd: agreement with gold tiles, whose answer is known (Ji et al.)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment

from mitoscope.curation.overlap import areas, intersection_areas

State = Literal["testing", "qualified", "failed"]

GOLD_NEEDED = 5
"""Gold tiles that a rater answers before any answer counts."""
PASS_MARK = 0.8
"""Share of them that must be right."""
OVERLAP_MIN = 0.3
"""Intersection over union from which on a drawn box is the gold box: people draw generously."""


@dataclass(frozen=True, slots=True)
class Qualification:
    """How a rater stands.

    Parameters
    ----------
    state : str
        ``testing`` until enough gold tiles are answered, then ``qualified`` or ``failed``.
    done, needed : int
        Gold tiles answered, and how many there must be.
    score : float
        Share that was right, in [0, 1]; 0 where none is answered.
    pass_mark : float
        Share that must be.
    """

    state: State
    done: int
    needed: int
    score: float
    pass_mark: float


def qualify(
    right: Sequence[bool], *, needed: int = GOLD_NEEDED, pass_mark: float = PASS_MARK
) -> Qualification:
    """Return how a rater stands after some gold tiles, of which the first answers count.

    Parameters
    ----------
    right : sequence of bool
        Of each gold tile answered, in order.
    needed : int
        Gold tiles to be answered; 0 where the study has none, and everybody is qualified.
    pass_mark : float
        Share of right answers that is needed.
    """
    tested = list(right)[:needed]
    score = float(np.mean(tested)) if tested else 0.0
    if len(tested) < needed:
        return Qualification("testing", len(tested), needed, score, pass_mark)
    passed = needed == 0 or score >= pass_mark
    return Qualification("qualified" if passed else "failed", len(tested), needed, score, pass_mark)


def boxes_agree(drawn: ArrayLike, gold: ArrayLike, *, overlap: float = OVERLAP_MIN) -> bool:
    """Say whether boxes are those of a gold tile: one for each, none besides.

    Parameters
    ----------
    drawn, gold : array_like, shape (n, 4) and (m, 4)
        x_min, y_min, x_max, y_max.
    overlap : float
        Smallest intersection over union of a drawn box and the gold box that it stands for.
    """
    mine = np.asarray(drawn, dtype=np.float64).reshape(-1, 4)
    known = np.asarray(gold, dtype=np.float64).reshape(-1, 4)
    if len(mine) != len(known):
        return False
    if not len(mine):
        return True
    common = intersection_areas(mine, known)
    iou = common / (areas(mine)[:, None] + areas(known)[None, :] - common)
    # Each box of either side has its partner: the assignment of the greatest sum must reach the limit in all.
    rows, columns = linear_sum_assignment(-(iou >= overlap).astype(float))
    return bool((iou[rows, columns] >= overlap).all())
