"""The scheme of a second look: figures, proposals by what they score, places beside figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mitoscope.data.augment import AugmentConfig
from mitoscope.data.batches import make_batches
from mitoscope.data.field import Field, Labels
from mitoscope.data.picture import Picture
from mitoscope.data.sampling import PROPOSAL, Candidates, CandidatesConfig, HardPool, plan
from mitoscope.data.window import Window
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.labels import AMBIGUOUS, LOOK_ALIKE, MITOTIC_FIGURE

from ..made import crop, tissue

pytestmark = pytest.mark.train

LABELS = (MITOTIC_FIGURE.name, LOOK_ALIKE.name)


def field(
    source: str,
    proposals: list[tuple[float, float, float]],
    *,
    figures: list[tuple[float, float]] | None = None,
    look_alikes: list[tuple[float, float]] | None = None,
    unclear: list[tuple[float, float]] | None = None,
) -> Field:
    picture = Picture(
        source,
        source,
        f"{source}/1",
        tissue(256, 256, seed=len(source)),
        np.array(figures or []).reshape(-1, 2),
        np.array(look_alikes or []).reshape(-1, 2),
        others=Labels.of(np.array(unclear or []).reshape(-1, 2), AMBIGUOUS.name),
    )
    points = np.array(proposals).reshape(-1, 3)
    return picture.with_cells(Labels.of(points[:, :2], PROPOSAL, points[:, 2]))


def scheme(*fields: Field, **values: Any) -> Candidates:
    planned = plan(fields, CandidatesConfig(kind="candidates", **values), labels=LABELS, mpp=0.25)
    assert isinstance(planned, Candidates)
    return planned


ALONE = {"look_alikes": 0.0, "off_centre": 0.0, "anywhere": 0.0, "proposals": 1.0}


def drawn(planned: Candidates, steps: int = 40, hard: HardPool | None = None) -> list[Window]:
    pool = HardPool.empty() if hard is None else hard
    return [window for step in range(steps) for window in planned.windows(step, pool, seed=1)]


def test_a_batch_has_its_figures_and_the_same_again() -> None:
    planned = scheme(crop("a"), crop("b"), field("brecahad", [(60, 60, 0.5)]))
    windows = planned.windows(3, HardPool.empty(), seed=1)
    assert [window.score for window in windows] == [0.0] * 8 + [1.0] * 24
    assert windows == planned.windows(3, HardPool.empty(), seed=1)
    assert windows != planned.windows(4, HardPool.empty(), seed=1)
    assert all(abs(w.x - 64) <= 5 and abs(w.y - 64) <= 5 for w in windows[:8])


def test_what_may_not_be_shown_is_no_proposal() -> None:
    places = [(60.0, 60.0, 0.9), (120.0, 60.0, 0.9), (5.0, 60.0, 0.9), (200.0, 60.0, 0.9), (60.0, 200.0, 0.4)]
    planned = scheme(field("brecahad", places, figures=[(75, 60)], unclear=[(200, 70)]))
    kept = list(zip(planned.proposals.x, planned.proposals.y, strict=True))
    assert kept == [(120.0, 60.0), (60.0, 200.0)]  # at no figure, border, or cell that nobody could tell


def test_proposals_are_drawn_by_their_score_and_every_source_alike() -> None:
    one = field("negative_fields", [(60.0, 60.0, 0.9), (60.0, 200.0, 0.03)])
    other = field("unsorted_fields", [(100.0, 100.0, 0.2)])
    planned = scheme(crop("a"), one, other, **ALONE)
    others = [window for window in drawn(planned) if window.score == 1]
    assert 0.4 < np.mean([window.picture == 2 for window in others]) < 0.6
    of_first = [window for window in others if window.picture == 1]
    assert np.mean([window.y < 100 for window in of_first]) > 0.85


def test_new_scores_decide_and_the_likeliest_figures_are_left_out() -> None:
    count = 200
    grid = [(20.0 + 10 * (i % 20), 20.0 + 10 * (i // 20), 0.5) for i in range(count)]
    noisy = field("negative_fields", grid, look_alikes=[(20.0, 20.0)])
    sure = field("brecahad", [(100.0, 100.0, 0.5)])
    planned = scheme(crop("a"), noisy, sure, **ALONE, banned=0.02)
    score = np.linspace(0.9, 0.1, count + 1)
    score[-1] = 0.99
    pool = planned.weighed(score)
    assert pool.weight.sum() == pytest.approx(1)
    known = np.hypot(pool.x - 20, pool.y - 20) < 15
    banned = np.flatnonzero(pool.weight == 0)
    assert len(banned) == 3  # 2 % of those that may be figures
    assert not known[banned].any()
    assert banned.max() < 10
    assert pool.weight[-1] == pytest.approx(0.5)  # labelled by experts: never left out
    assert all((window.picture, window.score) != (0, 1.0) for window in drawn(planned, hard=pool))


def test_off_centre_windows_lie_beside_every_figure_of_their_crop() -> None:
    two = crop("a")
    two = Picture("a", two.source, two.case, two.rgb, np.array([[64.0, 64.0], [94.0, 64.0]]), mirror_px=40)
    planned = scheme(two, look_alikes=0.0, proposals=0.0, anywhere=0.0, off_centre=1.0)
    others = [window for window in drawn(planned) if window.score == 1]
    assert len(others) == 40 * 24
    for window in others:
        apart = np.hypot(*(two.figures - (window.x, window.y)).T)
        assert apart.min() >= 28
        assert apart[0] <= 44
        assert max(abs(window.x - 64), abs(window.y - 64)) <= 30  # the window does not leave the crop


def test_places_anywhere_are_on_whole_fields_and_away_from_figures() -> None:
    whole = field("brecahad", [], figures=[(128.0, 128.0)])
    planned = scheme(crop("a"), whole, look_alikes=0.0, proposals=0.0, off_centre=0.0, anywhere=1.0)
    others = [window for window in drawn(planned, 5) if window.score == 1]
    assert {window.picture for window in others} == {1}
    assert min(np.hypot(window.x - 128, window.y - 128) for window in others) > 30


def test_the_share_of_a_kind_that_no_field_has_falls_to_the_rest() -> None:
    planned = scheme(crop("a"), look_alikes=0.5, proposals=0.4, anywhere=0.05, off_centre=0.05)
    assert len(drawn(planned, 2)) == 64
    with pytest.raises(TrainingDataError, match="no place for windows without a figure"):
        drawn(scheme(crop("a"), **ALONE), 1)


def test_what_the_scheme_cannot_teach_is_refused() -> None:
    fields = (crop("a"), field("brecahad", [(60, 60, 0.5)]))
    config = CandidatesConfig(kind="candidates")
    with pytest.raises(ConfigError, match=r"figures or look-alikes, not mitotic figure, granulocyte"):
        plan(fields, config, labels=(MITOTIC_FIGURE.name, "granulocyte"), mpp=0.25)
    with pytest.raises(TrainingDataError, match="no mitotic figure to train on"):
        plan(fields[1:], config, labels=LABELS, mpp=0.25)


def test_plain_windows_are_the_pixels_around_their_places() -> None:
    whole = field("brecahad", [(60.0, 60.0, 0.5)], figures=[(150.0, 150.0)])
    batches = make_batches(
        (whole,),
        CandidatesConfig(kind="candidates"),
        AugmentConfig(),
        labels=LABELS,
        mpp=0.25,
        stride_px=1,
        seed=1,
    )
    shown = batches.plain([Window(0, 60.0, 70.0), Window(0, 150.0, 150.0)])
    assert shown.shape == (2, 68, 68, 3)
    assert isinstance(whole, Picture)
    assert np.abs(shown[0].astype(int) - whole.rgb[36:104, 26:94]).max() <= 1
