"""Every format gives back what it was given (promise 14); with a control that does not."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mitoscope.exchange import annotations_csv, coco, geojson, grand_challenge, sliderunner
from mitoscope.exchange.format import BoxLayout, Format, ReadOptions, WriteOptions
from mitoscope.exchange.registry import FORMATS
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, LabelSet
from mitoscope.store import Cells, LabelEvents, Policy, Rater, RaterKind, Shape, SlideRecord, Study

from .studies import cells, content, events, names, slides, spotted, studies

MEMORY = Path("/dev/shm")  # a flush to disk costs nothing there
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def again(
    known: Format, study: Study, *, read: ReadOptions | None = None, write: WriteOptions | None = None
) -> Study:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / f"slide{known.suffix}"
        assert known.write is not None
        known.write(study, path, write or WriteOptions())
        return known.read(path, read or ReadOptions())


@quick
@given(studies(), st.sampled_from(BoxLayout))
def test_coco_gives_back_everything(study: Study, layout: BoxLayout) -> None:
    assert again(coco.FORMAT, study, write=WriteOptions(boxes=layout)) == study


@quick
@given(studies(most_slides=1))
def test_geojson_gives_back_everything(study: Study) -> None:
    assert again(geojson.FORMAT, study) == study


@quick
@given(studies(most_slides=1), st.integers(-500, 5000))
def test_geojson_relative_to_bounds_gives_back_everything(study: Study, x: int) -> None:
    bounds = BoxPx(x, 77, 1000, 1000)
    assert again(geojson.FORMAT, study, write=WriteOptions(bounds=bounds)) == study


@quick
@given(studies())
def test_csv_gives_back_cells_and_labels(study: Study) -> None:
    bare = replace(study, regions=(), versions=(), quarantine=())
    bare = replace(bare, slides=tuple(SlideRecord(one.name) for one in study.slides))
    assert content(again(annotations_csv.FORMAT, bare)) == content(bare)


@st.composite
def screened(draw: st.DrawFn) -> Study:
    """What a SlideRunner file holds: persons' labels with times, then an agreed class of each cell."""
    records = tuple(SlideRecord(one.name, size=one.size) for one in draw(slides()))
    kept = draw(cells(len(records)))
    found = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    raters = [Rater(name) for name in found if name not in ("consensus", "RetinaNet")]
    if not raters:
        raters = [Rater("expert 1")]
    given_labels = draw(events(len(kept), len(raters), 2))
    agreed = draw(st.lists(st.integers(0, 1), min_size=len(kept), max_size=len(kept)))
    n, m = len(given_labels), len(kept)
    return (
        Study(
            records,
            LabelSet((MITOTIC_FIGURE, LOOK_ALIKE)),
            (*raters, Rater("consensus", RaterKind.CONSENSUS)),
            cells=kept,
            events=LabelEvents.of(
                np.concatenate([given_labels.cell, np.arange(m)]),
                np.concatenate([given_labels.rater, np.full(m, len(raters))]),
                np.concatenate([given_labels.label, np.array(agreed, dtype=np.int64)]),
                time_s=np.concatenate([given_labels.time_s, np.full(m, np.nan)]),
            ),
        )
        if n + m
        else Study(records, raters=tuple(raters))
    )


@quick
@given(screened())
def test_sliderunner_gives_back_who_said_what_and_when(study: Study) -> None:
    assert content(again(sliderunner.FORMAT, study)) == content(study)


@quick
@given(screened(), st.sampled_from(Policy))
def test_sliderunner_adds_no_rater_and_no_label(study: Study, policy: Policy) -> None:
    """Without a consensus, the agreed class of the file is worked out: nobody gave that label."""
    spoken = np.flatnonzero(study.events.rater < len(study.raters) - 1)
    raters = tuple(one for one in study.raters if one.kind is not RaterKind.CONSENSUS)
    people = replace(study, raters=raters, events=study.events.take(spoken))
    found = again(sliderunner.FORMAT, people, write=WriteOptions(policy=policy))
    assert content(found) == content(people)
    assert found.raters == people.raters


