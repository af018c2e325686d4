"""Who may do what: every operation against role, round and blinding (promise 32)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import BlindedError, ForbiddenError, MitoscopeError, NotFoundError, RoundClosedError
from mitoscope.store import Rater, Round, RoundKind, SlideRecord, Store
from mitoscope.store.access import Role, Visitor
from mitoscope.store.sight import RULES, Operation, permit, round_slides, sees_result, slides_of
from mitoscope.store.signed import SignedResult, read_all_signed, sign
from mitoscope.store.tasks import TaskTile, add_tiles
from mitoscope.store.terms import Terms, assign, read_round_row, write_terms
from mitoscope.truth import RaterKind

LEAD, RATER, STRANGER = (
    Visitor(1, Role.LEAD, True),
    Visitor(2, Role.RATER, True),
    Visitor(3, Role.RATER, True),
)
WORKER = Visitor(4, Role.RATER, True, RaterKind.CROWD)
FREE, CLOSED, BLINDED = 3, 4, 5
CROWD, CASE = 6, 7
IN_ROUND = (Operation.ENTER, Operation.ANSWER, Operation.READ, Operation.WORK)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "study.mito")
    for name in ("a.svs", "b.svs"):
        made.add_slide(SlideRecord(name))
    for name in ("lead", "rater", "stranger"):
        made.add_rater(Rater(name))
    made.add_rater(Rater("worker", RaterKind.CROWD))
    made.open_round(Round("first"))
    rounds = [made.open_round(Round(name)) for name in ("free", "closed")]
    rounds.append(made.open_round(Round("second read", RoundKind.SECOND_READ)))
    rounds += [
        made.open_round(Round(str(kind), kind)) for kind in (RoundKind.CROWD_TILES, RoundKind.CASE_REVIEW)
    ]
    assert rounds == [FREE, CLOSED, BLINDED, CROWD, CASE]
    with made.writing() as connection:
        write_terms(connection, CLOSED, Terms(is_open=False))
        write_terms(connection, BLINDED, Terms(slides=(1,)))
        for round_id in (FREE, CLOSED):
            assign(connection, round_id, [RATER.rater_id])
        assign(connection, CROWD, [WORKER.rater_id])
        add_tiles(connection, [TaskTile(0, CROWD, 2, 0, 0, 100)])
    return made


def _answer(store: Store, who: Visitor, operation: Operation, round_id: int | None = None) -> object:
    try:
        with store.reading() as connection:
            if round_id is None:
                permit(connection, who, operation)
            else:
                permit(connection, who, operation, round_id=round_id)
    except MitoscopeError as error:
        return type(error)
    return "allowed"


def test_the_table_knows_every_operation() -> None:
    assert set(RULES) == set(Operation)


@pytest.mark.parametrize(
    ("who", "allowed"),
    [
        (LEAD, {Operation.LOOK, Operation.DRAW, Operation.LEAD, Operation.COMPARE}),
        (RATER, {Operation.LOOK, Operation.DRAW}),
        (WORKER, {Operation.LOOK}),
    ],
)
def test_outside_of_rounds_the_role_decides(store: Store, who: Visitor, allowed: set[Operation]) -> None:
    for operation in set(Operation) - set(IN_ROUND):
        expected = "allowed" if operation in allowed else ForbiddenError
        assert _answer(store, who, operation) == expected, operation


@pytest.mark.parametrize(
    ("who", "round_id", "read", "work"),
    [
        (RATER, FREE, "allowed", "allowed"),
        (RATER, CLOSED, "allowed", RoundClosedError),
        (RATER, BLINDED, ForbiddenError, ForbiddenError),
        (STRANGER, FREE, ForbiddenError, ForbiddenError),
        (LEAD, FREE, "allowed", "allowed"),
        (LEAD, CLOSED, "allowed", RoundClosedError),
        (LEAD, 99, NotFoundError, NotFoundError),
    ],
)
def test_in_rounds_the_assignment_decides(
    store: Store, who: Visitor, round_id: int, read: object, work: object
) -> None:
    assert _answer(store, who, Operation.READ, round_id) == read
    assert _answer(store, who, Operation.WORK, round_id) == work


def test_a_task_of_the_crowd_has_tiles_and_no_cells(store: Store) -> None:
    for who in (WORKER, LEAD):
        assert _answer(store, who, Operation.ENTER, CROWD) == "allowed"
        assert _answer(store, who, Operation.ANSWER, CROWD) == "allowed"
        assert _answer(store, who, Operation.READ, CROWD) is ForbiddenError
        assert _answer(store, who, Operation.WORK, CROWD) is ForbiddenError
    assert _answer(store, WORKER, Operation.DRAW) is ForbiddenError


def test_a_round_has_its_slides_only(store: Store) -> None:
    with store.reading() as connection:
        assert permit(connection, LEAD, Operation.READ, round_id=BLINDED, slide_id=1).row.id == BLINDED
        for slide in (2, 99):
            with pytest.raises(NotFoundError, match="no such slide in this round"):
                permit(connection, LEAD, Operation.READ, round_id=BLINDED, slide_id=slide)
        assert round_slides(connection, read_round_row(connection, CROWD)) == [2], "where its tiles lie"


def test_a_rater_sees_the_slides_of_the_own_rounds(store: Store) -> None:
    def slides() -> dict[int, set[int]]:
        with store.reading() as connection:
            return {who.rater_id: slides_of(connection, who) for who in (LEAD, RATER, STRANGER, WORKER)}

    assert slides() == {1: {1, 2}, 2: {1, 2}, 3: set(), 4: {2}}
    with store.writing() as connection:
        assign(connection, BLINDED, [STRANGER.rater_id])
    assert slides()[STRANGER.rater_id] == {1}
    with store.reading() as connection, pytest.raises(NotFoundError, match="no such slide among yours"):
        permit(connection, STRANGER, Operation.LOOK, slide_id=2)


def _signed(store: Store, *, slide: int, rater: int) -> SignedResult:
    with store.writing() as connection:
        return sign(connection, {"count": 35}, slide_id=slide, round_id=CASE, rater_id=rater)


def test_who_reads_blinded_compares_nothing_and_sees_no_result_of_that_slide(store: Store) -> None:
    for slide, rater in ((1, 2), (1, 1), (2, 2)):
        _signed(store, slide=slide, rater=rater)
    with store.writing() as connection:
        assign(connection, BLINDED, [LEAD.rater_id])
    assert _answer(store, LEAD, Operation.COMPARE) is BlindedError
    with store.reading() as connection:
        seen = [sees_result(connection, LEAD, one) for one in read_all_signed(connection)]
        assert seen == [True, True, False], "the newest first"
    with store.writing() as connection:
        write_terms(connection, BLINDED, Terms(is_open=False, slides=(1,)))
    assert _answer(store, LEAD, Operation.COMPARE) == "allowed"


def test_a_rater_sees_what_others_signed_of_a_case_after_signing_it(store: Store) -> None:
    first = _signed(store, slide=1, rater=LEAD.rater_id)

    def sees(who: Visitor) -> bool:
        with store.reading() as connection:
            return sees_result(connection, who, first)

    with store.writing() as connection:
        assign(connection, CASE, [RATER.rater_id])
    assert [sees(who) for who in (LEAD, RATER, STRANGER)] == [True, False, False]
    _signed(store, slide=2, rater=RATER.rater_id)
    assert not sees(RATER), "that was another slide"
    _signed(store, slide=1, rater=RATER.rater_id)
    _signed(store, slide=1, rater=STRANGER.rater_id)
    assert [sees(who) for who in (LEAD, RATER, STRANGER)] == [True, True, False]
