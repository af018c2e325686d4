"""Who may do what: every operation against role, round and blinding (promise 32)."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import BlindedError, ForbiddenError, MitoscopeError, NotFoundError, RoundClosedError
from mitoscope.store import Rater, Round, RoundKind, SlideRecord, Store
from mitoscope.store.access import Role, Visitor
from mitoscope.store.sight import RULES, Operation, permit, sees_results
from mitoscope.store.terms import Terms, assign, write_terms

LEAD, RATER, STRANGER = (
    Visitor(1, Role.LEAD, True),
    Visitor(2, Role.RATER, True),
    Visitor(3, Role.RATER, True),
)
FREE, CLOSED, BLINDED = 3, 4, 5
IN_ROUND = (Operation.READ, Operation.WORK)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "study.mito")
    for name in ("a.svs", "b.svs"):
        made.add_slide(SlideRecord(name))
    for name in ("lead", "rater", "stranger"):
        made.add_rater(Rater(name))
    made.open_round(Round("first"))
    rounds = [made.open_round(Round(name)) for name in ("free", "closed")]
    rounds.append(made.open_round(Round("second read", RoundKind.SECOND_READ)))
    assert rounds == [FREE, CLOSED, BLINDED]
    with made.writing() as connection:
        write_terms(connection, CLOSED, Terms(is_open=False))
        write_terms(connection, BLINDED, Terms(slides=(1,)))
        for round_id in (FREE, CLOSED):
            assign(connection, round_id, [RATER.rater_id])
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


def test_a_round_has_its_slides_only(store: Store) -> None:
    with store.reading() as connection:
        assert permit(connection, LEAD, Operation.READ, round_id=BLINDED, slide_id=1).row.id == BLINDED
        for slide in (2, 99):
            with pytest.raises(NotFoundError, match="no such slide in this round"):
                permit(connection, LEAD, Operation.READ, round_id=BLINDED, slide_id=slide)


def test_who_reads_blinded_compares_nothing_and_sees_no_result_of_that_slide(store: Store) -> None:
    with store.writing() as connection:
        assign(connection, BLINDED, [LEAD.rater_id])
    assert _answer(store, LEAD, Operation.COMPARE) is BlindedError
    with store.reading() as connection:
        for slide, rater, expected in ((1, 2, False), (1, 1, True), (2, 2, True)):
            assert sees_results(connection, LEAD, slide_id=slide, rater_id=rater) == expected
    with store.writing() as connection:
        write_terms(connection, BLINDED, Terms(is_open=False, slides=(1,)))
    assert _answer(store, LEAD, Operation.COMPARE) == "allowed"
