"""A rule's outcome is written beside what the raters said, once."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mitoscope.curation import ratings, settle
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Policy, Rater, SlideRecord, Source, Store, StudyBuilder
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
