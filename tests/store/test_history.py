"""Promise 11: replaying the first k events gives snapshot k."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.errors import StoreError
from mitoscope.store import Geometry, Rater, Shape, SlideRecord, Store
from tests.store.replay import Snapshot, events_of, last_seq, present, snapshot
from tests.store.session import Session

SQUARE = [[10.0, 10.0], [20.0, 10.0], [20.0, 20.0]]
coordinate = st.floats(0, 5000, allow_nan=False)
action = st.one_of(
    st.tuples(st.just("create"), coordinate, coordinate),
    st.tuples(st.just("polygon"), coordinate, coordinate),
    st.tuples(st.just("label"), st.integers(1, 6), st.sampled_from([1, 2, None])),
    st.tuples(st.just("move"), st.integers(1, 6), coordinate),
    st.tuples(st.just("delete"), st.integers(1, 6), st.none()),
    st.tuples(st.just("restore"), st.integers(1, 6), st.none()),
)


def perform(session: Session, step: tuple[object, ...]) -> None:
    match step:
        case ("create", float(x), float(y)):
            session.create(1, Geometry.spot(x, y))
        case ("polygon", float(x), float(y)):
            session.create(1, Geometry.polygon([[x + a, y + b] for a, b in SQUARE]))
        case ("label", int(cell), label):
            session.label(cell, label)  # type: ignore[arg-type]
        case ("move", int(cell), float(x)):
            session.move(cell, Geometry(Shape.CIRCLE, (x, 1, x + 9, 10)))
        case ("delete", int(cell), _):
            session.delete(cell)
        case ("restore", int(cell), _):
            session.restore(cell)


@given(st.lists(st.tuples(st.integers(0, 1), action), max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_replays_to_every_state_it_went_through(
    quick_path: Path, steps: list[tuple[int, tuple[object, ...]]]
) -> None:
    path = quick_path / f"{len(list(quick_path.iterdir()))}.mito"
    with Store.create(path) as store:
        store.add_slide(SlideRecord("a.svs"))
        sessions = [Session(store, store.add_rater(Rater(name)), 1) for name in ("x", "y")]
        for session in sessions:
            session.create(1, Geometry.spot(1, 1))
        states: dict[int, Snapshot] = {}
        refused = 0
        for who, step in steps:
            try:
                perform(sessions[who], step)
            except StoreError:
                refused += 1  # the cell is deleted, or is not, or there is none
            states[last_seq(store)] = present(store)
        assert len(states) >= min(1, len(steps) - refused)
        for seq, state in states.items():
            assert snapshot(store, seq) == state
        store.verify()


def test_the_history_of_a_cell_says_who_and_when(store: Store, reader: Session) -> None:
    done = reader.label(4, 2, score=0.5, seconds=3.0)
    events = events_of(store, 4)
    assert [one.kind for one in events] == ["create", "label", "label", "label"]
    last = events[-1]
    assert (last.seq, last.rater_id, last.label_id, last.score, last.seconds) == (
        done.seq,
        reader.rater_id,
        2,
        0.5,
        3.0,
    )
    assert [one.time_s for one in events[1:3]] == [1e9 + 3, 2e9 + 3]
    assert last.time_s is not None


def test_labels_given_before_stay_in_an_earlier_snapshot(store: Store) -> None:
    session = Session(store, 1, 1)
    first = session.label(1, 1)
    second = session.label(1, 2)
    assert snapshot(store, first.seq).labels[1, 1, 1] == 1
    assert snapshot(store, second.seq).labels[1, 1, 1] == 2
