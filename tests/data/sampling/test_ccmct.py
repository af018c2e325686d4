from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.sampling.by_share import CcmctConfig, plan_ccmct
from mitoscope.data.sampling.scheme import HardPool, Scheme
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def _plan(fields: tuple[Picture, ...], **values: object) -> Scheme:
    own: dict[str, object] = {"kind": "ccmct", "window_px": 96, "batch": 8, "epoch": 1000}
    return plan_ccmct(fields, CcmctConfig.parse(own | values, where="test"))


def _offsets(windows: list[Window], fields: tuple[Picture, ...], name: str) -> list[np.ndarray]:
    return [getattr(fields[w.picture], name) - (w.x, w.y) for w in windows]


def _holds(offsets: list[np.ndarray], half: float) -> list[bool]:
    return [bool((np.abs(one) <= half).all(axis=1).any()) for one in offsets]


def test_half_at_figures_two_fifths_at_look_alikes_a_tenth_anywhere() -> None:
    figures, others = np.array([[50.0, 50.0]]), np.array([[5000.0, 5000.0]])
    rgb = np.zeros((1, 1, 3), np.uint8)
    field = Picture("a", "lab", "a", np.broadcast_to(rgb, (100_000, 100_000, 3)), figures, others)
    plan = _plan((field,))
    windows = [w for step in range(125) for w in plan.windows(step, HardPool.empty(), seed=2)]
    assert len(windows) == 1000
    # On 100,000 px a window that lies anywhere hits neither of the two cells.
    assert sum(_holds(_offsets(windows, (field,), "figures"), 48)) == 500
    assert sum(_holds(_offsets(windows, (field,), "look_alikes"), 48)) == 400


def test_a_cell_falls_anywhere_in_the_window_and_nowhere_else(labelled_fields: tuple[Picture, ...]) -> None:
    plan = _plan(labelled_fields, look_alike=0, anywhere=0)
    windows = [w for step in range(100) for w in plan.windows(step, HardPool.empty(), seed=2)]
    offsets = _offsets(windows, labelled_fields, "figures")
    assert all(_holds(offsets, 48))
    only = np.array([o[0] for w, o in zip(windows, offsets, strict=True) if w.picture == 0 and len(o)])
    near = only[(np.abs(only) <= 48).all(axis=1)]
    low, high = near.min(axis=0), near.max(axis=0)
    assert (low < -40).all()
    assert (high > 40).all()
    assert np.abs(near.mean(axis=0)).max() < 12


def test_mined_hard_negatives_stand_beside_look_alikes(labelled_fields: tuple[Picture, ...]) -> None:
    plan = _plan(labelled_fields, figure=0, look_alike=1, anywhere=0)
    hard = HardPool.even([(5, 100.0, 100.0)] * 15)  # as many as there are look-alikes
    windows = [w for step in range(60) for w in plan.windows(step, hard, seed=2)]
    assert 180 < sum(w.picture == 5 for w in windows) < 300


def test_an_empty_class_is_an_error_that_names_the_share(labelled_fields: tuple[Picture, ...]) -> None:
    bare = Picture("b", "lab", "b", labelled_fields[0].rgb, labelled_fields[0].figures)
    with pytest.raises(
        TrainingDataError, match=r"data\.sampling\.look_alike: no look-alike.*set the share to 0"
    ):
        _plan((bare,))
    assert _plan((bare,), look_alike=0).windows(0, HardPool.empty(), seed=0)
    with pytest.raises(TrainingDataError, match="no figure"):
        _plan((labelled_fields[5],))
