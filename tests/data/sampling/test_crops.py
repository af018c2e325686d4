from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.sampling.by_share import CropsConfig, plan_crops
from mitoscope.data.sampling.scheme import HardPool, Scheme
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train

LABELS = ("mitotic figure", "look-alike")


def _plan(fields: tuple[Picture, ...], labels: tuple[str, ...] = LABELS, **values: object) -> Scheme:
    own: dict[str, object] = {"kind": "crops", "window_px": 64, "batch": 10, "epoch": 100}
    return plan_crops(fields, CropsConfig.parse(own | values, where="test"), labels=labels)


def _windows(plan: Scheme, hard: HardPool | None = None) -> list[Window]:
    none = HardPool.empty() if hard is None else hard
    return [w for step in range(20) for w in plan.windows(step, none, seed=5)]


def test_the_rarer_class_is_oversampled_until_both_are_alike(labelled_fields: tuple[Picture, ...]) -> None:
    assert Counter(w.score for w in _windows(_plan(labelled_fields))) == {0.0: 100, 1.0: 100}


def test_without_oversampling_classes_come_as_they_are(labelled_fields: tuple[Picture, ...]) -> None:
    drawn = Counter(w.score for w in _windows(_plan(labelled_fields, oversample=False)))
    assert drawn == {0.0: 114, 1.0: 86}  # 20 figures and 15 look-alikes: 57 and 43 of a hundred


def test_crops_are_centred_on_a_cell_of_their_class(labelled_fields: tuple[Picture, ...]) -> None:
    for window in _windows(_plan(labelled_fields)):
        field = labelled_fields[window.picture]
        cells = (field.figures, field.look_alikes)[int(window.score)]
        assert np.abs(cells - (window.x, window.y)).max(axis=1).min() <= 4


def test_background_and_hard_negatives_are_of_the_second_class(labelled_fields: tuple[Picture, ...]) -> None:
    anywhere = [w for w in _windows(_plan(labelled_fields, background=1.0)) if w.score == 1]
    assert len(anywhere) == 100
    for window in anywhere:
        figures = labelled_fields[window.picture].figures
        assert not len(figures) or np.hypot(*(figures - (window.x, window.y)).T).min() > 40
    hard = HardPool.even([(5, 77.0, 88.0)] * 1000)
    mined = [w for w in _windows(_plan(labelled_fields), hard) if w.score == 1]
    assert sum(w.picture == 5 for w in mined) > 90


def test_an_empty_class_is_an_error_that_names_it(labelled_fields: tuple[Picture, ...]) -> None:
    with pytest.raises(
        TrainingDataError, match="no cell of the class 'granulocyte' among the training cases"
    ):
        _plan(labelled_fields, (*LABELS, "granulocyte"))


def test_a_small_crop_with_its_figure_in_the_middle_has_no_background() -> None:
    rgb = np.zeros((56, 56, 3), np.uint8)
    crop = Picture("c", "lab", "c", rgb, np.array([[28.0, 28.0]]))
    plan = _plan((crop,), background=1.0)
    with pytest.raises(TrainingDataError, match=r"data\.sampling\.background: no place further than 40 px"):
        _windows(plan)
