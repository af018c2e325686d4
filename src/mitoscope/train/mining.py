"""Hard-negative mining: BG-Hard is what the detector takes for a figure where none is (Akram et al. 2018)."""

from __future__ import annotations

import numpy as np
from torch import nn

from mitoscope.data.picture import Picture
from mitoscope.data.sampling import HardPool, is_crop
from mitoscope.train.detect import find
from mitoscope.train.recipe import MiningRecipe

# Weight of a place: its score, cut off above so that a figure which nobody labelled is not drawn for ever,
# plus a little, so that the mild ones come up as well.
_SCORE_MAX = 0.7
_WEIGHT_MIN = 0.1
_BORDER_PX = 8.0


def mine(
    network: nn.Module,
    pictures: tuple[Picture, ...],
    recipe: MiningRecipe,
    *,
    random: np.random.Generator,
    stride_px: int,
    halo_px: int,
    bfloat16: bool,
) -> HardPool:
    """Search all whole fields and some crops for places that look like figures and are none."""
    crops = np.array([i for i, picture in enumerate(pictures) if is_crop(picture)], dtype=np.int64)
    fields = [i for i, picture in enumerate(pictures) if not is_crop(picture)]
    drawn = np.sort(random.permutation(crops)[: recipe.crops]).tolist()
    rows: list[tuple[int, float, float, float]] = []
    for index, halo in ((fields, halo_px), (drawn, 0)):
        searched = [pictures[i] for i in index]
        found = find(network, searched, stride_px=stride_px, halo_px=halo, bfloat16=bfloat16)
        for i, picture, points in zip(index, searched, found, strict=True):
            points = points[points[:, 2] > recipe.floor]
            if len(picture.figures):
                distance = np.hypot(*(points[:, None, :2] - picture.figures).transpose(2, 0, 1))
                points = points[distance.min(axis=1) > recipe.distance_px]
            if halo == 0:  # without surroundings, the border of a crop says little
                size = (picture.width, picture.height)
                to_border = np.minimum(points[:, :2], size - points[:, :2]).min(axis=1)
                points = points[to_border > _BORDER_PX]
            rows.extend((i, x, y, score) for x, y, score in points.tolist())
    if not rows:
        return HardPool.empty()
    picture_index, x, y, score = (np.array(column) for column in zip(*rows, strict=True))
    weight = np.minimum(score, _SCORE_MAX) + _WEIGHT_MIN
    return HardPool(picture_index.astype(np.int64), x, y, weight / weight.sum())
