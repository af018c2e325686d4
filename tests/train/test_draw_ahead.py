from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mitoscope.data.sampling import HardPool
from mitoscope.train import Recipe
from mitoscope.train.run import drawing_ahead

from .conftest import job_of

pytestmark = pytest.mark.train


def test_what_is_drawn_ahead_is_what_would_be_drawn(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    batches = job_of(recipe, tiny_data, tmp_path).batches
    before = HardPool.empty()
    mined = HardPool.even([(0, 60.0, 60.0), (1, 50.0, 70.0)])
    with drawing_ahead(batches) as ahead:
        # The hard negatives change before step 2, when its batch is drawn already.
        for step, hard in ((0, before), (1, before), (2, mined), (3, mined), (9, mined)):
            taken, plain = ahead.take(step, hard), batches.draw(step, hard)
            assert torch.equal(taken.rgb, plain.rgb)
            assert taken.cells is not None
            assert plain.cells is not None
            assert torch.equal(taken.cells, plain.cells)


def test_an_error_while_drawing_reaches_the_loop(tiny_data: Path, tmp_path: Path, recipe: Recipe) -> None:
    batches = job_of(recipe, tiny_data, tmp_path).batches
    object.__setattr__(batches, "window_px", -1)
    with drawing_ahead(batches) as ahead, pytest.raises(RuntimeError):
        ahead.take(0, HardPool.empty())
