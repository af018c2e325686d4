"""Finding points on whole pictures, and mining hard negatives with them."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

from mitoscope.data.picture import Picture
from mitoscope.data.sampling import HardPool
from mitoscope.train.detect import find, padded, suppressed
from mitoscope.train.mining import mine
from mitoscope.train.recipe import MiningRecipe

pytestmark = pytest.mark.train


class Dark(nn.Module):
    """Log-odds from the darkness of each cell of 8 px."""

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows to log-odds."""
        grey = windows.float().mean(-1)[:, None]
        return (100 - F.avg_pool2d(grey, 8)[:, 0]) / 10


def _picture(
    name: str, *spots: tuple[int, int], figures: list[tuple[float, float]], side: int = 200
) -> Picture:
    rgb = np.full((side, side, 3), 230, np.uint8)
    for x, y in spots:
        rgb[y - 8 : y + 8, x - 8 : x + 8] = 20
    return Picture(name, "s", name, rgb, np.array(figures).reshape(-1, 2))


def test_padding_mirrors_and_reaches_a_multiple_of_the_stride() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (20, 33, 3), dtype=np.uint8)
    out = padded(rgb, halo_px=10, stride_px=8)
    assert out.shape == (56, 72, 3)
    assert np.array_equal(out[16:36, 16:49], rgb)
    assert np.array_equal(out[15, 16:49], rgb[0])
    assert np.array_equal(out[14, 16:49], rgb[1])
    assert np.array_equal(out[16:36, 49], rgb[:, -1])


def test_points_lie_where_the_spots_are_in_the_order_of_the_pictures() -> None:
    pictures = [
        _picture("a", (40, 72), figures=[]),
        _picture("b", (120, 96), figures=[]),
        _picture("c", (64, 64), figures=[], side=120),
    ]
    network = Dark().train()
    found = list(find(network, pictures, stride_px=8, halo_px=16, top_k=8))
    assert network.training
    for points, place in zip(found, [(40, 72), (120, 96), (64, 64)], strict=True):
        assert np.hypot(*(points[0, :2] - place)) < 8


def test_of_two_near_points_the_lesser_is_left_out() -> None:
    points = np.array([[10, 10, 0.5], [30, 10, 0.9], [90, 10, 0.2], [90, 90, 0.01]])
    kept = suppressed(points, radius_px=30, floor=0.05)
    assert kept.points_px0.tolist() == [[30, 10], [90, 10]]


def _mine(recipe: MiningRecipe, *pictures: Picture) -> HardPool:
    random = np.random.default_rng(0)
    return mine(Dark(), pictures, recipe, random=random, stride_px=8, halo_px=16, bfloat16=False)


def test_hard_negatives_are_points_away_from_every_figure() -> None:
    pool = _mine(
        MiningRecipe(floor=0.5, crops=5),
        _picture("whole", (40, 40), (150, 150), figures=[(40, 40)]),
        _picture("empty", (80, 80), figures=[]),
        _picture("crop", (64, 64), (20, 104), figures=[(64.0, 64.0)], side=128),
    )
    spots = {0: (150, 150), 1: (80, 80), 2: (20, 104)}
    assert set(pool.picture.tolist()) == set(spots)
    for picture, x, y in zip(pool.picture.tolist(), pool.x, pool.y, strict=True):
        assert np.hypot(x - spots[picture][0], y - spots[picture][1]) < 16
    assert pool.weight.sum() == pytest.approx(1)


def test_nothing_found_is_an_empty_pool() -> None:
    assert len(_mine(MiningRecipe(), _picture("empty", figures=[]))) == 0
