"""A rater at work: conflicts, repeats, blinding, and what is refused."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mitoscope.errors import ConflictError, FormatError, StoreError
from mitoscope.geometry import BoxPx0
from mitoscope.store import Geometry, Rater, Round, RoundKind, Shape, Store
from tests.store.making import cells_in
from tests.store.replay import events_of
from tests.store.session import Session


def test_a_change_since_it_was_seen_is_a_conflict(store: Store) -> None:
    board = store.open_round(Round("board", RoundKind.BOARD_REVIEW))
    one, two = Session(store, 1, board), Session(store, 2, board)
    seen = two.last_visible(1)
    one.label(1, 1)
    with pytest.raises(ConflictError, match="cell 1: has changed since it was read"):
        two.label(1, 2, expected=seen)
    two.label(1, 2, expected=two.last_visible(1))


def test_a_blinded_rater_does_not_notice_another(store: Store) -> None:
    second = store.open_round(Round("second read", RoundKind.SECOND_READ))
    one, two = Session(store, 1, second), Session(store, 2, second)
    before = two.last_visible(1)
    one.label(1, 1)
    assert two.last_visible(1) == before
    assert two.own_labels([1]).keys() == {1}  # from the import, in this round
    two.label(1, 2, expected=before)


def test_a_move_is_seen_by_the_blinded_too(store: Store) -> None:
    second = store.open_round(Round("second read", RoundKind.SECOND_READ))
    one, two = Session(store, 1, second), Session(store, 2, second)
    before = two.last_visible(1)
    one.move(1, Geometry.spot(5, 5))
    with pytest.raises(ConflictError, match="has changed since it was read"):
        two.label(1, 2, expected=before)


def test_a_repeated_request_is_done_once(store: Store, reader: Session) -> None:
    first = reader.label(1, 2, key="k")
    again = reader.label(1, 2, key="k")
    assert (again.seq, again.is_repeated) == (first.seq, True)
    assert sum(one.kind == "label" for one in events_of(store, 1)) == 3
    made = reader.create(1, Geometry.spot(1, 1), key="c")
    assert reader.create(1, Geometry.spot(1, 1), key="c").cell_id == made.cell_id
    assert len(store.export_study().cells) == 51


def test_a_repeat_is_harmless_after_others_have_acted(store: Store) -> None:
    board = store.open_round(Round("board", RoundKind.BOARD_REVIEW))
    one, two = Session(store, 1, board), Session(store, 2, board)
    seen = one.last_visible(1)
    done = one.label(1, 1, key="k", expected=seen)
    two.label(1, 2)
    assert one.label(1, 1, key="k", expected=seen).seq == done.seq


@pytest.mark.parametrize("other", [(2, 2), (1, 1), (1, None)])
def test_a_key_for_another_action_is_a_conflict(reader: Session, other: tuple[int, int | None]) -> None:
    reader.label(1, 2, key="k")
    with pytest.raises(ConflictError, match="key 'k': this key was used for another action"):
        reader.label(*other, key="k")


def test_deleted_cells_are_not_labelled_and_come_back_as_they_were(store: Store, reader: Session) -> None:
    everything = BoxPx0(-1, -1, 20_000, 20_000)
    before = cells_in(store, 1, everything).cell_id.tolist()
    reader.delete(1)
    assert cells_in(store, 1, everything).cell_id.tolist() == [cell for cell in before if cell != 1]
    with pytest.raises(ConflictError, match="cell 1: is deleted"):
        reader.label(1, 1)
    with pytest.raises(ConflictError, match="cell 1: is deleted"):
        reader.delete(1)
    reader.restore(1)
    with pytest.raises(ConflictError, match="is not deleted"):
        reader.restore(1)
    assert cells_in(store, 1, everything).cell_id.tolist() == before
    store.verify()


def test_a_moved_cell_is_found_where_it_is(store: Store, reader: Session) -> None:
    reader.move(1, Geometry.polygon([[9000, 7000], [9050, 7000], [9025, 7050]]))
    found = cells_in(store, 1, BoxPx0(9000, 7000, 10, 10))
    assert found.cell_id.tolist() == [1]
    assert found.shape.tolist() == [Shape.POLYGON]
    assert found.bounds_px0.tolist() == [[9000, 7000, 9050, 7050]]
    store.verify()


@pytest.mark.parametrize(
    ("geometry", "why"),
    [
        (Geometry.spot(np.nan, 1), "NaN or infinite"),
        (Geometry.spot(np.inf, 1), "NaN or infinite"),
        (Geometry.spot(10_001, 1), "outside the slide"),
        (Geometry.spot(1, -0.5), "outside the slide"),
        (Geometry(Shape.BOX, (5, 5, 4, 6)), "corners in the wrong order"),
        (Geometry(Shape.BOX, (-60, 5, -10, 6)), "outside the slide"),
    ],
)
def test_places_that_are_not_on_the_slide(
    store: Store, reader: Session, geometry: Geometry, why: str
) -> None:
    before = store.export_study()
    with pytest.raises(FormatError, match=why):
        reader.create(1, geometry)
    with pytest.raises(FormatError, match=why):
        reader.move(1, geometry)
    assert store.export_study() == before
    store.verify()


def test_what_is_not_there_is_named(store: Store, reader: Session) -> None:
    for action, named in (
        (lambda: reader.label(999, 1), "cell 999: no such cell"),
        (lambda: reader.label(1, 9), "no label 9"),
        (lambda: Session(store, 9, 1).label(1, 1), "no rater 9"),
        (lambda: Session(store, 1, 9).label(1, 1), "no round 9"),
        (lambda: reader.create(9, Geometry.spot(1, 1)), "no slide 9"),
        (lambda: Session(store, 1, 99).next_unlabelled(), "no round 99"),
        (lambda: store.slide_id("x"), "no slide of the name 'x'"),
    ):
        with pytest.raises(StoreError, match=named):
            action()


@pytest.mark.parametrize("score", [-0.1, 1.1, np.nan])
def test_scores_are_in_0_to_1(reader: Session, score: float) -> None:
    with pytest.raises(FormatError, match=r"is not in \[0, 1\]"):
        reader.label(1, 1, score=score)


def test_polygons_have_three_vertices() -> None:
    with pytest.raises(FormatError, match="a polygon of 2 vertices"):
        Geometry.polygon([[0, 0], [1, 1]])


def test_threads_take_turns(store: Store) -> None:
    def work(rater: int) -> None:
        session = Session(store, rater, 1)
        for cell in range(1, 41):
            session.label(cell, 1 + cell % 2, key=f"{rater}/{cell}")
            session.next_unlabelled()

    raters = [store.add_rater(Rater(f"r{n}")) for n in range(4)]
    threads = [threading.Thread(target=work, args=(rater,)) for rater in raters]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    with store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM event WHERE key IS NOT NULL").fetchone() == (160,)
    store.verify()
