from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from mitoscope.data.picture import Picture
from mitoscope.data.sampling.scheme import HardPool
from mitoscope.data.sampling.semi import BatchPlan, SemiConfig, chromatin_extent, plan_semi
from mitoscope.errors import TrainingDataError
from tests.data.made import crop, tissue, with_spot

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


def test_framed_windows_show_a_rectangle_around_their_cell(pictures: tuple[Picture, ...]) -> None:
    hard = HardPool.even([(1, 50.0, 60.0), (5, 50.0, 60.0)])
    windows = _plan(pictures, framed=True, jitter=0.25).windows(0, hard, seed=0)
    crops = [w for w in windows[:40] if w.picture < 4 and w.paste_on is None]
    assert crops
    for window in crops:
        assert window.shown is not None
        reach = np.abs(np.array(window.shown) - 64.0)
        assert (reach >= 30).all()
        assert (reach <= 64).all()
        assert max(abs(window.x - 64), abs(window.y - 64)) <= 32
    assert all(w.shown is None for w in windows[:40] if w.picture == 4 or w.paste_on)
    hard_ones = windows[40:60]
    assert all((w.shown is not None) == (w.picture == 1) for w in hard_ones)
    free = [w for w in windows[60:] if w.picture > 4]
    assert 0.3 < np.mean([w.shown is not None for w in free]) < 0.7
    assert not any(w.like_crop for w in windows)
    assert all(w.shown is None for w in _plan(pictures).windows(0, hard, seed=0))


def test_figures_whose_chromatin_reaches_far_are_drawn_more_often() -> None:
    small, large = crop("small"), crop("large", seed=1)
    large = Picture("large", "c", "c", with_spot(large.rgb, 64, 64, radius=24), large.figures)
    ground = Picture("ground", "lab", "ground", tissue(256, 256))
    plan = _plan((small, large, ground), paste_share=0.0, foreground=2000, by_extent=1.0)
    drawn = [w.picture for w in plan.windows(0, HardPool.empty(), seed=0)[:2000]]
    ratio = chromatin_extent(large.rgb) / chromatin_extent(small.rgb)
    assert ratio == pytest.approx(24 / 9, rel=0.15)
    assert drawn.count(1) / drawn.count(0) == pytest.approx(ratio, rel=0.15)


def test_chromatin_hangs_together_over_small_gaps_and_black_is_none() -> None:
    rgb = with_spot(with_spot(tissue(128, 128), 57, 64, radius=5), 71, 64, radius=5)
    far = with_spot(with_spot(tissue(128, 128), 64, 64, radius=5), 94, 64, radius=5)
    assert chromatin_extent(rgb) > 1.5 * chromatin_extent(far)
    black = far.copy()
    black[:, 76:] = 0
    assert chromatin_extent(black) == pytest.approx(chromatin_extent(far), rel=0.2)
    assert chromatin_extent(np.full((128, 128, 3), 200, np.uint8)) == 0.0


def test_as_published_all_background_is_random_and_then_all_hard(pictures: tuple[Picture, ...]) -> None:
    own = {"foreground": 2, "bg_hard": 62, "bg_random": 0, "look_alike_share": 0.0, "away_px": 40.0}
    plan = _plan(pictures, **own, field_share=1.0, paste_share=0.0)
    before = plan.windows(3, HardPool.empty(), seed=1)[2:]
    assert len({(one.picture, one.x, one.y) for one in before}) == 62
    for one in before:
        figures = pictures[one.picture].figures
        assert not len(figures) or np.hypot(*(figures - (one.x, one.y)).T).min() > 40
    place = next(p for p, picture in enumerate(pictures) if picture.width > 128)
    after = plan.windows(3, HardPool.even([(place, 50.0, 60.0)]), seed=1)[2:]
    assert {one.picture for one in after} == {place}
    reach = plan.foreground.jitter_px
    assert max(abs(one.x - 50) for one in after) <= reach
