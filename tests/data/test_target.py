from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.placement import Placement
from mitoscope.data.target import dense_targets
from mitoscope.data.window import Patch

pytestmark = pytest.mark.train


def test_figure_ring_and_background() -> None:
    still = Placement(torch.eye(2)[None], torch.tensor([[96.0, 96.0]]), window_px=64)
    # Window px = patch px - 64; the figure lies in the centre of cell (row 2, column 3).
    patch = Patch(
        np.zeros((192, 192, 3), np.uint8), (96.0, 96.0), np.array([[92.0, 84.0]]), (0, 70, 192, 192)
    )
    target = dense_targets([patch], still, stride_px=8, figure_radius_px=8.0, ignore_radius_px=17.0)[0]
    expected = """
        - - - - - - - -
        0 0 - # - 0 0 0
        0 - # # # - 0 0
        0 0 - # - 0 0 0
        0 0 0 - 0 0 0 0
        0 0 0 0 0 0 0 0
        0 0 0 0 0 0 0 0
        0 0 0 0 0 0 0 0
    """
    drawn = [["-0#"[value + 1] for value in row] for row in target.tolist()]
    assert drawn == [line.split() for line in expected.strip().splitlines()]


def test_without_figures_all_trusted_cells_are_background() -> None:
    still = Placement(torch.eye(2)[None], torch.tensor([[96.0, 96.0]]), window_px=64)
    patch = Patch(np.zeros((192, 192, 3), np.uint8), (96.0, 96.0), np.empty((0, 2)), (0, 0, 192, 192))
    assert not dense_targets([patch], still, stride_px=8, figure_radius_px=9, ignore_radius_px=22).any()
