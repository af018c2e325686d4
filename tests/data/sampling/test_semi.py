from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mitoscope.data.picture import Picture
from mitoscope.data.sampling.scheme import HardPool
from mitoscope.data.sampling.semi import BatchPlan, SemiConfig, plan_semi
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def _plan(pictures: tuple[Picture, ...], **values: object) -> BatchPlan:
    own = {"foreground": 40, "bg_hard": 20, "bg_random": 60, "field_share": 0.25, "paste_share": 0.5}
    return plan_semi(pictures, SemiConfig.parse({"kind": "semi"} | own | values, where="test"))


def test_a_batch_has_its_three_sets(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).windows(0, HardPool.empty(), seed=0)
    assert len(windows) == 120
    foreground = windows[:40]
    assert all(len(pictures[w.picture].figures) for w in foreground)
    assert 0 < sum(w.picture == 4 for w in foreground) < 25
    pasted = [w for w in foreground if w.paste_on is not None]
    assert pasted
    assert all(w.picture < 4 for w in pasted)
    assert all(not len(pictures[w.paste_on[0]].figures) for w in pasted if w.paste_on)
    assert all(w.picture >= 4 for w in windows[60:])  # BG-Rand comes from whole fields


def test_without_a_field_that_has_no_figure_none_is_transplanted(pictures: tuple[Picture, ...]) -> None:
    with_figures = tuple(one for one in pictures if len(one.figures))
    foreground = _plan(with_figures).windows(0, HardPool.empty(), seed=0)[:40]
    assert all(w.paste_on is None for w in foreground)
    assert any(w.picture < 4 for w in foreground)  # crops still are


def test_two_figures_to_62_backgrounds_in_every_batch(pictures: tuple[Picture, ...]) -> None:
    plan = _plan(pictures, foreground=2, bg_hard=30, bg_random=32)
    hard = HardPool.even([(5, 50.0, 60.0)])
    for step in range(20):
        windows = plan.windows(step, hard, seed=1)
        assert len(windows) == 64
        near = [
            len(f := pictures[w.picture].figures) and np.hypot(*(f - (w.x, w.y)).T).min() < 63
            for w in windows
        ]
        assert all(near[:2])
        mined = [w.picture == 5 and abs(w.x - 50) <= 44 for w in windows[2:32]]
        labelled = [w.picture == 4 and abs(w.x - 220) <= 44 for w in windows[2:32]]
        assert all(a or b for a, b in zip(mined, labelled, strict=True))


def test_mined_figures_take_their_fixed_number(pictures: tuple[Picture, ...]) -> None:
    mined = Picture("w", "mined", "wsi/1", pictures[5].rgb, np.array([[90.0, 90.0]]))
    plan = _plan((*pictures, mined), foreground=10, mined=4)
    for step in range(10):
        windows = plan.windows(step, HardPool.empty(), seed=1)
        assert [w.picture for w in windows[:10]].count(7) == 4  # FG-WSI
        assert all(w.picture != 7 for w in windows[:6])  # FG-Lab


def test_the_figure_falls_anywhere_in_the_window(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).windows(1, HardPool.empty(), seed=0)[:40]
    offsets = np.array([(w.x, w.y) - pictures[w.picture].figures[0] for w in windows])
    assert np.abs(offsets).max() <= 44
    assert offsets.std(axis=0).min() > 15


def test_bg_hard_is_drawn_by_weight_around_its_places() -> None:
    weight = np.array([0.9, 0.1])
    hard = HardPool(np.array([5, 6]), np.array([50.0, 70.0]), np.array([60.0, 80.0]), weight)
    random = np.random.default_rng(2)
    drawn = [hard.draw(random, jitter_px=22) for _ in range(300)]
    assert 250 < sum(w.picture == 5 for w in drawn) < 290
    offsets = [abs(w.x - (50 if w.picture == 5 else 70)) for w in drawn]
    assert 20 < max(offsets) <= 22


def test_before_mining_labelled_look_alikes_stand_for_bg_hard(pictures: tuple[Picture, ...]) -> None:
    windows = _plan(pictures).windows(0, HardPool.empty(), seed=0)[40:60]
    assert all(w.picture == 4 and abs(w.x - 220) <= 44 and abs(w.y - 200) <= 44 for w in windows)


def test_a_batch_is_a_function_of_seed_and_step(pictures: tuple[Picture, ...]) -> None:
    plan, none = _plan(pictures), HardPool.empty()
    assert plan.windows(7, none, seed=3) == plan.windows(7, none, seed=3)
    assert plan.windows(7, none, seed=3) != plan.windows(8, none, seed=3)
    assert plan.windows(7, none, seed=3) != plan.windows(7, none, seed=4)


def test_an_empty_set_is_an_error_that_names_it(pictures: tuple[Picture, ...]) -> None:
    with pytest.raises(TrainingDataError, match="no mitotic figure"):
        _plan(pictures[5:])
    with pytest.raises(TrainingDataError, match="no whole field for the background"):
        _plan(pictures[:4])
    with pytest.raises(TrainingDataError, match="no mined figure"):
        _plan(pictures, mined=2)


def test_radii_and_numbers_must_fit() -> None:
    with pytest.raises(ValidationError, match="ignore_radius_px lies below"):
        SemiConfig(kind="semi", ignore_radius_px=5)
    with pytest.raises(ValidationError, match="more mined windows"):
        SemiConfig(kind="semi", foreground=2, mined=3)


def test_a_field_without_figures_that_is_never_drawn_is_an_error(pictures: tuple[Picture, ...]) -> None:
    tiny = Picture("t", "lab", "t", pictures[5].rgb[:1, :1])
    wide = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (30_000, 30_000, 3))
    large = Picture("l", "lab", "l", wide, np.array([[200.0, 200.0]]))
    plan = _plan((*pictures[:4], tiny, large), paste_share=1.0, field_share=0.0)
    with pytest.raises(TrainingDataError, match=r"data\.sampling\.paste_share: no field without"):
        plan.windows(0, HardPool.empty(), seed=0)
