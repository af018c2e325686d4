"""Hard-negative mining: BG-Hard is what the detector takes for a figure where none is (Akram et al. 2018)."""

from __future__ import annotations

from typing import Final

import numpy as np

from mitoscope.data.field import Field
from mitoscope.data.sampling import HardPool, is_crop
from mitoscope.train.detect import Points, finder, search
from mitoscope.train.job import Job
from mitoscope.train.journal import say
from mitoscope.train.recipe import MiningRecipe
from mitoscope.train.state import State

_SCORE_MAX: Final = 0.7
_WEIGHT_MIN: Final = 0.1
"""Weight of a place: its score, cut off above so that a figure which nobody labelled is not drawn for ever,
plus a little, so that the mild ones come up as well."""
_BORDER_PX: Final = 8.0


def mine_hard_negatives(job: Job, state: State) -> None:
    """Replace the hard negatives by what the judged weights take for figures now.

    Whole fields are searched, and some crops, drawn anew each time, without surroundings.
    """
    family, recipe, fields = state.judged, job.recipe.mining, job.split.training
    random = np.random.default_rng((job.recipe.run.seed, state.step, 1))
    was_training = family.training
    try:
        find = finder(family.eval().exportable().eval(), device=job.fabric.device, autocast=job.autocast)
        crops = np.array([i for i, field in enumerate(fields) if is_crop(field)], dtype=np.int64)
        whole = [i for i, field in enumerate(fields) if not is_crop(field)]
        drawn = np.sort(random.permutation(crops)[: recipe.crops]).tolist()
        rows: list[tuple[int, float, float, float]] = []
        for index, halo in ((whole, None), (drawn, 0)):
            found = search(find, [fields[i] for i in index], family.layout(), halo_px=halo)
            for i, one in zip(index, found, strict=True):
                points = false_ones(one.points, fields[i], recipe, bare=halo == 0)
                rows.extend((i, x, y, score) for x, y, score in points.tolist())
    finally:
        family.train(was_training)
    state.hard = pool_of(rows)
    if job.leads:
        say(f"step {state.step}: {len(state.hard)} hard negatives mined")


def false_ones(points: Points, field: Field, recipe: MiningRecipe, *, bare: bool) -> Points:
    """Return the points above the floor that are far from every figure, shape (n, 3).

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    field : Field
    recipe : MiningRecipe
    bare : bool
        Searched without surroundings, where the border says little.
    """
    points = points[points[:, 2] > recipe.floor]
    if len(field.figures):
        distance = np.hypot(*(points[:, None, :2] - field.figures).transpose(2, 0, 1))
        points = points[distance.min(axis=1) > recipe.distance_px]
    if bare:
        size = (field.width, field.height)
        to_border = np.minimum(points[:, :2], size - points[:, :2]).min(axis=1)
        points = points[to_border > _BORDER_PX]
    return points


def pool_of(rows: list[tuple[int, float, float, float]]) -> HardPool:
    """Return places (field, x, y, score) with their chances of being drawn."""
    if not rows:
        return HardPool.empty()
    index, x, y, score = (np.array(column) for column in zip(*rows, strict=True))
    weight = np.minimum(score, _SCORE_MAX) + _WEIGHT_MIN
    return HardPool(index.astype(np.int64), x, y, weight / weight.sum())
