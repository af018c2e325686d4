"""A rule's outcome is written beside what the raters said, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mitoscope.curation import ratings, settle
from mitoscope.errors import ConflictError, FormatError
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    CONSENSUS_RATER,
    CellEvent,
    Policy,
    Rater,
    Round,
    RoundKind,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
    intern_raters,
    intern_rounds,
    record,
    record_labels,
)
from mitoscope.truth import majority_of_three


def made(path: Path) -> Store:
    builder = StudyBuilder(DEFAULT_LABELS)
    slide = builder.slide(SlideRecord("a.svs"))
    experts = [builder.rater(Rater(f"expert {n}")) for n in (1, 2, 3)]
    for number, labels in enumerate([(0, 0), (1, 1), (0, 1), (0, 1, 1), (1, 0, 1), (1, 0, -1)]):
        cell = builder.cell(slide, (number, 1))
        for rater, label in zip(experts, labels, strict=False):
            builder.event(cell, rater, label)
    store = Store.create(path)
    store.import_study(builder.build(), source=Source("made"))
    return store


def test_what_two_or_three_agree_on_is_recorded_once(tmp_path: Path) -> None:
    with made(tmp_path / "a.mito") as store:
        before = store.export_study()
        done = settle(store, Policy.MAJORITY)
        assert (done.written, done.unchanged, done.open, done.disputed) == (4, 0, 2, (3, 6))
        assert store.agreed(Policy.RECORDED).label_id.tolist() == [1, 2, 0, 2, 2, 0]
        again = settle(store, Policy.MAJORITY)
        assert (again.written, again.unchanged) == (0, 4)
        after = store.export_study()
        assert after.events.take(np.arange(len(before.events))) == before.events
        store.verify()


def test_the_views_of_the_store_are_the_rules_of_curation(tmp_path: Path) -> None:
    with made(tmp_path / "a.mito") as store:
        part = ratings(store.export_study())
        rule = majority_of_three(*(part.in_turn(turn) for turn in range(3)))
        assert (rule + 1).tolist() == store.agreed(Policy.MAJORITY).label_id.tolist()


def test_what_is_said_while_the_rule_is_worked_out_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made(tmp_path / "a.mito") as store:
        expert, gone = store.add_rater(Rater("expert 2")), 4
        snapshot = store.snapshot

        @contextmanager
        def later() -> Iterator[Store]:
            with snapshot() as copy:
                yield copy
            with store.writing() as connection:  # after the copy was read, before anything is written
                record(connection, CellEvent("label", 1, expert, 1, label_id=2))  # now disputed
                record(connection, CellEvent("label", 3, expert, 1, label_id=1))  # no longer
                record(connection, CellEvent("delete", gone, expert, 1))

        monkeypatch.setattr(store, "snapshot", later)
        done = settle(store, Policy.MAJORITY)
        assert (done.written, done.unchanged, done.open, done.disputed) == (3, 0, 2, (1, 6))
        assert store.agreed(Policy.RECORDED).label_id.tolist() == [0, 2, 1, 2, 0]
        store.verify()


def test_many_labels_at_once_are_what_single_ones_are(tmp_path: Path) -> None:
    with made(tmp_path / "a.mito") as one, made(tmp_path / "b.mito") as many:
        label_of, scores = {2: 1, 5: 2, 6: 1}, {5: 0.25}
        for store in (one, many):
            store.open_round(Round("list", RoundKind.CONSENSUS), cells=[2, 6])
            with store.writing() as connection:
                (rater,) = intern_raters(connection, [CONSENSUS_RATER]).tolist()
                (round_id,) = intern_rounds(connection, [Round("list", RoundKind.CONSENSUS)]).tolist()
                record(connection, CellEvent("label", 6, rater, round_id, label_id=2))
                record(connection, CellEvent("label", 2, rater, round_id, label_id=None))
                if store is many:
                    record_labels(connection, label_of, round_id, scores=scores)
                    continue
                for cell, label in label_of.items():
                    score = scores.get(cell)
                    record(connection, CellEvent("label", cell, rater, round_id, label_id=label, score=score))
        assert _labels(one) == _labels(many)
        for store in (one, many):
            store.verify()  # tallies too
        with many.writing() as connection:
            with pytest.raises(ConflictError, match="cell 99"):
                record_labels(connection, {99: 1}, round_id)
            with pytest.raises(FormatError, match=r"1\.5"):
                record_labels(connection, {2: 1}, round_id, scores={2: 1.5})


def _labels(store: Store) -> list[tuple[object, ...]]:
    with store.reading() as connection:
        columns = "cell_id, rater_id, round_id, label_id, score"
        now = connection.execute(f"SELECT {columns}, first_seq, last_seq FROM label_now ORDER BY 1, 2, 3")
        said = connection.execute(f"SELECT seq, kind, {columns}, key, attributes FROM event ORDER BY seq")
        return [*now.fetchall(), *said.fetchall()]
