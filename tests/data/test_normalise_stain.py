from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mitoscope.data.colour import REFERENCE_DEVIATION, REFERENCE_MEAN, normalise
from mitoscope.data.contrast_transfer import to_lab

pytestmark = pytest.mark.train


def _stained(haematoxylin: float, eosin: float, seed: int) -> NDArray[np.uint8]:
    """Paint two stains by Beer and Lambert's law, in amounts that vary from pixel to pixel."""
    random = np.random.default_rng(seed)
    vectors = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    amounts = np.stack([random.gamma(2, haematoxylin, (96, 96)), random.gamma(2, eosin, (96, 96))], -1)
    return np.asarray(np.clip(255 * np.exp(-amounts @ vectors), 1, 255), dtype=np.uint8)


def test_reinhard_gives_the_statistics_of_the_reference() -> None:
    out = normalise(_stained(0.3, 0.4, 0), "reinhard")
    lab = to_lab(torch.from_numpy(out).permute(2, 0, 1)[None].float() / 255)[0].reshape(3, -1)
    assert lab.mean(1).tolist() == pytest.approx(REFERENCE_MEAN, abs=3)
    assert lab.std(1).tolist() == pytest.approx(REFERENCE_DEVIATION, abs=3)


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
def test_two_laboratories_come_nearer_to_each_other(method: str) -> None:
    weak, strong = _stained(0.15, 0.2, 1), _stained(0.35, 0.3, 1)
    one, other = (normalise(rgb, "reinhard" if method == "reinhard" else "macenko") for rgb in (weak, strong))
    before = np.abs(weak.mean((0, 1)) - strong.mean((0, 1))).sum()
    assert np.abs(one.mean((0, 1)) - other.mean((0, 1))).sum() < 0.35 * before
    assert one.dtype == np.uint8
    assert one.shape == weak.shape


@pytest.mark.parametrize("method", ["reinhard", "macenko"])
@pytest.mark.parametrize("level", [0, 250, 255])
def test_windows_without_tissue_break_nothing(method: str, level: int) -> None:
    blank = np.full((64, 64, 3), level, np.uint8)
    out = normalise(blank, "reinhard" if method == "reinhard" else "macenko")
    assert out.shape == blank.shape
    if level >= 250:
        assert out.min() >= 240  # white stays white
