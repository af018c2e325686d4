from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.sampling.by_share import MidogppConfig, plan_midogpp
from mitoscope.data.sampling.scheme import HardPool
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def _field(name: str, figures: list[tuple[float, float]]) -> Picture:
    rgb = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (100_000, 100_000, 3))
    return Picture(name, "lab", name, rgb, np.array(figures).reshape(-1, 2), np.array([[50_000.0, 50_000.0]]))


FIELDS = (
    *(_field(f"f{i}", [(800.0, 900.0), (2000.0, 700.0)]) for i in range(8)),
    _field("none", []),
    _field("void", []),
)


def _windows(**values: object) -> list[Window]:
    own: dict[str, object] = {"kind": "midogpp", "batch": 10, "epoch": 1000}
    plan = plan_midogpp(FIELDS, MidogppConfig.parse(own | values, where="test"))
    return [w for step in range(100) for w in plan.windows(step, HardPool.empty(), seed=6)]


def _near(window: Window) -> bool:
    figures = FIELDS[window.picture].figures - (window.x, window.y)
    return bool((np.abs(figures) <= 512).all(axis=1).any())


def test_half_of_an_epoch_lies_within_512_px_of_a_figure() -> None:
    windows = _windows()
    assert len(windows) == 1000
    assert sum(map(_near, windows)) == 500  # elsewhere, 100,000 px are too wide to hit one
    spread = np.array([(w.x - 800, w.y - 900) for w in windows if _near(w) and w.x < 1312 and w.y < 1300])
    assert np.abs(spread).max() > 400


def test_every_image_is_seen_alike_often() -> None:
    windows = _windows()
    near = Counter(w.picture for w in windows if _near(w))
    anywhere = Counter(w.picture for w in windows if not _near(w))
    assert set(near) == set(range(8))
    assert max(near.values()) - min(near.values()) <= 1
    assert [anywhere[i] for i in range(10)] == [50] * 10


def test_look_alikes_and_mined_places_play_no_part() -> None:
    plan = plan_midogpp(FIELDS, MidogppConfig(kind="midogpp"))
    hard = HardPool.even([(9, 5.0, 5.0)])
    assert plan.windows(3, hard, seed=1) == plan.windows(3, HardPool.empty(), seed=1)


def test_without_a_figure_there_is_nothing_to_learn() -> None:
    with pytest.raises(TrainingDataError, match="no mitotic figure among the training cases"):
        plan_midogpp(FIELDS[8:], MidogppConfig(kind="midogpp"))
