from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.placement import Placement

pytestmark = pytest.mark.train


def _placement(n: int = 6) -> Placement:
    generator = torch.Generator().manual_seed(3)
    centre = 96 + 20 * torch.rand(n, 2, generator=generator)
    return Placement.draw(centre, generator, window_px=128, scales=(0.75, 1.4))


def test_to_window_is_the_inverse_of_to_patch() -> None:
    placement = _placement()
    points = np.array([[0.0, 0.0], [64.0, 64.0], [20.0, 100.0]])
    on_patch = placement.to_patch(points)
    for index in range(6):
        assert placement.to_window(on_patch[index], index) == pytest.approx(points, abs=1e-3)


def test_the_centre_of_the_window_falls_on_the_centre() -> None:
    placement = _placement()
    on_patch = placement.to_patch(np.array([[64.0, 64.0]]))[:, 0]
    assert on_patch == pytest.approx(placement.centre.numpy(), abs=1e-4)


def test_pixels_and_labels_move_alike() -> None:
    placement = _placement()
    rows, columns = np.mgrid[:192, :192]
    spot = np.exp(-((columns + 0.5 - 101) ** 2 + (rows + 0.5 - 93) ** 2) / (2 * 3.0**2))
    patches = torch.from_numpy(spot).float()[None, None].expand(6, 3, 192, 192)
    windows = placement.warp(patches)[:, 0].numpy()
    for index, window in enumerate(windows):
        y, x = np.unravel_index(window.argmax(), window.shape)
        expected = placement.to_window(np.array([[101.0, 93.0]]), index)[0]
        assert np.hypot(x + 0.5 - expected[0], y + 0.5 - expected[1]) < 1.5


def test_scales_stay_in_their_range() -> None:
    generator = torch.Generator().manual_seed(0)
    placement = Placement.draw(torch.zeros(500, 2), generator, window_px=128, scales=(0.8, 1.25))
    scale = torch.linalg.det(placement.matrix).abs().rsqrt()
    assert 0.8 <= scale.min() < 0.83
    assert 1.2 < scale.max() <= 1.2501
