from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.sampling import BatchPlan, HardPool, plan_batches

pytestmark = pytest.mark.train


def _plan(pictures: tuple[Picture, ...]) -> BatchPlan:
    return plan_batches(pictures, n_foreground=40, n_hard=20, n_random=60, field_share=0.25, paste_share=0.5)


def test_a_batch_has_its_three_sets(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).draw(np.random.default_rng(0), HardPool.empty())
    assert len(windows) == 120
    foreground = windows[:40]
    assert all(len(pictures[w.picture].figures) for w in foreground)
    assert 0 < sum(w.picture == 4 for w in foreground) < 25
    pasted = [w for w in foreground if w.paste_on is not None]
    assert pasted
    assert all(w.picture < 4 for w in pasted)
    assert all(not len(pictures[w.paste_on[0]].figures) for w in pasted if w.paste_on)
    assert all(w.picture >= 4 for w in windows[60:])  # BG-Rand comes from whole fields


def test_the_figure_falls_anywhere_in_the_window(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).draw(np.random.default_rng(1), HardPool.empty())[:40]
    offsets = np.array([(w.x, w.y) - pictures[w.picture].figures[0] for w in windows])
    assert np.abs(offsets).max() <= 44
    assert offsets.std(axis=0).min() > 15


def test_bg_hard_is_drawn_by_weight_around_its_places(pictures: tuple[Picture, ...]) -> None:
    weight = np.array([0.9, 0.1])
    hard = HardPool(np.array([5, 6]), np.array([50.0, 70.0]), np.array([60.0, 80.0]), weight)
    random = np.random.default_rng(2)
    drawn = [hard.draw(random) for _ in range(300)]
    assert 250 < sum(w.picture == 5 for w in drawn) < 290
    assert all(abs(w.x - (50 if w.picture == 5 else 70)) <= 44 for w in drawn)


def test_before_mining_labelled_look_alikes_stand_for_bg_hard(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).draw(np.random.default_rng(0), HardPool.empty())[40:60]
    assert all(w.picture == 4 and abs(w.x - 220) <= 44 and abs(w.y - 200) <= 44 for w in windows)


def test_the_same_random_numbers_give_the_same_windows(pictures: tuple[Picture, ...]) -> None:
    plan = _plan(pictures)
    first = plan.draw(np.random.default_rng(7), HardPool.empty())
    assert first == plan.draw(np.random.default_rng(7), HardPool.empty())
    assert first != plan.draw(np.random.default_rng(8), HardPool.empty())
