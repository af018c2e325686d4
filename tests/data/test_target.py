from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.augment import Placement
from mitoscope.data.field import Labels
from mitoscope.data.target import dense_targets
from mitoscope.data.window import Patch

pytestmark = pytest.mark.train

STILL = Placement(torch.eye(2)[None], window_px=64)
SIDE = STILL.patch_px(0)  # window px = patch px - 2


def _patch(figures: list[tuple[float, float]], valid: tuple[float, float, float, float]) -> Patch:
    places = np.array(figures).reshape(-1, 2)
    return Patch(np.zeros((SIDE, SIDE, 3), np.uint8), places, Labels.figures(places), 0.0, valid)


def test_figure_ring_and_background() -> None:
    # The figure lies in the centre of cell (row 2, column 3); above row 1 nothing is trusted.
    patch = _patch([(30.0, 22.0)], (0, 8, SIDE, SIDE))
    target = dense_targets([patch], STILL, stride_px=8, figure_radius_px=8.0, ignore_radius_px=17.0)[0]
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
    patch = _patch([], (0, 0, SIDE, SIDE))
    assert not dense_targets([patch], STILL, stride_px=8, figure_radius_px=9, ignore_radius_px=22).any()
