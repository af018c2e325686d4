"""Ground truth: what it refuses, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mitoscope.errors import LeakError, NoAgreedClassError, NotExaminedError, TruthError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells, repeated_rows

CELLS = TrueCells.of([[10, 20], [30, 40]], [MITOTIC_FIGURE.name, LOOK_ALIKE.name], agreement=[0.6, 1.0])


def test_atypical_figures_count_as_figures() -> None:
    cells = TrueCells.of(
        [[1, 1], [2, 2], [3, 3]], ["atypical mitotic figure", "mitotic figure", "look-alike"]
    )
    assert cells.figures_px0.tolist() == [[1, 1], [2, 2]]
    assert cells.look_alikes_px0.tolist() == [[3, 3]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"agreement": [0.6, 1.2]}, r"an agreement of 1\.2 is not in \[0, 1\]"),
        ({"size_px0": [[50, 50], [0, 50]]}, "a box without extent"),
        ({"points_px0": [[10, 20], [float("nan"), 0]]}, "NaN"),
    ],
)
def test_impossible_cells_are_refused(change: dict[str, object], message: str) -> None:
    values = {"points_px0": CELLS.points_px0, "label": CELLS.label, "agreement": CELLS.agreement} | change
    with pytest.raises(TruthError, match=message):
        TrueCells.of(**values)  # type: ignore[arg-type]


def test_the_same_pixels_on_both_sides_are_refused() -> None:
    first = SlideTruth("a.svs", CELLS, side="train", sha256="1" * 64)
    with pytest.raises(LeakError, match=r"the same pixels as 'a.svs'"):
        GroundTruth((first, replace(first, name="b.svs", case="b", side="test")))


def test_a_case_on_both_sides_is_refused() -> None:
    first = SlideTruth("a.svs", CELLS, case="dog 1", side="train")
    with pytest.raises(LeakError, match="the same case"):
        GroundTruth((first, replace(first, name="b.svs", side="test")))


def test_a_region_image_is_examined_in_full_and_a_whole_slide_must_be_stated() -> None:
    image = SlideTruth("roi.tiff", CELLS, mpp=Mpp.square(0.25), size=SizePx(7000, 5000))
    assert image.examined.region is None
    slide = SlideTruth("slide.svs", CELLS, mpp=Mpp.square(0.25), size=SizePx(90_000, 70_000))
    with pytest.raises(NotExaminedError, match=r"slide.svs"):
        _ = slide.examined
    assert replace(slide, stated_examined=ExaminedArea.whole("stated by the user")).examined.region is None


def test_rows_that_stand_twice_are_taken_once_and_counted() -> None:
    twice = GroundTruth((SlideTruth("a", TrueCells.of([[1, 1], [1, 1]], "mitotic figure")),))
    once = twice.without_duplicates()
    assert once.n_figures == 1
    assert once.notes == ("1 repeated row of the ground truth counted once",)


def test_the_hash_follows_the_content_and_not_the_order() -> None:
    truth = GroundTruth((SlideTruth("a", CELLS), SlideTruth("b", TrueCells.none())))
    assert truth.sha256 == GroundTruth(tuple(reversed(truth.slides))).sha256
    moved = replace(CELLS, agreement=CELLS.agreement * 0.5)
    assert truth.sha256 != GroundTruth((SlideTruth("a", moved), SlideTruth("b"))).sha256


def test_no_cell_with_a_class_is_an_error_that_names_the_policy() -> None:
    with pytest.raises(NoAgreedClassError, match=r"--policy"):
        GroundTruth((SlideTruth("a"),)).need_cells()


def test_of_equal_rows_all_but_the_first_repeat() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 2.0], [1.0, 2.0], [1.0, 3.0], [3.0, 2.0], [1.0, 2.0]])
    assert repeated_rows(rows).tolist() == [False, False, True, False, True, True]
    assert repeated_rows(np.empty((0, 2))).tolist() == []
