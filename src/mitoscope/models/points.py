"""From the map of log-odds to points, inside the graph."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the usual name

TOP_K: Final = 256
"""Points a window can have; a window of 1024 px has 16384 cells and rarely 50 candidates."""
SUPPRESSION_CELLS: Final = 1
"""A point is the maximum of its 3 × 3 cells: a local operation, so tiling cannot change it."""


class PointDetector(nn.Module):
    """A network with its points: local maxima, the best K, refined below the cell.

    Parameters
    ----------
    network : Module
        Windows uint8 (n, h, w, 3) to log-odds (n, rows, columns).
    stride_px : int
        Side of a cell.
    top_k : int
        Slots of the output.
    """

    def __init__(self, network: nn.Module, *, stride_px: int, top_k: int = TOP_K) -> None:
        super().__init__()
        self.network = network
        self.stride_px = stride_px
        self.top_k = top_k

    def forward(self, windows: Tensor) -> Tensor:
        """Map windows, uint8 (n, h, w, 3), to points (n, k, 3): x, y in window px and score, descending."""
        return self.points(torch.sigmoid(self.network(windows).float()))

    def points(self, score: Tensor) -> Tensor:
        """Map scores in [0, 1], (n, rows, columns), to points (n, k, 3).

        Notes
        -----
        A cell is a candidate if no cell around it has a greater score. The place is the mean of the 3 × 3
        cell centres weighted with their scores. A graph's slots beyond the number of candidates have score 0.
        """
        planes = score[:, None]
        peak = F.max_pool2d(planes, 3, 1, 1)
        candidate = torch.where(planes >= peak, planes, torch.zeros_like(planes))
        shift_x, shift_y = self._shifts(planes)
        rows, columns = planes.shape[2], planes.shape[3]
        # Padding with empty slots: a small window may have fewer cells than slots.
        flat = F.pad(candidate.reshape(-1, rows * columns), (0, self.top_k))
        best, index = torch.topk(flat, self.top_k, dim=1)
        place = torch.clamp(index, max=rows * columns - 1)
        row = torch.div(place, columns, rounding_mode="floor")
        column = place - row * columns
        x = column.float() + 0.5 + torch.gather(shift_x.reshape(-1, rows * columns), 1, place)
        y = row.float() + 0.5 + torch.gather(shift_y.reshape(-1, rows * columns), 1, place)
        return torch.stack([x * self.stride_px, y * self.stride_px, best], 2)

    @staticmethod
    def _shifts(planes: Tensor) -> tuple[Tensor, Tensor]:
        step = torch.tensor([-1.0, 0.0, 1.0], dtype=planes.dtype, device=planes.device)
        ones = torch.ones_like(step)
        kernels = torch.stack([ones[:, None] * step, step[:, None] * ones, ones[:, None] * ones])
        sums = F.conv2d(planes, kernels[:, None], padding=1)
        mass = sums[:, 2].clamp_min(1e-6)
        return sums[:, 0] / mass, sums[:, 1] / mass
