from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.augment import Freedom, Placement

pytestmark = pytest.mark.train

FREE = Freedom(scale_min=0.75, scale_max=1.4, stretch=0.06, shear=0.1)


def _drawn(n: int = 6, freedom: Freedom = FREE, *, window_px: int = 128) -> Placement:
    return Placement.draw(n, torch.Generator().manual_seed(3), window_px=window_px, freedom=freedom)


def test_to_window_is_the_inverse_of_to_patch() -> None:
    placement = _drawn()
    points = np.array([[0.0, 0.0], [64.0, 64.0], [20.0, 100.0]])
    for index in range(6):
        there = placement.to_patch(points, index)
        assert placement.to_window(there, index) == pytest.approx(points, abs=1e-3)


def test_the_patch_just_holds_the_window() -> None:
    placement = _drawn(40)
    corners = np.array([[0, 0], [0, 128], [128, 0], [128, 128]], dtype=float)
    for index in range(40):
        side, places = placement.patch_px(index), placement.to_patch(corners, index)
        assert places.min() >= 1
        assert places.max() <= side - 1
        assert max(places.max(), side - places.min()) > side - 5
        assert places.mean(axis=0) == pytest.approx([side / 2, side / 2], abs=1e-3)


def test_pixels_and_labels_move_alike() -> None:
    placement = _drawn(12)
    for index in range(12):
        side = placement.patch_px(index)
        mark = np.array([[side / 2 + 25, side / 2 - 17]])
        rows, columns = np.mgrid[:side, :side]
        spot = np.exp(-((columns + 0.5 - mark[0, 0]) ** 2 + (rows + 0.5 - mark[0, 1]) ** 2) / (2 * 3.0**2))
        window = placement.warp(torch.from_numpy(spot).float().expand(3, side, side), index)[0].numpy()
        y, x = np.unravel_index(window.argmax(), window.shape)
        expected = placement.to_window(mark, index)[0]
        assert np.hypot(x + 0.5 - expected[0], y + 0.5 - expected[1]) < 1.0


def test_right_angles_and_flips_keep_every_pixel() -> None:
    placement = _drawn(40, Freedom("right-angle"), window_px=32)
    side = placement.patch_px(0)
    patch = torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    inner = patch[:, side // 2 - 16 : side // 2 + 16, side // 2 - 16 : side // 2 + 16]
    wanted = [torch.rot90(way, k, (1, 2)) for way in (inner, inner.flip(2)) for k in range(4)]
    seen = set()
    for index in range(40):
        window = placement.warp(patch, index)
        match = [i for i, one in enumerate(wanted) if torch.allclose(one, window, atol=1e-5)]
        assert len(match) == 1
        seen.add(match[0])
    assert seen == set(range(8))


def test_only_the_share_is_affine() -> None:
    half = Freedom("free", affine=0.5, scale_min=0.8, scale_max=1.25, stretch=0.1, shear=0.1)
    matrix = _drawn(400, half).matrix
    plain = (matrix.abs().sum(2) - 1).abs().amax(1) < 1e-5
    assert 160 < plain.sum() < 240
    assert torch.equal(matrix[plain].round(), matrix[plain])


def test_scales_stay_in_their_range_and_are_known() -> None:
    placement = _drawn(500, Freedom(scale_min=0.8, scale_max=1.25))
    areas = [np.linalg.det(placement.to_window_matrix(index)) for index in range(500)]
    scales = np.sqrt(np.abs(areas))
    assert 0.799 <= scales.min() < 0.83
    assert 1.2 < scales.max() <= 1.251
    lengths = placement.matrix.norm(dim=1)[:, 0].reciprocal().numpy()
    assert scales == pytest.approx(lengths, rel=1e-4)
