"""What a search found in the study: scores and threshold of one model, found again, gone, and reviewed."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from mitoscope.curation.review import review_state
from mitoscope.curation.searches import KeptSearch, keep_search, review_searched
from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConflictError, NotFoundError
from mitoscope.geometry import SizePx
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.region import Region
from mitoscope.store import (
    CellEvent,
    Rater,
    Round,
    SeenCells,
    Visitor,
    cells_seen,
    intern_labels,
    permit,
    read_search,
    record,
)
from mitoscope.store.access import Role
from mitoscope.store.sight import Operation
from mitoscope.store.terms import Terms, assign, write_terms
from tests.curation.simulated import SimulatedStudy

SLIDE = "slide 0.svs"
PLACES = [[30, 30], [200, 30], [3_900, 30]]


SIZE = SizePx(4_000, 4_000)


def _found(scores: list[float], places: list[list[int]] = PLACES, *, threshold: float = 0.4) -> Detections:
    return Detections.of(places, scores, searched=Searched(threshold=threshold, calibrated=True, size=SIZE))


def _slide_id(study: SimulatedStudy) -> int:
    return next(id_ for id_, slide in study.store.slides().items() if slide.name == SLIDE)


def _shown(study: SimulatedStudy) -> SeenCells:
    slide_id = _slide_id(study)
    with study.store.writing() as connection:
        round_id = int(connection.execute("SELECT id FROM round WHERE name = 'look'").fetchone()[0])
        (rater_id,) = connection.execute("SELECT id FROM rater WHERE name = 'lead'").fetchone()
        visitor = Visitor(rater_id, Role.LEAD, is_open=True)
        sight = permit(connection, visitor, Operation.READ, round_id=round_id).sight
        return cells_seen(connection, sight, slide_id)


@pytest.fixture
def looked_at(study: SimulatedStudy) -> SimulatedStudy:
    """Return a study with an open round in which a lead sees all."""
    rater = study.store.add_rater(Rater("lead"))
    round_id = study.store.open_round(Round("look"), cells=None)
    with study.store.writing() as connection:
        write_terms(connection, round_id, Terms(shows_labels=True))
        assign(connection, round_id, [rater])
    return study


def test_candidates_come_with_score_and_threshold(looked_at: SimulatedStudy) -> None:
    done = keep_search(looked_at.store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    assert done == KeptSearch(new=3, known=0, gone=0)
    assert sorted(_shown(looked_at).score.tolist()) == [0.2, 0.6, 0.9]
    slide_id = _slide_id(looked_at)
    with looked_at.store.reading() as connection:
        assert read_search(connection, slide_id).threshold == 0.4
    looked_at.store.verify()


def test_the_same_search_again_changes_nothing(looked_at: SimulatedStudy) -> None:
    keep_search(looked_at.store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    events = looked_at.store.overview().events
    done = keep_search(looked_at.store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    assert (done.new, done.known, done.gone) == (0, 3, 0)
    assert looked_at.store.overview().events == events


def test_scores_are_those_of_the_model_whose_threshold_the_slide_has(looked_at: SimulatedStudy) -> None:
    keep_search(looked_at.store, SLIDE, _found([0.9, 0.8, 0.7]), model="cascade 1")
    again = _found([0.1, 0.3], [[33, 30], [500, 500]], threshold=0.05)
    done = keep_search(looked_at.store, SLIDE, again, model="cascade 2")
    assert (done.new, done.known) == (1, 1)
    score = _shown(looked_at).score
    assert sorted(score[~np.isnan(score)].tolist()) == [0.1, 0.3]  # not the larger ones of another model
    slide_id = _slide_id(looked_at)
    with looked_at.store.reading() as connection:
        assert read_search(connection, slide_id).threshold == 0.05


def test_what_a_new_search_of_the_model_lacks_is_a_candidate_no_more(looked_at: SimulatedStudy) -> None:
    store = looked_at.store
    keep_search(store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    shown = _shown(looked_at)
    labelled = int(shown.cell_id[shown.score == 0.6][0])
    with store.writing() as connection:
        (label_id,) = intern_labels(connection, LabelSet((MITOTIC_FIGURE,))).tolist()
        round_id = int(connection.execute("SELECT id FROM round WHERE name = 'look'").fetchone()[0])
        (rater_id,) = connection.execute("SELECT id FROM rater WHERE name = 'lead'").fetchone()
        record(connection, CellEvent("label", labelled, rater_id, round_id, label_id=label_id))
    done = keep_search(store, SLIDE, _found([0.9], PLACES[:1]), model="cascade 1")
    assert (done.known, done.gone) == (1, 2)
    shown = _shown(looked_at)
    assert len(shown.cell_id) == 2  # what a person has labelled stays, without the score
    assert np.isnan(shown.score[shown.cell_id == labelled]).all()
    store.verify()


def test_of_two_near_a_cell_the_surest_is_that_cell(looked_at: SimulatedStudy) -> None:
    store = looked_at.store
    keep_search(store, SLIDE, _found([0.5], [[100, 100]]), model="cascade 1")
    done = keep_search(store, SLIDE, _found([0.6, 0.7], [[84, 100], [118, 100]]), model="cascade 2")
    assert (done.new, done.known) == (1, 1)


def test_a_review_holds_what_lies_above_the_threshold_of_the_search(looked_at: SimulatedStudy) -> None:
    store, slide = looked_at.store, _slide_id(looked_at)
    keep_search(store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    with store.writing() as connection:
        opened = review_searched(connection, "candidates", {slide: None}, bins=1)
    assert (opened.cells, opened.below, opened.known) == (2, 1, 0)
    assert review_state(store, "candidates").cells == 2
    with store.writing() as connection:
        low = review_searched(connection, "the others", {slide: 0.0})
    assert (low.cells, low.known, len(low.rounds)) == (1, 2, 1)  # nobody is asked twice
    with pytest.raises(ConflictError), store.writing() as connection:
        review_searched(connection, "candidates", {slide: None})
    with pytest.raises(NotFoundError, match="was searched"), store.writing() as connection:
        review_searched(connection, "none", {slide + 1: None})


def test_a_table_alone_takes_nothing_back_and_a_part_only_its_own(looked_at: SimulatedStudy) -> None:
    store = looked_at.store
    keep_search(store, SLIDE, _found([0.9, 0.2, 0.6]), model="cascade 1")
    table = Detections.of([[700, 700]], [0.5], searched=Searched(threshold=0.4))
    assert keep_search(store, SLIDE, table, model="cascade 1") == KeptSearch(new=1, known=0, gone=0)
    left = Region(shapely.box(0, 0, 400, 400), "searched")
    part = Detections.of([[30, 30]], [0.9], searched=Searched(threshold=0.4, size=SIZE, region=left))
    assert keep_search(store, SLIDE, part, model="cascade 1") == KeptSearch(new=0, known=1, gone=1)
    assert len(_shown(looked_at).cell_id) == 3
