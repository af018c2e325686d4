"""Imports: all or nothing, the same out as in, and what is known is completed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from sqlite3 import Connection

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mitoscope.errors import MitoscopeError, OutputError, StoreError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS, Label, LabelSet
from mitoscope.store import (
    Cells,
    Domain,
    LabelEvents,
    Rater,
    RaterKind,
    SlideRecord,
    Source,
    Store,
    Study,
    ingest,
    sift,
    staged,
)
from tests.store.session import Session

from .making import scattered_study
from .strategies import studies

MPP = Mpp.square(1)


@given(studies())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_out_comes_what_went_in(quick_path: Path, study: Study) -> None:
    path = quick_path / f"{len(list(quick_path.iterdir()))}.mito"
    with Store.create(path, labels=study.labels) as store:
        store.import_study(study, source=Source("made"))
        assert store.export_study() == sift(study, source="made")
        store.verify()


def test_a_second_study_is_added_to_the_first(store: Store) -> None:
    other = scattered_study(30, slides=3, seed=2)
    other = replace(other, cells=replace(other.cells, guid=other.cells.guid + " again"))
    report = store.import_study(other, source=Source("other"))
    assert (report.slides, report.cells, report.labels, report.quarantined) == (3, 30, 60, {})
    whole = store.export_study()
    assert [one.name for one in whole.slides] == ["slide 0.svs", "slide 1.svs", "slide 2.svs"]
    assert [one.name for one in whole.raters] == ["expert 1", "expert 2"]
    assert len(whole.cells) == 80
    assert len(store.export_study(["slide 2.svs"]).cells) == 10
    store.verify()


def test_a_part_of_a_study_holds_what_belongs_to_it(store: Store) -> None:
    whole, part = store.export_study(), store.export_study(["slide 1.svs"])
    rows = np.flatnonzero(whole.cells.slide == 1)
    assert part.slides == whole.slides[1:]
    assert np.array_equal(part.cells.bounds_px0, whole.cells.bounds_px0[rows])
    assert len(part.events) == 2 * len(rows)
    with pytest.raises(StoreError, match=r"no slide of the name 'x'; known: slide 0\.svs"):
        store.export_study(["x"])


def test_what_a_slide_states_more_is_added_and_what_it_states_else_is_refused(store: Store) -> None:
    more = SlideRecord("slide 0.svs", domain=Domain(scanner="XR"), sha256="a" * 64)
    store.import_study(Study(slides=(more,)), source=Source("more"))
    known = store.slides()[1]
    assert (known.domain.scanner, known.sha256, known.size) == ("XR", "a" * 64, SizePx(10_000, 8_000))
    others = (
        replace(more, sha256="b" * 64),
        replace(more, size=SizePx(7, 7)),
        replace(more, mpp=MPP),
    )
    for other in others:
        with pytest.raises(StoreError, match=r"slide 'slide 0\.svs': \w+ is .* in the file and"):
            store.import_study(Study(slides=(other,)), source=Source("other"))


def test_a_file_named_like_a_slide_is_of_that_slide(store: Store) -> None:
    store.import_study(Study(slides=(SlideRecord("s1.tiff"), SlideRecord("s2.svs"))), source=Source("a"))
    store.import_study(Study(slides=(SlideRecord("s2.tiff"),)), source=Source("b"))
    before = [slide.name for slide in store.slides().values()]
    cells = Cells.spots([0], np.array([[5.0, 6.0]]))
    store.import_study(Study(slides=(SlideRecord("s1"),), cells=cells), source=Source("s1.geojson"))
    assert [slide.name for slide in store.slides().values()] == before
    study = store.export_study()
    assert study.slides[int(study.cells.slide[-1])].name == "s1.tiff"
    store.import_study(Study(slides=(SlideRecord("s2"),)), source=Source("s2.geojson"))
    store.import_study(Study(slides=(SlideRecord("case.1"),)), source=Source("c"))
    store.import_study(Study(slides=(SlideRecord("case"),)), source=Source("case.geojson"))
    assert "case" in {slide.name for slide in store.slides().values()}  # .1 is no suffix of an image
    assert "s2" in {slide.name for slide in store.slides().values()}  # which of the two is not known


def test_a_rater_stays_of_one_kind(store: Store) -> None:
    with pytest.raises(StoreError, match="rater 'expert 1': kind 'model' in the file and 'expert'"):
        store.import_study(Study(raters=(Rater("expert 1", RaterKind.MODEL),)), source=Source("x"))


def test_labels_meet_by_name_and_alias(store: Store) -> None:
    other = LabelSet((Label("Mitosis", "#000000"), Label("granulocyte", "#123456")))
    study = replace(
        scattered_study(2, slides=1),
        labels=other,
        cells=Cells.spots([0, 0], [[1, 2], [3, 4]]),
        events=LabelEvents.of([0, 1], [0, 0], [0, 1]),
    )
    store.import_study(study, source=Source("x"))
    assert [one.name for one in store.labels().values()] == ["mitotic figure", "look-alike", "granulocyte"]
    assert store.export_study().events.label[-2:].tolist() == [0, 2]


def test_the_same_file_twice_is_refused(store: Store) -> None:
    study = Study(slides=(SlideRecord("n.svs"),))
    store.import_study(study, source=Source("n.json", sha256="c" * 64))
    before = store.export_study()
    with pytest.raises(StoreError, match=r"n2\.json: imported already \(as n\.json\)"):
        store.import_study(study, source=Source("n2.json", sha256="c" * 64))
    assert store.export_study() == before


def test_cells_the_store_has_already_are_known_again(store: Store) -> None:
    before = store.export_study()
    report = store.import_study(scattered_study(), source=Source("again.json"))
    assert (report.cells, report.known, report.labels, report.quarantined) == (0, 50, 0, {})
    assert store.export_study() == before
    store.verify()


@pytest.mark.parametrize("at", ["add_cells", "add_label_events", "add_deletions"])
def test_an_import_interrupted_half_way_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:

    before, content = store.export_study(), store.path.read_bytes()
    original = getattr(ingest, at)

    def stop(*arguments: object, **more: object) -> None:
        original(*arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, at, stop)
    study = Study(slides=(SlideRecord("n.svs"),), cells=Cells.spots([0], [[1, 1]]))
    with pytest.raises(KeyboardInterrupt):
        store.import_study(study, source=Source("n"))
    assert store.export_study() == before
    assert store.path.read_bytes() == content
    Session(store, 1, 1).label(1, 1)
    store.verify()


class _Killed(BaseException):
    """The process ends here."""


def _large(named: str) -> Study:
    """Return 60 cells, of which some have names, outlines and remarks or are deleted, with 120 labels."""
    study = scattered_study(60, slides=3, seed=2)
    cells = study.cells
    names = np.array([f"{guid} {named}" for guid in cells.guid], dtype=np.object_)
    ring = np.array([[10.0, 10.0], [40.0, 12.5], [30.0, 40.0]])
    bounds, shape = cells.bounds_px0.copy(), cells.shape.copy()
    bounds[[5, 59]], shape[[5, 59]] = [10.0, 10.0, 40.0, 40.0], 4
    mixed = replace(
        cells,
        guid=names,
        bounds_px0=bounds,
        shape=shape,
        deleted=np.arange(60) % 7 == 3,
        vertices_px0={5: ring, 59: ring},
        attributes={0: {"seen": ["à", 1.5, None]}, 58: {"x": 1}},
    )
    events = replace(study.events, attributes={3: {"by": "hand"}, 119: {"by": "mouse"}})
    return replace(study, cells=mixed, events=events)


def _pending(store: Store) -> list[int]:
    with store.reading() as connection:
        tables = ("pending_piece", "pending_import")
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def test_a_large_import_lets_others_write_and_is_whole_however_it_ends(
    store: Store, quick_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.create(quick_path / "at once.mito") as other:
        other.import_study(scattered_study(), source=Source("made.json"))
        other.import_study(_large("large"), source=Source("large"))
        expected = other.export_study()
    monkeypatch.setattr(staged, "PIECE_ROWS", 40)
    pieces = 0
    stops: BaseException | None = _Killed()

    def write_piece(connection: Connection) -> bool:
        nonlocal pieces
        if pieces == 2 and stops is not None:
            raise stops
        before = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()[0]
        is_one = staged.write_piece(connection)
        after = connection.execute("SELECT ifnull(max(seq), 0) FROM event").fetchone()[0]
        assert after - before <= 40 + 20  # its cells that are deleted have a further event
        pieces += 1
        return is_one

    monkeypatch.setattr("mitoscope.store.store.write_piece", write_piece)
    with pytest.raises(_Killed):
        store.import_study(_large("large"), source=Source("large"))
    assert len(store.export_study().cells) < len(expected.cells)
    Session(store, 1, 1).label(1, 2)
    Session(store, 1, 1).label(1, 1)
    stops = OutputError("full", where="disk")
    with store.snapshot() as copy:  # who looks at the study as a whole sees all of it
        assert copy.export_study().cells == expected.cells
        assert copy.disputed()
    stops = None
    with Store.open(store.path, write=False) as looking:
        assert looking.export_study().cells == expected.cells
        looking.verify()
    frozen = store.freeze("MEL").truth
    assert _pending(store) == [0, 0]
    assert frozen.counts() == store.ground_truth().counts()
    whole = store.export_study()
    assert whole.cells == expected.cells
    assert len(whole.events) == len(expected.events) + 2
    with store.snapshot() as copy:  # what was kept of the copy that was ahead is not used again
        assert copy.disputed() == store.disputed()
    store.verify()


def test_opening_a_study_writes_what_is_left_of_an_import(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = store.export_study()
    monkeypatch.setattr(staged, "PIECE_ROWS", 40)
    known = replace(scattered_study(), raters=(Rater("Anna"), Rater("Bert")))  # the same cells, others say

    def killed(*_: object) -> bool:
        raise _Killed

    with monkeypatch.context() as laying:
        laying.setattr("mitoscope.store.store.lay_down", killed)
        with pytest.raises(_Killed):
            store.import_study(known, source=Source("known"))
    assert store.export_study() == before
    assert _pending(store) == [0, 0]
    with monkeypatch.context() as writing:
        writing.setattr("mitoscope.store.store.write_piece", killed)
        with pytest.raises(_Killed):
            store.import_study(known, source=Source("known", sha256="d" * 64))
    assert _pending(store) == [10, 1]
    anna = next(id_ for id_, rater in store.raters().items() if rater.name == "Anna")
    Session(store, anna, 1).label(1, 2)  # says so after the file was written
    Session(store, 1, 1).delete(2)
    store.close()
    with Store.open(store.path) as again:
        assert _pending(again) == [0, 0]
        with again.reading() as connection:
            said = dict(
                connection.execute("SELECT cell_id, label_id FROM label_now WHERE rater_id = ?", (anna,))
            )
        assert said[1] == 2
        assert sorted(said) == [1, *range(3, 51)]
        again.verify()
        with pytest.raises(StoreError, match="imported already"):
            again.import_study(known, source=Source("known", sha256="d" * 64))


def test_attributes_that_are_not_json_are_refused(store: Store) -> None:
    for value in ({1, 2}, float("nan"), b"bytes"):
        study = Study(slides=(SlideRecord("n.svs", attributes={"x": value}),))
        with pytest.raises(MitoscopeError, match="attributes that are not JSON"):
            store.import_study(study, source=Source("n"))


def test_an_empty_study_is_one(quick_path: Path) -> None:
    with Store.create(quick_path / "a.mito", labels=DEFAULT_LABELS) as store:
        report = store.import_study(Study(), source=Source("empty"))
        assert (report.cells, report.labels) == (0, 0)
        assert store.overview().cells == 0
        store.verify()
