"""The next unlabelled cell: every cell once, in an order that gives nothing away, at any time of the work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.errors import StoreError
from mitoscope.geometry import BoxPx0
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    Geometry,
    LabelEvents,
    Rater,
    Round,
    RoundKind,
    SlideRecord,
    Source,
    Store,
    Study,
    queue,
)
from tests.store.making import cells_in
from tests.store.session import Session

from .making import scattered_study


def work_through(session: Session, slide_id: int | None = None) -> list[int]:
    seen = []
    while (cell := session.next_unlabelled(slide_id=slide_id)) is not None:
        seen.append(cell)
        session.label(cell, 1)
        assert len(seen) <= 1000
    return seen


def test_every_cell_comes_once_slide_by_slide(store: Store, reader: Session) -> None:
    seen = work_through(reader)
    assert sorted(seen) == list(range(1, 51))
    assert [cell % 2 for cell in seen] == [1] * 25 + [0] * 25
    assert [(one.labelled, one.cells) for one in reader.progress().values()] == [(25, 25), (25, 25)]
    store.verify()


def test_the_order_is_neither_that_of_the_file_nor_of_the_labels(quick_path: Path) -> None:
    # Cells imported mitotic figures first, as an export sorted by class would have them.
    n = 2000
    cells = Cells.spots(np.zeros(n, np.int64), np.random.default_rng(0).uniform(0, 9000, (n, 2)))
    label = np.arange(n) // (n // 2)
    study = Study(
        (SlideRecord("a"),),
        DEFAULT_LABELS,
        (Rater("x"),),
        cells=cells,
        events=LabelEvents.of(np.arange(n), np.zeros(n), label),
    )
    with Store.create(quick_path / "a.mito") as store:
        store.import_study(study, source=Source("a"))
        session = Session(store, store.add_rater(Rater("y")), 1)
        first = [session.next_unlabelled(skip=()) or 0]
        skipped: list[int] = []
        for _ in range(299):
            skipped.append(first[-1])
            first.append(session.next_unlabelled(skip=skipped) or 0)
        of_class = np.array([label[cell - 1] for cell in first])
        assert 100 < of_class.sum() < 200
        assert abs(np.corrcoef(np.arange(300), first)[0, 1]) < 0.2


def test_one_slide_only_and_cells_passed_over(reader: Session) -> None:
    assert {cell % 2 for cell in work_through(reader, slide_id=2)} == {0}
    cell = reader.next_unlabelled()
    assert cell is not None
    other = reader.next_unlabelled(skip=[cell])
    assert other not in (None, cell)


def test_a_withdrawn_label_comes_again(reader: Session) -> None:
    seen = work_through(reader)
    reader.label(seen[7], None)
    assert reader.next_unlabelled() == seen[7]


def test_labels_of_a_listed_round_are_those_of_its_cells(store: Store) -> None:
    disputed = store.disputed()
    assert 0 < len(disputed) < 50
    third = store.open_round(Round("third", RoundKind.THIRD_EXPERT), cells=disputed)
    session = Session(store, store.add_rater(Rater("expert 3")), third)
    outside = next(cell for cell in range(1, 51) if cell not in disputed)
    session.label(outside, 1)
    assert sum(one.labelled for one in session.progress().values()) == 0
    assert sorted(work_through(session)) == disputed
    assert store.disputed() == []
    assert store.open_round(Round("third", RoundKind.THIRD_EXPERT), cells=[outside]) == third
    assert session.next_unlabelled() is None, "it was labelled before it was listed"
    session.label(outside, None)
    assert session.next_unlabelled() == outside
    session.delete(outside)
    assert session.next_unlabelled() is None
    store.verify()


def test_a_round_of_all_cells_has_no_list(store: Store) -> None:
    store.open_round(Round("whole", RoundKind.SCREENING))
    with pytest.raises(StoreError, match="round 'whole': covers no list of cells"):
        store.open_round(Round("whole", RoundKind.SCREENING), cells=[1])
    with pytest.raises(StoreError, match="cell 777: no such cell"):
        store.open_round(Round("list", RoundKind.BOARD_REVIEW), cells=[1, 777])


step = st.tuples(
    st.sampled_from(["label", "unlabel", "delete", "restore", "create", "list", "move"]), st.integers(1, 30)
)


@given(st.lists(step, max_size=40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_next_cell_is_that_of_a_plain_search(quick_path: Path, steps: list[tuple[str, int]]) -> None:
    path = quick_path / f"{len(list(quick_path.iterdir()))}.mito"
    with Store.create(path) as store:
        store.import_study(scattered_study(20), source=Source("made"))
        rater = store.add_rater(Rater("z"))
        rounds = [
            store.open_round(Round("all", RoundKind.SCREENING)),
            store.open_round(Round("some", RoundKind.CANDIDATE_REVIEW), cells=range(3, 9)),
        ]
        listed = set(range(3, 9))
        for kind, cell in steps:
            session = Session(store, rater, rounds[cell % 2])
            try:
                if kind in ("label", "unlabel"):
                    session.label(cell, 1 if kind == "label" else None)
                elif kind == "create":
                    session.create(1 + cell % 2, Geometry.spot(cell, cell))
                elif kind == "move":
                    session.move(cell, Geometry.spot(cell, cell))
                elif kind == "list":
                    store.open_round(Round("some", RoundKind.CANDIDATE_REVIEW), cells=[cell])
                    listed.add(cell)
                else:
                    getattr(session, kind)(cell)
            except StoreError:
                pass
        for round_ in rounds:
            session = Session(store, rater, round_)
            assert session.next_unlabelled() == plain_search(
                store, rater, round_, listed if round_ == rounds[1] else None
            )
        store.verify()


def plain_search(store: Store, rater: int, round_: int, listed: set[int] | None) -> int | None:
    with store.reading() as connection:
        for cell, is_deleted in connection.execute(
            "SELECT id, is_deleted FROM cell ORDER BY slide_id, shuffle"
        ):
            label = connection.execute(
                "SELECT label_id FROM event WHERE kind = 'label' AND cell_id = ? AND rater_id = ? "
                "AND round_id = ? ORDER BY seq DESC LIMIT 1",
                (cell, rater, round_),
            ).fetchone()
            if not is_deleted and (label is None or label[0] is None) and (listed is None or cell in listed):
                return int(cell)
    return None


def test_viewport_equals_a_plain_search(store: Store) -> None:
    rng = np.random.default_rng(0)
    study = store.export_study()
    for _ in range(50):
        x, y, w, h = rng.uniform([0, 0, 1, 1], [8000, 8000, 4000, 4000])
        found = sorted(cells_in(store, 2, BoxPx0(x, y, w, h)).cell_id.tolist())
        at = study.cells.bounds_px0[:, :2]
        inside = (study.cells.slide == 1) & (at >= [x, y]).all(axis=1) & (at < [x + w, y + h]).all(axis=1)
        assert found == (np.flatnonzero(inside) + 1).tolist()
    everything = cells_in(store, 2, BoxPx0(0, 0, 9000, 9000)).cell_id.tolist()
    assert everything != sorted(everything), "the order is that of the file, which may be sorted by class"


def test_the_queries_use_their_indexes(store: Store) -> None:
    words = "round rater slide low high scope whole x y right bottom limit mask factor"
    with store.reading() as connection:
        for sql in (queue._EVERY_CELL_SQL, queue._LISTED_SQL, queue._BUCKETS_SQL):
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys(words.split(), 1))
            plan = [row[3] for row in rows]
            assert not [one for one in plan if one.startswith("SCAN") and "VIRTUAL TABLE" not in one], plan
