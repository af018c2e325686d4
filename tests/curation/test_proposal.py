"""Candidates in the store: hidden scores, bins as rounds, once however often they are proposed."""

from __future__ import annotations

import pytest

from mitoscope.curation.candidates import propose, proposed_scores
from mitoscope.detections import Detections
from mitoscope.errors import ConflictError, FormatError, StoreError
from mitoscope.store import Policy, Rater, Round, RoundKind
from tests.curation.simulated import SimulatedExpert, SimulatedStudy
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
    assert sorted(proposed_scores(study.store, "odael").values()) == [0.31, 0.92, 0.95]
    study.store.verify()


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
    created = [one.seq for one in study.store.events_of(done.cells[0]) if one.kind == "create"]
    assert session.last_visible(done.cells[0]) == created[0]
    for policy in set(Policy) - {Policy.RECORDED}:
        assert not study.store.agreed(policy).label_id.any()
