from __future__ import annotations

import numpy as np
import pytest
import torch

from mitoscope.data.target import Batch
from mitoscope.train.train import contact_sheet

pytestmark = pytest.mark.train


def _batch(n: int, *, cells: bool) -> Batch:
    box = torch.tensor([[10.0, 20.0, 40.0, 50.0]])
    return Batch(
        torch.full((n, 64, 64, 3), 200, dtype=torch.uint8),
        tuple(box for _ in range(n)),
        tuple(torch.tensor([1]) for _ in range(n)),
        tuple(torch.ones(1) for _ in range(n)),
        torch.zeros(n),
        torch.zeros(n, 8, 8, dtype=torch.int8).index_fill_(1, torch.tensor([2]), 1) if cells else None,
    )


def test_every_window_has_its_place_and_its_box() -> None:
    sheet = np.asarray(contact_sheet(_batch(5, cells=False), ("mitotic figure", "look-alike")))
    assert sheet.shape == (2 * 70 + 24, 3 * 70, 3)
    for row, column in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1)):
        window = sheet[row * 70 : row * 70 + 64, column * 70 : column * 70 + 64]
        blue = (window == (0x1C, 0x7E, 0xD6)).all(axis=2)
        assert np.argwhere(blue).min(axis=0).tolist() == [20, 10]
        assert np.argwhere(blue).max(axis=0).tolist() == [50, 40]
    assert (sheet[70:134, 140:204] == 255).all()


def test_cells_of_the_dense_target_are_outlined() -> None:
    sheet = np.asarray(contact_sheet(_batch(1, cells=True), ("mitotic figure",)))
    yellow = (sheet[:64, :64] == (0xFF, 0xD4, 0x3B)).all(axis=2)
    assert np.flatnonzero(yellow.any(axis=1)).tolist() == list(range(16, 24))


def test_a_score_is_drawn_only_where_it_states_something() -> None:
    batch = _batch(1, cells=False)
    without = np.asarray(contact_sheet(batch, ()))
    stated = np.asarray(contact_sheet(batch, (), score="agreement"))
    assert (without[:20, :64] == 200).all()
    assert (stated[:20, :64] < 150).any()
    assert (stated[64:] != without[64:]).any()
