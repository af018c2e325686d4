"""What surrounds the work on cells: requests, terms, orders of reading, fields, regions, tiles, boards."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import ConflictError, StoreError
from mitoscope.geometry import BoxPx0
from mitoscope.store import RegionKind, Round, RoundKind, SlideRecord, Store
from mitoscope.store import connection as module
from mitoscope.store.actions import once
from mitoscope.store.board import BoardPlace, add_board, read_board, read_places
from mitoscope.store.opinions import live_cells, read_opinions
from mitoscope.store.overview import overrulings
from mitoscope.store.progress import SlideWork, WorkUnit, rounds_read, work_done
from mitoscope.store.public_ids import SeenTokens, Veil, secret_of
from mitoscope.store.queue import NATURAL, ReadingOrder, next_cells, reading_order
from mitoscope.store.regions import (
    DrawnRegion,
    add_interest,
    delete_region,
    draw_region,
    edit_region,
    read_interests,
    read_regions,
    remove_interest,
    restore_interest,
    restore_region,
)
from mitoscope.store.schema import MIGRATIONS
from mitoscope.store.screening import (
    Field,
    begin_pass,
    read_screening,
    visit_field,
    write_plan,
)
from mitoscope.store.signed import read_all_signed, read_signed, sign
from mitoscope.store.tasks import TaskTile, add_tiles, answer_tile, next_tile, read_answers, read_tiles
from mitoscope.store.terms import (
    Terms,
    assign,
    is_assigned,
    read_assignments,
    read_round_row,
    write_terms,
)
from mitoscope.store.vocabulary import read_setting, write_setting
from mitoscope.truth import first_three
from tests.store.making import Clock
from tests.store.session import Session

SQUARE = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])


def test_a_request_is_done_once_and_its_key_is_for_nothing_else(store: Store) -> None:
    done: list[int] = []

    def act() -> dict[str, Any]:
        done.append(1)
        return {"n": len(done)}

    with store.writing() as connection:
        assert once(connection, "key", 1, what="a", act=act) == {"n": 1, "is_repeated": False}
        assert once(connection, "key", 1, what="a", act=act) == {"n": 1, "is_repeated": True}
        for rater, what in ((2, "a"), (1, "b")):
            with pytest.raises(ConflictError, match="another action"):
                once(connection, "key", rater, what=what, act=act)
    assert done == [1]


def test_a_request_that_fails_leaves_its_key_free(store: Store) -> None:
    def fail() -> dict[str, Any]:
        raise StoreError("no")

    with pytest.raises(StoreError), store.writing() as connection:
        once(connection, "key", 1, what="a", act=fail)
    with store.writing() as connection:
        assert once(connection, "key", 1, what="b", act=dict) == {"is_repeated": False}


def test_settings_and_the_secret_stay(store: Store) -> None:
    with store.writing() as connection:
        write_setting(connection, "a", {"x": [1, None, "é"]})
        write_setting(connection, "a", [2])
        first = SeenTokens(secret_of(connection)).of(1, 2)
    with Store.open(store.path) as again, again.writing() as connection:
        assert read_setting(connection, "a") == [2]
        assert read_setting(connection, "b", 7) == 7
        assert SeenTokens(secret_of(connection)).of(1, 2) == first


def test_numbers_go_out_in_no_order_and_come_back() -> None:
    veil, other = Veil(b"a" * 32), Veil(b"b" * 32)
    outside = [veil.hide("result", number) for number in range(1, 2001)]
    assert [veil.find("result", one) for one in outside] == list(range(1, 2001))
    assert len(set(outside)) == 2000
    assert max(outside) < 1 << 48
    assert abs(np.corrcoef(outside, range(2000))[0, 1]) < 0.1
    assert outside[0] not in (veil.hide("tile", 1), other.hide("result", 1)), "each kind and study its own"


def test_terms_are_those_of_the_kind_until_they_are_set(store: Store) -> None:
    screening = store.open_round(Round("s", RoundKind.SCREENING))
    meeting = store.open_round(Round("m", RoundKind.CONSENSUS))
    blinded = store.open_round(Round("b", RoundKind.CANDIDATE_REVIEW), is_blinded=True)
    with store.writing() as connection:
        assert read_round_row(connection, screening).terms.shows_cells == "own"
        assert read_round_row(connection, meeting).terms.speaks_as == "consensus"
        terms = Terms(False, True, "all", "rater", (2, 1), {"field_um": [1, 2]})
        for round_id in (meeting, blinded):
            write_terms(connection, round_id, terms)
        assert read_round_row(connection, meeting).terms == terms
        # A blinded round shows no labels, whatever its terms say.
        assert not read_round_row(connection, blinded).terms.shows_labels
        with pytest.raises(StoreError, match="no round 999"):
            read_round_row(connection, 999)
        assign(connection, meeting, [2, 1, 2])
        assign(connection, screening, [1])
        assert read_assignments(connection) == {screening: [1], meeting: [1, 2]}
        assign(connection, meeting, [2])
        assert [is_assigned(connection, meeting, one) for one in (1, 2)] == [False, True]


@given(st.integers(1, (1 << 60) - 1))
def test_an_order_of_reading_is_a_permutation(seed: int) -> None:
    order = ReadingOrder(seed)
    assert sorted(order.place_of_bucket(one) for one in range(1024)) == list(range(1024))
    inside = np.arange(4096) * 262_144
    places = (inside * order.factor) & order.mask
    assert len(set(places.tolist())) == 4096


def test_each_rater_reads_all_cells_in_an_order_of_the_own_and_the_natural_one_is_the_slides(
    store: Store, reader: Session
) -> None:
    with store.writing() as connection:
        mine = reading_order(connection, reader.round_id, reader.rater_id)
        assert reading_order(connection, reader.round_id, reader.rater_id) == mine
        other = reading_order(connection, reader.round_id, 1)

        def cells(order: ReadingOrder, n: int = 100) -> list[int]:
            return next_cells(connection, reader.rater_id, reader.round_id, n=n, order=order)

        assert cells(mine) != cells(other) != cells(NATURAL)
        assert set(cells(mine)) == set(cells(other)) == set(cells(NATURAL)) == set(range(1, 51))
        assert cells(mine, 7) == cells(mine)[:7]
        by_shuffle = [one for (one,) in connection.execute("SELECT id FROM cell ORDER BY slide_id, shuffle")]
        assert cells(NATURAL) == by_shuffle
    assert reader.next_unlabelled() == by_shuffle[0]


FIELDS = [Field(BoxPx0(100 * one, 0, 100, 80), 0.5 - 0.2 * one) for one in range(3)]


def test_a_screening_is_gone_on_with_where_it_was_left(store: Store) -> None:
    round_id = store.open_round(Round("s", RoundKind.SCREENING))
    with store.writing() as connection:
        with pytest.raises(StoreError, match="no fields"):
            read_screening(connection, round_id, 1, 1)
        assert write_plan(connection, round_id, 1, FIELDS) == tuple(FIELDS)
        assert write_plan(connection, round_id, 1, FIELDS[:1]) == tuple(FIELDS), "a plan stays"
        visit_field(connection, round_id, 1, 1, 1, is_covered=True, seconds=2, position={"x": 1})
        visit_field(connection, round_id, 1, 1, 1, seconds=3, position={"x": 2})
    with Store.open(store.path) as again, again.writing() as connection:
        state = read_screening(connection, round_id, 1, 1)
        assert (state.field, state.position) == (1, {"x": 2})
        assert (state.covered, state.seconds) == ((False, True, False), (0, 5, 0))
        assert state.covered_fraction == pytest.approx(0.3 / 0.9)
        assert not any(read_screening(connection, round_id, 2, 1).covered), "another rater's is another"
        visit_field(connection, round_id, 1, 1, 1, is_covered=False)
        assert not any(read_screening(connection, round_id, 1, 1).covered), "it was a mistake"
        visit_field(connection, round_id, 1, 1, 1, is_covered=True)
        assert begin_pass(connection, round_id, 1, 1) == 2
        state = read_screening(connection, round_id, 1, 1)
        assert (state.pass_, any(state.covered), state.field) == (2, False, None)
        with pytest.raises(StoreError, match="no field 3"):
            visit_field(connection, round_id, 1, 1, 3, is_covered=True)


def test_regions_change_by_events_and_come_back(store: Store) -> None:
    with store.writing() as connection:
        drawn = draw_region(connection, DrawnRegion(0, 1, RegionKind.TUMOUR, "a", SQUARE), 1)
        moved = DrawnRegion(drawn.id, 1, RegionKind.EXCLUSION, "b", SQUARE + 5)
        edited = edit_region(connection, moved, 2, expected=drawn.seen)
        with pytest.raises(ConflictError, match="changed since"):
            edit_region(connection, moved, 1, expected=drawn.seen)
        delete_region(connection, drawn.id, 1, expected=edited.seen)
        assert read_regions(connection, 1) == []
        # The number of a region is not given again.
        assert (
            draw_region(connection, DrawnRegion(0, 1, RegionKind.TUMOUR, "c", SQUARE), 1).id == drawn.id + 1
        )
        back = restore_region(connection, drawn.id, 1)
        np.testing.assert_array_equal(back.vertices_px0, SQUARE + 5)
        with pytest.raises(ConflictError, match="is not deleted"):
            restore_region(connection, drawn.id, 1)
        with pytest.raises(StoreError, match="no such region"):
            restore_region(connection, 99, 1)
        actions = [one for (one,) in connection.execute("SELECT action FROM region_event ORDER BY seq")]
    assert actions == ["create", "edit", "delete", "create", "restore"]
    assert [one.name for one in store.export_study().regions] == ["b", "c"]


@pytest.mark.parametrize("table", ["region_event", "signed_result", "tile_answer"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET time_s = 0", "DELETE FROM {}"])
def test_what_was_said_cannot_be_changed(store: Store, table: str, verb: str) -> None:
    with store.writing() as connection:
        draw_region(connection, DrawnRegion(0, 1, RegionKind.TUMOUR, "a", SQUARE), 1)
        sign(connection, {"count": 1}, slide_id=1, round_id=1, rater_id=1)
        add_tiles(connection, [TaskTile(0, 1, 1, 0, 0, 10)])
        answer_tile(connection, 1, 1, {"answer": True}, seconds=1)
    with pytest.raises(StoreError, match=r"append-only|signed"), store.writing() as connection:
        connection.execute(verb.format(table))


def test_results_are_signed_with_name_and_time(store: Store) -> None:
    with store.writing() as connection:
        first = sign(connection, {"count": 1}, slide_id=1, round_id=1, rater_id=1)
        second = sign(connection, {"count": 2}, slide_id=2, round_id=1, rater_id=2)
        assert [one.id for one in read_all_signed(connection)] == [second.id, first.id]
        assert [one.id for one in read_all_signed(connection, 1)] == [first.id]
        again = read_signed(connection, first.id)
        assert (again.rater, again.content["count"], again.time_s > 1.7e9) == ("expert 1", 1, True)
        with pytest.raises(StoreError, match="no such result"):
            read_signed(connection, 99)


def test_regions_of_interest_come_and_go(store: Store) -> None:
    with store.writing() as connection:
        added = add_interest(connection, 1, BoxPx0(1, 2, 3, 4), rater_id=1, name="a")
        assert read_interests(connection, 1) == [added]
        remove_interest(connection, added.id)
        assert read_interests(connection, 1) == []
        with pytest.raises(StoreError, match="no such region of interest"):
            remove_interest(connection, added.id)
        assert restore_interest(connection, added.id) == added
        assert read_interests(connection, 1) == [added]
        with pytest.raises(StoreError, match="no such region of interest"):
            restore_interest(connection, added.id + 1)


def test_gold_tiles_come_first_while_a_rater_is_tested_and_then_among_the_others(store: Store) -> None:
    tiles = [TaskTile(0, 1, 1, 10.0 * one, 0, 10, {"answer": True} if one < 4 else None) for one in range(40)]
    with store.writing() as connection:
        assert add_tiles(connection, tiles) == 40
        assert add_tiles(connection, tiles[:5]) == 0
        known = read_tiles(connection, 1)
    gold = {one.id for one in known if one.gold is not None}
    ids = {one.id for one in known}
    answered: set[int] = set()
    while len(answered) < 4:
        tile = next_tile(ids, answered, seed=3, first=gold)
        assert tile is not None
        answered.add(tile)
    assert answered == gold
    firsts: Counter[bool] = Counter()
    for seed in range(200):
        tile = next_tile(ids, (), seed=seed)
        assert tile is not None
        firsts[tile in gold] += 1
    assert 5 < firsts[True] < 40, "gold is a tenth of the tiles, and of the first ones"
    assert next_tile(ids, ids, seed=1) is None
    assert next_tile(ids, (), seed=1, skip=ids - {7}) == 7


def test_the_first_answer_stays_beside_the_last(store: Store) -> None:
    with store.writing() as connection:
        add_tiles(connection, [TaskTile(0, 1, 1, 0, 0, 10)])
        for answer in (True, False):
            answer_tile(connection, 1, 2, {"answer": answer}, seconds=1)
        (one,) = read_answers(connection, 1)
    assert (one.rater_id, one.first, one.content) == (2, {"answer": True}, {"answer": False})


def test_a_board_has_one_cell_a_place_and_one_round(store: Store) -> None:
    round_id = store.open_round(Round("b", RoundKind.BOARD_REVIEW), cells=[1, 2])
    places = [BoardPlace(1, 0, 0, 1), BoardPlace(2, 1, 0, None)]
    with store.writing() as connection:
        id_ = add_board(connection, round_id, places, columns=2, rows=1, cell_px=64)
        assert read_board(connection, id_).name == "b"
        assert {one.cell_id: one for one in read_places(connection, id_)} == {1: places[0], 2: places[1]}
        with pytest.raises(StoreError, match="has a board already"):
            add_board(connection, round_id, places, columns=2, rows=1, cell_px=64)
        with pytest.raises(StoreError, match="no such board"):
            read_board(connection, 99)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module_ in ("actions", "screening", "tasks"):
        monkeypatch.setattr(f"mitoscope.store.{module_}.time", made)
    return made


def test_speed_and_overruling_are_told_from_the_events(store: Store, reader: Session, clock: Clock) -> None:
    """Speed by the server's clock, whatever a browser says; breaks are no work."""
    for cell in range(1, 11):
        clock.now_s += 3600 * (cell == 4)
        reader.label(cell, 1, seconds=0.0 if cell % 2 else 86_400.0)
    with store.reading() as connection:
        (mine,) = [one for one in work_done(connection) if one.rater_id == reader.rater_id]
        assert (mine.done, mine.unit, mine.seconds) == (10, WorkUnit.CELLS, 3.0)
        assert mine.of is not None
        assert mine.left_s == 3.0 * (mine.of - 10)
        by_third = [one for one in overrulings(connection) if one.by_id == reader.rater_id]
        cells = live_cells(connection)
        first, second, _ = first_three(read_opinions(connection, cells), len(cells)).T
    differ = (first != second) & (cells <= 10)
    rows = list(zip(first[differ].tolist(), second[differ].tolist(), strict=True))
    expected = {1: sum(one != 1 for one, _ in rows), 2: sum(two != 1 for _, two in rows)}
    assert {one.overruled_id: one.cells for one in by_third} == expected
    assert sum(expected.values()) == len(rows) > 0


