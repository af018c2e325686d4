"""Who reads the whole study reads a copy, and nobody waits for that."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import MitoscopeError
from mitoscope.store import Rater, Round, Source, Store, snapshot
from mitoscope.store.opinions import live_cells, read_opinions

from .making import scattered_study
from .session import Session


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(scattered_study(400), source=Source("made"))
        yield store


def test_writes_go_through_while_a_copy_is_read(store: Store) -> None:
    with store.snapshot() as copy:
        store.add_rater(Rater("late"))
        assert "late" not in {rater.name for rater in copy.raters().values()}
        assert copy.overview().cells == 400
    with store.snapshot() as copy:
        assert "late" in {rater.name for rater in copy.raters().values()}


def test_what_another_process_writes_is_in_the_next_copy(store: Store) -> None:
    with store.snapshot():
        pass
    with Store.open(store.path) as other:
        other.add_rater(Rater("from elsewhere"))
    with store.snapshot() as copy:
        assert "from elsewhere" in {rater.name for rater in copy.raters().values()}


def test_a_copy_is_not_made_twice_of_one_state(store: Store) -> None:
    with store.snapshot() as one, one.reading() as first:
        pass
    with store.snapshot() as other, other.reading() as second:
        assert first is second


def test_nobody_changes_the_study_in_its_copy(store: Store) -> None:
    with store.snapshot() as copy, pytest.raises(MitoscopeError):
        copy.add_rater(Rater("nobody"))


def test_what_is_written_between_two_steps_of_copying_is_in_the_copy(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def write(_: float) -> None:
        if len(written) < 5:
            written.append(f"rater {len(written)}")
            store.add_rater(Rater(written[-1]))

    monkeypatch.setattr(snapshot, "STEP_PAGES", 3)
    monkeypatch.setattr(snapshot, "sleep", write)
    with store.snapshot() as copy:
        assert len(written) == 5
        assert set(written) <= {rater.name for rater in copy.raters().values()}
        assert copy.verify().events == store.verify().events


def test_labels_brought_up_to_date_are_those_of_the_store(store: Store) -> None:
    rng = random.Random(2)
    round_id = store.open_round(Round("more"))
    sessions = [Session(store, store.add_rater(Rater(f"reader {n}")), round_id) for n in range(3)]
    cells = store.live_cells()
    for _ in range(6):
        with store.snapshot() as copy, copy.reading() as kept, store.reading() as anew:
            ids = live_cells(anew)
            for name in ("cell", "rater", "label", "score", "first", "last"):
                found, expected = (getattr(read_opinions(one, ids), name) for one in (kept, anew))
                np.testing.assert_array_equal(found, expected)
        for _ in range(15):
            who, cell = rng.choice(sessions), rng.choice(cells)
            who.label(cell, rng.choice([1, 2, None]))
        gone = rng.choice(cells)
        cells.remove(gone)
        sessions[0].delete(gone)
