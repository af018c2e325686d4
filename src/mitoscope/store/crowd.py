"""Whose answers to tiles count: gold tiles, whose answer is known, tell who sees well (Ji et al.).

Who begins is tested on gold tiles; more of them are mixed in among the others later, and the mark holds for
all of them, so that who passes the test and then clicks through does not count any longer.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.store.tasks import TaskTile, TileAnswer, read_answers, read_tiles
from mitoscope.store.terms import read_round_row

Boxes = NDArray[np.float64]
QualificationState = Literal["testing", "qualified", "failed"]

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
        Gold tiles answered, and how many there must be before anything counts.
    score : float
        Share that was right, in [0, 1]; 0 where none is answered.
    pass_mark : float
        Share that must be.
    """

    state: QualificationState
    done: int
    needed: int
    score: float
    pass_mark: float


def qualify(
    right: Sequence[bool], *, needed: int = GOLD_NEEDED, pass_mark: float = PASS_MARK
) -> Qualification:
    """Return how a rater stands after some gold tiles, of each of which the first answer counts.

    Parameters
    ----------
    right : sequence of bool
        Of each gold tile answered, those of the test and those mixed in later.
    needed : int
        Gold tiles of the test; 0 where the study has none, and everybody is qualified.
    pass_mark : float
        Share of right answers that is needed.
    """
    score = float(np.mean(right)) if len(right) else 0.0
    if len(right) < needed:
        return Qualification("testing", len(right), needed, score, pass_mark)
    passed = needed == 0 or score >= pass_mark
    return Qualification("qualified" if passed else "failed", len(right), needed, score, pass_mark)


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
    iou = common / (box_areas(mine)[:, None] + box_areas(known)[None, :] - common)
    # Each box of either side has its partner: the assignment of the greatest sum must reach the limit in all.
    from scipy.optimize import linear_sum_assignment  # slow to load, and seldom needed

    rows, columns = linear_sum_assignment(-(iou >= overlap).astype(float))
    return bool((iou[rows, columns] >= overlap).all())


def intersection_areas(boxes_px0: Boxes, others_px0: Boxes) -> Boxes:
    """Return the area that each box, shape (n, 4), has in common with each other, shape (m, 4), in px²."""
    low = np.maximum(boxes_px0[:, None, :2], others_px0[None, :, :2])
    high = np.minimum(boxes_px0[:, None, 2:], others_px0[None, :, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=2))


def box_areas(boxes_px0: Boxes) -> Boxes:
    """Return the areas of boxes, shape (n, 4), in px²."""
    return np.asarray((boxes_px0[:, 2:] - boxes_px0[:, :2]).prod(axis=1))


def corners_of(boxes: Sequence[Sequence[float]]) -> Boxes:
    """Return boxes that are given as x, y, width and height as corners, shape (n, 4)."""
    table = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.column_stack([table[:, :2], table[:, :2] + table[:, 2:]])


def is_right(gold: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """Say whether an answer to a gold tile is the known one."""
    if "answer" in gold:
        return bool(gold["answer"]) == bool(content.get("answer"))
    return boxes_agree(corners_of(content.get("boxes", [])), corners_of(gold["boxes"]))


def standing(
    settings: Mapping[str, Any], tiles: Sequence[TaskTile], answers: Sequence[TileAnswer]
) -> Qualification:
    """Return how a rater stands in a round with some settings, by the rater's own answers."""
    gold = {tile.id: tile.gold for tile in tiles if tile.gold is not None}
    right = [is_right(gold[answer.tile_id], answer.first) for answer in answers if answer.tile_id in gold]
    needed = min(int(settings.get("gold_needed", GOLD_NEEDED)), len(gold))
    return qualify(right, needed=needed, pass_mark=float(settings.get("pass_mark", PASS_MARK)))


@dataclass(frozen=True, slots=True)
class CrowdWork:
    """A round of tiles: its tiles, all answers, and how each rater who answered stands."""

    tiles: tuple[TaskTile, ...]
    answers: tuple[TileAnswer, ...]
    standing: Mapping[int, Qualification]

    @property
    def counting(self) -> tuple[TileAnswer, ...]:
        """The answers of the qualified."""
        return tuple(answer for answer in self.answers if self.standing[answer.rater_id].state == "qualified")


def read_crowd_work(connection: sqlite3.Connection, round_id: int) -> CrowdWork:
    """Return what was answered in a round of tiles, and whose answers count.

    Raises
    ------
    NotFoundError
        If there is no such round.
    """
    settings = read_round_row(connection, round_id).terms.settings
    tiles, answers = read_tiles(connection, round_id), read_answers(connection, round_id)
    mine: dict[int, list[TileAnswer]] = defaultdict(list)
    for answer in answers:
        mine[answer.rater_id].append(answer)
    stands = {rater: standing(settings, tiles, given) for rater, given in sorted(mine.items())}
    return CrowdWork(tuple(tiles), tuple(answers), stands)
