"""A review from two independent readings to its outcome, also where somebody stops half-way."""

from __future__ import annotations

import pytest

from mitoscope.curation.candidates import propose
from mitoscope.curation.review import ask_third, conclude, open_review, review_state
from mitoscope.detections import Detections
from mitoscope.errors import IncompleteRunError, StoreError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Policy, Round, RoundKind
from tests.curation.simulated import SimulatedExpert, SimulatedStudy

SURE = SimulatedExpert("sure", miss={}, confusion=0)
OTHER = SimulatedExpert("other", miss={}, confusion=0)
CONTRARY = SimulatedExpert("contrary", miss={}, confusion=1)


@pytest.fixture
def opened(study: SimulatedStudy) -> SimulatedStudy:
    """Return a study of which six cells are under review, in two bins."""
    points = study.missed_figures([])[:6]
    found = {
        name: Detections.of([place[1:] for place in points if place[0] == name], [0.95, 0.85] * 3)
        for name in {place[0] for place in points}
    }
    assert len(propose(study.store, "odael", found, model="detector").cells) == 6
    return study


def test_two_experts_who_agree(opened: SimulatedStudy) -> None:
    for expert in (SURE, OTHER):
        for round_ in ("odael, bin 1 of 10", "odael, bin 2 of 10"):
            opened.read(expert, round_)
    state = review_state(opened.store, "odael")
    assert (state.cells, dict(state.read), state.next_step) == (6, {"sure": 6, "other": 6}, "conclude it")
    assert dict(state.outcome) == {MITOTIC_FIGURE.name: 6}
    assert ask_third(opened.store, "odael") == 0
    done = conclude(opened.store, "odael")
    assert (done.written, done.unchanged, done.open) == (6, 0, 0)
    assert opened.store.agreed(Policy.RECORDED).label_id.tolist() == [1] * 6
    again = conclude(opened.store, "odael")
    assert (again.written, again.unchanged) == (0, 6)
    assert review_state(opened.store, "odael").next_step == "done"
    opened.store.verify()


def test_a_third_expert_decides_where_they_differ_and_may_not_be_one_of_them(opened: SimulatedStudy) -> None:
    for expert in (SURE, CONTRARY):
        opened.read(expert, "odael, bin 1 of 10")
        opened.read(expert, "odael, bin 2 of 10")
    assert review_state(opened.store, "odael").next_step == "a third expert decides"
    assert ask_third(opened.store, "odael") == 6
    assert ask_third(opened.store, "odael") == 0
    opened.read(CONTRARY, "odael, third expert")
    assert review_state(opened.store, "odael").undecided == 6
    with pytest.raises(IncompleteRunError, match="6 disputed cells wait for a third"):
        conclude(opened.store, "odael")
    opened.read(OTHER, "odael, third expert")
    assert dict(conclude(opened.store, "odael").label_of) == dict.fromkeys(range(1, 7), 1)


def test_a_further_reader_of_the_same_round_decides_nothing(opened: SimulatedStudy) -> None:
    for expert in (SURE, CONTRARY, OTHER):
        for round_ in ("odael, bin 1 of 10", "odael, bin 2 of 10"):
            opened.read(expert, round_)
    state = review_state(opened.store, "odael")
    assert (state.disputed, state.undecided, state.next_step) == (6, 6, "a third expert decides")
    with pytest.raises(IncompleteRunError, match="6 disputed cells wait for a third"):
        conclude(opened.store, "odael")
    assert dict(conclude(opened.store, "odael", partial=True).label_of) == {}
    assert ask_third(opened.store, "odael") == 6


def test_candidates_that_nobody_read_are_what_the_lead_says(opened: SimulatedStudy) -> None:
    for expert in (SURE, OTHER):
        opened.read(expert, "odael, bin 1 of 10")
    read = review_state(opened.store, "odael").outcome[MITOTIC_FIGURE.name]
    with pytest.raises(IncompleteRunError, match="wait for"):
        conclude(opened.store, "odael")
    done = conclude(opened.store, "odael", unread=LOOK_ALIKE.name)
    assert (done.written, done.open) == (6, 0)
    ids = opened.store.labels()
    outcome = [ids[label].name for label in opened.store.agreed(Policy.RECORDED).label_id.tolist()]
    assert sorted(outcome) == [LOOK_ALIKE.name] * (6 - read) + [MITOTIC_FIGURE.name] * read
    opened.read(SURE, "odael, bin 2 of 10")  # who reads one now is heard
    with pytest.raises(IncompleteRunError, match="wait for"):
        conclude(opened.store, "odael", unread=LOOK_ALIKE.name)
    with pytest.raises(StoreError, match="other cell"):
        conclude(opened.store, "odael", unread="other cell")


def test_a_round_left_half_done_is_said_and_goes_on(opened: SimulatedStudy) -> None:
    opened.read(SURE, "odael, bin 1 of 10")
    opened.read(SURE, "odael, bin 2 of 10")
    opened.read(CONTRARY, "odael, bin 1 of 10", stop_after=2)
    state = review_state(opened.store, "odael")
    assert (state.waiting, state.disputed, state.next_step) == (4, 2, "two experts read")
    with pytest.raises(IncompleteRunError, match=r"4 of 6 cells wait for a reading \(sure 6, contrary 2\)"):
        ask_third(opened.store, "odael")
    assert ask_third(opened.store, "odael", partial=True) == 2
    opened.read(CONTRARY, "odael, bin 1 of 10")
    opened.read(CONTRARY, "odael, bin 2 of 10")
    assert ask_third(opened.store, "odael") == 4
    assert conclude(opened.store, "odael", partial=True).open == 6


def test_a_review_of_known_cells_does_not_show_what_was_said_before(study: SimulatedStudy) -> None:
    study.screen(CONTRARY, Round("screening", RoundKind.SCREENING))
    assert open_review(study.store, "hard", [1, 2, 3]) == 3
    assert open_review(study.store, "hard", [2, 3, 4]) == 1
    study.read(SURE, "hard")
    study.read(OTHER, "hard")
    truth = [study.truth_of(cell) for cell in (1, 2, 3, 4)]
    names = {id_: label.name for id_, label in study.store.labels().items()}
    found = conclude(study.store, "hard").label_of
    assert [names[found[cell]] for cell in (1, 2, 3, 4)] == truth
    assert {LOOK_ALIKE.name, MITOTIC_FIGURE.name} >= set(truth)


def test_what_is_no_review(study: SimulatedStudy) -> None:
    study.screen(SURE, Round("screening", RoundKind.SCREENING))
    with pytest.raises(StoreError, match="no review of the name 'odael'"):
        review_state(study.store, "odael")
    with pytest.raises(StoreError, match="no review of the name 'screening'"):
        conclude(study.store, "screening")
    with pytest.raises(StoreError, match="no cells to review"):
        open_review(study.store, "hard", [])
