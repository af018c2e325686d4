"""Windows, batches and small networks of every family."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mitoscope.data.target import Batch

SIDE_PX = 128


def noise(*shape: int) -> NDArray[np.uint8]:
    """Blocks of 8 px of random colours, so that no score is near to another."""
    coarse = np.random.default_rng(5).integers(0, 255, (shape[0], shape[1] // 8, shape[2] // 8, 3))
    return coarse.repeat(8, 1).repeat(8, 2).astype(np.uint8)


def batch(windows: int = 2, side_px: int = SIDE_PX) -> Batch:
    """A batch whose first window has two cells, the others none."""
    none = torch.zeros(0)
    cells = torch.zeros(windows, side_px // 8, side_px // 8, dtype=torch.int8)
    cells[0, 4, 4] = 1
    boxes: list[Tensor] = [torch.tensor([[10.0, 12, 58, 60], [70, 66, 120, 116]])]
    return Batch(
        torch.from_numpy(noise(windows, side_px, side_px)),
        boxes=(*boxes, *[none.reshape(0, 4)] * (windows - 1)),
        classes=(torch.tensor([0, 0]), *[none.long()] * (windows - 1)),
        weights=(torch.tensor([1.0, 0.5]), *[none] * (windows - 1)),
        score=torch.tensor([0.0, *[1.0] * (windows - 1)]),
        cells=cells,
    )


def gap(here: NDArray[np.float32], there: NDArray[np.float32]) -> float:
    """Greatest difference of points in place (px) or score, in any order; infinite if one is missing."""
    greatest = 0.0
    for own, others in zip(here, there, strict=True):
        a, b = own[own[:, 2] > 0], others[others[:, 2] > 0]
        if len(a) != len(b):
            return float("inf")
        for point in a:
            greatest = max(greatest, float(np.abs(b - point).max(axis=1).min()))
    return greatest