def test_the_checks_of_a_store_hold_with_all_this_in_it(store: Store) -> None:
    with store.writing() as connection:
        draw_region(connection, DrawnRegion(0, 1, RegionKind.TUMOUR, "a", SQUARE), 1)
        add_tiles(connection, [TaskTile(0, 1, 1, 0, 0, 10)])
    store.verify()


def test_a_study_of_the_schema_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.mito"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MIGRATIONS", MIGRATIONS[:2])
        patch.setattr(module, "SCHEMA_VERSION", 2)
        module.create_file(path).close()
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
    raw.close()
    with Store.open(path) as store, store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM access").fetchone() == (0,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


@pytest.mark.usefixtures("clock")
def test_a_screening_is_measured_in_fields_and_what_is_left_by_the_own_pace(store: Store) -> None:
    store.add_slide(SlideRecord("not begun.svs"))
    round_id = store.open_round(Round("fields", RoundKind.SCREENING))
    fields = [Field(BoxPx0(100 * n, 0, 100, 100), 0.25) for n in range(4)]
    with store.writing() as connection:
        assign(connection, round_id, [1, 2])
        slides = [id_ for (id_,) in connection.execute("SELECT id FROM slide ORDER BY id")]
        (before, _) = work_done(connection, rounds=[round_id])
        assert (before.done, before.of, before.left_s, before.is_complete) == (0, None, None, False)
        for slide in slides:
            write_plan(connection, round_id, slide, fields)
        for number in range(4):
            visit_field(connection, round_id, 1, slides[0], number, is_covered=True, seconds=900.0)
        visit_field(connection, round_id, 1, slides[1], 0, is_covered=False)  # looked at again before it was
        visit_field(connection, round_id, 1, slides[1], 1, is_covered=True)
        one, other = work_done(connection, rounds=[round_id])
        expected = 4 * len(slides)
        assert (one.unit, one.done, one.of, one.is_estimate) == (WorkUnit.FIELDS, 5, expected, True)
        assert one.slides[:3] == (
            SlideWork(slides[0], 4, 4),
            SlideWork(slides[1], 1, 4),
            SlideWork(slides[2], 0, None),
        )
        # Six visits three seconds apart, of which the first is not timed and one covered no field.
        assert one.seconds == pytest.approx(15 / 4)
        assert one.left_s == pytest.approx((expected - 5) * 15 / 4)
        assert (other.done, other.of, other.last_s) == (0, None, None)
        for slide in slides:
            for number in range(4):
                visit_field(connection, round_id, 1, slide, number, is_covered=True)
        (done, _) = work_done(connection, rounds=[round_id])
        assert (done.done, done.of, done.is_estimate, done.is_complete) == (expected, expected, False, True)
        assert round_id not in rounds_read(connection)
        assign(connection, round_id, [1])
        assert round_id in rounds_read(connection)


