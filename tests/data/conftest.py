"""Small pictures with blobs for figures, and a data folder in the layout of the real one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mitoscope.data.picture import Picture


def tissue(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Paint pink noise."""
    random = np.random.default_rng(seed)
    base = np.array([215, 160, 200]) + random.normal(0, 12, (height, width, 1))
    return np.clip(base + random.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def with_spot(rgb: NDArray[np.uint8], x: float, y: float, *, radius: float = 9.0) -> NDArray[np.uint8]:
    """Paint a dark disc."""
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    out = rgb.copy()
    out[np.hypot(columns + 0.5 - x, rows + 0.5 - y) < radius] = (60, 30, 90)
    return out


def crop(name: str, *, seed: int = 0) -> Picture:
    """Make a crop with a figure in its centre."""
    rgb = with_spot(tissue(128, 128, seed=seed), 64, 64)
    return Picture(name, "mitosis_crops", f"MIDOG/{name}", rgb, np.array([[64.0, 64.0]]), mirror_px=40)


def empty_field(name: str, *, side: int = 256, seed: int = 0) -> Picture:
    """Make a field without figures."""
    return Picture(name, "negative_fields", f"field/{name}", tissue(side, side, seed=seed), mirror_px=side)


@pytest.fixture
def pictures() -> tuple[Picture, ...]:
    """Return four crops, a field with one figure and one look-alike, and two empty fields."""
    rgb = with_spot(tissue(300, 320, seed=9), 100, 120)
    whole = Picture(
        "whole", "brecahad", "BreCaHAD/1", rgb, np.array([[100.0, 120.0]]), np.array([[220.0, 200.0]])
    )
    crops = [crop(f"c{i}", seed=i) for i in range(4)]
    return (*crops, whole, empty_field("f0", seed=20), empty_field("f1", seed=21))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as the drawing of batches does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def labelled_fields() -> tuple[Picture, ...]:
    """Return five fields with two to six figures and one to five look-alikes, and an empty one."""
    random = np.random.default_rng(3)
    fields = []
    for index in range(5):
        figures = random.uniform(30, 330, (2 + index, 2))
        look_alikes = random.uniform(30, 330, (1 + index, 2))
        rgb = tissue(360, 400, seed=30 + index)
        for x, y in (*figures, *look_alikes):
            rgb = with_spot(rgb, x, y)
        fields.append(Picture(f"l{index}", "lab", f"case{index}", rgb, figures, look_alikes))
    return (*fields, Picture("none", "lab", "case9", tissue(360, 400, seed=50)))
