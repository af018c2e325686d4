"""From the board to new labels: the second expert does not see it, a third decides."""

from __future__ import annotations

import pytest

from mitoscope.curation.review import ask_second, ask_third, conclude, open_board, relabelled, review_state
from mitoscope.errors import IncompleteRunError
from mitoscope.store import Policy, Rater, Round, RoundKind
from tests.curation.simulated import SimulatedExpert, SimulatedStudy
from tests.store.session import Session

FAULTLESS = SimulatedExpert("expert 1", miss={}, confusion=0)


def test_what_is_relabelled_on_the_board_is_read_again_without_it(study: SimulatedStudy) -> None:
    store = study.store
    study.screen(FAULTLESS, Round("screening", RoundKind.SCREENING))
    view = store.agreed(Policy.UNANIMOUS)
    before = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
    assert open_board(store, "codael", list(before)) == 60
    with pytest.raises(IncompleteRunError, match="no cell was relabelled"):
        ask_second(store, "codael", before)
    board = Session(store, store.add_rater(Rater("expert 1")), 3)
    assert store.rounds()[3] == Round("codael", RoundKind.BOARD_REVIEW)
    for cell in (1, 2, 3):
        board.label(cell, 3 - before[cell])
    board.label(4, before[4])
    assert relabelled(store, "codael", before) == {cell: 3 - before[cell] for cell in (1, 2, 3)}
    assert ask_second(store, "codael", before) == 3
    # The second sees cells 2 and 3 as they truly are, and takes cell 1 as the board has it.
    study.read(SimulatedExpert("expert 2", miss={}, confusion=0), "codael, second read")
    second = Session(store, store.add_rater(Rater("expert 2")), 4)
    second.label(1, 3 - before[1])
    state = review_state(store, "codael")
    assert (state.cells, state.disputed, state.next_step) == (3, 2, "a third expert decides")
    assert ask_third(store, "codael") == 2
    study.read(SimulatedExpert("expert 3", miss={}, confusion=0), "codael, third expert")
    assert dict(conclude(store, "codael").label_of) == {1: 3 - before[1], 2: before[2], 3: before[3]}
    store.verify()