@pytest.mark.usefixtures("clock")
def test_tiles_and_signatures_are_counted_and_free_labelling_has_no_end(store: Store) -> None:
    crowd = store.open_round(Round("crowd", RoundKind.CROWD_TILES))
    case = store.open_round(Round("case", RoundKind.CASE_REVIEW))
    free = store.open_round(Round("free"))
    with store.writing() as connection:
        for round_id in (crowd, case, free):
            assign(connection, round_id, [1])
        add_tiles(connection, [TaskTile(0, crowd, 1, x, 0, 10) for x in (0, 10, 20)])
        first, second, _ = read_tiles(connection, crowd)
        for tile in (first, first, second):
            answer_tile(connection, tile.id, 1, {"answer": True}, seconds=900)
        sign(connection, {"count": 3}, slide_id=2, round_id=case, rater_id=1)
        (tiles,) = work_done(connection, rounds=[crowd])
        (slides,) = work_done(connection, rounds=[case])
        (cells,) = work_done(connection, rounds=[free], rater_id=1)
        assert (tiles.done, tiles.of, tiles.left_s) == (2, 3, 3.0)
        assert (slides.unit, slides.done, slides.seconds) == (WorkUnit.SLIDES, 1, None)
        assert slides.of == len(slides.slides)
        assert (cells.done, cells.of, cells.is_complete) == (0, None, False)
