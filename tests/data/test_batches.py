from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.batches import AugmentConfig, Batches, make_batches
from mitoscope.data.picture import Picture
from mitoscope.data.sampling import HardPool, plan_batches

pytestmark = pytest.mark.train


@pytest.fixture
def batches(pictures: tuple[Picture, ...]) -> Batches:
    plan = plan_batches(pictures, n_foreground=8, n_hard=2, n_random=6, field_share=0.3, paste_share=0.5)
    return make_batches(
        pictures,
        plan,
        AugmentConfig(),
        window_px=128,
        stride_px=8,
        figure_radius_px=9.0,
        ignore_radius_px=22.0,
        seed=1,
    )


def test_a_batch_is_a_function_of_its_step(batches: Batches) -> None:
    first, again = batches.draw(3, HardPool.empty()), batches.draw(3, HardPool.empty())
    assert torch.equal(first.rgb, again.rgb)
    assert torch.equal(first.target, again.target)
    assert not torch.equal(first.rgb, batches.draw(4, HardPool.empty()).rgb)


def test_shapes_and_classes(batches: Batches) -> None:
    batch = batches.draw(0, HardPool.empty())
    assert batch.rgb.shape == (16, 128, 128, 3)
    assert batch.rgb.dtype == torch.uint8
    assert batch.target.shape == (16, 16, 16)
    assert set(batch.target.flatten().tolist()) == {-1, 0, 1}
    assert (batch.target[8:] == 1).sum() < (batch.target[:8] == 1).sum()


def test_figures_lie_on_dark_pixels(batches: Batches) -> None:
    dark = []
    for step in range(4):
        batch = batches.draw(step, HardPool.empty())
        cells = batch.rgb.float().mean(-1).reshape(16, 16, 8, 16, 8).mean((2, 4)).numpy()
        target = batch.target.numpy()
        for window, labels in zip(cells[:8], target[:8], strict=True):
            if (labels == 1).any():
                dark.append(window[labels == 1].mean() < np.median(window[labels == 0]))
    assert np.mean(dark) > 0.9