def test_an_agreed_class_that_was_changed_in_sliderunner_is_a_label(tmp_path: Path) -> None:
    path, labels = tmp_path / "slides.sqlite", LabelSet((MITOTIC_FIGURE, LOOK_ALIKE))
    study = Study(
        (SlideRecord("a.tiff"),),
        labels,
        (Rater("expert 1"),),
        cells=Cells.spots([0, 0], [[1, 2], [30, 40]]),
        events=LabelEvents.of([0, 1], [0, 0], [0, 0]),
    )
    assert sliderunner.FORMAT.write is not None
    sliderunner.FORMAT.write(study, path, WriteOptions())
    with closing(sqlite3.connect(path)) as db, db:
        db.create_function("pycurrent_time", 0, lambda: 5.0)
        assert db.execute("SELECT uid, agreedClass FROM Annotations").fetchall() == [(1, 1), (2, 1)]
        db.execute("UPDATE Annotations SET agreedClass = 2 WHERE uid = 2")
    found = sliderunner.FORMAT.read(path, ReadOptions())
    assert found.raters == (Rater("expert 1"), Rater("consensus", RaterKind.CONSENSUS))
    assert list(zip(found.events.cell, found.events.rater, found.events.label, strict=True)) == [
        (0, 0, 0),
        (1, 0, 0),
        (1, 1, 1),
    ]


@quick
@given(spotted())
@pytest.mark.parametrize("name", ["tupac16", "mitos2012", "midesec", "mitos-atypia-2014"])
def test_challenge_files_give_back_what_they_can_say(name: str, study: Study) -> None:
    """Read → write → read is the identity: the first reading is all that such a file can say."""
    first = again(FORMATS[name], study)
    assert again(FORMATS[name], first) == first


@quick
@given(spotted())
def test_tupac_gives_back_every_centre(study: Study) -> None:
    figures = study.cells.centres_px0[study.events.label == 0]
    assert np.array_equal(again(FORMATS["tupac16"], study).cells.centres_px0, figures)


@quick
@given(spotted(score=True))
def test_atypia_gives_back_centres_labels_and_confidence(study: Study) -> None:
    assert content(again(FORMATS["mitos-atypia-2014"], study)) == content(study)


@quick
@given(spotted(score=True), st.floats(0.1, 1))
def test_grand_challenge_gives_back_points_to_a_millionth_of_a_pixel(study: Study, mpp: float) -> None:
    scores = study.events.score
    assume(((scores > 0) & (scores < 1)).any())  # else nothing says that a model spoke
    points = Cells.spots(study.cells.slide, np.round(study.cells.centres_px0, 6))
    rounded = replace(study, cells=points, raters=(Rater("model", RaterKind.MODEL),))
    known = WriteOptions(mpp=Mpp.square(mpp))
    found = again(grand_challenge.FORMAT, rounded, read=ReadOptions(mpp=Mpp.square(mpp)), write=known)
    assert np.array_equal(found.cells.bounds_px0, rounded.cells.bounds_px0)
    assert np.array_equal(found.events.label, study.events.label)
    assert np.array_equal(found.events.score, study.events.score)


def test_a_naive_csv_writer_fails_the_same_test() -> None:
    """Control: names joined by commas, and numbers with three decimals, do not come back."""
    study = Study(
        (SlideRecord("=1,5"),),
        cells=Cells.of([0], [[0.12345, 1, 0.12345, 1]], shape=[Shape.SPOT]),
    )

    def naive(written: Study, path: Path, _: WriteOptions) -> None:
        lines = [f"{written.slides[0].name},{x:.3f},{y:.3f}," for x, y in written.cells.centres_px0]
        path.write_text("image,x,y,label\n" + "\n".join(lines), encoding="utf-8")

    careless = replace(annotations_csv.FORMAT, write=naive)
    quoted = replace(study, slides=(SlideRecord("plain"),))
    assert content(again(careless, quoted)) != content(quoted)
    assert content(again(annotations_csv.FORMAT, study)) == content(study)


def test_sizes_ride_in_coco(tmp_path: Path) -> None:
    study = Study((SlideRecord("a.tiff", size=SizePx(7, 5)),))
    assert again(coco.FORMAT, study).slides[0].size == SizePx(7, 5)
