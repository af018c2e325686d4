from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.colour import blurred, compress, focus, noise, whiten_edge

pytestmark = pytest.mark.train


def test_blur_keeps_flat_pictures_and_spreads_a_point() -> None:
    assert blurred(torch.full((1, 3, 9, 9), 0.3)).sub(0.3).abs().max() < 1e-6
    point = torch.zeros(1, 1, 9, 9)
    point[0, 0, 4, 4] = 1
    assert blurred(point)[0, 0, 4, 2:7].mul(256).tolist() == pytest.approx([6, 24, 36, 24, 6])


@pytest.mark.parametrize("change", [focus, noise])
def test_only_the_share_is_changed(change: object) -> None:
    rgb = torch.rand(200, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert callable(change)
    out = change(rgb, torch.Generator().manual_seed(1), share=0.25)
    changed = ((out - rgb).abs().amax((1, 2, 3)) > 0).sum()
    assert 30 < changed < 70
    assert torch.equal(change(rgb, torch.Generator(), share=0.0), rgb)


def test_compression_changes_little() -> None:
    rows = np.linspace(100, 200, 64)
    rgb = np.broadcast_to(rows[None, :, None, None], (3, 64, 64, 3)).astype(np.uint8).copy()
    before = rgb.astype(int)
    compress(rgb, np.random.default_rng(0), share=1.0)
    assert 0 < np.abs(rgb - before).mean() < 4


def test_under_the_white_a_figure_is_neither_figure_nor_background() -> None:
    rgb = np.full((40, 64, 64, 3), 100, np.uint8)
    target = np.ones((40, 8, 8), np.int8)
    hidden = whiten_edge(rgb, target, np.random.default_rng(0), share=1.0)
    white = (rgb[:, 4::8, 4::8] == 255).all(axis=-1)
    assert np.array_equal(white, target == -1)
    assert np.array_equal(white, hidden)
    assert white.any(axis=(1, 2)).all()
    assert len({tuple(w[:, 0]) for w in white}) > 3
