"""Crowd boxes and tile scores, worked out by hand and by brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.curation import merge_crowd_boxes
from mitoscope.errors import FormatError
from mitoscope.exchange import read_ground_truth
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Query, Store
from mitoscope.truth import TrueCells

from .crowd_at_work import label_by_crowd

BOX = [100.0, 100.0, 150.0, 150.0]


def test_two_overlapping_boxes_of_five_reviewers() -> None:
    merged = merge_crowd_boxes(
        [BOX, [110.0, 100.0, 160.0, 150.0], [500.0, 500.0, 550.0, 550.0]], [0, 1, 2], reviewers=5
    )
    assert merged is not None
    assert merged.boxes_px0.tolist() == [[105, 100, 155, 150]]
    assert merged.agreement.tolist() == [0.4]
    assert merged.score == 0.4


def test_a_tile_of_four_reviewers_says_nothing() -> None:
    assert merge_crowd_boxes([BOX, BOX], [0, 1], reviewers=4) is None
    assert merge_crowd_boxes([BOX, BOX], [0, 1], reviewers=4, minimum_reviewers=4) is not None


def test_a_tile_without_boxes_is_an_answer() -> None:
    merged = merge_crowd_boxes([], [], reviewers=5)
    assert merged is not None
    assert merged.score == 0.0


def test_one_reviewer_is_one_voice_however_often_he_draws() -> None:
    alone = merge_crowd_boxes([BOX, BOX, BOX], [0, 0, 0], reviewers=5)
    assert alone is not None
    assert len(alone.agreement) == 0
    merged = merge_crowd_boxes([BOX, BOX, [120.0, 100.0, 170.0, 150.0]], [0, 0, 1], reviewers=5)
    assert merged is not None
    assert merged.agreement.tolist() == [0.4]
    assert merged.boxes_px0.tolist() == [[110, 100, 160, 150]]


def test_the_agreement_of_a_crowd_at_work_tells_figures_from_look_alikes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = [MITOTIC_FIGURE.name, LOOK_ALIKE.name, LOOK_ALIKE.name]
    grid = np.array([[200.0, 300.0], [700.0, 200.0], [500.0, 800.0]])
    slides = {
        f"{number}.png": TrueCells.of(grid + random.normal(0, 30, (3, 2)), labels) for number in range(40)
    }
    path = tmp_path / "crowd.mito"
    with Store.create(path) as store:
        label_by_crowd(store, slides, side_px0=1000.0)
        frozen = store.freeze("CROWD", Query(threshold=0.0)).manifest
    half, every = (read_ground_truth(path, least_agreement=least) for least in (0.5, 0.0))
    assert every.n_figures == sum(frozen.cells.values()) > half.n_figures > 0
    assert all(slide.examined.contains([[20.0, 20.0], [980.0, 980.0]]).all() for slide in every)
    kinds: dict[str, list[float]] = {name: [] for name in labels}
    for slide in every:
        for point, agreement in zip(slide.cells.points_px0, slide.cells.agreement, strict=True):
            away = np.hypot(*(slides[slide.name].points_px0 - point).T)
            if away.min() < 30:
                kinds[str(slides[slide.name].label[away.argmin()])].append(float(agreement))
    figures, look_alikes = kinds.values()
    assert min(figures + look_alikes) == pytest.approx(2 / 6)
    assert np.mean(figures) > np.mean(look_alikes) + 0.15
    assert len(figures) > 35


def test_touching_boxes_do_not_overlap() -> None:
    merged = merge_crowd_boxes([BOX, [150.0, 100.0, 200.0, 150.0]], [0, 1], reviewers=5)
    assert merged is not None
    assert len(merged.agreement) == 0


@pytest.mark.parametrize("box", [[0, 0, 0, 10], [10, 0, 0, 10], [0, 0, np.nan, 10], [0, 0, np.inf, 10]])
def test_boxes_without_an_area_are_refused(box: list[float]) -> None:
    with pytest.raises(FormatError, match="a box that is empty"):
        merge_crowd_boxes([box], [0], reviewers=5)


def test_more_who_drew_than_who_reviewed() -> None:
    with pytest.raises(FormatError, match="6 drew boxes, but 5 reviewed"):
        merge_crowd_boxes([BOX] * 6, range(6), reviewers=5)
