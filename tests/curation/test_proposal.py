"""Candidates in the store: hidden scores, bins as rounds, once however often they are proposed."""

from __future__ import annotations

import numpy as np
import pytest

from mitoscope.curation.candidates import propose
from mitoscope.curation.review import conclude, open_review, open_third, review_state
from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConflictError, FormatError, StoreError
from mitoscope.store import Policy, Rater, Round, RoundKind
from mitoscope.store.reviews import read_review, scores_in
from mitoscope.store.terms import Terms, assign, read_assignments, read_round_row, write_terms
from tests.curation.simulated import SimulatedExpert, SimulatedStudy
from tests.store.replay import events_of
from tests.store.session import Session

FOUND = {
    "slide 0.svs": Detections.of([[30, 30], [30, 40], [3_900, 30]], [0.95, 0.5, 0.31]),
    "slide 1.svs": Detections.of([[30, 30]], [0.92]),
}


def test_each_bin_is_a_round_with_its_candidates(study: SimulatedStudy) -> None:
    done = propose(study.store, "odael", FOUND, model="detector 1")
    assert (len(done.cells), done.found, done.known, dict(done.bins)) == (3, 4, 1, {1: 2, 7: 1})
    names = [one.name for one in study.store.rounds().values()]
    assert names[-2:] == ["odael, bin 1 of 10", "odael, bin 7 of 10"]
    with study.store.reading() as connection:
        proposals = read_review(connection, "odael").proposals
        assert sorted(scores_in(connection, proposals or 0).values()) == [0.31, 0.92, 0.95]
    study.store.verify()


def test_a_model_may_call_a_candidate_atypical(study: SimulatedStudy) -> None:
    label = np.array(["atypical mitotic figure", "mitotic figure", "mitotic figure"])
    found = FOUND["slide 0.svs"].relabelled(label).with_searched(Searched(threshold=0.4))
    propose(study.store, "odael", {"slide 0.svs": found}, model="detector 1", bins=1, radius_px0=5)
    written = study.store.export_study()
    names = [written.labels.names[label] for label in written.events.label.tolist() if label >= 0]
    assert sorted(names) == ["atypical mitotic figure", "mitotic figure", "mitotic figure candidate"]


def test_known_cells_of_the_store_as_it_is_now_are_left_out(study: SimulatedStudy) -> None:
    study.screen(SimulatedExpert("expert 1", miss={}), Round("screening", RoundKind.SCREENING))
    name, x, y = study.place_of(1)
    assert propose(study.store, "a", {name: Detections.of([[x + 20, y]], [0.9])}, model="d").cells == ()


def test_a_proposal_made_twice_stands_there_once(study: SimulatedStudy) -> None:
    first = propose(study.store, "odael", FOUND, model="detector 1")
    again = propose(study.store, "odael", FOUND, model="detector 1")
    assert again.is_repeated
    assert (again.cells, dict(again.bins)) == (first.cells, dict(first.bins))
    other = {"slide 0.svs": Detections.of([[500, 30]], [0.5])}
    with pytest.raises(ConflictError, match="another review"):
        propose(study.store, "odael", other, model="detector 1")


def test_nothing_is_written_where_one_candidate_is_outside_of_its_slide(study: SimulatedStudy) -> None:
    outside = FOUND | {"slide 2.svs": Detections.of([[9_000, 10]], [0.9])}
    with pytest.raises(FormatError, match=r"candidate on 'slide 2.svs': .*outside the slide"):
        propose(study.store, "odael", outside, model="detector 1")
    assert study.store.overview().cells == 0
    with pytest.raises(StoreError, match="no slide of the name"):
        propose(study.store, "odael", {"none.svs": Detections.empty()}, model="detector 1")


def test_raters_see_neither_score_nor_model_and_no_policy_counts_it(study: SimulatedStudy) -> None:
    done = propose(study.store, "odael", FOUND, model="detector 1", bins=1)
    rater = study.store.add_rater(Rater("expert 1"))
    round_id = study.store.open_round(Round("odael", RoundKind.CANDIDATE_REVIEW), cells=[])
    session = Session(study.store, rater, round_id)
    created = [one.seq for one in events_of(study.store, done.cells[0]) if one.kind == "create"]
    assert session.last_visible(done.cells[0]) == created[0]
    for policy in set(Policy) - {Policy.RECORDED}:
        assert not study.store.agreed(policy).label_id.any()


def test_a_review_does_not_swallow_a_round_of_its_name(study: SimulatedStudy) -> None:
    store = study.store
    study.screen(SimulatedExpert("expert 1", miss={}), Round("Lot 1", RoundKind.SCREENING))
    rater, round_id = (
        store.add_rater(Rater("expert 1")),
        store.open_round(Round("Lot 1", RoundKind.SCREENING)),
    )
    with store.writing() as connection:
        write_terms(connection, round_id, Terms(settings={"field_um": 500}))
        assign(connection, round_id, [rater])
    before = store.overview()
    for bins in (1, 10):
        with pytest.raises(ConflictError, match="there is a round of the name 'Lot 1' already"):
            propose(store, "Lot 1", FOUND, model="detector 1", bins=bins)
    with pytest.raises(ConflictError, match="there is a round of the name 'Lot 1' already"):
        open_review(store, "Lot 1", [1, 2])
    assert store.overview() == before
    with store.reading() as connection:
        assert read_round_row(connection, round_id).terms.settings == {"field_um": 500}
        assert read_assignments(connection) == {round_id: [rater]}
    assert propose(store, "Lot 2", FOUND, model="detector 1").found == 4
    store.verify()


def test_a_third_expert_reads_what_was_disputed_in_any_round(study: SimulatedStudy) -> None:
    store = study.store
    study.screen(SimulatedExpert("expert 1", miss={}, confusion=0), Round("Lot 1", RoundKind.SCREENING))
    store.open_round(Round("second", RoundKind.SECOND_READ))
    study.read(SimulatedExpert("expert 2", miss={}, confusion=0.3), "second")
    wanted = len(store.disputed())
    assert open_third(store, "third look") == wanted > 0
    state = review_state(store, "third look")
    assert (state.waiting, state.disputed, state.undecided) == (0, wanted, wanted)
    study.read(SimulatedExpert("expert 3", miss={}, confusion=0), "third look")
    state = review_state(store, "third look")
    assert (state.waiting, state.undecided, state.next_step) == (0, 0, "conclude it")
    assert conclude(store, "third look").written == wanted
    assert review_state(store, "third look").next_step == "done"
