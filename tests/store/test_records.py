"""A study refers to nothing that is not there, and says where it does."""

from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.labels import DEFAULT_LABELS, LabelSet
from mitoscope.store import (
    Cells,
    DatasetVersion,
    Domain,
    LabelEvents,
    Rater,
    Region,
    Round,
    Shape,
    SlideRecord,
    Study,
    StudyBuilder,
)

TWO_CELLS = Cells.spots([0, 1], [[1, 2], [3, 4]])
SLIDES = (SlideRecord("a.svs"), SlideRecord("b.svs", domain=Domain(scanner="XR")))


def test_columns_have_neutral_values() -> None:
    cells = Cells.spots([0, 1], [[1, 2], [3, 4]])
    assert cells.shape.tolist() == [Shape.SPOT, Shape.SPOT]
    assert cells.bounds_px0.tolist() == [[1, 2, 1, 2], [3, 4, 3, 4]]
    assert cells.guid.tolist() == [None, None]
    assert LabelEvents.of([0], [0], [-1]).round.tolist() == [0]


def test_columns_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Cells.spots([0], [[1, 2]]).bounds_px0[0] = 7


@pytest.mark.parametrize(
    ("events", "named"),
    [
        (LabelEvents.of([0], [1], [0]), "label event 0 names rater 1, but there are 1"),
        (LabelEvents.of([0, 2], [0, 0], [0, 0]), "label event 1 names cell 2"),
        (LabelEvents.of([0], [0], [2]), "label event 0 names label 2"),
        (LabelEvents.of([0], [0], [-2]), "label event 0 names label -2"),
        (LabelEvents.of([0], [0], [0], round=[1]), "label event 0 names round 1"),
    ],
)
def test_labels_of_unknown_raters_cells_and_labels_are_refused(events: LabelEvents, named: str) -> None:
    with pytest.raises(FormatError, match=named):
        Study(SLIDES, DEFAULT_LABELS, (Rater("x"),), cells=TWO_CELLS, events=events)


def test_a_cell_on_no_slide_is_refused() -> None:
    with pytest.raises(FormatError, match="cell 0 names slide 2, but there are 2"):
        Study(SLIDES, cells=Cells.spots([2], [[1, 2]]))


@pytest.mark.parametrize("names", [("a.svs", "a.svs"), ("", "b.svs")])
def test_names_are_one_and_not_empty(names: tuple[str, str]) -> None:
    with pytest.raises(FormatError, match=r"two slides of the name 'a.svs'|a slide without a name"):
        Study(tuple(map(SlideRecord, names)))


def test_a_version_names_cells_and_labels_that_are_there() -> None:
    version = DatasetVersion("MEL", 1, np.array([3]), np.array([0]))
    with pytest.raises(FormatError, match="row of version MEL 1 0 names cell 3"):
        Study(SLIDES, DEFAULT_LABELS, cells=Cells.spots([0], [[1, 2]]), versions=(version,))


def test_a_region_has_an_area() -> None:
    with pytest.raises(FormatError, match=r"vertices of shape \(k ≥ 3, 2\)"):
        Region(0, np.zeros((2, 2)))
    with pytest.raises(FormatError, match="NaN"):
        Region(0, np.array([[0, 0], [1, np.nan], [1, 1]]))


def test_columns_differ_in_length() -> None:
    with pytest.raises(FormatError, match="columns of one length"):
        LabelEvents.of([0, 1], [0], [0, 0])


def test_taking_cells_keeps_their_vertices_and_attributes() -> None:
    builder = StudyBuilder()
    slide = builder.slide(SLIDES[0])
    builder.cell(slide, (1, 2))
    builder.polygon(slide, [[0, 0], [5, 0], [5, 5]], attributes={"z": 1})
    cells = builder.build().cells.take(np.array([1]))
    assert cells.shape.tolist() == [Shape.POLYGON]
    assert cells.bounds_px0.tolist() == [[0, 0, 5, 5]]
    assert cells.vertices_px0[0].tolist() == [[0, 0], [5, 0], [5, 5]]
    assert cells.attributes == {0: {"z": 1}}


def test_the_builder_gives_equal_records_one_index() -> None:
    builder = StudyBuilder(LabelSet(()))
    assert [builder.rater(Rater("x")), builder.rater(Rater("y")), builder.rater(Rater("x"))] == [0, 1, 0]
    assert [builder.round(Round("unstated")), builder.round(Round("second"))] == [0, 1]
    assert builder.build().cells == Cells.empty()
